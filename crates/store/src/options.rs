//! What a caller may set about a store: one deadline, from which the others follow.

use std::time::Duration;

/// How long a store may take, and how often it tries.
///
/// They matter to S3; a local directory waits for its filesystem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long one operation may take, all its attempts included, when its body is small. A body adds its own time at
    /// 1 MB/s. The connect, read, attempt and credential timeouts are derived and are never longer.
    pub timeout: Duration,
    /// How often a request is sent at most, the first time included, before its error is reported.
    pub attempts: u32,
}

impl Default for Options {
    /// 60 seconds and 5 attempts.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            attempts: 5,
        }
    }
}

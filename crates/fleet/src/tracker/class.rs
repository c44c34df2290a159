//! Why an attempt failed, in the classes that steer what comes next.

use std::fmt;

/// How an attempt ended that did not finish its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureClass {
    /// The kernel failed on a sample, and will again: the shard is given up at once.
    Kernel,
    /// It failed, and a repeat may not.
    Failed,
    /// It wanted more memory than it may have.
    OutOfMemory,
    /// A signal ended it.
    Signal,
    /// It took longer than it may.
    TimedOut,
    /// It was stopped in time and its work is kept: doesn't count against the maximum.
    Stopped,
    /// It was never heard of again. Workers don't report it; a claim infers it from a lease that has run out.
    Lost,
}

impl FailureClass {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Kernel,
        Self::Failed,
        Self::OutOfMemory,
        Self::Signal,
        Self::TimedOut,
        Self::Stopped,
        Self::Lost,
    ];

    /// Its name in records and reports, of at most 13 bytes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Failed => "failed",
            Self::OutOfMemory => "out-of-memory",
            Self::Signal => "signal",
            Self::TimedOut => "timed-out",
            Self::Stopped => "stopped",
            Self::Lost => "lost",
        }
    }

    /// The class of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// Whether a repeat would fail as well.
    #[must_use]
    pub fn is_final(self) -> bool {
        self == Self::Kernel
    }

    /// Whether the attempt counts against the maximum.
    #[must_use]
    pub fn counts(self) -> bool {
        self != Self::Stopped
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

//! Samples that fail: with an error, by panicking, or by recording what is not finite.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many failed samples a tree node lists; all of them are counted.
pub const LISTED_FAILURES: usize = 1000;

/// Why a sample, a set-up or an input failed, in words. Made from any error by `?`.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// A failure that says `message`.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message = format!("{message}: {cause}");
            source = cause.source();
        }
        Self(message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Samples that failed for one reason: one sample, or a whole block of a kernel with a block loop of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedSamples {
    /// The first of them, numbered over the whole run.
    pub first_sample: u64,
    /// How many, one after the other.
    pub samples: u64,
    /// The error's or panic's text.
    pub message: String,
}

/// The failed samples of a tree node: all counted, the first [`LISTED_FAILURES`] by number listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// How many samples failed.
    pub samples: u64,
    /// The first of them, in order.
    pub listed: Vec<FailedSamples>,
}

impl Failures {
    /// Adds samples that come after all that are here.
    pub fn push(&mut self, failed: FailedSamples) {
        self.samples += failed.samples;
        if self.listed.len() < LISTED_FAILURES {
            self.listed.push(failed);
        }
    }

    /// Adds the failures of the node to the right. Associative, so the list depends on the samples alone.
    pub fn merge(&mut self, right: Self) {
        self.samples += right.samples;
        let room = LISTED_FAILURES.saturating_sub(self.listed.len());
        self.listed.extend(right.listed.into_iter().take(room));
    }
}

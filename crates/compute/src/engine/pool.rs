//! The threads.

use std::sync::Arc;

/// A fixed number of threads. Kernels that use rayon inside a sample find themselves in it.
#[derive(Clone, Debug)]
pub struct Pool(Arc<rayon::ThreadPool>);

impl Pool {
    /// Starts `threads` threads; they end with the last clone.
    ///
    /// # Errors
    ///
    /// Where there are to be none, or the system refuses to start them.
    pub fn new(threads: usize) -> Result<Self, PoolError> {
        if threads == 0 {
            return Err(PoolError("0 threads: at least one is needed".to_owned()));
        }
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|number| format!("croupier-{number}"))
            .build()
            .map(|pool| Self(Arc::new(pool)))
            .map_err(|error| PoolError(format!("{threads} threads could not be started: {error}")))
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.0.current_num_threads()
    }

    /// Runs `code` on one of the threads.
    pub(super) fn install<R: Send>(&self, code: impl FnOnce() -> R + Send) -> R {
        self.0.install(code)
    }

    /// Runs `code` on every thread at once, and returns when all have ended.
    pub(super) fn on_every_thread(&self, code: impl Fn() + Sync) {
        self.0.broadcast(|_| code());
    }
}

/// Threads could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PoolError(String);

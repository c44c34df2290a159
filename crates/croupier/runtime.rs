//! Lets plain code wait for the layers below, which are async.

use std::future::Future;

use crate::Error;

/// Runs what `begin` gives to its end, on a thread of its own: the caller may be inside a runtime itself. It begins there
/// too, so that it need not be able to move.
pub(crate) fn wait<T: Send, F: Future<Output = Result<T, Error>>>(
    begin: impl FnOnce() -> F + Send,
) -> Result<T, Error> {
    let wait = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Error::Input(format!("no threads for input and output: {error}")))?
            .block_on(begin())
    };
    std::thread::scope(|scope| scope.spawn(wait).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

//! Lets plain code wait for the layers below, which are async.

use std::future::Future;

use crate::Error;

/// Runs `task` to its end, on a thread of its own: the caller may be inside a runtime itself.
pub(crate) fn wait<T: Send>(
    task: impl Future<Output = Result<T, Error>> + Send,
) -> Result<T, Error> {
    let wait = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Error::Input(format!("no threads for input and output: {error}")))?
            .block_on(task)
    };
    std::thread::scope(|scope| scope.spawn(wait).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

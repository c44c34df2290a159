//! A result in code.

use croupier_compute::Tally;
use croupier_store::Options;

use crate::{Error, Report, runtime};

/// A run's result: what it says, and the merged tally.
#[derive(Clone, Debug)]
pub struct Results<T> {
    /// Estimates, counts, digest and warnings.
    pub report: Report,
    /// The merged tally.
    pub tally: T,
}

impl<T: Tally> Results<T> {
    /// Reads the result of the run at `uri`: its path, or `s3://bucket/prefix/name`.
    ///
    /// # Errors
    ///
    /// Where there is no such run, it has no result yet, or its tally is another type.
    pub fn open(uri: &str) -> Result<Self, Error> {
        let (store, name) = croupier_store::split_last(uri);
        let store = store.unwrap_or(".");
        runtime::wait(|| async {
            let store = croupier_store::open(store, &Options::default()).await?;
            let run = croupier_run::open(&store, name).await?;
            let read = croupier_run::Results::<T>::read(&run).await?;
            Ok(Self {
                report: read.report,
                tally: read.tally,
            })
        })
    }
}

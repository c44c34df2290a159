//! A run from code: what `run` does on the command line, without a word printed.

use std::collections::BTreeMap;
use std::sync::Arc;

use croupier_compute::engine::{Control, Pool};
use croupier_compute::{BlockLength, Kernel};
use croupier_run::{
    Checkpoints, Executable, FailedSamplesLimit, Identity, Plan, ReduceOptions, WorkOptions,
    load_inputs, plan, reduce, work,
};
use croupier_store::{Memory, Options, Store};
use serde::Serialize;

use crate::{Error, Results, runtime};

/// A run to be executed on this machine.
///
/// # Example
///
/// ```
/// use croupier::prelude::*;
///
/// #[derive(Serialize)]
/// struct Dice {
///     sides: u32,
/// }
///
/// impl Kernel for Dice {
///     type Rng = ChaCha8Rng;
///     type Tally = Mean;
///
///     fn tally(&self) -> Mean {
///         Mean::new()
///     }
///
///     fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, mean: &mut Mean) {
///         mean.record(f64::from(rng.random_range(1..=self.sides)));
///     }
/// }
///
/// let results = Run::new(Dice { sides: 6 }).samples(1_000_000).seed(7).run()?;
/// let mean = results.tally.mean().unwrap();
/// assert!((mean - 3.5).abs() < 4.0 * results.tally.std_error().unwrap());
/// # Ok::<(), croupier::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a run does nothing until `run` is called"]
pub struct Run<K> {
    kernel: K,
    samples: Option<u64>,
    seed: Option<u64>,
    shards: u32,
    threads: Option<usize>,
    block: Option<u64>,
    failed_samples: Result<FailedSamplesLimit, Error>,
    inputs: BTreeMap<String, String>,
    place: Option<(String, String)>,
}

impl<K: Kernel + Serialize> Run<K> {
    /// A run of `kernel`. It needs [`samples`](Self::samples), unless the kernel's parameters fix them.
    pub fn new(kernel: K) -> Self {
        Self {
            kernel,
            samples: None,
            seed: None,
            shards: 1,
            threads: None,
            block: None,
            failed_samples: Ok(FailedSamplesLimit::default()),
            inputs: BTreeMap::new(),
            place: None,
        }
    }

    /// How many samples.
    pub fn samples(mut self, samples: u64) -> Self {
        self.samples = Some(samples);
        self
    }

    /// The seed. Drawn if left out; the report has it.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How many threads; as many as this process may use if left out. The bits don't depend on it.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// How many shards, one after the other; one if left out. The bits don't depend on it.
    pub fn shards(mut self, shards: u32) -> Self {
        self.shards = shards;
        self
    }

    /// Samples in a block, a power of two, instead of the kernel's own choice. The bits depend on it.
    pub fn block(mut self, samples: u64) -> Self {
        self.block = Some(samples);
        self
    }

    /// How many samples may fail and be left out: `"10"`, or `"0.1%"` of all. None if left out.
    pub fn failed_samples(mut self, limit: &str) -> Self {
        self.failed_samples = limit.parse();
        self
    }

    /// An input that the kernel is prepared with: a path or an S3 URI.
    pub fn input(mut self, name: impl Into<String>, uri: impl Into<String>) -> Self {
        self.inputs.insert(name.into(), uri.into());
        self
    }

    /// Keeps the run in a store, a path or `s3://bucket/prefix`, under `name`. Where it is there
    /// already, it is gone on with. In memory if left out.
    pub fn store(mut self, uri: impl Into<String>, name: impl Into<String>) -> Self {
        self.place = Some((uri.into(), name.into()));
        self
    }

    /// Executes the run on this machine and waits for its result.
    ///
    /// # Errors
    ///
    /// Where parameters, inputs or numbers are refused; where a sample fails that may not; what the
    /// store reports.
    pub fn run(self) -> Result<Results<K::Tally>, Error> {
        runtime::wait(|| self.execute())
    }

    async fn execute(mut self) -> Result<Results<K::Tally>, Error> {
        let refused = |failure| Error::Input(format!("the kernel refuses: {failure}"));
        self.kernel.validate().map_err(refused)?;
        let samples = match (self.kernel.domain(), self.samples) {
            (Some(domain), None) => domain,
            (Some(domain), Some(samples)) if samples == domain => domain,
            (Some(domain), Some(samples)) => {
                return Err(Error::Input(format!(
                    "{samples} samples: the parameters fix the number of samples at {domain}"
                )));
            }
            (None, Some(samples)) => samples,
            (None, None) => {
                return Err(Error::Input(
                    "how many samples? call `samples` before `run`".to_owned(),
                ));
            }
        };
        let (inputs, digests) = load_inputs(K::INPUTS, &self.inputs, &Options::default()).await?;
        self.kernel.prepare(&inputs).map_err(refused)?;
        let length = BlockLength::new(self.block.unwrap_or(K::BLOCK))?;
        let seed = match self.seed {
            Some(seed) => seed,
            None => croupier_run::drawn_seed()?,
        };
        let planned = Plan {
            identity: Identity::of(&self.kernel, seed, length, digests)?,
            samples,
            shards: self.shards,
            inputs: self.inputs,
            policy: Default::default(),
            at_most_once: false,
            failed_samples: self.failed_samples?,
        };
        let (store, name): (Arc<dyn Store>, String) = match self.place {
            Some((uri, name)) => (croupier_store::open(&uri, &Options::default()).await?, name),
            None => (Arc::new(Memory::new()), "run".to_owned()),
        };
        let threads = match self.threads {
            Some(threads) => threads,
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let options = WorkOptions {
            pool: Pool::new(threads).map_err(|error| Error::Input(error.to_string()))?,
            threads_source: "the calling program".to_owned(),
            executable: Executable::current()
                .map_err(|error| Error::Input(format!("this program can't be read: {error}")))?,
            allow_other_build: false,
            failed_samples: Some(planned.failed_samples),
            scheduler: None,
            attempt: None,
            checkpoints: Checkpoints::default(),
            control: Arc::new(Control::new()),
        };
        let run = plan(&store, &name, &planned).await?.run;
        let kernel = Arc::new(self.kernel);
        for shard in 0..run.shards() {
            work(&run, &kernel, shard, &options).await?;
        }
        let reduce_options = ReduceOptions {
            failed_samples: Some(planned.failed_samples),
            ..ReduceOptions::default()
        };
        let reduced = reduce::<K>(&run, &reduce_options).await?;
        match (reduced.tally, reduced.report.refused.clone()) {
            (Some(tally), None) => Ok(Results {
                report: reduced.report,
                tally,
            }),
            (_, refused) => Err(Error::Input(
                refused.unwrap_or_else(|| "the run has no blocks".to_owned()),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use croupier_compute::{Mean, Stream};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[derive(Serialize)]
    struct _Größe {}

    impl Kernel for _Größe {
        type Rng = ChaCha8Rng;
        type Tally = Mean;

        fn tally(&self) -> Mean {
            Mean::new()
        }

        fn sample(&self, _: u64, _: &mut Stream<ChaCha8Rng>, mean: &mut Mean) {
            mean.record(1.0);
        }
    }

    #[test]
    fn a_run_in_memory_needs_no_name() {
        let results = Run::new(_Größe {}).samples(10).seed(7).run().unwrap();
        assert_eq!(results.tally.count(), 10);
    }

    #[test]
    fn a_slash_at_the_end_of_a_run_means_nothing() {
        let error = Results::<Mean>::open("no-such-run/")
            .unwrap_err()
            .to_string();
        assert!(error.contains("no run \"no-such-run\""), "{error}");
    }
}

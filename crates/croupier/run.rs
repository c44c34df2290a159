//! A run from code: what `run` does on the command line, without a word printed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use croupier_compute::engine::{Control, Pool};
use croupier_compute::{BlockLength, Estimates, Kernel, Tally, kernel_name};
use croupier_run::{
    Checkpoints, Executable, FailedSamplesLimit, Identity, Plan, ReduceOptions, Until, Verdict,
    WorkOptions, load_inputs, plan, reduce, work,
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
    /// Without aims, the number of samples is fixed.
    until: Result<Until, Error>,
    inputs: BTreeMap<String, String>,
    place: Option<(String, String)>,
}

impl<K: Kernel + Serialize> Run<K> {
    /// A run of `kernel`. It needs [`samples`](Self::samples) or [`until`](Self::until), unless the kernel's
    /// parameters fix the number of samples.
    pub fn new(kernel: K) -> Self {
        Self {
            kernel,
            samples: None,
            seed: None,
            shards: 1,
            threads: None,
            block: None,
            failed_samples: Ok(FailedSamplesLimit::default()),
            until: Ok(Until::new(Vec::new())),
            inputs: BTreeMap::new(),
            place: None,
        }
    }

    /// How many samples. With [`until`](Self::until), how many to begin with.
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

    /// Goes on until an estimate is precise enough: `"rel=1e-3"`, half its interval over its value, or
    /// `"abs=0.05"`, half its interval; `"price:rel=1e-3"` where there are several. Called again, all of it is to be
    /// reached. The intervals of the result then hold at every look. Where a maximum ends the run before, the
    /// result is given all the same, and is not `accepted`.
    ///
    /// # Example
    ///
    /// ```
    /// use croupier::prelude::*;
    ///
    /// #[derive(Serialize)]
    /// struct Dice {}
    ///
    /// impl Kernel for Dice {
    ///     type Rng = ChaCha8Rng;
    ///     type Tally = Mean;
    ///     const BLOCK: u64 = 256;
    ///
    ///     fn tally(&self) -> Mean {
    ///         Mean::new()
    ///     }
    ///
    ///     fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, mean: &mut Mean) {
    ///         mean.record(f64::from(rng.random_range(1..=6)));
    ///     }
    /// }
    ///
    /// let results = Run::new(Dice {}).until("rel=0.01").seed(7).run()?;
    /// let mean = &results.report.estimates[0];
    /// assert!(results.report.accepted);
    /// assert!(mean.high.unwrap() - mean.value.unwrap() <= 0.01 * mean.value.unwrap());
    /// # Ok::<(), croupier::Error>(())
    /// ```
    pub fn until(mut self, aim: &str) -> Self {
        self.change_until(|until| {
            until.aims.push(aim.parse()?);
            Ok(())
        });
        self
    }

    /// With [`until`](Self::until): the most samples the run may have.
    pub fn max_samples(mut self, samples: u64) -> Self {
        self.change_until(|until| {
            until.max_samples = Some(samples);
            Ok(())
        });
        self
    }

    /// With [`until`](Self::until): the longest the run may take. What would take longer is not begun.
    pub fn max_time(mut self, time: Duration) -> Self {
        self.change_until(|until| {
            until.max_seconds = Some(time.as_secs_f64());
            Ok(())
        });
        self
    }

    /// With [`until`](Self::until): what every sample of an estimate lies between, as `"0,1"` or `"price:0,100"`, which
    /// makes its interval right for any number of samples.
    pub fn bounds(mut self, bounds: &str) -> Self {
        self.change_until(|until| {
            until.bounds.push(bounds.parse()?);
            Ok(())
        });
        self
    }

    fn change_until(&mut self, change: impl FnOnce(&mut Until) -> Result<(), Error>) {
        if let Ok(until) = &mut self.until
            && let Err(error) = change(until)
        {
            self.until = Err(error);
        }
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
        let until = self.until?;
        let until = (!until.aims.is_empty()).then_some(until);
        let samples = match (self.kernel.domain(), self.samples) {
            (Some(domain), None) => Some(domain),
            (Some(domain), Some(samples)) if samples == domain => Some(domain),
            (Some(domain), Some(samples)) => {
                return Err(Error::Input(format!(
                    "{samples} samples: the parameters fix the number of samples at {domain}"
                )));
            }
            (None, samples) if samples.is_some() || until.is_some() => samples,
            (None, _) => {
                return Err(Error::Input(
                    "how many samples? call `samples` or `until` before `run`".to_owned(),
                ));
            }
        };
        let (inputs, digests) = load_inputs(K::INPUTS, &self.inputs, &Options::default()).await?;
        self.kernel.prepare(&inputs).map_err(refused)?;
        let length = BlockLength::new(self.block.unwrap_or(K::BLOCK))?;
        let until = match until {
            Some(until) => Some(until.named(&estimate_names(&self.kernel))?),
            None => None,
        };
        let samples = match &until {
            // A domain is refused by the plan.
            Some(until) => until.first_samples(samples, length, self.shards)?,
            None => samples.unwrap_or_default(),
        };
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
            until,
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
        let mut run = plan(&store, &name, &planned).await?.run;
        let kernel = Arc::new(self.kernel);
        let reduce_options = ReduceOptions {
            failed_samples: Some(planned.failed_samples),
            ..ReduceOptions::default()
        };
        let mut first = 0;
        let reduced = loop {
            for shard in first..run.shards() {
                work(&run, &kernel, shard, &options).await?;
            }
            first = run.shards();
            let reduced = reduce::<K>(&run, &reduce_options).await?;
            if !run.go_on(&reduced.report).await? {
                break reduced;
            }
        };
        match (reduced.tally, reduced.verdict) {
            (Some(tally), Verdict::Accepted | Verdict::Imprecise) => Ok(Results {
                report: reduced.report,
                tally,
            }),
            _ => Err(Error::Input(
                reduced
                    .report
                    .refused
                    .unwrap_or_else(|| "the run has no blocks".to_owned()),
            )),
        }
    }
}

/// What a kernel's tally estimates, by name.
fn estimate_names<K: Kernel>(kernel: &K) -> Vec<String> {
    let mut estimates = Estimates::new(kernel_name::<K>(), 0.95);
    kernel.tally().estimates(&mut estimates);
    let names = estimates.named().iter();
    names.map(|(name, _)| name.clone()).collect()
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

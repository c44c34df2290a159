//! A kernel or a task with its type forgotten: what verbs need of it, and no more.
//!
//! Verbs are long and a program's kernels are many; what depends on a kernel's type is little. Kept
//! apart behind two traits, it is all that is compiled anew for each kernel.

mod several;
mod task;

use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use clap::{ArgMatches, Args, Command};
use croupier_compute::engine::{ReplayError, catch_panic};
use croupier_compute::{
    BlockLength, Estimates, FailedSamples, Failure, Grid, Inputs, Kernel, KernelFailure, Tally,
    engine, kernel_name,
};
use croupier_run::{
    Depth, Error, Identity, InputDigests, ReduceOptions, Report, StoredRun, Verdict, Verified,
    WorkOptions, Worked,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A kernel that can be called from the command line: its parameters are flags, and are stored with a run.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a kernel that a command line can call",
    label = "implement `Kernel`, and derive `Args`, `Serialize` and `Deserialize`"
)]
pub trait Program: Kernel + Args + Serialize + DeserializeOwned {}

impl<K: Kernel + Args + Serialize + DeserializeOwned> Program for K {}

pub(crate) use several::Several;
pub(crate) use task::KindOfTask;
pub use task::TaskProgram;

/// A kernel's or a task's type: what is known before there are parameters.
#[async_trait]
pub(crate) trait Kind: Send + Sync {
    fn name(&self) -> String;
    /// The kind that runs of `kernel` are of; none where it is another program's.
    fn named(&self, kernel: &str) -> Option<&dyn Kind>;
    /// Whether it draws no samples.
    fn is_task(&self) -> bool {
        false
    }
    fn version(&self) -> u32;
    fn block(&self) -> u64;
    fn inputs(&self) -> &'static [&'static str];
    /// Adds the parameters to a command.
    fn augment(&self, command: Command) -> Command;
    fn read_flags(&self, matches: &ArgMatches) -> Result<Box<dyn Instance>, clap::Error>;
    fn read_parameters(&self, parameters: &Value) -> Result<Box<dyn Instance>, serde_json::Error>;
    async fn reduce(&self, run: &StoredRun, options: &ReduceOptions) -> Result<Summary, Error>;
    async fn clean(&self, run: &StoredRun, is_meant: bool) -> Result<Vec<String>, Error>;
}

/// A result without its tally, which only the kernel's author can read.
pub(crate) struct Summary {
    pub(crate) report: Report,
    pub(crate) verdict: Verdict,
    pub(crate) uri: Option<String>,
}

/// A kernel with its parameters.
#[async_trait]
pub(crate) trait Instance: Send + Sync {
    fn validate(&self) -> Result<(), Failure>;
    fn prepare(&mut self, inputs: &Inputs) -> Result<(), Failure>;
    fn domain(&self) -> Result<Option<u64>, Failure>;
    fn identity(
        &self,
        seed: u64,
        block: BlockLength,
        inputs: InputDigests,
    ) -> Result<Identity, Error>;
    /// What its tally estimates, by name.
    fn estimate_names(&self) -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }
    async fn work(
        &self,
        run: &StoredRun,
        shard: u32,
        options: &WorkOptions,
    ) -> Result<Worked, Error>;
    async fn verify(&self, run: &StoredRun, depth: Depth) -> Result<Verified, Error>;
    /// Runs one sample again, and adds what it gives.
    fn replay_sample(
        &self,
        seed: u64,
        grid: &Grid,
        sample: u64,
        estimates: &mut Estimates,
    ) -> Result<(), ReplayError>;
    /// Runs one block again, adds what it gives, and returns the samples that failed.
    fn replay_block(
        &self,
        seed: u64,
        grid: &Grid,
        block: u64,
        estimates: &mut Estimates,
    ) -> Result<Vec<FailedSamples>, KernelFailure>;
}

/// The kind that is `K`.
pub(crate) struct KindOf<K>(PhantomData<fn() -> K>);

impl<K> KindOf<K> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

#[async_trait]
impl<K: Program> Kind for KindOf<K> {
    fn name(&self) -> String {
        kernel_name::<K>()
    }

    fn named(&self, kernel: &str) -> Option<&dyn Kind> {
        (kernel == self.name()).then_some(self)
    }

    fn version(&self) -> u32 {
        K::VERSION
    }

    fn block(&self) -> u64 {
        K::BLOCK
    }

    fn inputs(&self) -> &'static [&'static str] {
        K::INPUTS
    }

    fn augment(&self, command: Command) -> Command {
        K::augment_args(command)
    }

    fn read_flags(&self, matches: &ArgMatches) -> Result<Box<dyn Instance>, clap::Error> {
        Ok(Box::new(InstanceOf(Arc::new(K::from_arg_matches(
            matches,
        )?))))
    }

    fn read_parameters(&self, parameters: &Value) -> Result<Box<dyn Instance>, serde_json::Error> {
        Ok(Box::new(InstanceOf(Arc::new(K::deserialize(parameters)?))))
    }

    async fn reduce(&self, run: &StoredRun, options: &ReduceOptions) -> Result<Summary, Error> {
        let reduced = croupier_run::reduce::<K>(run, options).await?;
        Ok(Summary {
            report: reduced.report,
            verdict: reduced.verdict,
            uri: reduced.uri,
        })
    }

    async fn clean(&self, run: &StoredRun, is_meant: bool) -> Result<Vec<String>, Error> {
        croupier_run::clean::<K>(run, is_meant).await
    }
}

struct InstanceOf<K>(Arc<K>);

#[async_trait]
impl<K: Program> Instance for InstanceOf<K> {
    fn validate(&self) -> Result<(), Failure> {
        catch_panic(|| self.0.validate())
    }

    fn prepare(&mut self, inputs: &Inputs) -> Result<(), Failure> {
        match Arc::get_mut(&mut self.0) {
            Some(kernel) => catch_panic(|| kernel.prepare(inputs)),
            None => Err(Failure::new("the kernel is at work already")),
        }
    }

    fn domain(&self) -> Result<Option<u64>, Failure> {
        catch_panic(|| Ok(self.0.domain()))
    }

    fn identity(
        &self,
        seed: u64,
        block: BlockLength,
        inputs: InputDigests,
    ) -> Result<Identity, Error> {
        catch_panic(|| Ok(Identity::of(&*self.0, seed, block, inputs)))
            .unwrap_or_else(|failure| Err(Error::Input(format!("the parameters: {failure}"))))
    }

    fn estimate_names(&self) -> Result<Vec<String>, Failure> {
        catch_panic(|| {
            let mut estimates = Estimates::new(kernel_name::<K>(), 0.95);
            self.0.tally().estimates(&mut estimates);
            let names = estimates.named().iter();
            Ok(names.map(|(name, _)| name.clone()).collect())
        })
    }

    async fn work(
        &self,
        run: &StoredRun,
        shard: u32,
        options: &WorkOptions,
    ) -> Result<Worked, Error> {
        croupier_run::work(run, &self.0, shard, options).await
    }

    async fn verify(&self, run: &StoredRun, depth: Depth) -> Result<Verified, Error> {
        croupier_run::verify(run, &self.0, depth).await
    }

    fn replay_sample(
        &self,
        seed: u64,
        grid: &Grid,
        sample: u64,
        estimates: &mut Estimates,
    ) -> Result<(), ReplayError> {
        let tally = engine::replay_sample(&*self.0, seed, grid, sample)?;
        estimated(&tally, estimates).map_err(ReplayError::Failed)
    }

    fn replay_block(
        &self,
        seed: u64,
        grid: &Grid,
        block: u64,
        estimates: &mut Estimates,
    ) -> Result<Vec<FailedSamples>, KernelFailure> {
        let node = engine::run_block(&*self.0, seed, grid, block)?;
        match estimated(&node.tally, estimates) {
            Ok(()) => Ok(node.failures.listed),
            Err(failure) => Err(KernelFailure::Block {
                block,
                samples: grid.samples_of(block),
                message: failure.to_string(),
            }),
        }
    }
}

/// Adds what a tally says, which is its author's code.
fn estimated<T: Tally>(tally: &T, estimates: &mut Estimates) -> Result<(), Failure> {
    catch_panic(|| {
        tally.estimates(estimates);
        Ok(())
    })
}

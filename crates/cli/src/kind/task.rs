//! A task as a kind of run: one shard of one block, which draws nothing.

use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use clap::{ArgMatches, Args, Command};
use croupier_compute::engine::{ReplayError, catch_panic};
use croupier_compute::{
    BlockLength, Estimates, FailedSamples, Failure, Grid, Inputs, KernelFailure,
};
use croupier_run::{
    Depth, Error, Identity, InputDigests, ReduceOptions, StoredRun, Task, Verified, WorkOptions,
    Worked, task_name,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Instance, Kind, Summary};

/// A task that can be called from the command line: its parameters are flags, and are stored with a run.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a task that a command line can call",
    label = "implement `Task`, and derive `Args`, `Serialize` and `Deserialize`"
)]
pub trait TaskProgram: Task + Args + Serialize + DeserializeOwned {}

impl<T: Task + Args + Serialize + DeserializeOwned> TaskProgram for T {}

/// The kind that is the task `T`.
pub(crate) struct KindOfTask<T>(PhantomData<fn() -> T>);

impl<T> KindOfTask<T> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

#[async_trait]
impl<T: TaskProgram> Kind for KindOfTask<T> {
    fn name(&self) -> String {
        task_name::<T>()
    }

    fn named(&self, kernel: &str) -> Option<&dyn Kind> {
        (kernel == self.name()).then_some(self)
    }

    fn is_task(&self) -> bool {
        true
    }

    fn version(&self) -> u32 {
        T::VERSION
    }

    fn block(&self) -> u64 {
        1
    }

    fn inputs(&self) -> &'static [&'static str] {
        T::INPUTS
    }

    fn augment(&self, command: Command) -> Command {
        T::augment_args(command)
    }

    fn read_flags(&self, matches: &ArgMatches) -> Result<Box<dyn Instance>, clap::Error> {
        Ok(Box::new(TaskInstance(Arc::new(T::from_arg_matches(
            matches,
        )?))))
    }

    fn read_parameters(&self, parameters: &Value) -> Result<Box<dyn Instance>, serde_json::Error> {
        Ok(Box::new(TaskInstance(Arc::new(T::deserialize(
            parameters,
        )?))))
    }

    async fn reduce(&self, run: &StoredRun, options: &ReduceOptions) -> Result<Summary, Error> {
        let (report, verdict, uri) = croupier_run::reduce_task(run, options).await?;
        Ok(Summary {
            report,
            verdict,
            uri,
        })
    }

    async fn clean(&self, run: &StoredRun, is_meant: bool) -> Result<Vec<String>, Error> {
        croupier_run::clean_task(run, is_meant).await
    }
}

struct TaskInstance<T>(Arc<T>);

#[async_trait]
impl<T: TaskProgram> Instance for TaskInstance<T> {
    fn validate(&self) -> Result<(), Failure> {
        catch_panic(|| self.0.validate())
    }

    fn prepare(&mut self, inputs: &Inputs) -> Result<(), Failure> {
        match Arc::get_mut(&mut self.0) {
            Some(task) => catch_panic(|| task.prepare(inputs)),
            None => Err(Failure::new("the task is at work already")),
        }
    }

    fn domain(&self) -> Result<Option<u64>, Failure> {
        Ok(Some(1))
    }

    fn identity(
        &self,
        _seed: u64,
        _block: BlockLength,
        inputs: InputDigests,
    ) -> Result<Identity, Error> {
        catch_panic(|| Ok(Identity::of_task(&*self.0, inputs)))
            .unwrap_or_else(|failure| Err(Error::Input(format!("the parameters: {failure}"))))
    }

    async fn work(
        &self,
        run: &StoredRun,
        _shard: u32,
        options: &WorkOptions,
    ) -> Result<Worked, Error> {
        croupier_run::perform(run, &self.0, options).await
    }

    async fn verify(&self, run: &StoredRun, _depth: Depth) -> Result<Verified, Error> {
        Err(Error::Input(format!(
            "run {} is a task's, which is done once: there are no bits to compare",
            run.name()
        )))
    }

    fn replay_sample(
        &self,
        _seed: u64,
        _grid: &Grid,
        _sample: u64,
        _estimates: &mut Estimates,
    ) -> Result<(), ReplayError> {
        Err(ReplayError::Failed(no_samples()))
    }

    fn replay_block(
        &self,
        _seed: u64,
        _grid: &Grid,
        block: u64,
        _estimates: &mut Estimates,
    ) -> Result<Vec<FailedSamples>, KernelFailure> {
        Err(KernelFailure::Block {
            block,
            samples: 0..0,
            message: no_samples().to_string(),
        })
    }
}

fn no_samples() -> Failure {
    Failure::new("a task has no samples to run again")
}

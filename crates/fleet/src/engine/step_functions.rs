//! Shards as jobs of AWS Batch that a state machine starts, and after them its last job, which decides.
//!
//! The machine is deployed, by `deploy/croupier.yaml` say, and only started here, so that nobody needs a right to make
//! one. It is the driver too: nothing has to run beside it. One input document starts either machine of the template,
//! the one of items and the one of arrays.
//!
//! | call | when |
//! |---|---|
//! | `ListExecutions` of those that run | a look, 100 executions a page |
//! | `DescribeExecution` | once an execution that runs, for its input, and once it is listed no more |
//! | `StartExecution` | once a start; a name that was given already costs one more, and a look |
//! | `StopExecution` | to cancel |
//!
//! A shard is at work as long as its execution runs, its last job included: which items have ended is not told without a
//! call an item. An execution has a name of its own, and `StartExecution` with the same name and input starts nothing
//! again.

mod input;
mod names;
mod options;
mod outcome;
mod service;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sfn::types::{ExecutionListItem, ExecutionStatus};
use croupier_run::Found;

use self::input::Subject;
use self::names::{Meaning, Names};
use self::service::{Service, Started};
use super::{Engine, EngineError, Reason, WorkerCall};

pub use options::StepFunctionsOptions;

/// As `--on` spells it.
const ENGINE: &str = "step-functions";
/// So often the same shards are started, before that is given up.
const MOST_STARTS: u32 = 1_000;

/// Starts executions of one state machine for one run, and looks at them.
#[derive(Debug)]
pub struct StepFunctions {
    run: Found,
    call: WorkerCall,
    options: StepFunctionsOptions,
    names: Names,
    service: Service,
    /// What is known of executions, by their ARNs.
    executions: BTreeMap<String, Execution>,
    rounds: BTreeMap<u32, Vec<u32>>,
}

/// One execution of the machine.
#[derive(Clone, Debug)]
struct Execution {
    name: String,
    shards: BTreeSet<u32>,
    is_running: bool,
}

impl StepFunctions {
    /// For `run`, whose workers are called by `call`, with what the environment, the shared configuration files and
    /// the instance say about region, endpoint and credentials. Sends nothing to Step Functions.
    ///
    /// # Errors
    ///
    /// Where there is neither a region nor an endpoint nor anybody to be.
    pub async fn open(
        run: &Found,
        call: WorkerCall,
        options: StepFunctionsOptions,
    ) -> Result<Self, EngineError> {
        Ok(Self::with(run, call, options, Service::open().await?))
    }

    /// The same with a configuration made by hand. Its timeouts and retries are replaced by ours.
    ///
    /// # Errors
    ///
    /// Where there is neither a region nor a custom endpoint.
    pub fn connect(
        run: &Found,
        call: WorkerCall,
        options: StepFunctionsOptions,
        config: &SdkConfig,
    ) -> Result<Self, EngineError> {
        Ok(Self::with(run, call, options, Service::connect(config)?))
    }

    fn with(
        run: &Found,
        call: WorkerCall,
        options: StepFunctionsOptions,
        service: Service,
    ) -> Self {
        Self {
            names: Names::of(run),
            run: run.clone(),
            call,
            options,
            service,
            executions: BTreeMap::new(),
            rounds: BTreeMap::new(),
        }
    }

    /// Those of the machine's executions that are the run's, the latest first.
    async fn list(
        &self,
        status: Option<ExecutionStatus>,
    ) -> Result<Vec<(ExecutionListItem, Meaning)>, EngineError> {
        let machine = &self.options.state_machine_arn;
        let listed = self.service.list(machine, status).await?.into_iter();
        let ours = listed.filter_map(|item| {
            let meaning = self.names.read(&item.name)?;
            Some((item, meaning))
        });
        Ok(ours.collect())
    }

    /// Brings what is known of executions up to date.
    async fn look(&mut self) -> Result<(), EngineError> {
        let running = self.list(Some(ExecutionStatus::Running)).await?;
        // A listing lags, so that what it leaves out is asked for.
        let mut unlisted: BTreeSet<String> = self
            .executions
            .iter()
            .filter(|(_, execution)| execution.is_running)
            .map(|(arn, _)| arn.clone())
            .collect();
        for (item, meaning) in running {
            unlisted.remove(&item.execution_arn);
            // One that had ended runs again where it was redriven, or never ended and was listed late.
            let known = self.executions.get(&item.execution_arn);
            if known.is_none_or(|known| !known.is_running) {
                let described = self.service.describe(&item.execution_arn).await?;
                let input = described.input.as_deref().unwrap_or_default();
                let execution = Execution {
                    shards: self.shards(&item.name, meaning, input).await?,
                    is_running: described.status == ExecutionStatus::Running,
                    name: item.name,
                };
                self.executions.insert(item.execution_arn, execution);
            }
        }
        for arn in unlisted {
            let described = self.service.describe(&arn).await?;
            if let Some(execution) = self.executions.get_mut(&arn) {
                execution.is_running = described.status == ExecutionStatus::Running;
            }
        }
        Ok(())
    }

    /// The shards that the input of an execution of ours starts.
    async fn shards(
        &mut self,
        name: &str,
        meaning: Meaning,
        input: &str,
    ) -> Result<BTreeSet<u32>, EngineError> {
        let indexes = input::indexes(input);
        let indexes =
            indexes.map_err(|error| failed(&format!("reading the input of {name}"), error))?;
        self.learn_round(meaning).await?;
        let shard = |index: u32| self.shard(meaning, index);
        Ok(indexes.into_iter().filter_map(shard).collect())
    }

    /// The shard that an index means; the round is known.
    fn shard(&self, meaning: Meaning, index: u32) -> Option<u32> {
        match meaning {
            Meaning::Shards(..) => Some(index),
            Meaning::Round(round) => self.rounds.get(&round)?.get(index as usize).copied(),
        }
    }

    /// Reads which shards a round has, once.
    async fn learn_round(&mut self, meaning: Meaning) -> Result<(), EngineError> {
        let Meaning::Round(round) = meaning else {
            return Ok(());
        };
        if !self.rounds.contains_key(&round) {
            let read = self.run.round(round).await;
            let read = read.map_err(|error| EngineError {
                is_retryable: error.is_retryable(),
                ..failed(&format!("reading round {round}, which runs,"), error)
            })?;
            self.rounds.insert(round, read.shards);
        }
        Ok(())
    }

    fn running(&self) -> impl Iterator<Item = (&String, &Execution)> {
        let executions = self.executions.iter();
        executions.filter(|(_, execution)| execution.is_running)
    }

    fn shards_at_work(&self) -> BTreeSet<u32> {
        let running = self.running();
        running
            .flat_map(|(_, execution)| execution.shards.iter().copied())
            .collect()
    }
}

#[async_trait]
impl Engine for StepFunctions {
    async fn start(&mut self, shards: &[u32], round: Option<u32>) -> Result<(), EngineError> {
        for number in 0..MOST_STARTS {
            // Another driver may have started them a moment ago: with the name that was taken, say.
            self.look().await?;
            let at_work = self.shards_at_work();
            let idle: Vec<u32> = shards
                .iter()
                .copied()
                .filter(|shard| !at_work.contains(shard))
                .collect();
            let (Some(least), Some(greatest)) = (idle.iter().min(), idle.iter().max()) else {
                return Ok(());
            };
            let round = round.filter(|_| idle.len() == shards.len());
            let (meaning, indexes) = match round {
                Some(round) => (Meaning::Round(round), (0..idle.len() as u32).collect()),
                None => (Meaning::Shards(*least, *greatest), idle.clone()),
            };
            self.learn_round(meaning).await?;
            let name = self.names.execution(meaning, number);
            let subject = Subject::of(&self.run, &self.call.arguments);
            let subject = subject.map_err(|error| failed("reading the run's plan", error))?;
            let input = input::input(&subject, &self.options, &name, &indexes, round);
            let input =
                input.map_err(|error| failed(&format!("making the input of {name}"), error))?;
            let machine = &self.options.state_machine_arn;
            if let Started::Runs(arn) = self.service.start(machine, &name, &input).await? {
                let execution = Execution {
                    name,
                    shards: idle.into_iter().collect(),
                    is_running: true,
                };
                self.executions.insert(arn, execution);
                return Ok(());
            }
        }
        Err(failed(
            "starting an execution",
            format!("all of {MOST_STARTS} names for these shards are taken"),
        ))
    }

    async fn at_work(&mut self) -> Result<BTreeSet<u32>, EngineError> {
        self.look().await?;
        Ok(self.shards_at_work())
    }

    async fn cancel(&mut self) -> Result<(), EngineError> {
        self.look().await?;
        let cause = format!("run {} was stopped", self.run.name());
        for (arn, _) in self.running() {
            self.service.stop(arn, &cause).await?;
        }
        Ok(())
    }

    /// Starts nothing: the machine goes on by itself. Names its execution.
    async fn start_driver(&mut self, _arguments: &[String]) -> Result<String, EngineError> {
        self.look().await?;
        let names: Vec<&str> = self
            .running()
            .map(|(_, execution)| execution.name.as_str())
            .collect();
        match names.as_slice() {
            [] => Err(failed(
                "finding the execution whose last job decides",
                "none of the run's is at work: `drive --on step-functions` starts what its policy allows",
            )),
            names => Ok(names.join(", ")),
        }
    }

    async fn reasons(&mut self) -> Result<Vec<Reason>, EngineError> {
        outcome::reasons(self).await
    }

    async fn overview(&mut self) -> Result<Vec<String>, EngineError> {
        outcome::overview(self).await
    }
}

fn failed(what: &str, reason: impl ToString) -> EngineError {
    EngineError {
        engine: ENGINE,
        what: what.to_owned(),
        reason: reason.to_string(),
        is_retryable: false,
    }
}

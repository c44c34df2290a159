//! Rounds, and the driver that begins them, over an engine that runs its workers here.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use croupier_fleet::driver::{DriveError, Driven, drive};
use croupier_fleet::engine::{Engine, EngineError};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::sync::Notify;

use super::World;
use crate::operation::Worker;
use crate::quiet::executable;
use crate::store::{Fate, Sight, View};

impl World<'_> {
    pub(super) async fn retry(&mut self, sight: Sight, worker: Worker) {
        let view = View::new(&self.land, sight);
        let Some(run) = self.run_seen(&view).await else {
            return;
        };
        let Ok(survey) = run.survey().await else {
            return assert!(sight.fate != Fate::Lives);
        };
        let holes = survey.retriable(&executable().name());
        for shard in &holes {
            let is_late = sight.lag > 0;
            assert!(is_late || !self.model.is_named_done(*shard));
        }
        if holes.is_empty() {
            return;
        }
        let number = survey.rounds.len() as u32 + 1;
        let begun = run.begin_round(number, holes.clone()).await;
        self.note_rounds(&view).await;
        match begun {
            Ok(round) => {
                assert_eq!(round.shards, self.model.rounds[number as usize - 1]);
                let shard = round.shard(0).unwrap();
                let started = self.start(shard, worker, None).await;
                self.go_on(started).await;
            }
            Err(error) => assert!(sight.fate != Fate::Lives, "{error}"),
        }
    }

    /// Enters the rounds that somebody began: the next ones, of shards that there are, and each shard once.
    pub(super) async fn note_rounds(&mut self, view: &View) {
        for key in view.landed() {
            let Some(number) = key.strip_prefix("rounds/") else {
                continue;
            };
            let number: usize = number.strip_suffix(".json").unwrap().parse().unwrap();
            assert_eq!(number, self.model.rounds.len() + 1);
            let round = self.run().await.round(number as u32).await.unwrap();
            let shards: BTreeSet<u32> = round.shards.iter().copied().collect();
            assert_eq!(shards.len(), round.shards.len());
            assert!(
                shards
                    .last()
                    .is_some_and(|last| *last < self.model.shards())
            );
            self.model.rounds.push(round.shards);
            self.tell("began a round");
        }
    }

    /// The driver goes on with what is there, until there is nothing to do but wait, or it dies. What becomes of its
    /// workers is drawn from the seed `engine`; without one, nothing does.
    pub(super) async fn drive(&mut self, sight: Sight, engine: Option<u64>) {
        let view = View::new(&self.land, sight);
        let Some(mut run) = self.run_seen(&view).await else {
            return;
        };
        let was_stopped = self.model.is_stopped;
        let is_eventful = engine.is_some();
        let waits = Arc::new(Notify::new());
        let policy = self.plan.policy;
        let driver = self.driver;
        let tell = |_: &_, _: &_| {};
        let mut engine = InProcess {
            world: self,
            view: Arc::clone(&view),
            rng: engine.map(ChaCha8Rng::seed_from_u64),
            waits: Arc::clone(&waits),
            starts: 0,
        };
        let every = Duration::from_secs(3600);
        let build = executable().name();
        let driven = tokio::select! {
            biased;
            driven = drive(&mut run, &mut engine, &build, every, &tell) => Some(driven),
            () = waits.notified() => None,
        };
        self.note_rounds(&view).await;
        if view.landed().iter().any(|key| key.starts_with("rounds/")) {
            assert!(!self.plan.at_most_once, "nothing is repeated");
            let begun = self.model.rounds.last().unwrap();
            assert!(
                begun
                    .iter()
                    .all(|shard| self.model.repeats(*shard) <= policy.retries)
            );
        }
        if view.landed().iter().any(|key| key == "stopped.json") {
            assert!(policy.fail_fast);
            self.model.is_stopped = true;
        }
        let is_at_work = self
            .held
            .iter()
            .any(|started| started.driver == Some(driver));
        let shards = run.shards();
        let is_done = (0..shards).all(|shard| self.model.is_named_done(shard));
        self.tell(match &driven {
            None => "driver waited",
            Some(Ok(Driven::Done)) => "driven to the end",
            Some(Ok(Driven::HolesLeft)) => "driver left holes",
            Some(Ok(_)) => "driver met a stopped run",
            Some(Err(_)) => "driver died",
        });
        match driven {
            None => assert!(is_eventful, "it waits for nothing"),
            Some(Ok(Driven::Done)) => assert!(is_done && !is_at_work),
            Some(Ok(Driven::HolesLeft)) => {
                assert!(!is_at_work && (!is_done || sight.lag > 0));
                let mut shards = 0..shards;
                let is_over = |shard| {
                    self.model.is_named_done(shard) || self.model.repeats(shard) >= policy.retries
                };
                assert!(
                    self.plan.at_most_once || shards.all(is_over),
                    "rounds are left"
                );
            }
            Some(Ok(Driven::AtWork(_))) => unreachable!("it hands over to nobody"),
            Some(Ok(Driven::Stopped(_))) => {
                assert!(!is_at_work && (was_stopped || self.model.is_stopped));
            }
            Some(Err(DriveError::Run(error))) => assert!(sight.fate != Fate::Lives, "{error}"),
            Some(Err(error)) => panic!("{error}"),
        }
    }
}

/// An engine that runs its workers here, one after the other, and has those at work that are held up.
struct InProcess<'w, 'q> {
    world: &'w mut World<'q>,
    view: Arc<View>,
    rng: Option<ChaCha8Rng>,
    waits: Arc<Notify>,
    starts: u32,
}

impl std::fmt::Debug for InProcess<'_, '_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("InProcess")
    }
}

#[async_trait]
impl Engine for InProcess<'_, '_> {
    async fn start(&mut self, shards: &[u32], round: Option<u32>) -> Result<(), EngineError> {
        assert!(!shards.is_empty());
        self.starts += 1;
        assert!(self.starts < 50, "a driver that goes round in circles");
        if let Some(round) = round {
            let stored = self.world.run().await.round(round).await.unwrap();
            assert!(shards.iter().all(|shard| stored.shards.contains(shard)));
        }
        for shard in shards {
            let is_late = self.view.sight.lag > 0;
            assert!(
                is_late || round.is_some() || !self.world.model.is_named_done(*shard),
                "shard {shard} is done"
            );
            let worker = self.rng.as_mut().map_or(Worker::QUIET, Worker::draw);
            let started = self
                .world
                .start(*shard, worker, Some(self.world.driver))
                .await;
            self.world.go_on(started).await;
        }
        Ok(())
    }

    async fn start_driver(&mut self, _: &[String]) -> Result<String, EngineError> {
        unreachable!("this is the driver's own engine")
    }

    async fn at_work(&mut self) -> Result<BTreeSet<u32>, EngineError> {
        let driver = Some(self.world.driver);
        let ours = self
            .world
            .held
            .iter()
            .filter(|started| started.driver == driver);
        Ok(ours.map(|started| started.shard).collect())
    }

    async fn cancel(&mut self) -> Result<(), EngineError> {
        while let Some(at) = self
            .world
            .held
            .iter()
            .position(|started| started.driver == Some(self.world.driver))
        {
            self.world.held.swap(0, at);
            self.world.release_oldest().await;
        }
        Ok(())
    }

    async fn changed(&mut self) {
        self.waits.notify_one();
        std::future::pending().await
    }
}

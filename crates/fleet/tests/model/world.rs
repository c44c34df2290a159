//! The run as it is, beside the model of what it should be: does what happens to both, and compares.

mod driving;
mod results;
mod workers;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use chrono::TimeDelta;
use croupier_run::{Error, Plan, StoredRun, clean, open, plan};
use croupier_store::Store;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::kernel::{BLOCK, Tying};
use crate::operation::{Operation, POLICIES, Worker};
use crate::quiet::Quiet;
use crate::reference::{Dealt, Model};
use crate::store::{Fate, Land, RUN, Sight, View};

use workers::Started;

/// More blocks than this are never asked for.
const MOST_SAMPLES: u64 = 44;

pub(crate) struct World<'q> {
    quiet: &'q mut Quiet,
    land: Arc<Land>,
    model: Model,
    plan: Plan,
    /// Workers that are held up, those for longest first.
    held: VecDeque<Started>,
    /// Which driver is at work.
    driver: u32,
    attempts: u64,
    /// By shard, how often its first sample was begun.
    starts: BTreeMap<u32, Arc<AtomicU32>>,
    /// How often what happened, so that nobody takes for tested what never came about.
    pub(crate) told: BTreeMap<&'static str, u64>,
    /// What was last reduced to agreement.
    reduced: Option<(BTreeSet<String>, BTreeSet<String>, usize)>,
}

impl<'q> World<'q> {
    pub(crate) fn new(quiet: &'q mut Quiet, rng: &mut ChaCha8Rng) -> Self {
        let mut plan = quiet.plan(rng.random_range(17..27), rng.random_range(2..5));
        plan.policy = POLICIES[rng.random_range(0..POLICIES.len())]
            .parse()
            .unwrap();
        plan.at_most_once = rng.random_ratio(1, 5);
        Self {
            quiet,
            land: Land::new(),
            model: Model::default(),
            plan,
            held: VecDeque::new(),
            driver: 0,
            attempts: 0,
            starts: BTreeMap::new(),
            told: BTreeMap::new(),
            reduced: None,
        }
    }

    fn tell(&mut self, what: &'static str) {
        *self.told.entry(what).or_default() += 1;
    }

    /// Does what is to happen, and compares what then is with what then should be.
    pub(crate) async fn happen(&mut self, operation: &Operation) {
        match operation.clone() {
            Operation::Plan { sight } => self.plan(sight).await,
            Operation::Work { shard, worker } => {
                let started = self.start(shard % self.model.shards(), worker, None).await;
                self.go_on(started).await;
            }
            Operation::Twice { shard, workers } => {
                let shard = shard % self.model.shards();
                let [one, other] = workers.map(|worker| self.spawn(shard, worker, None));
                let (one, other) = (self.outcome(one).await, self.outcome(other).await);
                self.settle_two(one, other).await;
            }
            Operation::Release => self.release_oldest().await,
            Operation::Checkpoint { shard, mask } => {
                self.checkpoint(shard % self.model.shards(), mask).await;
            }
            Operation::Damage { partial, at } => self.damage(partial, at).await,
            Operation::Drive { sight, engine } => self.drive(sight, Some(engine)).await,
            Operation::NewDriver => self.driver += 1,
            Operation::Reduce { sight, policy } => {
                self.reduce(sight, Some(POLICIES[policy].parse().unwrap()))
                    .await;
            }
            Operation::Retry { sight, worker } => self.retry(sight, worker).await,
            Operation::Extend {
                sight,
                samples,
                shards,
            } => self.extend(sight, samples, shards).await,
            Operation::Clean { sight, is_meant } => self.clean(sight, is_meant).await,
            Operation::Stop => {
                let run = self.run().await;
                run.stop(None, "asked to".to_owned()).await.unwrap();
                self.model.is_stopped = true;
            }
            Operation::Resume => {
                self.run().await.resume().await.unwrap();
                self.model.is_stopped = false;
            }
            Operation::Hours => self.land.age(TimeDelta::hours(3)).await,
        }
        self.compare().await;
    }

    /// Whatever happened, the rest can be done, and then all is as if nothing had happened.
    pub(crate) async fn finish(&mut self) {
        while !self.held.is_empty() {
            self.release_oldest().await;
        }
        self.happen(&Operation::Resume).await;
        self.happen(&Operation::Hours).await;
        self.driver += 1;
        self.drive(Sight::CLEAR, None).await;
        self.compare().await;
        if self.plan.at_most_once {
            return;
        }
        self.happen(&Operation::Resume).await;
        for shard in 0..self.model.shards() {
            let started = self.start(shard, Worker::QUIET, None).await;
            self.go_on(started).await;
        }
        let all = self.keys();
        let expected = self.model.expected(&all, self.model.segments.len());
        assert!(expected.missing.is_empty(), "{:?}", expected.missing);
        self.compare().await;
        self.clean(Sight::CLEAR, true).await;
        self.compare().await;
    }

    /// Plans; whatever becomes of the planner, doing it again is all that it takes.
    async fn plan(&mut self, sight: Sight) {
        let view = View::new(&self.land, sight);
        let store: Arc<dyn Store> = view.clone();
        let planned = plan(&store, RUN, &self.plan).await;
        let is_there = self.land.below("segments/0.json").await.len() == 1;
        if is_there && self.model.segments.is_empty() {
            self.model.segments.push(Dealt {
                first_block: 0,
                end_sample: self.plan.samples,
                first_shard: 0,
                shards: self.plan.shards,
            });
        }
        match planned {
            Ok(planned) => {
                assert!(is_there);
                let known = planned.run.shards();
                assert!(
                    known == self.model.shards() || (known >= self.plan.shards && sight.lag > 0)
                );
            }
            Err(error) => assert!(sight.fate != Fate::Lives, "{error}"),
        }
        if self.model.segments.is_empty() {
            Box::pin(self.plan(Sight::CLEAR)).await;
        }
    }

    /// The run, as one sees it to whom nothing happens.
    async fn run(&self) -> StoredRun {
        let store: Arc<dyn Store> = View::new(&self.land, Sight::CLEAR);
        open(&store, RUN).await.unwrap()
    }

    /// The run as `view` sees it; none where it can't.
    async fn run_seen(&self, view: &Arc<View>) -> Option<StoredRun> {
        let store: Arc<dyn Store> = view.clone();
        match open(&store, RUN).await {
            Ok(run) => {
                assert!(run.segments.len() <= self.model.segments.len());
                Some(run)
            }
            Err(error) => {
                let is_late =
                    view.sight.lag > 0 && error.to_string().contains("not planned to the end");
                assert!(is_late || view.sight.fate != Fate::Lives, "{error}");
                None
            }
        }
    }

    /// The keys of all partials.
    fn keys(&self) -> BTreeSet<String> {
        self.model.partials.keys().cloned().collect()
    }

    async fn damage(&mut self, partial: u64, at: u64) {
        let valid: Vec<&String> = self
            .model
            .partials
            .iter()
            .filter(|(_, published)| !published.is_damaged)
            .map(|(key, _)| key)
            .collect();
        if valid.is_empty() {
            return;
        }
        let key = valid[partial as usize % valid.len()].clone();
        self.land.damage(&key, at).await;
        self.model.partials.get_mut(&key).unwrap().is_damaged = true;
        self.tell("damaged");
    }

    async fn extend(&mut self, sight: Sight, samples: u64, shards: Option<u32>) {
        let view = View::new(&self.land, sight);
        let Some(run) = self.run_seen(&view).await else {
            return;
        };
        let is_late = run.segments.len() < self.model.segments.len();
        let samples = (run.samples() + samples).min(MOST_SAMPLES);
        let extended = run.extend(samples, shards).await;
        if view
            .landed()
            .contains(&format!("segments/{}.json", self.model.segments.len()))
        {
            let stored = self.run().await;
            let added = &stored.segments[self.model.segments.len()];
            assert_eq!(added.end_sample, samples);
            let dealt = Dealt {
                first_block: self.model.samples() / BLOCK,
                end_sample: samples,
                first_shard: self.model.shards(),
                shards: added.shards,
            };
            assert!(shards.is_none_or(|shards| shards == added.shards));
            self.model.segments.push(dealt);
            self.tell("extended");
        }
        match extended {
            Ok(extended) => assert_eq!(extended.samples(), samples),
            Err(Error::Input(reason)) => assert!(
                reason.contains("new blocks")
                    || (is_late && reason.contains("by somebody else"))
                    || (self.plan.at_most_once && reason.contains("would be drawn again")),
                "{reason}"
            ),
            Err(error) => assert!(sight.fate != Fate::Lives, "{error}"),
        }
    }

    async fn clean(&mut self, sight: Sight, is_meant: bool) {
        let view = View::new(&self.land, sight);
        let Some(run) = self.run_seen(&view).await else {
            return;
        };
        let cleaned = clean::<Tying>(&run, is_meant).await;
        let superseded = view
            .partials()
            .map(|seen| self.model.superseded(&seen, run.segments.len()))
            .unwrap_or_default();
        match cleaned {
            Ok(cleaned) => assert_eq!(cleaned.into_iter().collect::<BTreeSet<_>>(), superseded),
            Err(error) => assert!(sight.fate != Fate::Lives, "{error}"),
        }
        if !is_meant {
            return;
        }
        if !superseded.is_empty() {
            self.tell("cleaned");
        }
        // One that dies has taken away some of them.
        let there = self.land.partials().await;
        let may_stay = view.is_dead();
        self.model
            .partials
            .retain(|key, _| !superseded.contains(key) || (may_stay && there.contains_key(key)));
    }
}

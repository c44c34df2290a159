//! The run as it is, beside the model of what it should be: does what happens to both, and compares.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use croupier_fleet::driver::{DriveError, Driven, drive};
use croupier_fleet::engine::{Engine, EngineError};
use croupier_run::{
    Death, Digest, Error, Plan, Policy, ReduceOptions, StoredRun, Verdict, Worked, clean, open,
    plan, reduce, work,
};
use croupier_store::Store;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::kernel::{BLOCK, Tying, Watch};
use crate::operation::{Operation, POLICIES, Worker};
use crate::quiet::{Quiet, executable};
use crate::reference::{Dealt, Model, Published};
use crate::store::{Fate, Land, RUN, Sight, View};

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

/// A worker that was started.
struct Started {
    shard: u32,
    worker: Worker,
    attempt: String,
    view: Arc<View>,
    begun: Arc<AtomicU64>,
    task: JoinHandle<Result<Worked, Error>>,
    /// How many of the keys that it wrote the model knows of.
    noted: usize,
    /// How it ended.
    outcome: Option<Result<Worked, Error>>,
    /// The driver whose engine it is of.
    driver: Option<u32>,
    was_stopped: bool,
    was_started: bool,
    /// What was there of its shard when it looked, and what it is to publish.
    reading: Option<Reading>,
}

#[derive(Clone)]
struct Reading {
    before: BTreeSet<u64>,
    is_complete: bool,
    expected: BTreeSet<u64>,
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

    fn spawn(&mut self, shard: u32, worker: Worker, driver: Option<u32>) -> Started {
        let view = View::new(&self.land, worker.sight);
        let store: Arc<dyn Store> = view.clone();
        let begun = Arc::new(AtomicU64::new(0));
        let mut options = self.quiet.options(worker.threads);
        self.attempts += 1;
        let attempt = format!("{:016x}", self.attempts);
        options.attempt = Some(attempt.clone());
        if worker.stop_in == Some(0) {
            options.control.stop();
        }
        let first_block = self.model.segment_of(shard).blocks_of(shard).start;
        let watch = Watch {
            first_sample: first_block * BLOCK,
            starts: Arc::clone(self.starts.entry(shard).or_default()),
            begun: Arc::clone(&begun),
            stop_in: worker.stop_in,
            control: Arc::clone(&options.control),
        };
        let kernel = Arc::new(Tying { watch: Some(watch) });
        let task = tokio::spawn(async move {
            let run = open(&store, RUN).await?;
            work(&run, &kernel, shard, &options).await
        });
        Started {
            shard,
            worker,
            attempt,
            view,
            begun,
            task,
            noted: 0,
            outcome: None,
            driver,
            was_stopped: self.model.is_stopped,
            was_started: self.model.started.contains(&shard),
            reading: None,
        }
    }

    /// Starts a worker, and waits until it has ended or is held up.
    async fn start(&mut self, shard: u32, worker: Worker, driver: Option<u32>) -> Started {
        let mut started = self.spawn(shard, worker, driver);
        tokio::select! {
            biased;
            () = started.view.held.notified() => {}
            outcome = &mut started.task => started.outcome = Some(outcome.unwrap()),
        }
        started.reading = self.reading(&started);
        // One that is held up may have written some of it before.
        self.note(&mut started).await;
        started
    }

    /// What a worker saw of its shard; none where it did not look.
    fn reading(&self, started: &Started) -> Option<Reading> {
        let seen = started.view.partials()?;
        let all = self.model.blocks_of(started.shard);
        let before = self.model.covered(started.shard, &seen);
        let stop_in = started.worker.stop_in.unwrap_or(u64::MAX) as usize;
        let todo = all.difference(&before).take(stop_in).copied();
        Some(Reading {
            is_complete: self.model.complete(started.shard, &seen).is_some(),
            expected: before.iter().copied().chain(todo).collect(),
            before,
        })
    }

    /// Settles a worker that has ended; one that is held up waits.
    async fn go_on(&mut self, started: Started) {
        if started.outcome.is_some() {
            let (mut started, outcome) = self.outcome(started).await;
            self.settle(&mut started, &outcome).await;
            if started.worker.sight.held_at.is_none() {
                self.check_outcome(&started, &outcome);
            }
        } else {
            self.tell("held up");
            self.held.push_back(started);
        }
    }

    async fn release_oldest(&mut self) {
        let Some(started) = self.held.pop_front() else {
            return;
        };
        started.view.release();
        let (mut started, outcome) = self.outcome(started).await;
        if started.reading.is_none() {
            started.reading = self.reading(&started);
        }
        self.settle(&mut started, &outcome).await;
    }

    async fn outcome(&mut self, mut started: Started) -> (Started, Result<Worked, Error>) {
        let outcome = match started.outcome.take() {
            Some(outcome) => outcome,
            None => (&mut started.task).await.unwrap(),
        };
        (started, outcome)
    }

    async fn settle_two(
        &mut self,
        one: (Started, Result<Worked, Error>),
        other: (Started, Result<Worked, Error>),
    ) {
        // Whether one saw what the other wrote is a matter of luck. Neither is stopped, so that both write all.
        for (mut started, outcome) in [one, other] {
            if started.view.partials().is_some() {
                started.reading = Some(Reading {
                    before: BTreeSet::new(),
                    is_complete: false,
                    expected: self.model.blocks_of(started.shard),
                });
            }
            self.settle(&mut started, &outcome).await;
        }
    }

    /// Enters what a worker wrote since the last time.
    async fn note(&mut self, started: &mut Started) {
        let shard = started.shard;
        let landed = started.view.landed();
        for key in &landed[started.noted..] {
            if key.starts_with("started/") {
                assert!(self.plan.at_most_once);
                assert!(
                    self.model.started.insert(shard),
                    "shard {shard} was claimed twice"
                );
                self.tell("claimed");
            } else if key.starts_with("partials/") {
                let reading = started.reading.as_ref().expect("it looked before it wrote");
                self.publish(key, shard, reading.expected.clone()).await;
            } else if key == "stopped.json" {
                assert!(self.plan.policy.fail_fast);
                self.model.is_stopped = true;
                self.tell("failed fast");
            } else {
                assert!(
                    key.starts_with("attempts/") || key.starts_with("builds/"),
                    "{key}"
                );
            }
        }
        started.noted = landed.len();
    }

    /// Compares how a worker ended with what it left.
    async fn settle(&mut self, started: &mut Started, outcome: &Result<Worked, Error>) {
        self.note(started).await;
        let wrote = |key: &String| key.starts_with("partials/");
        let wrote = started.view.landed().iter().any(wrote);
        self.tell(match outcome {
            Ok(worked) if worked.blocks_before == worked.blocks && !wrote => "found it done",
            Ok(worked) if worked.blocks_before > 0 => "did the rest",
            Ok(_) => "did all",
            Err(Error::Stopped { done: 0, .. }) => "stopped with nothing",
            Err(Error::Stopped { .. }) => "stopped with a part",
            Err(Error::RunStopped { .. }) => "met a stopped run",
            Err(Error::StartedBefore { .. }) => "met a claim",
            Err(_) if wrote => "died after it published",
            Err(_) => "died before it published",
        });
        let shard = started.shard;
        let has_stopped = started
            .view
            .landed()
            .iter()
            .any(|key| key == "stopped.json");
        assert!(!has_stopped || outcome.is_err());
        if let Ok(worked) = outcome {
            let published = &self.model.partials[&worked.partial];
            assert_eq!(published.blocks, self.model.blocks_of(shard));
            assert_eq!(worked.blocks, published.blocks.len() as u64);
        }
        if started.driver.is_some() && started.view.is_dead() && self.attempts.is_multiple_of(2) {
            // As an engine does that sees how a process ends.
            let run = self.run().await;
            let death = Death::default();
            run.record_death(shard, &started.attempt, death)
                .await
                .unwrap();
        }
    }

    /// Whether a worker that nothing happened to ended as it should.
    fn check_outcome(&self, started: &Started, outcome: &Result<Worked, Error>) {
        let begun = started.begun.load(Ordering::Relaxed);
        let landed = started.view.landed();
        let wrote = landed.iter().any(|key| key.starts_with("partials/"));
        let sight = started.worker.sight;
        if sight.fate != Fate::Lives {
            return;
        }
        match (outcome, &started.reading) {
            (Err(Error::RunStopped { .. }), None) => assert!(started.was_stopped),
            (Err(Error::StartedBefore { .. }), None) => {
                assert!(self.plan.at_most_once && started.was_started);
            }
            (Err(Error::Input(reason)), None) => assert!(
                sight.lag > 0
                    && (reason.contains("not planned to the end")
                        || reason.contains("does not exist")),
                "{reason}"
            ),
            (ended, Some(reading)) => {
                assert!(!started.was_stopped && !started.was_started);
                let todo = reading.expected.len() - reading.before.len();
                assert_eq!(
                    begun, todo as u64,
                    "it ran what was done, or left out what was not"
                );
                let is_all = reading.expected == self.model.blocks_of(started.shard);
                match ended {
                    Ok(worked) => {
                        assert!(is_all);
                        assert_eq!(wrote, !reading.is_complete);
                        assert_eq!(worked.blocks_before, reading.before.len() as u64);
                    }
                    Err(Error::Stopped { done, .. }) => {
                        assert!(!is_all);
                        assert_eq!(*done, reading.expected.len() as u64);
                        assert_eq!(wrote, *done > 0);
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            (outcome, None) => panic!("{outcome:?}"),
        }
    }

    /// Enters what was published, which must be what a quiet worker publishes of these blocks.
    async fn publish(&mut self, key: &str, shard: u32, blocks: BTreeSet<u64>) {
        let dealt = self.model.segment_of(shard);
        let encoded = self.quiet.partial(dealt, shard, &blocks).await;
        assert_eq!(
            key,
            key_of(shard, encoded.blocks, &encoded.sha256),
            "other bytes of {blocks:?}"
        );
        let published = Published {
            shard,
            blocks,
            is_damaged: false,
        };
        let before = self.model.partials.insert(key.to_owned(), published);
        match before {
            None => {}
            Some(before) if before.is_damaged => self.tell("mended"),
            Some(_) => self.tell("published again"),
        }
    }

    async fn checkpoint(&mut self, shard: u32, mask: u64) {
        let all = self.model.blocks_of(shard);
        let first = all.first().copied().unwrap();
        let blocks: BTreeSet<u64> = all
            .into_iter()
            .filter(|block| mask >> (block - first) & 1 == 1)
            .collect();
        // Where none may start twice, nobody checkpoints whom the model did not see start.
        if blocks.is_empty() || self.plan.at_most_once {
            return;
        }
        let dealt = self.model.segment_of(shard);
        let encoded = self.quiet.partial(dealt, shard, &blocks).await;
        let key = key_of(shard, encoded.blocks, &encoded.sha256);
        let view = View::new(&self.land, Sight::CLEAR);
        view.put(&format!("{RUN}/{key}"), encoded.bytes)
            .await
            .unwrap();
        self.publish(&key, shard, blocks).await;
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

    async fn retry(&mut self, sight: Sight, worker: Worker) {
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
    async fn note_rounds(&mut self, view: &View) {
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
                reason.contains("new blocks") || (is_late && reason.contains("by somebody else")),
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

    /// Reduces, and compares the result with the model's: blocks, samples, bits, holes, verdict.
    async fn reduce(&mut self, sight: Sight, policy: Option<Policy>) {
        let view = View::new(&self.land, sight);
        let Some(run) = self.run_seen(&view).await else {
            return;
        };
        let options = ReduceOptions {
            policy,
            at_once: 2,
            ..ReduceOptions::default()
        };
        let reduced = match reduce::<Tying>(&run, &options).await {
            Ok(reduced) => reduced,
            Err(error) => return assert!(sight.fate != Fate::Lives, "{error}"),
        };
        let seen = view.partials().expect("a reducer lists");
        let segments = run.segments.len();
        let expected = self.model.expected(&seen, segments);
        let blocks: Vec<(u64, bool)> = expected.blocks.clone().into_iter().collect();
        let (samples, tally, digest) = self.quiet.merged(&blocks);
        let report = &reduced.report;
        assert_eq!(report.shards.missing, expected.missing);
        assert_eq!(report.blocks.done, blocks.len() as u64);
        assert_eq!(report.samples.done, samples);
        assert_eq!(
            report.samples.planned,
            self.model.segments[segments - 1].end_sample
        );
        assert_eq!(reduced.tally, tally, "the bits of {blocks:?}");
        assert_eq!(report.digest, digest, "the digest of {blocks:?}");
        let planned = report.samples.planned.div_ceil(BLOCK);
        let policy = policy.unwrap_or(self.plan.policy);
        let missing = planned - blocks.len() as u64;
        let accepted = accepts(policy, expected.missing.len() as u64, missing, planned);
        assert_eq!(reduced.verdict == Verdict::Accepted, accepted, "{policy}");
        self.tell(match (accepted, expected.missing.is_empty()) {
            (true, true) => "accepted whole",
            (true, false) => "accepted with holes",
            (false, _) => "refused",
        });
        let named: BTreeSet<String> = self.model.named_damaged(&seen, segments);
        for key in &seen {
            let is_named = report.warnings.iter().any(|warning| warning.contains(key));
            assert_eq!(is_named, named.contains(key), "{key} {:?}", report.warnings);
        }
    }

    /// Whether what is there is what should be, and what it comes to.
    async fn compare(&mut self) {
        let there = self.land.partials().await;
        let keys: BTreeSet<String> = there.keys().cloned().collect();
        assert_eq!(keys, self.keys(), "the partials that are there");
        let is_damaged =
            |key: &str, bytes: &[u8]| !key.contains(&Digest::of_bytes(bytes).to_string());
        let damaged: BTreeSet<String> = there
            .into_iter()
            .filter(|(key, bytes)| is_damaged(key, bytes))
            .map(|(key, _)| key)
            .collect();
        for (key, published) in &self.model.partials {
            assert_eq!(published.is_damaged, damaged.contains(key), "{key}");
        }
        let stopped = self.land.below("stopped.json").await;
        assert_eq!(stopped.len() == 1, self.model.is_stopped);
        let rounds = self.land.below("rounds/").await.len();
        assert_eq!(rounds, self.model.rounds.len());
        if rounds > 0 {
            let rounds = self.run().await.rounds().await.unwrap();
            let shards = rounds.into_iter().map(|round| round.shards);
            assert!(shards.eq(self.model.rounds.iter().cloned()));
        }
        let segments = self.land.below("segments/").await.len();
        assert_eq!(segments, self.model.segments.len());
        if self.plan.at_most_once {
            for (shard, starts) in &self.starts {
                assert!(
                    starts.load(Ordering::Relaxed) <= 1,
                    "shard {shard} was begun twice"
                );
            }
        }
        let state = Some((keys, damaged, segments));
        if self.reduced != state {
            self.reduce(Sight::CLEAR, None).await;
            self.reduced = state;
        }
    }

    /// The driver goes on with what is there, until there is nothing to do but wait, or it dies. What becomes of its
    /// workers is drawn from the seed `engine`; without one, nothing does.
    async fn drive(&mut self, sight: Sight, engine: Option<u64>) {
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
            assert!(self.model.rounds.len() <= policy.retries as usize);
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
                let is_over = self.model.rounds.len() >= policy.retries as usize;
                assert!(is_over || self.plan.at_most_once, "rounds are left");
            }
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

fn key_of(shard: u32, blocks: u64, sha256: &Digest) -> String {
    format!("partials/{shard:05}-{blocks}-{sha256}.arrow")
}

/// The policy in words of its own.
fn accepts(policy: Policy, unfinished: u64, missing: u64, planned: u64) -> bool {
    let tolerance = policy.to_string();
    let tolerance = tolerance.rsplit(',').next().unwrap();
    let allowed = match tolerance.strip_prefix("tolerate=") {
        None => missing == 0,
        Some(share) => match share.strip_suffix('%') {
            Some(percent) => missing * 100 <= percent.parse::<u64>().unwrap() * planned,
            None => unfinished <= share.parse().unwrap(),
        },
    };
    allowed && missing < planned
}

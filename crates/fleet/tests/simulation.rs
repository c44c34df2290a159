//! Ten thousand shards in one process: some die, the driver mends, nothing is lost, and nobody asks the store more
//! than needs be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use croupier_compute::engine::{Control, Pool};
use croupier_compute::{BlockLength, Kernel, Mean, Stream};
use croupier_fleet::driver::{Driven, drive};
use croupier_fleet::engine::{Engine, EngineError};
use croupier_fleet::tracker::{self, Claim, Claimant, FailureClass, Marked, State, Terms, Tracker};
use croupier_run::{
    Checkpoints, Death, Executable, Identity, Plan, ReduceOptions, StoredRun, WorkOptions, open,
    plan, reduce, work,
};
use croupier_store::{Entry, Error, Memory, Placed, Store};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use tokio::sync::{Notify, Semaphore};

const SHARDS: u32 = 10_000;
const BLOCK: u64 = 4;
/// Two blocks a shard, and a short one in the end.
const SAMPLES: u64 = 2 * BLOCK * SHARDS as u64 - 1;
/// Of a hundred attempts so many die before they publish.
const DYING: u64 = 3;
const RUN: &str = "simulation";

/// Calls to the store for each shard, all in all. Six are its worker's: whether the run was stopped, the build, what
/// is there of the shard, that it begins, the partial, that it ended. What remains is for attempts that died and for
/// looks.
const CALLS_A_SHARD: u64 = 8;
/// Calls of a worker.
const CALLS_A_WORKER: u64 = 6;
/// Calls of a look, but for the records of attempts at shards that are not done: the segment and its list, partials
/// before and after, attempts, three rounds and their list, the order to stop.
const CALLS_A_LOOK: u64 = 10;
/// Calls of one that dies: to open the run, as a worker, and to record how it died but for reading its record.
const CALLS_A_DEATH: u64 = CALLS_TO_OPEN + CALLS_A_WORKER + 1;
const CALLS_TO_OPEN: u64 = 3;
const JOBS: usize = 8;

#[derive(Debug, Serialize)]
struct Uniform {}

impl Kernel for Uniform {
    type Rng = ChaCha8Rng;
    type Tally = Mean;
    const BLOCK: u64 = BLOCK;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, _: u64, rng: &mut Stream<ChaCha8Rng>, tally: &mut Mean) {
        tally.record(rng.random());
    }
}

/// Counts calls, by verb and folder.
#[derive(Debug, Default)]
struct Counted {
    memory: Memory,
    calls: Mutex<BTreeMap<String, u64>>,
    /// How many entries lists had in all: a thousand are a request.
    listed: AtomicU64,
}

impl Counted {
    fn count(&self, verb: &str, key: &str) {
        let below = key.split_once('/').map_or(key, |(_, below)| below);
        let folder = below.split('/').next().unwrap_or_default();
        let mut calls = self.calls.lock().unwrap();
        *calls.entry(format!("{verb} {folder}")).or_default() += 1;
    }
}

#[async_trait]
impl Store for Counted {
    fn uri(&self) -> String {
        self.memory.uri()
    }

    async fn get(&self, key: &str) -> Result<Bytes, Error> {
        self.count("get", key);
        self.memory.get(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, Error> {
        self.count("list", prefix);
        let entries = self.memory.list(prefix).await?;
        self.listed
            .fetch_add(entries.len() as u64, Ordering::Relaxed);
        Ok(entries)
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error> {
        self.count("put", key);
        self.memory.put(key, bytes).await
    }

    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<Placed, Error> {
        self.count("put if absent", key);
        self.memory.put_if_absent(key, bytes).await
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        self.count("delete", key);
        self.memory.delete(key).await
    }
}

/// The store as a worker sees it that dies when it is about to publish, or before.
#[derive(Debug)]
struct Dying {
    store: Arc<dyn Store>,
    calls_left: AtomicU64,
}

impl Dying {
    fn call(&self, key: &str) -> Result<(), Error> {
        let left = |calls: u64| calls.checked_sub(1);
        let is_alive = self
            .calls_left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, left)
            .is_ok();
        if is_alive && !key.contains("/partials/") {
            return Ok(());
        }
        self.calls_left.store(0, Ordering::Relaxed);
        Err(Error::Other {
            action: "living".to_owned(),
            target: "this worker".to_owned(),
            reason: "it is gone".to_owned(),
            is_retryable: false,
        })
    }
}

#[async_trait]
impl Store for Dying {
    fn uri(&self) -> String {
        self.store.uri()
    }

    async fn get(&self, key: &str) -> Result<Bytes, Error> {
        self.call(key)?;
        self.store.get(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, Error> {
        self.call("")?;
        self.store.list(prefix).await
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error> {
        self.call(key)?;
        self.store.put(key, bytes).await
    }

    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<Placed, Error> {
        self.call(key)?;
        self.store.put_if_absent(key, bytes).await
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        self.call(key)?;
        self.store.delete(key).await
    }
}

/// An engine that runs its workers in this process, a few at a time.
#[derive(Debug)]
struct InProcess {
    store: Arc<dyn Store>,
    run: StoredRun,
    options: WorkOptions,
    slots: Arc<Semaphore>,
    shared: Arc<Shared>,
    tracker: Arc<dyn Tracker>,
    /// How often each shard was started.
    attempts: BTreeMap<u32, u64>,
    died: u64,
}

#[derive(Debug, Default)]
struct Shared {
    at_work: Mutex<BTreeSet<u32>>,
    ended: Notify,
}

impl InProcess {
    /// After how many calls this attempt dies, which is a function of shard and attempt alone; none where it lives.
    fn dies_after(shard: u32, attempt: u64) -> Option<u64> {
        let mixed = (u64::from(shard) << 8 | attempt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32;
        (mixed % 100 < DYING).then_some(mixed / 100 % 10)
    }
}

#[async_trait]
impl Engine for InProcess {
    async fn start(&mut self, shards: &[u32], _: Option<u32>) -> Result<(), EngineError> {
        for shard in shards.iter().copied() {
            assert!(self.shared.at_work.lock().unwrap().insert(shard));
            let attempt = self.attempts.entry(shard).or_default();
            *attempt += 1;
            let dies_after = Self::dies_after(shard, *attempt);
            self.died += u64::from(dies_after.is_some());
            let mut options = self.options.clone();
            let id = format!("{shard:08x}{attempt:08x}");
            options.attempt = Some(id.clone());
            options.control = Arc::new(Control::new());
            let run = self.run.clone();
            let store = Arc::clone(&self.store);
            let (slots, shared) = (Arc::clone(&self.slots), Arc::clone(&self.shared));
            let tracker = Arc::clone(&self.tracker);
            tokio::spawn(async move {
                let _slot = slots.acquire().await.unwrap();
                let claimant = Claimant {
                    attempt: id.clone(),
                    host: "here".to_owned(),
                };
                let Claim::Granted(lease) = tracker.claim(shard, &claimant, 4).await.unwrap()
                else {
                    panic!("shard {shard} is another's");
                };
                let kernel = Arc::new(Uniform {});
                match dies_after {
                    None => {
                        work(&run, &kernel, shard, &options).await.unwrap();
                        assert_eq!(tracker.complete(&lease).await.unwrap(), Marked::Recorded);
                    }
                    Some(calls) => {
                        let calls_left = AtomicU64::new(CALLS_TO_OPEN + calls);
                        let store: Arc<dyn Store> = Arc::new(Dying { store, calls_left });
                        if let Ok(run) = open(&store, RUN).await {
                            work(&run, &kernel, shard, &options).await.unwrap_err();
                        }
                        let death = Death::default();
                        run.record_death(shard, &id, death).await.unwrap();
                        let failed = tracker.fail(&lease, FailureClass::Signal, "it is gone");
                        assert_eq!(failed.await.unwrap(), Marked::Recorded);
                    }
                }
                shared.at_work.lock().unwrap().remove(&shard);
                shared.ended.notify_one();
            });
        }
        Ok(())
    }

    async fn start_driver(&mut self, _: &[String]) -> Result<String, EngineError> {
        unreachable!("this is the driver's own engine")
    }

    async fn at_work(&mut self) -> Result<BTreeSet<u32>, EngineError> {
        Ok(self.shared.at_work.lock().unwrap().clone())
    }

    async fn cancel(&mut self) -> Result<(), EngineError> {
        unreachable!("nobody stops it")
    }

    async fn changed(&mut self) {
        self.shared.ended.notified().await;
    }
}

fn plan_of(shards: u32) -> Plan {
    let length = BlockLength::new(BLOCK).unwrap();
    Plan {
        identity: Identity::of(&Uniform {}, 7, length, BTreeMap::new()).unwrap(),
        samples: SAMPLES,
        shards,
        inputs: BTreeMap::new(),
        policy: "retry=3".parse().unwrap(),
        at_most_once: false,
        until: None,
        failed_samples: "0".parse().unwrap(),
    }
}

fn options() -> WorkOptions {
    WorkOptions {
        pool: Pool::new(1).unwrap(),
        threads_source: "the test".to_owned(),
        executable: Executable {
            target: "simulation".to_owned(),
            sha256: "a".repeat(64),
            croupier: "0.1.0".to_owned(),
        },
        allow_other_build: false,
        failed_samples: None,
        scheduler: None,
        attempt: None,
        checkpoints: Checkpoints::default(),
        control: Arc::new(Control::new()),
    }
}

/// The digest of the same samples, run by few whom nothing happens to.
async fn quiet_digest() -> String {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let run = plan(&store, RUN, &plan_of(7)).await.unwrap().run;
    for shard in 0..7 {
        work(&run, &Arc::new(Uniform {}), shard, &options())
            .await
            .unwrap();
    }
    let options = ReduceOptions::default();
    let reduced = reduce::<Uniform>(&run, &options).await.unwrap();
    assert!(reduced.report.accepted);
    reduced.report.digest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_shards_of_which_some_die_are_driven_to_the_end() {
    let counted = Arc::new(Counted::default());
    let store: Arc<dyn Store> = counted.clone();
    let mut run = plan(&store, RUN, &plan_of(SHARDS)).await.unwrap().run;
    let mut engine = InProcess {
        store: Arc::clone(&store),
        run: run.clone(),
        options: options(),
        slots: Arc::new(Semaphore::new(JOBS)),
        shared: Arc::default(),
        tracker: Arc::new(tracker::Memory::new(RUN, Terms::default()).unwrap()),
        attempts: BTreeMap::new(),
        died: 0,
    };
    let build = engine.options.executable.name();
    let every = Duration::from_millis(20);
    let began = Instant::now();
    let driven = drive(&mut run, &mut engine, &build, every, &|_, _| {})
        .await
        .unwrap();
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!(driven, Driven::Done);
    let calls = counted.calls.lock().unwrap().clone();
    let total: u64 = calls.values().sum();
    let listed = counted.listed.load(Ordering::Relaxed);
    let died = engine.died;
    println!(
        "{seconds:.1} s, {died} attempts died, {total} calls, {listed} entries listed: {calls:#?}"
    );

    let rounds = run.rounds().await.unwrap();
    assert!((1..=3).contains(&rounds.len()), "{}", rounds.len());
    let attempts: u64 = engine.attempts.values().sum();
    assert_eq!(
        attempts,
        u64::from(SHARDS) + died,
        "none was started in vain"
    );
    assert!((200..400).contains(&died), "{died}");
    let looks = calls["list rounds"];
    let records = calls["get attempts"];
    // No look reads a record of what is done.
    assert!(records <= looks * (died + JOBS as u64) + died);
    let of_workers = u64::from(SHARDS) * CALLS_A_WORKER + died * CALLS_A_DEATH;
    let of_planning = 10;
    assert!(total - records <= of_workers + looks * CALLS_A_LOOK + of_planning);
    assert!(total <= CALLS_A_SHARD * u64::from(SHARDS), "{total} calls");

    // The tracker says of every shard what happened.
    let tracked = engine.tracker.states().await.unwrap();
    assert_eq!(tracked.len(), SHARDS as usize);
    for shard in tracked {
        assert_eq!(shard.state, State::Done);
        assert_eq!(u64::from(shard.attempts), engine.attempts[&shard.shard]);
    }

    let reduced = reduce::<Uniform>(&run, &ReduceOptions::default())
        .await
        .unwrap();
    assert_eq!(reduced.report.samples.done, SAMPLES);
    assert_eq!(reduced.report.shards.done, SHARDS);
    assert_eq!(reduced.report.digest, quiet_digest().await);
}

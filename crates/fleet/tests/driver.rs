//! What the driver repeats and how often: shards that die, in each segment anew, and calls of an engine that fail.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use croupier_compute::engine::{Control, Pool};
use croupier_compute::{BlockLength, Kernel, Mean, Stream};
use croupier_fleet::driver::{DriveError, Driven, drive};
use croupier_fleet::engine::{Engine, EngineError};
use croupier_run::{
    Checkpoints, Death, Executable, Identity, Plan, StoredRun, WorkOptions, open, plan, work,
};
use croupier_store::{Memory, Store};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

#[derive(Debug, Serialize)]
struct Ones {}

impl Kernel for Ones {
    type Rng = ChaCha8Rng;
    type Tally = Mean;
    const BLOCK: u64 = 1;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, _: u64, _: &mut Stream<ChaCha8Rng>, tally: &mut Mean) {
        tally.record(1.0);
    }
}

/// An engine that has run what it starts when the call returns. Some shards die, some calls fail.
#[derive(Debug)]
struct Scripted {
    store: Arc<dyn Store>,
    /// How often each shard dies.
    deaths: BTreeMap<u32, u32>,
    /// What becomes of the next calls: `.` goes well, `!` fails for a reason that passes, `x` for good. Then all go well.
    calls: VecDeque<char>,
    /// What was started.
    starts: Vec<Vec<u32>>,
}

impl Scripted {
    fn new(store: &Arc<dyn Store>) -> Self {
        Self {
            store: Arc::clone(store),
            deaths: BTreeMap::new(),
            calls: VecDeque::new(),
            starts: Vec::new(),
        }
    }

    fn call(&mut self) -> Result<(), EngineError> {
        match self.calls.pop_front() {
            None | Some('.') => Ok(()),
            Some(failure) => Err(EngineError {
                engine: "scripted",
                what: "a call".to_owned(),
                reason: "the test says so".to_owned(),
                is_retryable: failure == '!',
            }),
        }
    }
}

#[async_trait]
impl Engine for Scripted {
    async fn start(&mut self, shards: &[u32], _: Option<u32>) -> Result<(), EngineError> {
        self.call()?;
        self.starts.push(shards.to_vec());
        let run = open(&self.store, "demo").await.unwrap();
        for shard in shards {
            match self.deaths.get_mut(shard).filter(|left| **left > 0) {
                None => finish(&run, *shard).await,
                Some(left) => {
                    *left -= 1;
                    let id = format!("{:016x}", self.starts.len());
                    let death = Death {
                        signal: Some(9),
                        ..Death::default()
                    };
                    run.record_death(*shard, &id, death).await.unwrap();
                }
            }
        }
        Ok(())
    }

    async fn start_driver(&mut self, _: &[String]) -> Result<String, EngineError> {
        unreachable!("this is the driver's own engine")
    }

    async fn at_work(&mut self) -> Result<BTreeSet<u32>, EngineError> {
        self.call()?;
        Ok(BTreeSet::new())
    }

    async fn cancel(&mut self) -> Result<(), EngineError> {
        Ok(())
    }
}

fn executable() -> Executable {
    Executable {
        target: "test".to_owned(),
        sha256: "a".repeat(64),
        croupier: "0.1.0".to_owned(),
    }
}

async fn finish(run: &StoredRun, shard: u32) {
    let options = WorkOptions {
        pool: Pool::new(1).unwrap(),
        threads_source: "the test".to_owned(),
        executable: executable(),
        allow_other_build: false,
        failed_samples: None,
        scheduler: None,
        attempt: None,
        checkpoints: Checkpoints::default(),
        control: Arc::new(Control::new()),
    };
    work(run, &Arc::new(Ones {}), shard, &options)
        .await
        .unwrap();
}

/// A run of two shards, each of which may be repeated once.
async fn planned(store: &Arc<dyn Store>) -> StoredRun {
    let length = BlockLength::new(1).unwrap();
    let two_shards = Plan {
        identity: Identity::of(&Ones {}, 7, length, BTreeMap::new()).unwrap(),
        samples: 4,
        shards: 2,
        inputs: BTreeMap::new(),
        policy: "retry=1".parse().unwrap(),
        at_most_once: false,
        until: None,
        failed_samples: "0".parse().unwrap(),
    };
    plan(store, "demo", &two_shards).await.unwrap().run
}

async fn driven(run: &mut StoredRun, engine: &mut Scripted) -> Result<Driven, DriveError> {
    let build = executable().name();
    drive(run, engine, &build, Duration::from_millis(1), &|_, _| {}).await
}

#[tokio::test]
async fn shards_of_a_later_segment_are_repeated_as_often_as_those_of_the_first() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let mut run = planned(&store).await;
    let mut engine = Scripted::new(&store);
    engine.deaths = BTreeMap::from([(1, 1), (2, 1), (5, 9)]);
    assert_eq!(driven(&mut run, &mut engine).await.unwrap(), Driven::Done);
    let mut run = run.extend(8, None).await.unwrap();
    assert_eq!(driven(&mut run, &mut engine).await.unwrap(), Driven::Done);
    let mut run = run.extend(12, None).await.unwrap();
    let left = driven(&mut run, &mut engine).await.unwrap();
    assert_eq!(left, Driven::HolesLeft);
    // Neither does a driver that begins anew repeat it once more.
    let left = driven(&mut run, &mut engine).await.unwrap();
    assert_eq!(left, Driven::HolesLeft);
    let rounds = run.rounds().await.unwrap();
    let rounds: Vec<Vec<u32>> = rounds.into_iter().map(|round| round.shards).collect();
    assert_eq!(rounds, [[1], [2], [5]]);
}

#[tokio::test]
async fn calls_that_fail_for_reasons_that_pass_are_repeated_and_cost_nothing() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let mut run = planned(&store).await;
    let mut engine = Scripted::new(&store);
    engine.deaths = BTreeMap::from([(1, 1)]);
    // Two looks, the first start, and that of the round.
    engine.calls = "!!.!..!.!..!".chars().collect();
    assert_eq!(driven(&mut run, &mut engine).await.unwrap(), Driven::Done);
    assert_eq!(engine.starts, [vec![0, 1], vec![1]]);
    assert_eq!(run.rounds().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_driver_ends_where_calls_fail_for_good_and_in_the_end_where_that_never_passes() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let mut run = planned(&store).await;
    let mut engine = Scripted::new(&store);
    for calls in ["x", &"!".repeat(99)] {
        engine.calls = calls.chars().collect();
        let error = driven(&mut run, &mut engine).await.unwrap_err();
        assert!(matches!(error, DriveError::Engine(_)), "{error}");
    }
    assert!(engine.calls.len() > 50, "it did not give up");
    assert!(engine.starts.is_empty());
}

//! A shard that ends while somebody looks is done, and no hole: nobody starts it again, and it costs no round.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use croupier_compute::engine::{Control, Pool};
use croupier_compute::{BlockLength, Kernel, Mean, Stream};
use croupier_fleet::driver::{Driven, drive};
use croupier_fleet::engine::{Engine, EngineError};
use croupier_run::{
    Checkpoints, Executable, Identity, Plan, Standing, StoredRun, WorkOptions, open, plan, work,
};
use croupier_store::{Entry, Error, Memory, Placed, Store};
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

fn executable() -> Executable {
    Executable {
        target: "test".to_owned(),
        sha256: "a".repeat(64),
        croupier: "0.1.0".to_owned(),
    }
}

/// Plans a run of one shard that is not to be repeated.
async fn planned(store: &Arc<dyn Store>) -> StoredRun {
    let length = BlockLength::new(1).unwrap();
    let one_shard = Plan {
        identity: Identity::of(&Ones {}, 7, length, BTreeMap::new()).unwrap(),
        samples: 3,
        shards: 1,
        inputs: BTreeMap::new(),
        policy: "complete".parse().unwrap(),
        at_most_once: false,
        until: None,
        failed_samples: "0".parse().unwrap(),
    };
    plan(store, "demo", &one_shard).await.unwrap().run
}

async fn finish(run: &StoredRun) {
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
    work(run, &Arc::new(Ones {}), 0, &options).await.unwrap();
}

/// An engine whose only worker ends just before it is asked about it.
#[derive(Debug)]
struct Ending {
    run: StoredRun,
    starts: u32,
}

#[async_trait]
impl Engine for Ending {
    async fn start(&mut self, shards: &[u32], _: Option<u32>) -> Result<(), EngineError> {
        assert_eq!(shards, [0]);
        self.starts += 1;
        Ok(())
    }

    async fn start_driver(&mut self, _: &[String]) -> Result<String, EngineError> {
        unreachable!("this is the driver's own engine")
    }

    async fn at_work(&mut self) -> Result<BTreeSet<u32>, EngineError> {
        if self.starts > 0 {
            finish(&self.run).await;
        }
        Ok(BTreeSet::new())
    }

    async fn cancel(&mut self) -> Result<(), EngineError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_shard_that_ends_while_the_driver_looks_is_done() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let mut run = planned(&store).await;
    let mut engine = Ending {
        run: run.clone(),
        starts: 0,
    };
    let every = Duration::from_secs(3600);
    let build = executable().name();
    let driven = drive(&mut run, &mut engine, &build, every, &|_, _| {}).await;
    assert_eq!(driven.unwrap(), Driven::Done);
    assert_eq!(engine.starts, 1);
}

/// A store in which a worker ends just before attempts are listed.
#[derive(Debug)]
struct EndsMeanwhile {
    memory: Memory,
    is_over: AtomicBool,
}

#[async_trait]
impl Store for EndsMeanwhile {
    fn uri(&self) -> String {
        self.memory.uri()
    }

    async fn get(&self, key: &str) -> Result<Bytes, Error> {
        self.memory.get(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, Error> {
        if prefix.ends_with("/attempts/") && !self.is_over.swap(true, Ordering::Relaxed) {
            let store: Arc<dyn Store> = Arc::new(self.memory.clone());
            finish(&open(&store, "demo").await.unwrap()).await;
        }
        self.memory.list(prefix).await
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error> {
        self.memory.put(key, bytes).await
    }

    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<Placed, Error> {
        self.memory.put_if_absent(key, bytes).await
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        self.memory.delete(key).await
    }
}

#[tokio::test]
async fn a_shard_that_ends_during_a_survey_is_done() {
    let store: Arc<dyn Store> = Arc::new(EndsMeanwhile {
        memory: Memory::new(),
        is_over: AtomicBool::new(false),
    });
    let survey = planned(&store).await.survey().await.unwrap();
    assert_eq!(survey.shards[0].standing, Standing::Done);
    assert!(survey.is_done());
    assert_eq!(survey.shards[0].attempts, 1);
}

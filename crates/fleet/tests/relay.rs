//! Drivers that take over from one another come to an end, also where shards never do: one whose job leaves no trace
//! at all, and one that is stopped in time again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use croupier_compute::engine::{Control, Pool};
use croupier_compute::{BlockLength, Kernel, Mean, Stream};
use croupier_fleet::driver::{Driven, Legacy, drive_on};
use croupier_fleet::engine::{Engine, EngineError};
use croupier_run::{
    Checkpoints, Error, Executable, Identity, Plan, StoredRun, WorkOptions, plan, work,
};
use croupier_store::{Memory, Store};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// Whom the first sample tells to stop.
static STOP: Mutex<Option<Arc<Control>>> = Mutex::new(None);

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
        if let Some(control) = STOP.lock().unwrap().as_ref() {
            control.stop();
        }
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

/// An engine whose jobs have ended when the next driver begins. Shard 0's leaves nothing; shard 1's finishes one block
/// the first time it is started, and none later.
#[derive(Debug)]
struct Scheduler {
    run: StoredRun,
    at_work: BTreeSet<u32>,
    starts: Vec<Vec<u32>>,
}

#[async_trait]
impl Engine for Scheduler {
    async fn start(&mut self, shards: &[u32], _: Option<u32>) -> Result<(), EngineError> {
        let control = Arc::new(Control::new());
        if self.starts.is_empty() {
            *STOP.lock().unwrap() = Some(Arc::clone(&control));
        } else {
            control.stop();
        }
        let options = WorkOptions {
            pool: Pool::new(1).unwrap(),
            threads_source: "the test".to_owned(),
            executable: executable(),
            allow_other_build: false,
            failed_samples: None,
            scheduler: None,
            attempt: None,
            checkpoints: Checkpoints::default(),
            control,
        };
        let worked = work(&self.run, &Arc::new(Ones {}), 1, &options).await;
        assert!(
            matches!(worked, Err(Error::Stopped { done: 1, .. })),
            "{worked:?}"
        );
        self.starts.push(shards.to_vec());
        self.at_work.extend(shards);
        Ok(())
    }

    async fn start_driver(&mut self, _: &[String]) -> Result<String, EngineError> {
        unreachable!("the test starts drivers")
    }

    async fn at_work(&mut self) -> Result<BTreeSet<u32>, EngineError> {
        Ok(self.at_work.clone())
    }

    async fn cancel(&mut self) -> Result<(), EngineError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_relay_of_drivers_ends_where_shards_never_do() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let length = BlockLength::new(1).unwrap();
    let two_shards = Plan {
        identity: Identity::of(&Ones {}, 7, length, BTreeMap::new()).unwrap(),
        samples: 6,
        shards: 2,
        inputs: BTreeMap::new(),
        policy: "retry=2".parse().unwrap(),
        at_most_once: false,
        until: None,
        failed_samples: "0".parse().unwrap(),
    };
    let mut run = plan(&store, "demo", &two_shards).await.unwrap().run;
    let mut engine = Scheduler {
        run: run.clone(),
        at_work: BTreeSet::new(),
        starts: Vec::new(),
    };
    // As `launch` does.
    engine.start(&[0, 1], None).await.unwrap();
    let mut legacy = Legacy {
        shards: 2,
        round: 0,
    };
    let build = executable().name();
    let every = Duration::from_millis(1);
    let mut drivers = 0;
    loop {
        engine.at_work.clear();
        drivers += 1;
        assert!(drivers < 10, "still driving: {:?}", engine.starts);
        let driven = drive_on(
            Some(legacy),
            &mut run,
            &mut engine,
            &build,
            every,
            &|_, _| {},
        );
        match driven.await.unwrap() {
            Driven::AtWork(next) => legacy = next.to_string().parse().unwrap(),
            driven => {
                assert_eq!(driven, Driven::HolesLeft);
                break;
            }
        }
    }
    // The start of all, one that got further, and two rounds.
    assert_eq!(engine.starts, [vec![0, 1], vec![1], vec![0, 1], vec![0, 1]]);
    assert_eq!(
        legacy,
        Legacy {
            shards: 2,
            round: 2
        }
    );
}

//! The engines in this process, with jobs that need none: what they submit, and how often they ask.

mod ending;
mod pace;
mod requests;
mod starting;

use std::path::Path;
use std::sync::Arc;

use croupier::prelude::*;
use croupier_compute::BlockLength;
use croupier_fleet::engine::{AwsBatch, BatchOptions, Dealing, WorkerCall};
use croupier_run::{Found, Identity, Plan, plan};
use croupier_store::{Memory, Store};
use croupier_tests::batch::{BatchServer, QUEUE, Settings, Status};
use croupier_tests::program::wait_until;
use serde_json::Value;
use tempfile::TempDir;

#[derive(Serialize)]
struct Plain {}

impl Kernel for Plain {
    type Rng = ChaCha8Rng;
    type Tally = Mean;
    const BLOCK: u64 = 1;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, mean: &mut Mean) {
        mean.record(pinned::normal(rng));
    }
}

struct Bench {
    server: BatchServer,
    run: Found,
    _directory: TempDir,
}

async fn bench(shards: u32, at_most_once: bool, settings: Settings) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let server = BatchServer::start(directory.path(), settings);
    server.define("worker", Path::new("/bin/true"));
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let block = BlockLength::new(1).unwrap();
    let planned = Plan {
        identity: Identity::of(&Plain {}, 7, block, Default::default()).unwrap(),
        samples: shards.into(),
        shards,
        inputs: Default::default(),
        policy: Default::default(),
        at_most_once,
        until: None,
        failed_samples: Default::default(),
    };
    let run = plan(&store, "demo", &planned).await.unwrap().run;
    Bench {
        server,
        run: Found::Run(Box::new(run)),
        _directory: directory,
    }
}

fn options(dealing: Dealing) -> BatchOptions {
    BatchOptions {
        job_queue: QUEUE.to_owned(),
        job_definition: Some("worker".to_owned()),
        vcpus: None,
        memory_mib: None,
        attempts: 3,
        attempt_duration_seconds: None,
        share_identifier: None,
        scheduling_priority_override: None,
        tags: Vec::new(),
        propagate_tags: false,
        override_kind: None,
        container: None,
        driver_job_queue: None,
        driver_job_definition: None,
        driver_vcpus: None,
        driver_memory_mib: None,
        dealing,
    }
}

impl Bench {
    /// An engine as another process would have it.
    fn engine(&self, options: BatchOptions) -> AwsBatch {
        let call = WorkerCall {
            program: "/bin/true".into(),
            arguments: vec!["shard".to_owned(), "--run".to_owned(), "demo".to_owned()],
        };
        AwsBatch::connect(&self.run, call, options, &self.server.sdk_config()).unwrap()
    }

    fn arrays(&self) -> AwsBatch {
        self.engine(options(Dealing::Arrays))
    }

    fn submitted(&self) -> Vec<Value> {
        let calls = self.server.calls().into_iter();
        calls
            .filter(|call| call.operation == "SubmitJob")
            .map(|call| call.body)
            .collect()
    }

    fn wait_for(&self, status: Status, units: usize) {
        wait_until("jobs change", || {
            let jobs = self.server.jobs();
            let all = jobs.iter().flat_map(|job| &job.units);
            all.filter(|unit| unit.status == status).count() == units
        });
    }
}

fn all(shards: std::ops::Range<u32>) -> Vec<u32> {
    shards.collect()
}

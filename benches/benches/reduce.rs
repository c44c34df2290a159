//! What a run costs besides its samples: reducing many partials, and one shard's fixed cost.
//!
//! Each is timed beside what can't be done without: fetching the same objects with the same number of
//! requests in flight, and putting the same objects. So the ratio says what is our own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use croupier_benches::{Budget, Way, compare};
use croupier_compute::engine::{Control, Pool};
use croupier_compute::{BlockLength, Kernel, Mean, Stream, pinned};
use croupier_run::{
    Checkpoints, Executable, Identity, Plan, ReduceOptions, StoredRun, WorkOptions, open, plan,
    reduce, work,
};
use croupier_store::{Directory, Memory, Options, Store};
use croupier_tests::s3::S3Server;
use futures_util::{StreamExt, stream};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use tokio::runtime::Runtime;

#[derive(Serialize)]
struct Scalar {
    mean: f64,
}

impl Kernel for Scalar {
    type Rng = ChaCha8Rng;
    type Tally = Mean;
    const BLOCK: u64 = 4;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, _: u64, rng: &mut Stream<ChaCha8Rng>, tally: &mut Mean) {
        tally.record(self.mean + pinned::normal(rng));
    }
}

const SCALAR: Scalar = Scalar { mean: 3.0 };

fn main() {
    let budget = Budget::from_arguments();
    let runtime = Runtime::new().expect("a runtime");
    let shards = if budget.is_quick() { 1000 } else { 10_000 };
    // Names of benches among the arguments: only those.
    let names: Vec<String> = std::env::args()
        .filter(|argument| {
            ["directory", "s3", "shard", "checkpoint", "array"].contains(&argument.as_str())
        })
        .collect();
    let is_meant = |name: &str| names.is_empty() || names.iter().any(|named| named == name);
    if is_meant("directory") {
        from_directory(budget, &runtime, shards);
    }
    if is_meant("s3") {
        from_s3(budget, &runtime, shards / 10);
    }
    if is_meant("shard") {
        let folder = tempfile::tempdir().expect("a folder");
        let directory: Arc<dyn Store> = Arc::new(Directory::new(folder.path()).expect("a store"));
        one_shard(budget, &runtime, &directory, "a directory", 30);
        let server = S3Server::start();
        let s3: Arc<dyn Store> = Arc::new(server.store("", &Options::default()));
        one_shard(budget, &runtime, &s3, "S3 on loopback", 50);
    }
    if is_meant("checkpoint") {
        checkpoints(budget, &runtime);
    }
    if is_meant("array") {
        array(budget, &runtime);
    }
}

fn from_directory(budget: Budget, runtime: &Runtime, shards: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let made = Arc::new(Memory::new());
    runtime.block_on(finish(&(made.clone() as _), shards));
    for (key, bytes) in runtime.block_on(all_of(&made)) {
        let path = folder.path().join(key);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }
    let store: Arc<dyn Store> = Arc::new(Directory::new(folder.path()).expect("a store"));
    let pairs = reducing(budget, runtime, &store, shards, "a directory", "at most 2");
    println!(
        "  {shards} shards in {:.0} ms, aim 1000 ms for 10000",
        pairs * f64::from(shards) / 1e6
    );
    let run = runtime.block_on(open(&store, "demo")).expect("a run");
    let surveying = Way::new("status", || {
        let survey = runtime.block_on(run.survey()).expect("a survey");
        assert!(survey.is_done());
    });
    let fetching = Way::new("only fetch", || {
        assert_eq!(
            runtime.block_on(fetch(&store, 32, &["demo/attempts/"])),
            u64::from(shards)
        );
    });
    let title = format!("the status of {shards} shards in a directory");
    let took = compare(budget, &title, shards.into(), "none", surveying, fetching);
    println!(
        "  {:.0} ms, aim 2000 ms for 10000",
        took.nanoseconds[0] * f64::from(shards) / 1e6
    );
}

fn from_s3(budget: Budget, runtime: &Runtime, shards: u32) {
    let server = S3Server::start();
    let made = Arc::new(Memory::new());
    runtime.block_on(finish(&(made.clone() as _), shards));
    for (key, bytes) in runtime.block_on(all_of(&made)) {
        server.put(&key, bytes);
    }
    let store: Arc<dyn Store> = Arc::new(server.store("", &Options::default()));
    reducing(
        budget,
        runtime,
        &store,
        shards,
        "S3 on loopback",
        "at most 1.5",
    );
}

/// Times reducing the run in `store` beside fetching all that it reads; gives nanoseconds a shard.
fn reducing(
    budget: Budget,
    runtime: &Runtime,
    store: &Arc<dyn Store>,
    shards: u32,
    place: &str,
    aim: &str,
) -> f64 {
    let run = runtime.block_on(open(store, "demo")).expect("a run");
    let options = ReduceOptions::default();
    let reducing = Way::new("reduce", || {
        let reduced = runtime
            .block_on(reduce::<Scalar>(&run, &options))
            .expect("a result");
        assert_eq!(reduced.report.shards.done, shards);
    });
    let fetching = Way::new("only fetch", || {
        let folders = ["demo/partials/", "demo/attempts/"];
        let fetched = runtime.block_on(fetch(store, options.at_once, &folders));
        assert_eq!(fetched, 2 * u64::from(shards));
    });
    let title = format!("{shards} scalar partials from {place}");
    compare(budget, &title, shards.into(), aim, reducing, fetching).nanoseconds[0]
}

/// Fetches what is in folders of a run, in tasks as a reducer does, and counts it.
async fn fetch(store: &Arc<dyn Store>, at_once: usize, folders: &[&str]) -> u64 {
    let mut fetched = 0;
    for folder in folders {
        let entries = store.list(folder).await.expect("a list");
        let mut objects = stream::iter(entries)
            .map(|entry| {
                let store = Arc::clone(store);
                tokio::spawn(async move { store.get(&entry.key).await })
            })
            .buffered(at_once);
        while let Some(object) = objects.next().await {
            object.expect("a task").expect("an object");
            fetched += 1;
        }
    }
    fetched
}

/// Times opening a run and working on one shard of one tiny block, its program's fingerprint
/// included, beside putting the one object that matters.
fn one_shard(
    budget: Budget,
    runtime: &Runtime,
    store: &Arc<dyn Store>,
    place: &str,
    aim_milliseconds: u32,
) {
    const SHARDS: u32 = 1000;
    runtime
        .block_on(plan(store, "demo", &plan_of(SHARDS)))
        .expect("a plan");
    let mut shard = 0;
    let working = Way::new("open and work", || {
        runtime.block_on(async {
            let options = options(Executable::current().expect("this program"));
            let run = open(store, "demo").await.expect("a run");
            let kernel = Arc::new(SCALAR);
            work(&run, &kernel, shard, &options)
                .await
                .expect("a partial");
        });
        shard += 1;
    });
    let mut number = 0;
    let bytes = Bytes::from(vec![7; 3000]);
    let putting = Way::new("only put", || {
        number += 1;
        let key = format!("other/{number}");
        runtime
            .block_on(store.put(&key, bytes.clone()))
            .expect("a put");
    });
    let title = format!("one shard in {place}");
    let pairs = compare(budget, &title, 1, "none", working, putting);
    let started = std::time::Instant::now();
    Executable::current().expect("this program");
    println!(
        "  {:.1} ms, of which the program's fingerprint takes about {:.1} ms, aim {aim_milliseconds} ms",
        pairs.nanoseconds[0] / 1e6,
        started.elapsed().as_secs_f64() * 1e3
    );
}

/// Times a shard with many checkpoints beside the same with none: what one costs, as a share of the time between two.
fn checkpoints(budget: Budget, runtime: &Runtime) {
    let every = Duration::from_millis(10);
    let worker = |name: &'static str, every: Duration| {
        let options = WorkOptions {
            checkpoints: Checkpoints {
                every,
                stop_at: None,
            },
            ..options(Executable::current().expect("this program"))
        };
        Way::new(name, move || {
            let store: Arc<dyn Store> = Arc::new(Memory::new());
            let samples = if budget.is_quick() { 1 << 14 } else { 1 << 17 };
            let run = runtime
                .block_on(plan(&store, "demo", &uneven_plan(samples, 1)))
                .expect("a plan")
                .run;
            runtime
                .block_on(work(&run, &Arc::new(UNEVEN), 0, &options))
                .expect("a partial");
        })
    };
    let with = worker("with checkpoints", every);
    let without = worker("with none", Duration::from_secs(3600));
    let title = "a shard with a checkpoint each 10 ms";
    let pairs = compare(budget, title, 1, "none", with, without);
    let [with, without] = pairs.nanoseconds;
    let checkpoints = (with / every.as_nanos() as f64).max(1.0);
    println!(
        "  {:.3} ms each, {:.4} % of a minute, aim 1 %",
        (with - without).max(0.0) / checkpoints / 1e6,
        100.0 * (with - without).max(0.0) / checkpoints / 60e9
    );
}

/// Times all shards of an array, one after the other on two threads, beside the same work on one thread: what is lost
/// to stragglers at the end of each shard.
fn array(budget: Budget, runtime: &Runtime) {
    const SHARDS: u32 = 8;
    let samples = if budget.is_quick() { 1 << 16 } else { 1 << 20 };
    let worker = |name: &'static str, threads: usize, shards: u32| {
        let options = WorkOptions {
            pool: Pool::new(threads).expect("threads"),
            ..options(Executable::current().expect("this program"))
        };
        Way::new(name, move || {
            let store: Arc<dyn Store> = Arc::new(Memory::new());
            let run = runtime
                .block_on(plan(&store, "demo", &uneven_plan(samples, shards)))
                .expect("a plan")
                .run;
            for shard in 0..shards {
                runtime
                    .block_on(work(&run, &Arc::new(UNEVEN), shard, &options))
                    .expect("a partial");
            }
        })
    };
    let two = worker("8 shards, 2 threads", 2, SHARDS);
    let one = worker("1 shard, 1 thread", 1, 1);
    let title = "samples whose costs differ tenfold";
    let pairs = compare(budget, title, samples, "none", two, one);
    let [two, one] = pairs.nanoseconds;
    println!("  efficiency {:.3}, aim 0.95", one / (2.0 * two));
}

/// Its samples take from one to ten times as long.
#[derive(Serialize)]
struct Uneven {}

const UNEVEN: Uneven = Uneven {};

impl Kernel for Uneven {
    type Rng = ChaCha8Rng;
    type Tally = Mean;
    // About a millisecond.
    const BLOCK: u64 = 512;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, _: u64, rng: &mut Stream<ChaCha8Rng>, tally: &mut Mean) {
        let steps = 20 * (1 + (10.0 * pinned::uniform(rng)) as u64);
        let walked: f64 = (0..steps).map(|_| pinned::normal(rng)).sum();
        tally.record(walked);
    }
}

fn uneven_plan(samples: u64, shards: u32) -> Plan {
    let length = BlockLength::new(Uneven::BLOCK).expect("a power of two");
    Plan {
        identity: Identity::of(&UNEVEN, 7, length, BTreeMap::new()).expect("an identity"),
        samples,
        shards,
        inputs: BTreeMap::new(),
        policy: "complete".parse().expect("a policy"),
        at_most_once: false,
        until: None,
        failed_samples: "0".parse().expect("a limit"),
    }
}

fn plan_of(shards: u32) -> Plan {
    let length = BlockLength::new(Scalar::BLOCK).expect("a power of two");
    Plan {
        identity: Identity::of(&SCALAR, 7, length, BTreeMap::new()).expect("an identity"),
        samples: Scalar::BLOCK * u64::from(shards),
        shards,
        inputs: BTreeMap::new(),
        policy: "complete".parse().expect("a policy"),
        at_most_once: false,
        until: None,
        failed_samples: "0".parse().expect("a limit"),
    }
}

fn options(executable: Executable) -> WorkOptions {
    WorkOptions {
        pool: Pool::new(1).expect("a thread"),
        threads_source: "the bench".to_owned(),
        executable,
        allow_other_build: false,
        failed_samples: None,
        scheduler: None,
        attempt: None,
        checkpoints: Checkpoints::default(),
        control: Arc::new(Control::new()),
    }
}

/// Plans a run and works on all of its shards.
async fn finish(store: &Arc<dyn Store>, shards: u32) -> StoredRun {
    let run = plan(store, "demo", &plan_of(shards))
        .await
        .expect("a plan")
        .run;
    let executable = Executable::current().expect("this program");
    let options = options(executable);
    for shard in 0..shards {
        work(&run, &Arc::new(SCALAR), shard, &options)
            .await
            .expect("a partial");
    }
    run
}

async fn all_of(store: &Memory) -> Vec<(String, Bytes)> {
    let mut objects = Vec::new();
    for entry in store.list("").await.expect("a list") {
        let bytes = store.get(&entry.key).await.expect("an object");
        objects.push((entry.key, bytes));
    }
    objects
}

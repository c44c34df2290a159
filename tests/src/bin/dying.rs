//! A worker and a reducer in a directory, which kill themselves between two calls of their store.
//!
//! `dying STORE NAME SHARD` works on one shard, planning the run if it is not there; `dying STORE NAME reduce` prints
//! the digest. Each call is said on stderr, and `DIE` says where to die: `before 7` or `after 7`, counted from 0.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use croupier::prelude::*;
use croupier_compute::BlockLength;
use croupier_compute::engine::{Control, Pool};
use croupier_run::{Executable, Identity, Plan, ReduceOptions, WorkOptions, plan, reduce, work};
use croupier_store::{Directory, Entry, Placed, Store};
use rustix::process::{Signal, getpid, kill_process};

#[derive(Serialize)]
struct Dying {}

impl Kernel for Dying {
    type Rng = ChaCha8Rng;
    type Tally = Mean;
    const BLOCK: u64 = 64;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, mean: &mut Mean) {
        mean.record(pinned::normal(rng));
    }
}

/// Where the process ends.
#[derive(Clone, Copy, Debug)]
enum Death {
    Never,
    Before(usize),
    After(usize),
}

impl Death {
    fn from_environment() -> Self {
        let told = std::env::var("DIE").unwrap_or_default();
        let call = |text: &str| text.parse().expect("the number of a call");
        match told.split_once(' ') {
            Some(("before", number)) => Self::Before(call(number)),
            Some(("after", number)) => Self::After(call(number)),
            Some(_) | None => Self::Never,
        }
    }
}

/// A store between whose calls the process ends.
#[derive(Debug)]
struct Mortal<S> {
    inner: S,
    calls: AtomicUsize,
    death: Death,
}

impl<S> Mortal<S> {
    fn call(&self, verb: &str, key: &str) -> usize {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        say(format!("before {number} {verb} {key}\n"));
        if matches!(self.death, Death::Before(at) if at == number) {
            die();
        }
        number
    }

    fn called(&self, number: usize, verb: &str, key: &str) {
        say(format!("after {number} {verb} {key}\n"));
        if matches!(self.death, Death::After(at) if at == number) {
            die();
        }
    }
}

/// Whole or not at all: another thread may be about to end it all.
fn say(line: String) {
    let _ = std::io::stderr().write_all(line.as_bytes());
}

fn die() -> ! {
    let failed = kill_process(getpid(), Signal::KILL);
    panic!("still alive: {failed:?}");
}

#[async_trait]
impl<S: Store> Store for Mortal<S> {
    fn uri(&self) -> String {
        self.inner.uri()
    }

    async fn get(&self, key: &str) -> Result<Bytes, croupier_store::Error> {
        let number = self.call("get", key);
        let got = self.inner.get(key).await;
        self.called(number, "get", key);
        got
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, croupier_store::Error> {
        let number = self.call("list", prefix);
        let listed = self.inner.list(prefix).await;
        self.called(number, "list", prefix);
        listed
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), croupier_store::Error> {
        let number = self.call("put", key);
        let put = self.inner.put(key, bytes).await;
        self.called(number, "put", key);
        put
    }

    async fn put_if_absent(
        &self,
        key: &str,
        bytes: Bytes,
    ) -> Result<Placed, croupier_store::Error> {
        let number = self.call("put-if-absent", key);
        let placed = self.inner.put_if_absent(key, bytes).await;
        self.called(number, "put-if-absent", key);
        placed
    }

    async fn delete(&self, key: &str) -> Result<(), croupier_store::Error> {
        let number = self.call("delete", key);
        let deleted = self.inner.delete(key).await;
        self.called(number, "delete", key);
        deleted
    }
}

const SAMPLES: u64 = 3_000;
const SHARDS: u32 = 3;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, name, what] = arguments.as_slice() else {
        panic!("expected STORE NAME SHARD|reduce, found {arguments:?}");
    };
    match run(directory, name, what).await {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(directory: &str, name: &str, what: &str) -> Result<String, croupier_run::Error> {
    let store: Arc<dyn Store> = Arc::new(Mortal {
        inner: Directory::new(directory)?,
        calls: AtomicUsize::new(0),
        death: Death::from_environment(),
    });
    if what == "reduce" {
        let run = croupier_run::open(&store, name).await?;
        let report = reduce::<Dying>(&run, &ReduceOptions::default())
            .await?
            .report;
        return Ok(serde_json::to_string(&report).expect("a report is JSON"));
    }
    let planned = Plan {
        identity: Identity::of(
            &Dying {},
            7,
            BlockLength::new(Dying::BLOCK)?,
            Default::default(),
        )?,
        samples: SAMPLES,
        shards: SHARDS,
        inputs: Default::default(),
        policy: Default::default(),
        failed_samples: Default::default(),
    };
    let run = plan(&store, name, &planned).await?.run;
    let options = WorkOptions {
        pool: Pool::new(2).expect("two threads"),
        threads_source: "the test".to_owned(),
        executable: Executable::current().expect("this program's file"),
        allow_other_build: false,
        failed_samples: None,
        scheduler: None,
        control: Arc::new(Control::new()),
    };
    let shard = what.parse().expect("the number of a shard");
    let worked = work(&run, &Arc::new(Dying {}), shard, &options).await?;
    Ok(worked.partial)
}

//! A worker and a reducer in a directory, which kill themselves between two calls of their store.
//!
//! `dying STORE NAME SHARD` works on one shard, planning the run if it is not there; `dying STORE NAME reduce` prints
//! the report. What it is about to call and has called is said on stderr, a line each, such as `after put attempts/ 1`
//! for the second put of an attempt; `DIE` is the line at which to die.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use croupier::prelude::*;
use croupier_compute::BlockLength;
use croupier_compute::engine::{Control, Pool};
use croupier_run::{
    Checkpoints, Executable, Identity, Plan, ReduceOptions, WorkOptions, plan, reduce, work,
};
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

/// A store between whose calls the process ends.
#[derive(Debug)]
struct Mortal<S> {
    inner: S,
    /// How often each was called.
    calls: Mutex<BTreeMap<String, usize>>,
    death: Option<String>,
}

impl<S> Mortal<S> {
    /// Says the call, which it gives a name: the same one in every process that calls the same.
    fn call(&self, verb: &str, key: &str) -> String {
        // Without the run's name, and without what is drawn or a digest.
        let (_, key) = key.split_once('/').unwrap_or_default();
        let folders = ["attempts/", "partials/", "probe"];
        let folder = folders.into_iter().find(|folder| key.starts_with(folder));
        let kind = format!("{verb} {}", folder.unwrap_or(key));
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let count = calls.entry(kind.clone()).or_default();
        let name = format!("{kind} {count}");
        *count += 1;
        drop(calls);
        self.reach(format!("before {name}"));
        name
    }

    fn called(&self, name: &str) {
        self.reach(format!("after {name}"));
    }

    fn reach(&self, point: String) {
        say(format!("{point}\n"));
        if self.death.as_ref() == Some(&point) {
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
        let name = self.call("get", key);
        let got = self.inner.get(key).await;
        self.called(&name);
        got
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, croupier_store::Error> {
        let name = self.call("list", prefix);
        let listed = self.inner.list(prefix).await;
        self.called(&name);
        listed
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), croupier_store::Error> {
        let name = self.call("put", key);
        let put = self.inner.put(key, bytes).await;
        self.called(&name);
        put
    }

    async fn put_if_absent(
        &self,
        key: &str,
        bytes: Bytes,
    ) -> Result<Placed, croupier_store::Error> {
        let name = self.call("put-if-absent", key);
        let placed = self.inner.put_if_absent(key, bytes).await;
        self.called(&name);
        placed
    }

    async fn delete(&self, key: &str) -> Result<(), croupier_store::Error> {
        let name = self.call("delete", key);
        let deleted = self.inner.delete(key).await;
        self.called(&name);
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
        calls: Mutex::default(),
        death: std::env::var("DIE").ok(),
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
        at_most_once: false,
        until: None,
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
        attempt: None,
        checkpoints: Checkpoints::default(),
        control: Arc::new(Control::new()),
    };
    let shard = what.parse().expect("the number of a shard");
    let worked = work(&run, &Arc::new(Dying {}), shard, &options).await?;
    Ok(worked.partial)
}

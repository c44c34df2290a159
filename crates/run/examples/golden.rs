//! Writes the golden files of the format that this release writes: once a format, then they are kept.
//!
//! `cargo run -p croupier-run --example golden -- tests/golden/1`, in a folder that is not there yet.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use croupier_compute::engine::{Control, Pool};
use croupier_compute::{BlockLength, Kernel};
use croupier_run::{
    Checkpoints, Executable, Identity, Plan, ReduceOptions, WorkOptions, plan, reduce, work,
};
use croupier_store::{Memory, Options, Store, open};

#[path = "../tests/golden/kernel.rs"]
mod kernel;

use kernel::{Golden, SAMPLES, SEED, SHARDS};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("which folder?")?;
    if Path::new(&folder).exists() {
        return Err(format!("{folder} is there: golden files are written once").into());
    }
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let kernel = Arc::new(kernel::kernel());
    let length = BlockLength::new(Golden::BLOCK)?;
    let run = plan(
        &store,
        "golden",
        &Plan {
            identity: Identity::of(&*kernel, SEED, length, BTreeMap::new())?,
            samples: SAMPLES,
            shards: SHARDS,
            inputs: BTreeMap::new(),
            policy: "tolerate=0.5%".parse()?,
            at_most_once: false,
            until: None,
            failed_samples: "2%".parse()?,
        },
    )
    .await?
    .run;
    let options = WorkOptions {
        pool: Pool::new(1)?,
        threads_source: "golden".to_owned(),
        executable: Executable {
            target: "golden".to_owned(),
            sha256: "0".repeat(64),
            croupier: env!("CARGO_PKG_VERSION").to_owned(),
        },
        allow_other_build: false,
        failed_samples: None,
        scheduler: None,
        attempt: None,
        checkpoints: Checkpoints::default(),
        control: Arc::new(Control::new()),
    };
    for shard in 0..SHARDS {
        work(&run, &kernel, shard, &options).await?;
    }
    let reduced = reduce::<Golden>(&run, &ReduceOptions::default()).await?;
    println!("{}", reduced.report.digest);
    // Attempts tell of the machine, and no reader depends on them.
    let golden = open(&folder, &Options::default()).await?;
    for entry in store.list("").await? {
        if !entry.key.starts_with("golden/attempts/") {
            golden.put(&entry.key, store.get(&entry.key).await?).await?;
        }
    }
    Ok(())
}

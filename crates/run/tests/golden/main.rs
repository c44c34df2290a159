//! The files of format 1 in `tests/golden/1` of the repository are read for ever, to the same bits.

mod kernel;

use std::path::Path;
use std::sync::Arc;

use croupier_compute::engine::{Control, Pool};
use croupier_compute::{BlockLength, Kernel};
use croupier_run::partial::PartialFormat;
use croupier_run::{
    Checkpoints, Depth, Digest, Executable, FailedSamplesLimit, Identity, Policy, ReduceOptions,
    Results, StoredRun, WorkOptions, open, reduce, verify, work,
};
use croupier_store::{Directory, Memory, Store};

use kernel::{Golden, Heights, SAMPLES, SEED, SHARDS};

const DIGEST: &str = "b1b3c5df603ba9573a2f48cb60f7d09803077b4af210353277b14fcaae92435f";
const IDENTITY_DIGEST: &str = "818e08e116385718f576dc40a71518bf2b65d38c9609896402b32275261edc55";

/// A copy in memory of the golden files, so that no test can change them.
async fn golden() -> (Arc<dyn Store>, StoredRun) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/1");
    let files = Directory::new(folder).unwrap();
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let entries = files.list("").await.unwrap();
    assert_eq!(entries.len(), 10, "{entries:?}");
    for entry in entries {
        let bytes = files.get(&entry.key).await.unwrap();
        store.put(&entry.key, bytes).await.unwrap();
    }
    let run = open(&store, "golden").await.unwrap();
    (store, run)
}

#[tokio::test]
async fn the_plan_says_what_it_said() {
    let (_, run) = golden().await;
    let length = BlockLength::new(Golden::BLOCK).unwrap();
    let identity = Identity::of(&kernel::kernel(), SEED, length, Default::default()).unwrap();
    assert_eq!(run.manifest.identity.digest().to_string(), IDENTITY_DIGEST);
    // A later libm or recipe makes another identity of today's program, and leaves this one as it is.
    assert_eq!(run.manifest.identity.parameters, identity.parameters);
    assert_eq!(run.manifest.identity.seed, SEED);
    assert_eq!(run.manifest.identity.version, Golden::VERSION);
    assert_eq!(run.manifest.identity.block_length, length);
    assert_eq!((run.samples(), run.shards()), (SAMPLES, SHARDS));
    assert_eq!(
        run.manifest.policy,
        "tolerate=0.5%".parse::<Policy>().unwrap()
    );
    let limit: FailedSamplesLimit = "2%".parse().unwrap();
    assert_eq!(run.manifest.failed_samples, limit);
}

#[tokio::test]
async fn the_partials_are_whole_and_hold_what_they_held() {
    let (store, run) = golden().await;
    let format = PartialFormat::<Heights>::new(&run.manifest.identity).unwrap();
    let mut rows = Vec::new();
    for entry in store.list("golden/partials/").await.unwrap() {
        let bytes = store.get(&entry.key).await.unwrap();
        let digest = Digest::of_bytes(&bytes).to_string();
        assert!(entry.key.ends_with(&format!("-{digest}.arrow")));
        let partial = format.decode(&bytes).unwrap();
        assert_eq!(partial.build, format!("golden {}", "0".repeat(64)));
        let places = |nodes: &[croupier_compute::Node<Heights>]| -> Vec<(u64, u8)> {
            let place = |node: &croupier_compute::Node<Heights>| (node.first_block, node.level);
            nodes.iter().map(place).collect()
        };
        rows.push((places(&partial.nodes), places(&partial.witnesses)));
    }
    // Nodes, and witnesses: those of shard 1 are rows of their own.
    let expected = [
        (vec![(0, 2), (4, 1), (6, 0)], vec![(0, 0), (4, 0)]),
        (vec![(7, 0), (8, 2), (12, 1)], vec![]),
        (vec![(14, 1), (16, 2), (20, 0), (21, 0)], vec![(14, 0)]),
    ];
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn the_result_says_what_it_said() {
    let (_, run) = golden().await;
    let results = Results::<Heights>::read(&run).await.unwrap();
    assert_eq!(results.report.digest, DIGEST);
    assert_eq!(results.report.identity, run.manifest.identity);
    let samples = results.report.samples;
    assert_eq!((samples.done, samples.failed), (338, 3));
    let tally = results.tally;
    assert_eq!(tally.height.count(), 338);
    assert_eq!(tally.height.mean().map(f64::to_bits), Some(MEAN_BITS));
    assert_eq!(tally.extremes.max().map(|max| max.sample), Some(MAX_SAMPLE));
    assert_eq!(tally.odd.len(), 3);
    assert_eq!(
        results.report.estimates[0].value.map(f64::to_bits),
        Some(MEAN_BITS)
    );
}

const MEAN_BITS: u64 = 4_596_875_277_221_582_542;
const MAX_SAMPLE: u64 = 32;

#[tokio::test]
async fn reduced_again_it_has_the_same_digest() {
    let (_, run) = golden().await;
    let written = Results::<Heights>::read(&run).await.unwrap();
    let reduced = reduce::<Golden>(&run, &ReduceOptions::default())
        .await
        .unwrap();
    assert_eq!(reduced.report.digest, DIGEST);
    assert_eq!(reduced.report.estimates, written.report.estimates);
    assert_eq!(reduced.report.failed_samples, written.report.failed_samples);
    assert_eq!(reduced.tally, Some(written.tally));
}

/// As long as streams, samplers and `libm` are those of the golden files.
#[tokio::test]
async fn today_the_kernel_gives_the_same_bits() {
    let (store, run) = golden().await;
    let kernel = Arc::new(kernel::kernel());
    let verified = verify(&run, &kernel, Depth::Rows).await.unwrap();
    assert_eq!(verified.blocks, 22);
    // A shard whose partial is gone is run again, to the same bits.
    let before = store.list("golden/partials/00001-").await.unwrap();
    store.delete(&before[0].key).await.unwrap();
    let options = WorkOptions {
        pool: Pool::new(2).unwrap(),
        threads_source: "the test".to_owned(),
        executable: Executable {
            target: "golden".to_owned(),
            sha256: "0".repeat(64),
            croupier: "any".to_owned(),
        },
        allow_other_build: false,
        failed_samples: None,
        scheduler: None,
        attempt: None,
        checkpoints: Checkpoints::default(),
        control: Arc::new(Control::new()),
    };
    work(&run, &kernel, 1, &options).await.unwrap();
    let reduced = reduce::<Golden>(&run, &ReduceOptions::default())
        .await
        .unwrap();
    assert_eq!(reduced.report.digest, DIGEST);
}

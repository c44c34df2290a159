//! Tallies whose shape comes from the kernel: columns and back, and refused where two shapes meet.

use std::collections::BTreeMap;
use std::sync::Arc;

use croupier_compute::engine::run_block;
use croupier_compute::{
    Autocorrelated, BlockLength, ByName, Covariance, Estimates, Grid, Histogram, Jackknife, Kernel,
    Mean, Misfit, Node, NotFinite, Proportion, Quantiles, Ratio, Resolution, Scale, Stream, Tally,
    pinned,
};
use croupier_run::partial::{Encoded, PartialFormat};
use croupier_run::{Error, Identity, ReduceOptions, Results, StoredRun, plan, reduce, work};
use croupier_store::Store;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::support::{memory, options, plan_of};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Shapes {
    uniform: Histogram,
    logarithmic: Histogram,
    given: Histogram,
    quantiles: Quantiles,
    chains: Autocorrelated,
    array: [Mean; 2],
    list: Vec<Proportion>,
    by_name: ByName<Vec<Quantiles>>,
}

impl Tally for Shapes {
    fn merge(&mut self, right: Self) {
        self.uniform.merge(right.uniform);
        self.logarithmic.merge(right.logarithmic);
        self.given.merge(right.given);
        self.quantiles.merge(right.quantiles);
        self.chains.merge(right.chains);
        self.array.merge(right.array);
        self.list.merge(right.list);
        self.by_name.merge(right.by_name);
    }

    fn end_block(&mut self) -> Result<(), NotFinite> {
        self.uniform.end_block()?;
        self.logarithmic.end_block()?;
        self.given.end_block()?;
        self.quantiles.end_block()?;
        self.chains.end_block()?;
        self.array.end_block()?;
        self.by_name.end_block()
    }

    fn fits(&self, right: &Self) -> Result<(), Misfit> {
        self.uniform.fits(&right.uniform)?;
        self.logarithmic.fits(&right.logarithmic)?;
        self.given.fits(&right.given)?;
        self.quantiles.fits(&right.quantiles)?;
        self.chains.fits(&right.chains)?;
        self.list.fits(&right.list)?;
        self.by_name.fits(&right.by_name)
    }

    fn estimates(&self, estimates: &mut Estimates) {
        estimates.within("chains", |estimates| self.chains.estimates(estimates));
        estimates.within("by_name", |estimates| self.by_name.estimates(estimates));
    }
}

/// Two of these with other bins have one identity: what a program has that was changed and not said so.
#[derive(Serialize)]
struct Shaped {
    #[serde(skip)]
    bins: usize,
}

const SHAPED: Shaped = Shaped { bins: 10 };
const CHANGED: Shaped = Shaped { bins: 20 };

impl Kernel for Shaped {
    type Rng = ChaCha8Rng;
    type Tally = Shapes;
    const BLOCK: u64 = 4;

    fn tally(&self) -> Shapes {
        let quantiles = Quantiles::new([0.1, 0.5]);
        let fine = quantiles.clone().with_resolution(Resolution::Fine);
        Shapes {
            uniform: Histogram::uniform(-1.0, 1.0, self.bins),
            logarithmic: Histogram::logarithmic(1e-6, 1e6, 24),
            given: Histogram::with_edges([-1.0, 0.0, 2.0]),
            quantiles: quantiles.clone(),
            chains: Autocorrelated::new(),
            array: [Mean::new(), Mean::new()],
            list: vec![Proportion::new(); 3],
            by_name: ByName::new([("a=1", vec![quantiles]), ("b=é", vec![fine])]),
        }
    }

    fn sample(&self, sample: u64, rng: &mut Stream<ChaCha8Rng>, tally: &mut Shapes) {
        let x = pinned::normal(rng);
        tally.uniform.record(x);
        tally.logarithmic.record(pinned::exp(x));
        tally.given.record(x);
        tally.quantiles.record(x);
        tally.array[(sample % 2) as usize].record(x);
        tally.list[(sample % 3) as usize].record(x > 0.0);
        tally.by_name[0][0].record(0.0);
        tally.by_name[1][0].record(1e100 * x);
        let mut chain = tally.chains.chain();
        for _ in 0..1 + sample % 9 {
            chain.record(rng.random());
        }
    }
}

async fn planned(store: &Arc<dyn Store>, shards: u32) -> StoredRun {
    let run = plan(store, "demo", &plan_of(&SHAPED, 91, shards)).await;
    run.unwrap().run
}

#[tokio::test]
async fn shaped_tallies_come_back_as_they_were() {
    let mut tallies = Vec::new();
    for shards in [1, 5, 23] {
        let run = planned(&memory(), shards).await;
        for shard in 0..shards {
            work(&run, &Arc::new(SHAPED), shard, &options(2))
                .await
                .unwrap();
        }
        let reduced = reduce::<Shaped>(&run, &ReduceOptions::default()).await;
        let reduced = reduced.unwrap();
        assert!(reduced.report.accepted);
        let read = Results::<Shapes>::read(&run).await.unwrap();
        assert_eq!(Some(&read.tally), reduced.tally.as_ref());
        assert_eq!(read.tally.uniform.count(), 91);
        assert_eq!(read.tally.quantiles.count(), 91);
        assert_eq!(read.tally.chains.chains(), 91);
        let names: Vec<&str> = reduced
            .report
            .estimates
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        assert!(names.contains(&"by_name.b=é.0.q0.5"), "{names:?}");
        tallies.push((reduced.report.digest, read.tally));
    }
    assert!(tallies.windows(2).all(|pair| pair[0] == pair[1]));
    // What was read can be recorded into and merged with.
    let (_, mut tally) = tallies.swap_remove(0);
    tally.merge(SHAPED.tally());
    tally.quantiles.record(1.0);
    tally.logarithmic.record(1.0);
    assert_eq!(
        (tally.quantiles.count(), tally.logarithmic.count()),
        (92, 92)
    );
}

fn identity() -> Identity {
    let length = BlockLength::new(Shaped::BLOCK).unwrap();
    Identity::of(&SHAPED, 7, length, BTreeMap::new()).unwrap()
}

fn block_of(kernel: &Shaped, block: u64) -> Node<Shapes> {
    let length = BlockLength::new(Shaped::BLOCK).unwrap();
    let grid = Grid::new(length, 0, 91).unwrap();
    run_block(kernel, 7, &grid, block).unwrap()
}

async fn put(store: &Arc<dyn Store>, shard: u32, encoded: Encoded) {
    let (blocks, sha256) = (encoded.blocks, encoded.sha256);
    let key = format!("demo/partials/{shard:05}-{blocks}-{sha256}.arrow");
    store.put(&key, encoded.bytes).await.unwrap();
}

fn encoded(nodes: Vec<Node<Shapes>>) -> Encoded {
    let format = PartialFormat::<Shapes>::new(&identity()).unwrap();
    format.encode("", nodes, Vec::new()).unwrap()
}

const DIFFERENCE: &str = "20 uniform bins from -1 to 1, expected 10 uniform bins from -1 to 1";

fn is_refused<T: std::fmt::Debug>(result: Result<T, Error>) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains(DIFFERENCE) && text.contains("partials/0000"),
        "{text}"
    );
}

#[tokio::test]
async fn two_shapes_are_not_merged() {
    // Of two shards.
    let store = memory();
    let run = planned(&store, 2).await;
    work(&run, &Arc::new(SHAPED), 0, &options(1)).await.unwrap();
    work(&run, &Arc::new(CHANGED), 1, &options(1))
        .await
        .unwrap();
    is_refused(reduce::<Shaped>(&run, &ReduceOptions::default()).await);

    // Of what an earlier attempt left and the kernel that goes on.
    let store = memory();
    let run = planned(&store, 2).await;
    put(&store, 0, encoded(vec![block_of(&CHANGED, 0)])).await;
    is_refused(work(&run, &Arc::new(SHAPED), 0, &options(1)).await);

    // Of two partials of one shard.
    put(&store, 0, encoded(vec![block_of(&SHAPED, 1)])).await;
    let error = reduce::<Shaped>(&run, &ReduceOptions::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
}

#[tokio::test]
async fn a_partial_of_two_shapes_is_damaged() {
    let store = memory();
    let run = planned(&store, 1).await;
    put(
        &store,
        0,
        encoded(vec![block_of(&SHAPED, 0), block_of(&CHANGED, 1)]),
    )
    .await;
    let report = reduce::<Shaped>(&run, &ReduceOptions::default())
        .await
        .unwrap()
        .report;
    assert_eq!((report.accepted, report.blocks.done), (false, 0));
    let warnings = report.warnings.join("\n");
    assert!(
        warnings.contains("it is damaged") && warnings.contains(DIFFERENCE),
        "{warnings}"
    );
}

/// The columns of tallies, with whatever is in them.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Columns {
    histogram: HistogramColumns,
    quantiles: QuantilesColumns,
    by_name: ByName<Mean>,
    jackknife: Vec<GroupColumns>,
    ratio: RatioColumns,
    chains: ChainsColumns,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct HistogramColumns {
    scale: Scale,
    edges: Vec<f64>,
    below: u64,
    counts: Vec<u64>,
    above: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct QuantilesColumns {
    resolution: Resolution,
    listed: Vec<f64>,
    buckets: Vec<i32>,
    counts: Vec<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct GroupColumns {
    number: u8,
    count: u64,
    means: [f64; 2],
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct RatioColumns {
    both: Covariance<2>,
    groups: Vec<GroupColumns>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ChainsColumns {
    chains: Mean,
    batches: Vec<Mean>,
}

impl Tally for Columns {
    fn merge(&mut self, _: Self) {}
    fn estimates(&self, _: &mut Estimates) {}
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Read {
    histogram: Histogram,
    quantiles: Quantiles,
    by_name: ByName<Mean>,
    jackknife: Jackknife<2>,
    ratio: Ratio,
    chains: Autocorrelated,
}

impl Tally for Read {
    fn merge(&mut self, right: Self) {
        self.histogram.merge(right.histogram);
        self.quantiles.merge(right.quantiles);
    }

    fn fits(&self, right: &Self) -> Result<(), Misfit> {
        self.histogram.fits(&right.histogram)?;
        self.quantiles.fits(&right.quantiles)?;
        self.jackknife.fits(&right.jackknife)?;
        self.ratio.fits(&right.ratio)?;
        self.chains.fits(&right.chains)
    }

    fn estimates(&self, estimates: &mut Estimates) {
        self.histogram.estimates(estimates);
        self.quantiles.estimates(estimates);
        self.jackknife.estimates(estimates);
        self.ratio.estimates(estimates);
        self.chains.estimates(estimates);
    }
}

fn groups() -> Vec<GroupColumns> {
    let group = |number, count| GroupColumns {
        number,
        count,
        means: [1.0, 2.0],
    };
    vec![group(3, 1), group(9, 3)]
}

fn pairs(count: u32) -> Covariance<2> {
    let mut pairs = Covariance::new();
    for x in 0..count {
        pairs.record([f64::from(x), 1.0]);
    }
    pairs.end_block().unwrap();
    pairs
}

fn mean_of(count: u32) -> Mean {
    let mut mean = Mean::new();
    for x in 0..count {
        mean.record(f64::from(x));
    }
    mean.end_block().unwrap();
    mean
}

/// Files can say anything. It is read, found out, and breaks nothing that is asked of it all the same.
#[test]
fn columns_that_no_tally_wrote_are_found_out() {
    let whole = Columns {
        histogram: HistogramColumns {
            scale: Scale::Uniform,
            edges: vec![0.0, 1.0],
            below: 1,
            counts: vec![2, 3],
            above: 4,
        },
        quantiles: QuantilesColumns {
            resolution: Resolution::Medium,
            listed: vec![0.5],
            buckets: vec![-5, 0, 7],
            counts: vec![1, 2, 3],
        },
        by_name: ByName::new([("x", Mean::new())]),
        jackknife: groups(),
        ratio: RatioColumns {
            both: pairs(4),
            groups: groups(),
        },
        chains: ChainsColumns {
            chains: mean_of(2),
            batches: vec![mean_of(7), mean_of(3), mean_of(1)],
        },
    };
    let read = |columns: &Columns| {
        let node = Node {
            first_block: 0,
            level: 0,
            samples: 4,
            short: false,
            failures: Default::default(),
            tally: columns.clone(),
        };
        let writing = PartialFormat::<Columns>::new(&identity()).unwrap();
        let bytes = writing.encode("", vec![node], Vec::new()).unwrap().bytes;
        let reading = PartialFormat::<Read>::new(&identity()).unwrap();
        reading.decode(&bytes).unwrap().nodes.remove(0).tally
    };
    let good = read(&whole);
    assert_eq!(good.fits(&good), Ok(()));
    assert_eq!((good.histogram.count(), good.quantiles.count()), (10, 6));
    type Change = fn(&mut Columns);
    let changes: [Change; 24] = [
        |columns| columns.histogram.edges = vec![],
        |columns| columns.histogram.edges = vec![0.0, 0.5, 1.0],
        |columns| columns.histogram.edges = vec![1.0, 0.0],
        |columns| columns.histogram.edges = vec![0.0, f64::NAN],
        |columns| columns.histogram.scale = Scale::Logarithmic,
        |columns| columns.histogram.scale = Scale::Given,
        |columns| columns.histogram.counts = vec![],
        |columns| columns.quantiles.buckets = vec![0, 7],
        |columns| columns.quantiles.buckets = vec![0, 0, 7],
        |columns| columns.quantiles.buckets = vec![i32::MIN, 0, i32::MAX],
        |columns| columns.quantiles.counts = vec![1, 0, 3],
        |columns| columns.quantiles.counts = vec![u64::MAX, 1],
        |columns| columns.quantiles.listed = vec![f64::NAN],
        |columns| columns.quantiles.listed = vec![2.0],
        |columns| columns.jackknife[0].number = 9,
        |columns| columns.jackknife[1].number = 64,
        |columns| columns.jackknife[0].count = 0,
        |columns| columns.ratio.groups.swap(0, 1),
        |columns| columns.ratio.groups[0].count = 2,
        |columns| columns.ratio.both = pairs(5),
        |columns| columns.chains.chains = mean_of(8),
        |columns| columns.chains.chains = mean_of(0),
        |columns| columns.chains.batches[1] = mean_of(4),
        |columns| columns.chains.batches.push(mean_of(0)),
    ];
    let mut passed = Vec::new();
    for (at, change) in changes.iter().enumerate() {
        let mut columns = whole.clone();
        change(&mut columns);
        let mut bad = read(&columns);
        if good.fits(&bad).is_ok() || bad.fits(&bad).is_ok() {
            passed.push(at);
        }
        bad.histogram.record(0.5);
        bad.quantiles.record(0.5);
        let mut estimates = Estimates::new("x", 0.95);
        bad.estimates(&mut estimates);
        bad.histogram.bins().for_each(drop);
    }
    assert_eq!(passed, [0; 0], "changes that were not found out");
}

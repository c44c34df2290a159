//! Tallies of all shapes as columns, and those that can't be.

use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::sync::Arc;

use croupier_compute::{
    BlockLength, Estimates, Extremes, FailedSamples, Failures, Kernel, Mean, Node, Proportion,
    Stream, Tally, pinned,
};
use croupier_run::partial::PartialFormat;
use croupier_run::{Identity, ReduceOptions, Results, plan, reduce, work};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::support::{finished, memory, only_partial, options, plan_of};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Nested {
    mean: Mean,
    inner: Inner,
    maybe: Option<Proportion>,
    list: Vec<f64>,
    triple: [f64; 3],
    pairs: Vec<(u8, Option<i16>)>,
    lists: Vec<Vec<f32>>,
    name: String,
    flag: bool,
    plain: Plain,
    plains: Vec<Option<Plain>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Plain {
    #[default]
    One,
    Two,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Inner {
    extremes: Extremes,
    hits: Proportion,
}

impl Tally for Nested {
    fn merge(&mut self, right: Self) {
        self.mean.merge(right.mean);
        self.inner.extremes.merge(right.inner.extremes);
        self.inner.hits.merge(right.inner.hits);
        match (&mut self.maybe, right.maybe) {
            (Some(left), Some(right)) => left.merge(right),
            (left @ None, right) => *left = right,
            (Some(_), None) => {}
        }
        for (left, right) in self.triple.iter_mut().zip(right.triple) {
            *left += right;
        }
        self.list.extend(right.list);
        self.list.truncate(5);
        self.pairs.extend(right.pairs);
        self.pairs.truncate(3);
        self.lists.extend(right.lists);
        self.lists.truncate(2);
        self.flag ^= right.flag;
        self.plain = right.plain;
        self.plains = right.plains;
    }

    fn end_block(&mut self) -> Result<(), croupier_compute::NotFinite> {
        self.mean.end_block()
    }

    fn estimates(&self, estimates: &mut Estimates) {
        estimates.within("mean", |estimates| self.mean.estimates(estimates));
        estimates.within("extremes", |estimates| {
            self.inner.extremes.estimates(estimates)
        });
    }
}

#[derive(Serialize)]
struct NestedKernel {}

impl Kernel for NestedKernel {
    type Rng = ChaCha8Rng;
    type Tally = Nested;
    const BLOCK: u64 = 4;

    fn tally(&self) -> Nested {
        Nested {
            mean: Mean::new(),
            inner: Inner {
                extremes: Extremes::new(),
                hits: Proportion::new(),
            },
            maybe: None,
            list: Vec::new(),
            triple: [0.0; 3],
            pairs: Vec::new(),
            lists: Vec::new(),
            name: "é\"\n".to_owned(),
            flag: false,
            plain: Plain::One,
            plains: vec![None, Some(Plain::Two)],
        }
    }

    fn sample(&self, sample: u64, rng: &mut Stream<ChaCha8Rng>, tally: &mut Nested) {
        let x = pinned::normal(rng);
        tally.mean.record(x);
        tally.inner.extremes.record(x, sample);
        tally.inner.hits.record(x > 0.0);
        if sample.is_multiple_of(7) {
            tally.maybe.get_or_insert_default().record(x > 1.0);
            tally.list.push(x);
            tally.pairs.push((sample as u8, (x > 0.0).then_some(-3)));
            tally.lists.push(vec![x as f32; (sample % 3) as usize]);
        }
        tally.triple[(sample % 3) as usize] += x;
        tally.flag = rng.random();
        tally.plain = if x > 0.0 { Plain::Two } else { Plain::One };
        tally.plains.insert(0, Some(tally.plain.clone()));
    }
}

#[tokio::test]
async fn nested_tallies_come_back_as_they_were() {
    let mut tallies = Vec::new();
    for shards in [1, 5, 23] {
        let store = memory();
        let run = plan(&store, "demo", &plan_of(&NestedKernel {}, 91, shards))
            .await
            .unwrap()
            .run;
        for shard in 0..shards {
            work(&run, &Arc::new(NestedKernel {}), shard, &options(2))
                .await
                .unwrap();
        }
        let reduced = reduce::<NestedKernel>(&run, &ReduceOptions::default())
            .await
            .unwrap();
        assert!(reduced.report.accepted);
        let read = Results::<Nested>::read(&run).await.unwrap();
        assert_eq!(Some(&read.tally), reduced.tally.as_ref());
        assert_eq!(read.tally.mean.count(), 91);
        assert_eq!(read.tally.name, "é\"\n");
        assert_eq!(read.tally.list.len(), 5);
        tallies.push((reduced.report.digest, read.tally));
    }
    assert!(tallies.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn nodes_come_back_with_their_failures_and_odd_floats() {
    let length = BlockLength::new(4).unwrap();
    let identity = Identity::of(&NestedKernel {}, 1, length, BTreeMap::new()).unwrap();
    let format = PartialFormat::<Nested>::new(&identity).unwrap();
    let mut tally = NestedKernel {}.tally();
    tally.triple = [f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE / 2.0];
    let failed = |first_sample, samples| FailedSamples {
        first_sample,
        samples,
        message: "é".to_owned(),
    };
    let node = |first_block, level, listed: Vec<FailedSamples>| {
        let failed: u64 = listed.iter().map(|one| one.samples).sum();
        Node {
            first_block,
            level,
            samples: (4 << level) - failed,
            short: false,
            failures: Failures {
                samples: failed,
                listed,
            },
            tally: tally.clone(),
        }
    };
    let nodes = vec![
        node(4, 1, vec![failed(17, 1), failed(20, 4)]),
        node(6, 0, Vec::new()),
    ];
    let encoded = format
        .encode(
            "build",
            nodes.clone(),
            vec![node(5, 0, vec![failed(20, 4)])],
        )
        .unwrap();
    assert_eq!(encoded.blocks, 3);
    let decoded = format.decode(&encoded.bytes).unwrap();
    assert_eq!(decoded.build, "build");
    assert_eq!(decoded.nodes, nodes);
    assert_eq!(
        decoded.nodes[0].tally.triple[1].to_bits(),
        (-0.0f64).to_bits()
    );
    assert_eq!(decoded.witnesses.len(), 1);
    // Lists of failed samples that can't be.
    for listed in [
        vec![failed(15, 1)],
        vec![failed(24, 1)],
        vec![failed(18, 1), failed(18, 1)],
        vec![failed(18, 1), failed(17, 1)],
        vec![failed(18, 0)],
        vec![failed(22, 3)],
    ] {
        let bad = format
            .encode("", vec![node(4, 1, listed.clone())], Vec::new())
            .unwrap();
        let error = format.decode(&bad.bytes).unwrap_err().to_string();
        assert!(
            error.contains("that can't be its own"),
            "{listed:?}: {error}"
        );
    }
    for bad in [node(5, 1, Vec::new()), node(1 << 56, 0, Vec::new())] {
        let bad = format.encode("", vec![bad], Vec::new()).unwrap();
        assert!(format.decode(&bad.bytes).is_err());
    }
}

/// A tally of any content, to see whether it can be columns.
#[derive(Clone, Serialize, Deserialize)]
struct Holding<T> {
    content: T,
}

impl<T: Clone + Send + Sync + Serialize + DeserializeOwned + 'static> Tally for Holding<T> {
    fn merge(&mut self, _: Self) {}
    fn estimates(&self, _: &mut Estimates) {}
}

#[derive(Serialize)]
struct Any<T> {
    #[serde(skip)]
    content: PhantomData<fn() -> T>,
}

impl<T: Default + Clone + Send + Sync + Serialize + DeserializeOwned + 'static> Kernel for Any<T> {
    type Rng = ChaCha8Rng;
    type Tally = Holding<T>;
    fn tally(&self) -> Holding<T> {
        Holding {
            content: T::default(),
        }
    }
    fn sample(&self, _: u64, _: &mut Stream<ChaCha8Rng>, _: &mut Holding<T>) {}
}

fn identity_of<T: Default + Clone + Send + Sync + Serialize + DeserializeOwned + 'static>()
-> Result<Identity, croupier_run::Error> {
    let content = PhantomData::<fn() -> T>;
    Identity::of(
        &Any { content },
        1,
        BlockLength::new(1).unwrap(),
        BTreeMap::new(),
    )
}

#[derive(Clone, Serialize, Deserialize)]
enum WithData {
    One(f64),
}

impl Default for WithData {
    fn default() -> Self {
        Self::One(1.0)
    }
}

#[test]
fn a_tally_that_cannot_be_columns_has_no_identity() {
    identity_of::<Vec<Option<[u8; 2]>>>().unwrap();
    for refused in [
        identity_of::<HashMap<String, f64>>(),
        identity_of::<BTreeMap<u8, f64>>(),
        identity_of::<u128>(),
        identity_of::<()>(),
        identity_of::<WithData>(),
    ] {
        let error = refused.unwrap_err().to_string();
        assert!(
            error.contains("can't be columns")
                && error.contains("it may hold numbers up to 64 bits"),
            "{error}"
        );
        println!("{error}");
    }
}

#[tokio::test]
async fn the_partial_of_a_scalar_is_small() {
    let store = memory();
    finished(&store, 64 * 1001, 1).await;
    let (_, bytes) = only_partial(&store, 0).await;
    assert!(bytes.len() <= 4096, "{} bytes", bytes.len());
    println!("{} bytes", bytes.len());
}

//! The laws of the tallies, and answers known beforehand.

use croupier_compute::{
    Estimate, Estimates, Extreme, Extremes, Failures, Frontier, Mean, Node, Proportion, Tally,
    Trunk,
};
use proptest::prelude::*;

#[path = "../src/property.rs"]
mod property;

fn mean_of(values: &[f64]) -> Mean {
    let mut mean = Mean::new();
    for value in values {
        mean.record(*value);
    }
    mean.end_block().unwrap();
    mean
}

fn estimate<T: Tally>(tally: &T, name: &str) -> (Estimate, Vec<String>) {
    let mut estimates = Estimates::new("x", 0.95);
    tally.estimates(&mut estimates);
    let found = estimates.get(name).expect("an estimate").clone();
    (found, estimates.notes().to_vec())
}

#[test]
fn a_mean_of_samples_that_are_all_alike_says_so() {
    let (alike, notes) = estimate(&mean_of(&[2.0; 300]), "x");
    assert_eq!(alike.std_error, Some(0.0));
    assert!(
        notes[0].contains("`x` had the same value in every sample"),
        "{notes:?}"
    );
    let (_, notes) = estimate(&mean_of(&[2.0, 2.5]), "x");
    assert!(notes.is_empty(), "{notes:?}");
}

/// Mean and variance by two passes of sums that carry their rounding along, so right to the last bits.
fn two_passes(values: &[f64]) -> [f64; 2] {
    let n = values.len() as f64;
    let rough = exact_sum(values.iter().copied()) / n;
    let rest = exact_sum(values.iter().map(|x| x - rough)) / n;
    // x - rough is exact enough: what it loses is below the last bit of the distance.
    let squares = exact_sum(
        values
            .iter()
            .map(|x| (x - rough - rest) * (x - rough - rest)),
    );
    [rough + rest, squares / (n - 1.0)]
}

/// Neumaier's compensated sum.
fn exact_sum(values: impl Iterator<Item = f64>) -> f64 {
    let [mut sum, mut lost] = [0.0f64; 2];
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() {
            (sum - next) + value
        } else {
            (value - next) + sum
        };
        sum = next;
    }
    sum + lost
}

/// Values that look random: a fixed linear congruential sequence in [0, 1).
fn noise(count: usize) -> Vec<f64> {
    let mut state = 1u64;
    (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        })
        .collect()
}

#[test]
fn known_answers() {
    let mean = mean_of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
    assert_eq!((mean.count(), mean.mean()), (8, Some(5.0)));
    assert_eq!(mean.variance(), Some(32.0 / 7.0));
    assert_eq!(mean.std_error(), Some((32.0f64 / 7.0 / 8.0).sqrt()));
    let (estimate, notes) = estimate(&mean, "x");
    // Student's t with 7 degrees of freedom: 2.364624251592784.
    let half = 2.364_624_251_592_784 * (32.0f64 / 7.0 / 8.0).sqrt();
    let [low, high] = estimate.interval.unwrap();
    assert!((low - (5.0 - half)).abs() < 1e-9 && (high - (5.0 + half)).abs() < 1e-9);
    assert_eq!((estimate.samples, notes.len()), (8, 0));
}

#[test]
fn none_and_one_have_no_variance() {
    let (none, notes) = estimate(&Mean::new(), "x");
    assert_eq!(
        (none.value, none.std_error, none.interval),
        (None, None, None)
    );
    assert_eq!(notes, ["`x` has no samples: nothing can be estimated"]);
    let (one, notes) = estimate(&mean_of(&[3.5]), "x");
    assert_eq!(
        (one.value, one.std_error, one.interval),
        (Some(3.5), None, None)
    );
    assert_eq!(notes, ["`x` has one sample: a variance needs two"]);
    let (alike, _) = estimate(&mean_of(&[0.1; 1000]), "x");
    assert_eq!((alike.value, alike.std_error), (Some(0.1), Some(0.0)));
}

#[test]
fn what_is_not_finite_is_refused() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for at in [0, 1, 5, 9] {
            let mut values = noise(10);
            values[at] = bad;
            let mut mean = Mean::new();
            let mut extremes = Extremes::new();
            for (sample, value) in (0..).zip(&values) {
                mean.record(*value);
                extremes.record(*value, sample);
            }
            let said = mean.end_block().unwrap_err().to_string();
            let expected = if bad.is_nan() { "NaN" } else { "an infinity" };
            assert!(
                said.starts_with(&format!("recorded what is not finite: {expected}")),
                "{said}"
            );
            let said = extremes.end_block().unwrap_err().to_string();
            assert_eq!(said, format!("recorded what is not finite: {bad}"));
        }
    }
    let mut both = Mean::new();
    both.record(f64::INFINITY);
    both.record(f64::NEG_INFINITY);
    assert!(both.end_block().is_err());
    let mut wide = Mean::new();
    wide.record(1e300);
    wide.record(-1e300);
    let said = wide.end_block().unwrap_err().to_string();
    assert!(said.ends_with("too large to be squared"), "{said}");
}

#[test]
fn an_offset_costs_no_digits() {
    let values: Vec<f64> = noise(65_536).iter().map(|x| 1e9 + x * 1e-3).collect();
    let [mean, variance] = two_passes(&values);
    let found = mean_of(&values);
    assert!(
        (found.mean().unwrap() - mean).abs() <= 1.2e-7,
        "one step at 1e9"
    );
    assert!((found.variance().unwrap() / variance - 1.0).abs() < 1e-12);
    // Through many small blocks, whose means differ by 4e-5, where doubles lie 1.2e-7 apart.
    let merged = through_the_tree(&values, 64);
    assert!((merged.mean().unwrap() - mean).abs() <= 1.2e-7);
    assert!((merged.variance().unwrap() / variance - 1.0).abs() < 1e-12);
}

/// The errors the documentation of `Mean` states.
#[test]
fn a_first_value_far_out_costs_what_is_said() {
    for (log_count, alike, far_out) in [(10, 1e-14, 5e-10), (16, 1e-14, 3e-8), (24, 1e-13, 1e-5)] {
        for first in [None, Some(1e2), Some(1e9), Some(-1e15)] {
            let mut values = noise(1 << log_count);
            if let Some(first) = first {
                values[0] = first;
            }
            let [mean, variance] = two_passes(&values);
            let found = mean_of(&values);
            let error = (found.variance().unwrap() / variance - 1.0).abs();
            let bound = if first.is_some() { far_out } else { alike };
            assert!(error < bound, "2^{log_count} from {first:?}: {error:e}");
            let error = (found.mean().unwrap() - mean).abs() / found.std_error().unwrap();
            assert!(
                error < 1e-7,
                "2^{log_count} from {first:?}: {error:e} standard errors"
            );
        }
    }
}

#[test]
fn what_is_open_counts_and_merges() {
    let mut open = Mean::new();
    for value in [1.0, 2.0, 6.0] {
        open.record(value);
    }
    assert_eq!(
        (open.count(), open.mean(), open.variance()),
        (3, Some(3.0), Some(7.0))
    );
    let mut both = mean_of(&[3.0]);
    both.merge(open);
    assert_eq!((both.count(), both.mean()), (4, Some(3.0)));
}

#[test]
fn wilson_against_reference_values() {
    // Computed to 30 digits from the formula with z = 1.959963984540054.
    for (hits, count, low, high) in WILSON {
        let mut proportion = Proportion::new();
        for sample in 0..count {
            proportion.record(sample < hits);
        }
        let (estimate, _) = estimate(&proportion, "x");
        let [found_low, found_high] = estimate.interval.unwrap();
        assert!(
            (found_low - low).abs() < 1e-14,
            "{hits}/{count}: {found_low}"
        );
        assert!(
            (found_high - high).abs() < 1e-14,
            "{hits}/{count}: {found_high}"
        );
        assert_eq!(estimate.value, Some(hits as f64 / count as f64));
        assert_eq!(estimate.std_error.is_some(), 0 < hits && hits < count);
    }
    let (none, notes) = estimate(&Proportion::new(), "x");
    assert_eq!((none.value, none.interval), (None, None));
    assert_eq!(notes.len(), 1);
}

const WILSON: [(u64, u64, f64, f64); 6] = [
    (0, 10, 0.0, 0.27753279986288926),
    (1, 10, 0.017876213095072903, 0.4041500267952385),
    (8, 10, 0.4901624715366417, 0.9433178485456247),
    (10, 10, 0.7224672001371107, 1.0),
    (5, 1000, 0.00213753552732446, 0.011650955373375113),
    (31416, 40000, 0.7813494308425012, 0.7893957568041126),
];

#[test]
fn extremes_name_their_samples() {
    let mut extremes = Extremes::new();
    assert_eq!((extremes.min(), extremes.max()), (None, None));
    for (value, sample) in [(2.0, 5), (-1.0, 6), (2.0, 7), (-1.0, 8)] {
        extremes.record(value, sample);
    }
    let at = |value, sample| Some(Extreme { value, sample });
    assert_eq!(extremes.min(), at(-1.0, 6), "the earliest of equals");
    assert_eq!(extremes.max(), at(2.0, 5));
    let mut right = Extremes::new();
    right.record(2.0, 9);
    right.record(-3.0, 10);
    extremes.merge(right);
    assert_eq!((extremes.min(), extremes.max()), (at(-3.0, 10), at(2.0, 5)));
    let (min, notes) = estimate(&extremes, "min");
    assert_eq!(
        (min.value, min.std_error, min.samples),
        (Some(-3.0), None, 6)
    );
    assert_eq!(notes.len(), 1);
    // What was refused is not lost in a merge.
    let mut bad = Extremes::new();
    bad.record(f64::NAN, 11);
    extremes.merge(bad);
    assert!(extremes.end_block().is_err());
}

fn node<T>(block: u64, tally: T) -> Node<T> {
    Node {
        first_block: block,
        level: 0,
        samples: 1,
        short: false,
        failures: Failures::default(),
        tally,
    }
}

/// `values` in blocks of `length`, merged along the tree.
fn through_the_tree(values: &[f64], length: usize) -> Mean {
    let frontier = Frontier::new();
    for (block, values) in (0..).zip(values.chunks(length)) {
        frontier.insert(node(block, mean_of(values)));
    }
    let mut trunk = Trunk::new();
    for node in frontier.into_nodes() {
        trunk.push(node);
    }
    trunk.finish().expect("some blocks").tally
}

#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct All {
    mean: Mean,
    proportion: Proportion,
    extremes: Extremes,
}

impl Tally for All {
    fn merge(&mut self, right: Self) {
        self.mean.merge(right.mean);
        self.proportion.merge(right.proportion);
        self.extremes.merge(right.extremes);
    }

    fn estimates(&self, _: &mut Estimates) {}
}

fn all_of(first_sample: u64, values: &[f64]) -> All {
    let mut all = All::default();
    for (sample, value) in (first_sample..).zip(values) {
        all.mean.record(*value);
        all.proportion.record(*value > 0.0);
        all.extremes.record(*value, sample);
    }
    all.mean.end_block().unwrap();
    all
}

proptest! {
    #![proptest_config(property::config())]

    #[test]
    fn empty_is_the_identity(values in prop::collection::vec(-1e6f64..1e6, 0..50)) {
        let all = all_of(0, &values);
        let mut left = All::default();
        left.merge(all.clone());
        prop_assert_eq!(format!("{left:?}"), format!("{all:?}"));
        let mut right = all.clone();
        right.merge(All::default());
        prop_assert_eq!(format!("{right:?}"), format!("{all:?}"));
    }

    #[test]
    fn any_shards_in_any_order_give_the_same_bits(
        values in prop::collection::vec(-1e6f64..1e6, 1..400),
        length in 1usize..20,
        cuts in prop::collection::btree_set(0usize..400, 0..6),
        turn in any::<prop::sample::Index>(),
    ) {
        let blocks: Vec<Node<All>> = (0..)
            .zip(values.chunks(length))
            .map(|(block, values)| node(block, all_of(block * length as u64, values)))
            .collect();
        let merged = |shards: Vec<Vec<Node<All>>>| {
            let mut nodes: Vec<Node<All>> = shards
                .into_iter()
                .flat_map(|shard| {
                    let frontier = Frontier::new();
                    for node in shard {
                        frontier.insert(node);
                    }
                    frontier.into_nodes()
                })
                .collect();
            nodes.sort_by_key(|node| node.first_block);
            let mut trunk = Trunk::new();
            for node in nodes {
                trunk.push(node);
            }
            format!("{:?}", trunk.finish())
        };
        let whole = merged(vec![blocks.clone()]);
        let mut shards = Vec::new();
        let mut rest = blocks;
        for cut in cuts.iter().rev() {
            shards.push(rest.split_off((*cut).min(rest.len())));
        }
        shards.push(rest);
        for shard in &mut shards {
            if !shard.is_empty() {
                let middle = turn.index(shard.len());
                shard.rotate_left(middle);
            }
        }
        prop_assert_eq!(merged(shards), whole);
    }

    #[test]
    fn merging_agrees_with_two_passes(
        values in prop::collection::vec(-1.0f64..1.0, 2..400),
        offset in prop_oneof![Just(0.0), -1e6f64..1e6],
        length in 1usize..40,
    ) {
        let values: Vec<f64> = values.iter().map(|x| x + offset).collect();
        let [mean, variance] = two_passes(&values);
        let merged = through_the_tree(&values, length);
        let size = offset.abs() + 1.0;
        prop_assert!((merged.mean().unwrap() - mean).abs() <= 1e-15 * 20.0 * size);
        // A merge rounds two means, each to its own last bit.
        let slack = 1e-12 * variance + 1e-15 * size * variance.sqrt() * 40.0;
        prop_assert!((merged.variance().unwrap() - variance).abs() <= slack);
    }

    #[test]
    fn proportions_and_extremes_are_exact(values in prop::collection::vec(-9i32..9, 1..200), cut: prop::sample::Index) {
        let values: Vec<f64> = values.into_iter().map(f64::from).collect();
        let cut = cut.index(values.len());
        let mut left = all_of(0, &values[..cut]);
        left.merge(all_of(cut as u64, &values[cut..]));
        let whole = all_of(0, &values);
        prop_assert_eq!(left.proportion, whole.proportion);
        prop_assert_eq!(left.extremes, whole.extremes);
    }
}

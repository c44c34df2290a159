//! `WeightedMean` and `WeightedMoments`.

use croupier_compute::{Mean, Moments, Tally, WeightedMean, WeightedMoments};
use proptest::prelude::*;

use crate::property;
use crate::support::{
    Replications, blocks, estimate, estimates, exact_sum, is_close, noise, normals,
    nothing_is_unexplained, through_the_tree,
};

type Weighted = (f64, f64);

fn mean_of(values: &[Weighted]) -> WeightedMean {
    let mut mean = WeightedMean::new();
    for (value, weight) in values {
        mean.record(*value, *weight);
    }
    mean.end_block().unwrap();
    mean
}

fn moments_of(values: &[Weighted]) -> WeightedMoments {
    let mut moments = WeightedMoments::new();
    for (value, weight) in values {
        moments.record(*value, *weight);
    }
    moments.end_block().unwrap();
    moments
}

/// Normal values drawn with mean 0.4 and deviation 1.2, with weights that make them standard normal.
fn importance(count: usize) -> Vec<Weighted> {
    let draw = |z: f64| {
        let x = 0.4 + 1.2 * z;
        (x, 1.2 * (0.5 * (z * z - x * x)).exp())
    };
    normals(count).into_iter().map(draw).collect()
}

/// Plain mean and error, self-normalised mean and error, effective samples: by definition, in several passes.
fn by_definition(values: &[Weighted]) -> [f64; 5] {
    let n = values.len() as f64;
    let sum = |f: &dyn Fn(f64, f64) -> f64| exact_sum(values.iter().map(|(x, w)| f(*x, *w)));
    let weights = sum(&|_, w| w);
    // About one of the values, so that what an offset hides is not lost here.
    let near = values[0].0;
    let ratio = sum(&|x, w| w * (x - near)) / weights;
    let squares = sum(&|x, w| (w * ((x - near) - ratio)).powi(2));
    let small = n / (n - 1.0);
    let [near_plain, rest] = [near * weights / n, ratio * weights / n];
    let mean_weight = weights / n;
    let plain_squares = sum(&|x, w| (near * (w - mean_weight) + w * (x - near) - rest).powi(2));
    [
        near_plain + rest,
        (plain_squares * small).sqrt() / n,
        near + ratio,
        (squares * small).sqrt() / weights,
        weights * weights / sum(&|_, w| w * w),
    ]
}

fn all_of(mean: &WeightedMean) -> [f64; 5] {
    [
        mean.plain(),
        mean.plain_std_error(),
        mean.self_normalised(),
        mean.self_normalised_std_error(),
        mean.effective_samples(),
    ]
    .map(Option::unwrap)
}

#[test]
fn is_what_is_defined_through_any_partition() {
    for offset in [0.0, 1e9, -1e9] {
        let scale = if offset == 0.0 { 1.0 } else { 1e-3 };
        let values: Vec<Weighted> = importance(20_000)
            .iter()
            .map(|(x, w)| (offset + scale * x, *w))
            .collect();
        let expected = by_definition(&values);
        for length in [1, 7, 1000, 20_000] {
            let nodes = blocks(&WeightedMean::new(), &values, length, |tally, (x, w)| {
                tally.record(*x, *w);
            });
            let found = all_of(&through_the_tree(nodes, &[2, 11]));
            for (at, expected) in expected.into_iter().enumerate() {
                // Means are to the last digits of their size, or of the values' deviation.
                let slack = if at % 2 == 0 {
                    4e-16 * (offset.abs() + scale)
                } else {
                    0.0
                };
                let error = (found[at] - expected).abs();
                assert!(
                    error <= slack + 1e-12 * expected.abs(),
                    "{offset} by {length}, {at}: {} instead of {expected}",
                    found[at]
                );
            }
        }
    }
}

#[test]
fn with_equal_weights_it_is_the_plain_tally() {
    for weight in [1.0, 0.3] {
        let values: Vec<Weighted> = noise(5000).iter().map(|x| (x + 1e6, weight)).collect();
        let (mut mean, mut moments) = (Mean::new(), Moments::new());
        for (value, _) in &values {
            mean.record(*value);
            moments.record(*value);
        }
        let weighted = mean_of(&values);
        is_close(
            weighted.plain().unwrap(),
            weight * mean.mean().unwrap(),
            1e-15,
        );
        is_close(
            weighted.plain_std_error().unwrap(),
            weight * mean.std_error().unwrap(),
            1e-8,
        );
        is_close(
            weighted.self_normalised().unwrap(),
            mean.mean().unwrap(),
            1e-15,
        );
        is_close(
            weighted.self_normalised_std_error().unwrap(),
            mean.std_error().unwrap(),
            1e-12,
        );
        is_close(weighted.effective_samples().unwrap(), 5000.0, 1e-13);
        let weighted = moments_of(&values);
        is_close(
            weighted.variance().unwrap(),
            moments.variance().unwrap(),
            1e-12,
        );
        for name in ["x.mean", "x.variance", "x.skewness", "x.excess_kurtosis"] {
            let [found, expected] = [estimate(&weighted, name), estimate(&moments, name)];
            // The plain ones have small corrections for bias, of some thousandths here.
            let error = expected.std_error.unwrap();
            assert!((found.value.unwrap() - expected.value.unwrap()).abs() < 1e-2 * error);
            is_close(found.std_error.unwrap(), error, 1e-3);
        }
    }
}

/// Weights that turn the values drawn into standard normal ones: known answers, and errors that are
/// those seen from run to run.
#[test]
fn importance_sampling_has_honest_errors() {
    let values = importance(500 * 4000);
    let means: Vec<_> = values.chunks(4000).map(mean_of).collect();
    let moments: Vec<_> = values.chunks(4000).map(moments_of).collect();
    for name in ["x.plain", "x.self_normalised"] {
        let estimates: Vec<_> = means.iter().map(|mean| estimate(mean, name)).collect();
        let seen = Replications::of(&estimates, 0.0);
        seen.are_honest(name, 0.1, 0.92);
        assert!(seen.mean.abs() < 4.0 * seen.said / 500f64.sqrt());
    }
    for (name, answer, slack) in [
        ("x.mean", 0.0, 0.1),
        ("x.variance", 1.0, 0.1),
        ("x.skewness", 0.0, 0.1),
        ("x.excess_kurtosis", 0.0, 0.15),
    ] {
        let estimates: Vec<_> = moments.iter().map(|one| estimate(one, name)).collect();
        let seen = Replications::of(&estimates, answer);
        seen.are_honest(name, slack, 0.9);
        assert!(
            (seen.mean - answer).abs() < 0.3 * seen.said,
            "{name}: {}",
            seen.mean
        );
    }
}

/// A rare event: values are 0 or 1, and zeros have weights many powers of ten above those of ones.
#[test]
fn weights_of_zeros_do_not_show_in_the_plain_mean() {
    for threshold in [5.0, 8.0, 20.0, 25.0] {
        let draw = |z: f64| {
            let value = if z > 0.0 { 1.0 } else { 0.0 };
            (value, (-threshold * (z + 0.5 * threshold)).exp())
        };
        let values: Vec<Weighted> = normals(20_000).into_iter().map(draw).collect();
        let mut products = Mean::new();
        for (value, weight) in &values {
            products.record(value * weight);
        }
        for length in [1, 7, 1000, 20_000] {
            let nodes = blocks(&WeightedMean::new(), &values, length, |tally, (x, w)| {
                tally.record(*x, *w);
            });
            let found = through_the_tree(nodes, &[2, 11]);
            assert!(products.std_error().unwrap() > 0.0);
            is_close(found.plain().unwrap(), products.mean().unwrap(), 1e-12);
            is_close(
                found.plain_std_error().unwrap(),
                products.std_error().unwrap(),
                1e-12,
            );
        }
    }
}

#[test]
fn a_factor_of_all_weights_shows_in_the_plain_mean_only() {
    let values = importance(3000);
    let [plain, plain_error, ratio @ ..] = all_of(&mean_of(&values));
    for factor in [1e-120, 1e-3, 1e100] {
        let scaled: Vec<Weighted> = values.iter().map(|(x, w)| (*x, w * factor)).collect();
        let found = all_of(&mean_of(&scaled));
        is_close(found[0], factor * plain, 1e-12);
        is_close(found[1], factor * plain_error, 1e-12);
        for (found, expected) in found[2..].iter().zip(ratio) {
            is_close(*found, expected, 1e-12);
        }
        let [scaled, moments] = [moments_of(&scaled), moments_of(&values)];
        is_close(
            scaled.variance().unwrap(),
            moments.variance().unwrap(),
            1e-12,
        );
    }
}

#[test]
fn what_weights_can_not_be_is_refused() {
    for (value, weight, expected) in [
        (1.0, -1e-9, "recorded what is refused: a negative weight"),
        (
            1.0,
            f64::NAN,
            "recorded what is not finite: a value or a weight",
        ),
        (
            1.0,
            f64::INFINITY,
            "recorded what is not finite: a value or a weight",
        ),
        (
            f64::NAN,
            0.0,
            "recorded what is not finite: a value or a weight",
        ),
        (
            f64::INFINITY,
            0.0,
            "recorded what is not finite: a value or a weight",
        ),
    ] {
        for at in [0, 1, 15, 16, 39] {
            let mut values = importance(40);
            values[at] = (value, weight);
            let (mut mean, mut moments) = (WeightedMean::new(), WeightedMoments::new());
            for (value, weight) in values {
                mean.record(value, weight);
                moments.record(value, weight);
            }
            for said in [mean.end_block(), moments.end_block()] {
                let said = said.unwrap_err().to_string();
                assert!(
                    said.starts_with(expected),
                    "{value} {weight} at {at}: {said}"
                );
            }
        }
    }
}

#[test]
fn what_can_not_be_estimated_is_said() {
    let tiny = [(1.0, 1e-200), (2.0, 2e-200), (4.0, 1e-200)];
    for (values, expected) in [
        (&[] as &[Weighted], "`x` has no samples"),
        (&[(3.5, 1.0)], "`x` has one sample"),
        (&[(3.5, 0.0), (4.0, 0.0)], "has no weights but zero"),
        (&tiny, "too small to be squared"),
        (
            &[(3.5, 1.0), (4.0, 0.0), (5.0, 0.0)],
            "rests on no more than 1.0 of 3 samples",
        ),
    ] {
        let [mean, moments] = [estimates(&mean_of(values)), estimates(&moments_of(values))];
        for estimates in [mean, moments] {
            let notes = estimates.notes().join("\n");
            assert!(notes.contains(expected), "{expected}: {notes}");
        }
        nothing_is_unexplained(&mean_of(values));
        nothing_is_unexplained(&moments_of(values));
    }
    let none = mean_of(&[(3.5, 0.0), (4.0, 0.0)]);
    assert_eq!((none.plain(), none.self_normalised()), (Some(0.0), None));
    let enough = estimates(&mean_of(&importance(1000)));
    assert!(
        enough
            .notes()
            .iter()
            .all(|note| note.starts_with("`x.effective_samples`"))
    );
}

proptest! {
    #![proptest_config(property::config())]

    #[test]
    fn empty_and_weightless_change_nothing(values in prop::collection::vec((-1e6f64..1e6, 0f64..2.0), 0..50)) {
        let (mean, moments) = (mean_of(&values), moments_of(&values));
        let mut left = WeightedMean::new();
        left.merge(mean.clone());
        prop_assert_eq!(&left, &mean);
        left.merge(WeightedMean::new());
        prop_assert_eq!(&left, &mean);
        let mut left = WeightedMoments::new();
        left.merge(moments.clone());
        prop_assert_eq!(&left, &moments);
        left.merge(WeightedMoments::new());
        prop_assert_eq!(&left, &moments);
        // What has no weight counts as a sample, and is nothing to what is self-normalised.
        left.merge(moments_of(&[(7.0, 0.0)]));
        prop_assert_eq!(left.count(), moments.count() + 1);
        prop_assert_eq!(left.mean(), moments.mean());
        let mut after = mean_of(&[(7.0, 0.0), (8.0, 0.0)]);
        after.merge(mean.clone());
        prop_assert_eq!(after.self_normalised(), mean.self_normalised());
    }

    #[test]
    fn any_partition_is_close_and_shards_do_not_show(
        values in prop::collection::vec((-1f64..1.0, prop_oneof![Just(0.0), 0f64..2.0]), 5..300),
        offset in prop_oneof![Just(0.0), -1e6f64..1e6],
        length in 1usize..40,
        cuts in prop::collection::btree_set(0usize..300, 0..6),
    ) {
        let values: Vec<Weighted> = values.iter().map(|(x, w)| (x + offset, *w)).collect();
        prop_assume!(values.iter().filter(|(_, w)| *w > 0.1).count() > 3);
        let cuts: Vec<usize> = cuts.into_iter().collect();
        let nodes = blocks(&WeightedMean::new(), &values, length, |tally, (x, w)| tally.record(*x, *w));
        let merged = through_the_tree(nodes.clone(), &cuts);
        prop_assert_eq!(&merged, &through_the_tree(nodes, &[]));
        let found = all_of(&merged);
        for (found, expected) in found.into_iter().zip(by_definition(&values)) {
            let slack = 1e-11 * expected.abs() + 1e-14 * (1.0 + offset.abs());
            prop_assert!((found - expected).abs() < slack, "{} instead of {}", found, expected);
        }
        let nodes = blocks(&WeightedMoments::new(), &values, length, |tally, (x, w)| tally.record(*x, *w));
        let merged = through_the_tree(nodes.clone(), &cuts);
        prop_assert_eq!(&merged, &through_the_tree(nodes, &[]));
        let whole = moments_of(&values);
        for name in ["x.mean", "x.variance", "x.skewness", "x.excess_kurtosis", "x.effective_samples"] {
            let [found, expected] = [estimate(&merged, name), estimate(&whole, name)];
            let near = |a: Option<f64>, b: Option<f64>| match (a, b) {
                (Some(a), Some(b)) => (a - b).abs() < 1e-9 * (1.0 + a.abs()),
                (a, b) => a == b,
            };
            prop_assert!(near(found.value, expected.value), "{}: {:?} {:?}", name, found, expected);
            prop_assert!(near(found.std_error, expected.std_error), "{}: {:?} {:?}", name, found, expected);
        }
    }
}

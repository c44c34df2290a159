//! `Moments`.

use croupier_compute::{Mean, Moments, Tally};
use proptest::prelude::*;

use crate::property;
use crate::support::{
    Replications, blocks, central, estimate, estimates, is_close, noise, nothing_is_unexplained,
    through_the_tree,
};

fn moments_of(values: &[f64]) -> Moments {
    let mut moments = Moments::new();
    for value in values {
        moments.record(*value);
    }
    moments.end_block().unwrap();
    moments
}

/// Small integers, so that the formulas can be followed by hand: m2 = 4, m3 = 5.25, m4 = 44.5.
#[test]
fn known_answers() {
    let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
    let moments = moments_of(&values);
    let found = [
        moments.mean(),
        moments.variance(),
        moments.skewness(),
        moments.excess_kurtosis(),
    ];
    let expected = [5.0, 32.0 / 7.0, 0.818_487_553_356_799_7, 0.940_625];
    for (found, expected) in found.into_iter().zip(expected) {
        is_close(found.unwrap(), expected, 1e-14);
    }
    let mean = estimate(&moments, "x.mean");
    let mut alone = Mean::new();
    for value in values {
        alone.record(value);
    }
    assert_eq!(mean, estimate(&alone, "x"));
    nothing_is_unexplained(&moments);
}

/// Of a skewed output: the errors are those that are seen from run to run, which those for normal
/// values (sqrt(6/n), sqrt(24/n)) are not.
#[test]
fn errors_are_what_is_seen_from_run_to_run() {
    const RUNS: usize = 600;
    const VALUES: usize = 6000;
    // A gamma variate of shape 3: not normal, and its eighth moment is soon seen.
    let uniform = noise(RUNS * VALUES * 3);
    let gamma = |three: &[f64]| -> f64 { three.iter().map(|u| -(1.0 - u).ln()).sum() };
    let values: Vec<f64> = uniform.chunks(3).map(gamma).collect();
    let runs: Vec<Moments> = values.chunks(VALUES).map(moments_of).collect();
    // The kurtosis of gamma values is still a little skewed with 6,000 of them.
    for (name, answer, slack, least) in [
        ("x.mean", 3.0, 0.1, 0.92),
        ("x.variance", 3.0, 0.1, 0.92),
        ("x.skewness", 2.0 / 3f64.sqrt(), 0.12, 0.9),
        ("x.excess_kurtosis", 2.0, 0.25, 0.82),
    ] {
        let estimates: Vec<_> = runs.iter().map(|run| estimate(run, name)).collect();
        let seen = Replications::of(&estimates, answer);
        seen.are_honest(name, slack, least);
        if name.ends_with("kurtosis") {
            assert!(seen.said > 2.0 * (24.0 / VALUES as f64).sqrt());
        }
    }
}

fn precision(values: &[f64], found: &Moments) -> [f64; 4] {
    let n = values.len() as f64;
    let ([mean, rest], [_, m2, m3, m4]) = central::<4>(values);
    let skewness = m3 / m2.powf(1.5) * (n * (n - 1.0)).sqrt() / (n - 2.0);
    let kurtosis = ((n + 1.0) * (m4 / (m2 * m2) - 3.0) + 6.0) * (n - 1.0) / (n - 2.0) / (n - 3.0);
    let to_itself_or_1 =
        |found: f64, expected: f64| (found - expected).abs() / expected.abs().max(1.0);
    [
        ((found.mean().unwrap() - mean) - rest).abs() / m2.sqrt(),
        (found.variance().unwrap() / (m2 * n / (n - 1.0)) - 1.0).abs(),
        to_itself_or_1(found.skewness().unwrap(), skewness),
        to_itself_or_1(found.excess_kurtosis().unwrap(), kurtosis),
    ]
}

/// The errors that the documentation of `Moments` states.
#[test]
fn the_error_is_what_is_said() {
    for (log_count, alike, far_out) in [(10, 1e-14, 2e-14), (16, 1e-14, 2e-14), (20, 1e-14, 2e-14)]
    {
        for first in [None, Some(1e2), Some(1e9), Some(-1e15)] {
            let mut values = noise(1 << log_count);
            if let Some(first) = first {
                values[0] = first;
            }
            let [_, errors @ ..] = precision(&values, &moments_of(&values));
            let bound = if first.is_some() { far_out } else { alike };
            assert!(
                errors.iter().all(|error| *error < bound),
                "2^{log_count} from {first:?}: {errors:?}"
            );
        }
    }
}

/// Through any partition: the values have nine digits less than their offset, and lose none of them.
#[test]
fn an_offset_costs_no_digits() {
    let values: Vec<f64> = noise(65_536).iter().map(|x| 1e9 + x * 1e-3).collect();
    for length in [64, 1000, 65_536] {
        let nodes = blocks(&Moments::new(), &values, length, |tally, x| {
            tally.record(*x)
        });
        let merged = through_the_tree(nodes, &[3, 40]);
        let [mean, errors @ ..] = precision(&values, &merged);
        // The mean to the last bit of a number about 1e9.
        assert!(mean * 1e-3 < 1.2e-7);
        assert!(
            errors.iter().all(|error| *error < 1e-13),
            "{length}: {errors:?}"
        );
    }
}

#[test]
fn what_can_not_be_estimated_is_said() {
    for (values, expected) in [
        (&[] as &[f64], "`x` has no samples"),
        (&[3.5], "`x` has one sample: a variance needs two"),
        (&[3.5, 4.0], "`x.skewness` needs 3 samples"),
        (&[3.5, 4.0, 9.0], "`x.excess_kurtosis` needs 4 samples"),
        (
            &[0.1; 1000],
            "`x.skewness` can't be estimated: every sample had the same value",
        ),
        (
            &[1e-60, 2e-60, 3e-60, 4e-60],
            "`x.skewness` can't be estimated: the samples vary by too little",
        ),
    ] {
        let moments = moments_of(values);
        let estimates = estimates(&moments);
        assert!(
            estimates
                .notes()
                .iter()
                .any(|note| note.starts_with(expected)),
            "{expected}: {:?}",
            estimates.notes()
        );
        nothing_is_unexplained(&moments);
    }
    let alike = estimate(&moments_of(&[0.1; 1000]), "x.variance");
    assert_eq!((alike.value, alike.std_error), (Some(0.0), Some(0.0)));
    // One value in a thousand that is all of the kurtosis.
    let mut values = noise(1000);
    values[500] = 1e3;
    let notes = estimates(&moments_of(&values)).notes().join("\n");
    assert!(notes.contains("rests on a few values far out"), "{notes}");
}

#[test]
fn what_is_not_finite_is_refused() {
    for (bad, expected) in [
        (f64::NAN, "NaN or an infinity"),
        (f64::INFINITY, "NaN or an infinity"),
        (f64::NEG_INFINITY, "NaN or an infinity"),
        (1e39, "too large for its eighth power"),
        (-1e200, "too large for its eighth power"),
    ] {
        for at in [0, 1, 15, 16, 17, 39] {
            let mut values = noise(40);
            values[at] = bad;
            let mut moments = Moments::new();
            for value in values {
                moments.record(value);
            }
            let said = moments.end_block().unwrap_err().to_string();
            assert!(said.ends_with(expected), "{bad} at {at}: {said}");
        }
    }
    // Blocks that are well alone, and too far apart for eighth powers together.
    let mut left = moments_of(&[1e60; 4]);
    left.merge(moments_of(&[-1e60, -1e60]));
    nothing_is_unexplained(&left);
}

#[test]
fn what_is_open_counts_and_merges() {
    let values = noise(100);
    let mut open = Moments::new();
    for value in &values {
        open.record(*value);
    }
    let closed = moments_of(&values);
    assert_eq!(
        (open.count(), open.mean(), open.variance()),
        (100, closed.mean(), closed.variance())
    );
    let mut both = moments_of(&values);
    both.merge(open);
    let mut expected = closed.clone();
    expected.merge(closed);
    assert_eq!(both, expected);
}

proptest! {
    #![proptest_config(property::config())]

    #[test]
    fn empty_is_the_identity(values in prop::collection::vec(-1e6f64..1e6, 0..50)) {
        let moments = moments_of(&values);
        let mut left = Moments::new();
        left.merge(moments.clone());
        prop_assert_eq!(&left, &moments);
        let mut right = moments.clone();
        right.merge(Moments::new());
        prop_assert_eq!(&right, &moments);
    }

    #[test]
    fn any_partition_is_close_and_shards_do_not_show(
        values in prop::collection::vec(-1.0f64..1.0, 5..400),
        offset in prop_oneof![Just(0.0), -1e6f64..1e6],
        length in 1usize..40,
        cuts in prop::collection::btree_set(0usize..400, 0..6),
    ) {
        let values: Vec<f64> = values.iter().map(|x| x + offset).collect();
        let nodes = blocks(&Moments::new(), &values, length, |tally, x| tally.record(*x));
        let cuts: Vec<usize> = cuts.into_iter().collect();
        let merged = through_the_tree(nodes.clone(), &cuts);
        prop_assert_eq!(&merged, &through_the_tree(nodes, &[]));
        let (_, [_, m2]) = central::<2>(&values);
        prop_assume!(m2 > 1e-3);
        let errors = precision(&values, &merged);
        prop_assert!(errors[0] <= 1e-15 * (1.0 + offset.abs()) / m2.sqrt());
        prop_assert!(errors[1..].iter().all(|error| *error < 1e-12), "{:?}", errors);
    }
}

//! `Covariance`.

use croupier_compute::{Covariance, Mean, Tally};
use proptest::prelude::*;

use crate::property;
use crate::support::{
    Replications, blocks, estimate, estimates, exact_sum, is_close, normals,
    nothing_is_unexplained, through_the_tree,
};

fn covariance_of<const D: usize>(samples: &[[f64; D]]) -> Covariance<D> {
    let mut covariance = Covariance::new();
    for sample in samples {
        covariance.record(*sample);
    }
    covariance.end_block().unwrap();
    covariance
}

/// Two normal values with a correlation of 0.6, about `offset`, and their product.
fn correlated(count: usize, offset: f64, scale: f64) -> Vec<[f64; 3]> {
    let sample = |pair: &[f64]| {
        let (x, y) = (pair[0], 0.6 * pair[0] + 0.8 * pair[1]);
        [offset + scale * x, offset + scale * y, x * y]
    };
    normals(2 * count).chunks(2).map(sample).collect()
}

/// By definition, in two passes.
fn by_definition<const D: usize>(samples: &[[f64; D]], i: usize, j: usize) -> f64 {
    let n = samples.len() as f64;
    let mean = |i: usize| {
        let near = samples[0][i];
        (near, exact_sum(samples.iter().map(|one| one[i] - near)) / n)
    };
    let (a, b) = (mean(i), mean(j));
    let product = |one: &[f64; D]| ((one[i] - a.0) - a.1) * ((one[j] - b.0) - b.1);
    exact_sum(samples.iter().map(product)) / (n - 1.0)
}

#[test]
fn is_what_is_defined_through_any_partition() {
    for (offset, scale) in [(0.0, 1.0), (1e9, 1e-3)] {
        let samples = correlated(20_000, offset, scale);
        for length in [1, 7, 1000, 20_000] {
            let nodes = blocks(&Covariance::new(), &samples, length, |tally, one| {
                tally.record(*one);
            });
            let found = through_the_tree(nodes, &[2, 11]);
            for (i, j) in [(0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (2, 1), (2, 2)] {
                let expected = by_definition(&samples, i, j);
                let found = found.covariance(i, j).unwrap();
                let spread = by_definition(&samples, i, i) * by_definition(&samples, j, j);
                assert!((found - expected).abs() < 1e-13 * spread.sqrt());
            }
        }
    }
}

#[test]
fn a_mean_is_what_a_mean_tally_says() {
    let samples = correlated(500, 3.0, 2.0);
    let covariance = covariance_of(&samples);
    for i in 0..3 {
        let mut alone = Mean::new();
        for sample in &samples {
            alone.record(sample[i]);
        }
        let [found, expected] = [
            estimate(&covariance, &format!("x.mean.{i}")),
            estimate(&alone, "x"),
        ];
        is_close(found.value.unwrap(), expected.value.unwrap(), 1e-14);
        is_close(found.std_error.unwrap(), expected.std_error.unwrap(), 1e-13);
        is_close(
            found.interval.unwrap()[0],
            expected.interval.unwrap()[0],
            1e-12,
        );
    }
    nothing_is_unexplained(&covariance);
}

/// Of jointly normal outputs, as the notes say.
#[test]
fn errors_are_what_is_seen_from_run_to_run() {
    let samples = correlated(800 * 200, 5.0, 1.0);
    let runs: Vec<_> = samples.chunks(200).map(covariance_of).collect();
    for (name, answer) in [
        ("x.covariance.0.0", 1.0),
        ("x.covariance.1.0", 0.6),
        ("x.correlation.1.0", 0.6),
    ] {
        let estimates: Vec<_> = runs.iter().map(|run| estimate(run, name)).collect();
        Replications::of(&estimates, answer).are_honest(name, 0.1, 0.92);
    }
    let notes = estimates(&runs[0]).notes().join("\n");
    assert!(notes.contains("`x.correlation` has errors that hold for jointly normal outputs"));
}

#[test]
fn what_can_not_be_estimated_is_said() {
    for (samples, expected) in [
        (&[] as &[[f64; 2]], "`x` has no samples"),
        (&[[1.0, 2.0]], "`x` has one sample"),
        (
            &[[1.0, 2.0], [3.0, 2.0]],
            "`x.correlation.1.0` can't be estimated: one of the outputs",
        ),
        (
            &[[1.0, 2.0], [3.0, 7.0]],
            "`x.correlation.1.0` needs 4 samples",
        ),
    ] {
        let covariance = covariance_of(samples);
        let notes = estimates(&covariance).notes().join("\n");
        assert!(notes.contains(expected), "{expected}: {notes}");
        nothing_is_unexplained(&covariance);
    }
    let same = covariance_of(&[[1.0, 2.0], [2.0, 4.0], [3.0, 6.0], [7.0, 14.0]]);
    assert_eq!(
        estimate(&same, "x.correlation.1.0").interval,
        Some([1.0, 1.0])
    );
    for (bad, at) in [(f64::NAN, 0), (f64::INFINITY, 3), (1e200, 19)] {
        let mut samples = correlated(20, 0.0, 1.0);
        samples[at][1] = bad;
        let mut covariance = Covariance::new();
        for sample in samples {
            covariance.record(sample);
        }
        assert!(covariance.end_block().is_err(), "{bad}");
    }
    let mut left = covariance_of(&[[1e160, 0.0], [1e160, 1.0]]);
    left.merge(covariance_of(&[[-1e160, 0.0], [-1e160, 1.0]]));
    nothing_is_unexplained(&left);
}

proptest! {
    #![proptest_config(property::config())]

    #[test]
    fn empty_is_the_identity_and_shards_do_not_show(
        samples in prop::collection::vec([-1e3f64..1e3, -1f64..1.0], 2..300),
        length in 1usize..40,
        cuts in prop::collection::btree_set(0usize..300, 0..6),
    ) {
        let whole = covariance_of(&samples);
        let mut left = Covariance::new();
        left.merge(whole.clone());
        prop_assert_eq!(&left, &whole);
        left.merge(Covariance::new());
        prop_assert_eq!(&left, &whole);
        let nodes = blocks(&Covariance::new(), &samples, length, |tally, one| tally.record(*one));
        let cuts: Vec<usize> = cuts.into_iter().collect();
        let merged = through_the_tree(nodes.clone(), &cuts);
        prop_assert_eq!(&merged, &through_the_tree(nodes, &[]));
        for (i, j) in [(0, 0), (1, 0), (1, 1)] {
            let size = (by_definition(&samples, i, i) * by_definition(&samples, j, j)).sqrt();
            let error = merged.covariance(i, j).unwrap() - by_definition(&samples, i, j);
            prop_assert!(error.abs() <= 1e-13 * size);
        }
    }
}

//! `ControlVariate`.

use croupier_compute::{ControlVariate, Tally};
use proptest::prelude::*;

use crate::property;
use crate::support::{
    Replications, blocks, estimate, estimates, is_close, noise, normals, nothing_is_unexplained,
    through_the_tree,
};

fn controlled<const D: usize>(samples: &[[f64; D]]) -> ControlVariate<D> {
    let mut tally = ControlVariate::new();
    for sample in samples {
        tally.record(*sample);
    }
    tally.end_block().unwrap();
    tally
}

/// 7 + 2 a - 3 b + a normal of deviation 0.5, with two correlated controls of deviation 1 and mean 0.
fn linear(count: usize) -> Vec<[f64; 3]> {
    let sample = |z: &[f64]| {
        let (a, b) = (z[0], 0.6 * z[0] + 0.8 * z[1]);
        [7.0 + 2.0 * a - 3.0 * b + 0.5 * z[2], a, b]
    };
    normals(3 * count).chunks(3).map(sample).collect()
}

/// Regression by hand: four points on which the output is 1 + 2 c, but for residuals 1, -1, -1, 1.
#[test]
fn known_answers() {
    let tally = controlled(&[[0.0, -1.0], [0.0, 0.0], [2.0, 1.0], [6.0, 2.0]]);
    is_close(tally.coefficient(1).unwrap(), 2.0, 1e-15);
    is_close(tally.mean().unwrap(), 1.0, 1e-15);
    // Residual variance 4 / 2; c's mean is 0.5 and its squares about it add up to 5.
    is_close(
        tally.std_error().unwrap(),
        (2.0f64 * (0.25 + 0.25 / 5.0)).sqrt(),
        1e-14,
    );
    is_close(tally.plain().unwrap(), 2.0, 1e-15);
    // Student's t with 2 degrees of freedom.
    let half = 4.302_652_729_749_464 * tally.std_error().unwrap();
    is_close(estimate(&tally, "x").interval.unwrap()[1], 1.0 + half, 1e-9);
    nothing_is_unexplained(&tally);
}

#[test]
fn errors_are_what_is_seen_from_run_to_run() {
    // Few samples, so that estimating the coefficients shows.
    let runs: Vec<_> = linear(2000 * 12);
    let runs: Vec<_> = runs.chunks(12).map(controlled).collect();
    for (name, answer) in [("x", 7.0), ("x.plain", 7.0)] {
        let estimates: Vec<_> = runs.iter().map(|run| estimate(run, name)).collect();
        let seen = Replications::of(&estimates, answer);
        // A deviation from 9 degrees of freedom is 3 % too small on average.
        seen.are_honest(name, 0.08, 0.935);
        assert!((seen.mean - answer).abs() < 4.0 * seen.spread / 2000f64.sqrt());
    }
    // Variance of the output: 4 + 9 - 12 * 0.6 + 0.25 against 0.25.
    let many = controlled(&linear(200_000));
    is_close(many.variance_reduction().unwrap(), 6.05 / 0.25, 0.02);
    is_close(many.coefficient(1).unwrap(), 2.0, 5e-3);
    is_close(many.coefficient(2).unwrap(), -3.0, 5e-3);
}

/// With an output whose residuals vary with its control, as those of options do.
#[test]
fn errors_hold_where_residuals_are_unlike() {
    let samples: Vec<[f64; 2]> = normals(2000 * 400)
        .chunks(2)
        .map(|z| {
            [
                z[0].max(0.0) * (2.0 + 0.3 * z[1]),
                z[0].max(0.0) - 1.0 / std::f64::consts::TAU.sqrt(),
            ]
        })
        .collect();
    let runs: Vec<_> = samples.chunks(400).map(controlled).collect();
    let estimates: Vec<_> = runs.iter().map(|run| estimate(run, "x")).collect();
    let seen = Replications::of(&estimates, 2.0 / std::f64::consts::TAU.sqrt());
    seen.are_honest("x", 0.08, 0.92);
}

#[test]
fn controls_that_are_none_are_left_out() {
    let samples = linear(500);
    let alone = controlled(&samples.iter().map(|[y, a, _]| [*y, *a]).collect::<Vec<_>>());
    for (what, other) in [
        ("constant", (|_| 0.0) as fn(f64) -> f64),
        ("a multiple", |a| -4.0 * a),
    ] {
        let samples: Vec<_> = samples
            .iter()
            .map(|[y, a, _]| [*y, *a, other(*a)])
            .collect();
        let both = controlled(&samples);
        is_close(both.mean().unwrap(), alone.mean().unwrap(), 1e-13);
        is_close(both.std_error().unwrap(), alone.std_error().unwrap(), 1e-12);
        assert_eq!(both.coefficient(2), Some(0.0), "{what}");
        let notes = estimates(&both).notes().join("\n");
        assert!(
            notes.contains("`x.coefficient.2` is of a control that does not vary"),
            "{notes}"
        );
        nothing_is_unexplained(&both);
    }
}

#[test]
fn what_is_wrong_is_said() {
    let [wrong, right] = [0.5, 0.0].map(|off| {
        let samples: Vec<_> = linear(500)
            .iter()
            .map(|[y, a, b]| [*y, a + off, *b])
            .collect();
        estimates(&controlled(&samples)).notes().join("\n")
    });
    assert!(
        wrong.contains("`x` has a control, number 1, whose mean is"),
        "{wrong}"
    );
    assert!(!right.contains("whose mean is"), "{right}");
    for (samples, expected) in [
        (&[] as &[[f64; 2]], "`x` has no samples"),
        (&[[1.0, 2.0]], "`x` has one sample"),
        (
            &[[1.0, 2.0], [2.0, 5.0]],
            "`x` needs more than 2 samples for an error",
        ),
        (
            &[[1.0, 2.0], [1.0, 5.0], [1.0, 7.0]],
            "`x.variance_reduction` can't be estimated",
        ),
    ] {
        let tally = controlled(samples);
        let notes = estimates(&tally).notes().join("\n");
        assert!(notes.contains(expected), "{expected}: {notes}");
        nothing_is_unexplained(&tally);
    }
    let mut bad = ControlVariate::new();
    bad.record([1.0, f64::NAN]);
    assert!(bad.end_block().is_err());
}

#[test]
fn a_control_that_says_all_leaves_nothing() {
    let samples: Vec<[f64; 2]> = noise(1000)
        .iter()
        .map(|u| [3.0 + 2.0 * (u - 0.5), u - 0.5])
        .collect();
    let tally = controlled(&samples);
    is_close(tally.mean().unwrap(), 3.0, 1e-15);
    assert!(tally.std_error().unwrap() < 1e-9);
}

proptest! {
    #![proptest_config(property::config())]

    #[test]
    fn any_partition_is_close_and_shards_do_not_show(
        samples in prop::collection::vec([-1f64..1.0, -1f64..1.0, -1f64..1.0], 10..300),
        length in 1usize..40,
        cuts in prop::collection::btree_set(0usize..300, 0..6),
    ) {
        let whole = controlled(&samples);
        let nodes = blocks(&ControlVariate::new(), &samples, length, |tally, one| tally.record(*one));
        let cuts: Vec<usize> = cuts.into_iter().collect();
        let mut merged = through_the_tree(nodes.clone(), &cuts);
        prop_assert_eq!(&merged, &through_the_tree(nodes, &[]));
        prop_assert!((merged.mean().unwrap() - whole.mean().unwrap()).abs() < 1e-12);
        prop_assert!((merged.std_error().unwrap() - whole.std_error().unwrap()).abs() < 1e-12);
        let before = merged.clone();
        merged.merge(ControlVariate::new());
        prop_assert_eq!(&merged, &before);
    }
}

//! `Ratio`.

use croupier_compute::{Ratio, Tally};
use proptest::prelude::*;

use crate::property;
use crate::support::{
    Replications, blocks, estimate, estimates, is_close, noise, nothing_is_unexplained,
    through_the_tree,
};

type Pair = (f64, f64);

/// Both skewed, and correlated; their means are 1.5 and 2.
fn pairs(count: usize) -> Vec<Pair> {
    let pair = |u: &[f64]| {
        let common = -(1.0 - u[0]).ln();
        (common + u[1], common - (1.0 - u[2]).ln())
    };
    noise(3 * count).chunks(3).map(pair).collect()
}

fn through(pairs: &[Pair], length: usize, cuts: &[usize]) -> Ratio {
    let nodes = blocks(&Ratio::new(), pairs, length, |tally, (y, x)| {
        tally.record(*y, *x)
    });
    through_the_tree(nodes, cuts)
}

#[test]
fn the_error_is_that_of_residuals() {
    let pairs = pairs(700);
    let ratio = through(&pairs, 10, &[9, 33]);
    let n = pairs.len() as f64;
    let [y, x] = [
        pairs.iter().map(|pair| pair.0).sum::<f64>() / n,
        pairs.iter().map(|pair| pair.1).sum::<f64>() / n,
    ];
    let squares: f64 = pairs
        .iter()
        .map(|pair| (pair.0 - y / x * pair.1).powi(2))
        .sum();
    is_close(ratio.ratio().unwrap(), y / x, 1e-14);
    is_close(
        ratio.std_error().unwrap(),
        (squares / (n - 1.0) / n).sqrt() / x,
        1e-12,
    );
    assert_eq!(
        (ratio.count(), ratio.jackknife().unwrap().groups),
        (700, 64)
    );
    nothing_is_unexplained(&ratio);
}

#[test]
fn both_errors_are_what_is_seen_from_run_to_run() {
    const RUNS: usize = 1000;
    let pairs = pairs(RUNS * 192);
    let runs: Vec<Ratio> = pairs.chunks(192).map(|run| through(run, 3, &[])).collect();
    let seen = ["x", "x.jackknife"].map(|name| {
        let estimates: Vec<_> = runs.iter().map(|run| estimate(run, name)).collect();
        let seen = Replications::of(&estimates, 0.75);
        seen.are_honest(name, 0.06, 0.925);
        seen
    });
    // The delta method's bias: (r var(x) - cov(x, y)) / (n x^2), with variances 2 and 1.
    let bias = (0.75 * 2.0 - 1.0) / (192.0 * 4.0);
    is_close(seen[0].mean - seen[1].mean, bias, 0.1);
    assert!((seen[1].mean - 0.75).abs() < 3.0 * seen[1].spread / (RUNS as f64).sqrt());
}

#[test]
fn what_can_not_be_estimated_is_said() {
    for (pairs, expected) in [
        (&[] as &[Pair], "`x` has no samples"),
        (&[(1.0, 2.0)], "`x` has one sample"),
        (
            &[(1.0, 0.0), (2.0, 0.0)],
            "`x` has a denominator whose mean is zero",
        ),
        (
            &[(1.0, 1.0), (2.0, -0.5), (2.0, 0.7)],
            "`x` has a denominator that is less than 5 of its standard errors from zero",
        ),
    ] {
        let ratio = if pairs.is_empty() {
            Ratio::new()
        } else {
            through(pairs, 1, &[])
        };
        let notes = estimates(&ratio).notes().join("\n");
        assert!(notes.contains(expected), "{expected}: {notes}");
        nothing_is_unexplained(&ratio);
    }
    let mut ratio = Ratio::new();
    ratio.record(1.0, 2.0);
    assert!(
        ratio
            .end_block()
            .unwrap_err()
            .to_string()
            .contains("`begin_block`")
    );
    ratio.begin_block(0);
    ratio.record(f64::NAN, 1.0);
    assert!(ratio.end_block().is_err());
}

proptest! {
    #![proptest_config(property::config())]

    #[test]
    fn any_partition_is_close_and_shards_do_not_show(
        count in 2usize..400,
        length in 1usize..20,
        cuts in prop::collection::btree_set(0usize..400, 0..6),
    ) {
        let pairs = pairs(count);
        let cuts: Vec<usize> = cuts.into_iter().collect();
        let mut merged = through(&pairs, length, &cuts);
        prop_assert_eq!(&merged, &through(&pairs, length, &[]));
        let whole = through(&pairs, count, &[]);
        prop_assert!((merged.ratio().unwrap() - whole.ratio().unwrap()).abs() < 1e-13);
        prop_assert!((merged.std_error().unwrap() - whole.std_error().unwrap()).abs() < 1e-12);
        let before = merged.clone();
        merged.merge(Ratio::new());
        prop_assert_eq!(&merged, &before);
    }
}

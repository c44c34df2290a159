//! `Jackknife`.

use croupier_compute::{Jackknife, Jackknifed, Mean, Tally};
use proptest::prelude::*;

use crate::property;
use crate::support::{
    Replications, blocks, estimate, estimates, is_close, noise, nothing_is_unexplained,
    through_the_tree,
};

type Two = [f64; 2];

fn samples(count: usize) -> Vec<Two> {
    noise(2 * count)
        .chunks(2)
        .map(|pair| [pair[0] - pair[1].ln(), pair[1]])
        .collect()
}

fn through(samples: &[Two], length: usize, cuts: &[usize]) -> Jackknife<2> {
    let nodes = blocks(&Jackknife::new(), samples, length, |tally, one| {
        tally.record(*one)
    });
    through_the_tree(nodes, cuts)
}

fn ratio([x, y]: &Two) -> f64 {
    x / y
}

/// Busing, Meijer and van der Leeden's formulas as they are printed.
fn by_definition(samples: &[Two], length: usize, f: fn(&Two) -> f64) -> Jackknifed {
    let group_of = |at: usize| (at / length) % 64;
    let mean = |keep: &dyn Fn(usize) -> bool| {
        let kept: Vec<&Two> = (0..)
            .zip(samples)
            .filter(|(at, _)| keep(*at))
            .map(|(_, one)| one)
            .collect();
        let n = kept.len() as f64;
        [0, 1].map(|i| kept.iter().map(|one| one[i]).sum::<f64>() / n)
    };
    let all = f(&mean(&|_| true));
    let n = samples.len() as f64;
    let groups: Vec<usize> = (0..64)
        .filter(|group| (0..samples.len()).any(|at| group_of(at) == *group))
        .collect();
    let g = groups.len() as f64;
    let parts: Vec<[f64; 2]> = groups
        .iter()
        .map(|group| {
            let size = (0..samples.len())
                .filter(|at| group_of(*at) == *group)
                .count() as f64;
            [n / size, f(&mean(&|at| group_of(at) != *group))]
        })
        .collect();
    let corrected = g * all
        - parts
            .iter()
            .map(|[h, without]| (1.0 - 1.0 / h) * without)
            .sum::<f64>();
    let variance = parts
        .iter()
        .map(|[h, without]| (h * all - (h - 1.0) * without - corrected).powi(2) / (h - 1.0))
        .sum::<f64>()
        / g;
    Jackknifed {
        value: all,
        bias_corrected: corrected,
        std_error: Some(variance.sqrt()),
        groups: groups.len() as u64,
        samples: samples.len() as u64,
    }
}

/// Groups keep their means in one part: an offset of 1e7 deviations leaves an error about 8 digits, of which two are known.
#[test]
fn an_offset_costs_the_error_no_digit_that_is_known() {
    // Whole multiples of 2^-20, so that the offset costs the values themselves nothing.
    let round = |value: f64| (value * f64::from(1 << 20)).round() / f64::from(1 << 20);
    let plain: Vec<Two> = samples(6400).iter().map(|one| one.map(round)).collect();
    let moved: Vec<Two> = plain.iter().map(|one| one.map(|x| x + 1e7)).collect();
    let [plain, moved] = [&plain, &moved].map(|samples| through(samples, 10, &[7, 300]));
    let difference = |[x, y]: &Two| x - y;
    let [plain, moved] = [&plain, &moved].map(|tally| tally.estimate(difference).unwrap());
    is_close(moved.std_error.unwrap(), plain.std_error.unwrap(), 1e-6);
    is_close(moved.value, plain.value, 1e-8);
}

#[test]
fn is_what_is_defined() {
    // All groups alike; unlike; some blocks more than 64; fewer blocks than groups.
    for (count, length) in [(640, 10), (1000, 10), (1003, 7), (50, 10)] {
        let samples = samples(count);
        let found = through(&samples, length, &[3, 50]).estimate(ratio).unwrap();
        let expected = by_definition(&samples, length, ratio);
        assert_eq!(
            (found.groups, found.samples),
            (expected.groups, expected.samples)
        );
        is_close(found.value, expected.value, 1e-14);
        is_close(found.bias_corrected, expected.bias_corrected, 1e-12);
        is_close(found.std_error.unwrap(), expected.std_error.unwrap(), 1e-11);
    }
}

/// Of a mean with blocks of one sample it is the mean's own error, and there is no bias.
#[test]
fn of_a_mean_it_is_the_mean() {
    let samples = samples(64);
    let mut mean = Mean::new();
    for [x, _] in &samples {
        mean.record(*x);
    }
    let jackknife = through(&samples, 1, &[]);
    let found = jackknife.estimate(|[x, _]| *x).unwrap();
    is_close(found.value, mean.mean().unwrap(), 1e-14);
    is_close(found.bias_corrected, found.value, 1e-14);
    is_close(found.std_error.unwrap(), mean.std_error().unwrap(), 1e-12);
    assert_eq!(estimate(&jackknife, "x.mean.0").value, Some(found.value));
    nothing_is_unexplained(&jackknife);
}

/// A mean of few samples, squared: the bias is known, and is gone.
#[test]
fn errors_and_bias_are_what_is_seen_from_run_to_run() {
    const RUNS: usize = 1500;
    let uniform = noise(RUNS * 128);
    let runs: Vec<Jackknife<1>> = uniform
        .chunks(128)
        .map(|values| {
            let nodes = blocks(&Jackknife::new(), values, 2, |tally, x| {
                tally.record([3.0 * x - 0.5])
            });
            through_the_tree(nodes, &[])
        })
        .collect();
    // The mean is 1; its square has a bias of the mean's variance, 9 / 12 / 128.
    let square = |[x]: &[f64; 1]| x * x;
    let pushed = |name: &str| -> Vec<_> {
        runs.iter()
            .map(|run| {
                let mut estimates = croupier_compute::Estimates::new("x", 0.95);
                run.push(&mut estimates, square);
                estimates.get(name).unwrap().clone()
            })
            .collect()
    };
    let [plain, corrected] =
        ["x", "bias_corrected"].map(|name| Replications::of(&pushed(name), 1.0));
    plain.are_honest("plain", 0.06, 0.93);
    corrected.are_honest("corrected", 0.06, 0.93);
    let error = plain.spread / (RUNS as f64).sqrt();
    let bias = 9.0 / 12.0 / 128.0;
    assert!((plain.mean - 1.0 - bias).abs() < 3.0 * error);
    assert!((corrected.mean - 1.0).abs() < 3.0 * error);
    // The two differ by the bias, in each run about as much.
    is_close(plain.mean - corrected.mean, bias, 0.03);
}

#[test]
fn few_groups_are_said() {
    for (blocks, expected) in [
        (0, "`x` has no samples"),
        (
            1,
            "`x` has samples of one group of blocks: a jackknife error needs two",
        ),
        (
            5,
            "`x` has samples of 5 groups of blocks, so that its jackknife error is a rough one",
        ),
        (20, ""),
        (65, ""),
    ] {
        let jackknife = if blocks == 0 {
            Jackknife::new()
        } else {
            through(&samples(3 * blocks), 3, &[])
        };
        let notes = estimates(&jackknife).notes().join("\n");
        assert!(
            notes.starts_with(expected) && notes.is_empty() == expected.is_empty(),
            "{notes}"
        );
        nothing_is_unexplained(&jackknife);
    }
    // Blocks 0 and 64 are of one group.
    let mut one = Jackknife::<1>::new();
    for block in [0, 64] {
        let mut tally = Jackknife::new();
        tally.begin_block(block);
        tally.record([block as f64]);
        tally.end_block().unwrap();
        one.merge(tally);
    }
    let found = one.estimate(|[x]| *x).unwrap();
    assert_eq!(
        (found.groups, found.value, found.std_error),
        (1, 32.0, None)
    );
}

#[test]
fn a_function_that_is_not_finite_is_said() {
    let jackknife = through(&samples(640), 10, &[]);
    let mut estimates = croupier_compute::Estimates::new("x", 0.95);
    jackknife.push(&mut estimates, |_| f64::NAN);
    assert!(
        estimates
            .named()
            .iter()
            .all(|(_, one)| (one.value, one.std_error) == (None, None))
    );
    assert!(estimates.notes()[0].contains("is a function that is not finite"));
}

#[test]
fn a_block_without_its_number_is_refused() {
    let mut jackknife = Jackknife::new();
    jackknife.record([1.0]);
    let said = jackknife.end_block().unwrap_err().to_string();
    assert!(said.contains("must pass `begin_block` on"), "{said}");
    for bad in [f64::NAN, f64::INFINITY] {
        let mut jackknife = Jackknife::new();
        jackknife.begin_block(3);
        jackknife.record([1.0]);
        jackknife.record([bad]);
        assert!(jackknife.end_block().is_err());
    }
}

proptest! {
    #![proptest_config(property::config())]

    #[test]
    fn shards_do_not_show_and_empty_is_the_identity(
        count in 1usize..400,
        length in 1usize..20,
        cuts in prop::collection::btree_set(0usize..400, 0..6),
    ) {
        let samples = samples(count);
        let cuts: Vec<usize> = cuts.into_iter().collect();
        let merged = through(&samples, length, &cuts);
        prop_assert_eq!(&merged, &through(&samples, length, &[]));
        let mut left = Jackknife::new();
        left.merge(merged.clone());
        left.merge(Jackknife::new());
        prop_assert_eq!(&left, &merged);
    }
}

//! Markov chains with known autocorrelation times.

use croupier_compute::{Autocorrelated, Domain, Stream, StreamNumber, Tally, pinned};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;

use crate::property;
use crate::tree::{dealt, estimate, estimates, merged};

fn block(chains: &[Vec<f64>]) -> Autocorrelated {
    let mut tally = Autocorrelated::new();
    for values in chains {
        let mut chain = tally.chain();
        for value in values {
            chain.record(*value);
        }
    }
    tally.end_block().unwrap();
    tally
}

/// A stationary chain x' = a x + noise of variance 1 - a^2, about `centre`: its time is (1 + a) / (1 - a).
fn chain(stream: &mut Stream<ChaCha8Rng>, a: f64, length: usize, centre: f64) -> Vec<f64> {
    let mut x = pinned::normal(stream);
    let mut values = Vec::with_capacity(length);
    for _ in 0..length {
        values.push(centre + x);
        x = a * x + (1.0 - a * a).sqrt() * pinned::normal(stream);
    }
    values
}

fn stream(index: u64) -> Stream<ChaCha8Rng> {
    let mut stream = Stream::new(5);
    stream.start(StreamNumber::new(Domain::Author, index));
    stream
}

fn chains(index: u64, count: usize, length: usize, a: f64) -> Autocorrelated {
    let mut stream = stream(index);
    let one = |_| block(&[chain(&mut stream, a, length, 3.0)]);
    merged((0..count).map(one).collect())
}

#[test]
fn times_are_those_of_the_theory() {
    for (index, a) in [(0, 0.0), (1, 0.5), (2, 0.9), (3, 0.99), (4, -0.5)] {
        let tally = chains(index, 32, 1 << 15, a);
        let answer = (1.0 + a) / (1.0 - a);
        let time = estimate(&tally, "autocorrelation_time");
        let [value, error] = [time.value.unwrap(), time.std_error.unwrap()];
        assert!(
            error < 0.15 * answer,
            "{a}: an error of {error} says nothing"
        );
        assert!(
            (value - answer).abs() < 4.0 * error,
            "{a}: {value} +- {error}, the answer is {answer}"
        );
        let effective = estimate(&tally, "effective_samples").value.unwrap();
        assert!((effective * value / tally.values() as f64 - 1.0).abs() < 1e-12);
        let mean = estimate(&tally, "x");
        let [value, error] = [mean.value.unwrap(), mean.std_error.unwrap()];
        assert!((value - 3.0).abs() < 4.0 * error, "{a}: {value} +- {error}");
        let true_error = (answer / tally.values() as f64).sqrt();
        assert!(
            (0.6..1.5).contains(&(error / true_error)),
            "{a}: {error}, in truth {true_error}"
        );
        assert_eq!((mean.samples, tally.chains()), (32, 32));
        assert!(
            estimates(&tally).notes().is_empty(),
            "{:?}",
            estimates(&tally).notes()
        );
    }
}

/// Chains that are no longer than their memory: the time comes from the variance between them.
#[test]
fn short_chains_are_compared_with_each_other() {
    let (length, a) = (16, 0.9f64);
    let tally = chains(6, 4000, length, a);
    // The variance of a stationary chain's mean, in terms of that of independent values.
    let n = length as f64;
    let answer = (1.0 + a) / (1.0 - a) - 2.0 * a * (1.0 - a.powf(n)) / (n * (1.0 - a) * (1.0 - a));
    let time = estimate(&tally, "autocorrelation_time");
    let [value, error] = [time.value.unwrap(), time.std_error.unwrap()];
    assert!(error < 0.05 * answer);
    assert!(
        (value - answer).abs() < 4.0 * error,
        "{value} +- {error}, the answer is {answer}"
    );
}

#[test]
fn one_chain_has_the_error_from_inside() {
    let tally = chains(7, 1, 1 << 16, 0.9);
    let mean = estimate(&tally, "x");
    let true_error = (19.0 / 65536f64).sqrt();
    let error = mean.std_error.unwrap();
    assert!(
        (0.6..1.5).contains(&(error / true_error)),
        "{error}, in truth {true_error}"
    );
    assert!((mean.value.unwrap() - 3.0).abs() < 4.0 * error);
    assert!(estimates(&tally).notes()[0].contains("rests on one chain"));
    let short = chains(8, 1, 10, 0.9);
    let mean = estimate(&short, "x");
    assert!(mean.value.is_some() && mean.std_error.is_none() && mean.interval.is_none());
    assert!(estimates(&short).notes()[0].contains("too short to know its error"));
    let none = estimates(&Autocorrelated::new());
    assert_eq!(
        none.notes(),
        ["`x` has no samples: nothing can be estimated"]
    );
}

#[test]
fn chains_that_stay_apart_are_told() {
    let mut stream = stream(9);
    let apart = (0..8).map(|at| block(&[chain(&mut stream, 0.5, 4096, f64::from(at))]));
    let apart = merged(apart.collect());
    let notes = estimates(&apart).notes().join(" ");
    assert!(
        notes.contains("no longer than ten autocorrelation times"),
        "{notes}"
    );
    let effective = estimate(&apart, "effective_samples").value.unwrap();
    assert!((8.0..12.0).contains(&effective), "{effective}");
    // Each where it began, and never leaving.
    let stuck: Vec<Autocorrelated> = (0..8).map(|at| block(&[vec![f64::from(at); 64]])).collect();
    let stuck = merged(stuck);
    let time = estimate(&stuck, "autocorrelation_time").value.unwrap();
    assert!(
        (time / 64.0 - 1.0).abs() < 0.2,
        "as good as one value a chain: {time}"
    );
    let alike = merged((0..8).map(|_| block(&[vec![2.0; 64]])).collect());
    assert_eq!(estimate(&alike, "x").std_error, Some(0.0));
    assert_eq!(alike.autocorrelation_time(), None);
    assert!(estimates(&alike).notes()[0].contains("don't vary"));
}

#[test]
fn what_is_not_finite_is_refused() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for at in [0, 1, 6] {
            let mut tally = Autocorrelated::new();
            let mut chain = tally.chain();
            for step in 0..7 {
                chain.record(if step == at { bad } else { 1.0 });
            }
            drop(chain);
            assert!(tally.end_block().is_err(), "{bad} at {at}");
        }
    }
}

/// By definition: all batches of each chain, whole ones only.
fn batch_means(chains: &[Vec<f64>], length: usize) -> Vec<f64> {
    let mean = |batch: &[f64]| batch.iter().sum::<f64>() / batch.len() as f64;
    chains
        .iter()
        .flat_map(|chain| chain.chunks_exact(length).map(mean))
        .collect()
}

proptest! {
    #![proptest_config(property::config())]

    #[test]
    fn any_partition_agrees(
        chains in prop::collection::vec(prop::collection::vec(-1e3f64..1e3, 0..70), 1..30),
        length in 1usize..8,
        cuts in prop::collection::vec(0usize..30, 0..4),
        turn in 0usize..30,
    ) {
        let blocks = || -> Vec<Autocorrelated> { chains.chunks(length).map(block).collect() };
        let merged = merged(blocks());
        prop_assert_eq!(&dealt(blocks(), &cuts, turn), &merged, "the same bits however it was dealt");
        let mut with_empty = Autocorrelated::new();
        with_empty.merge(merged.clone());
        prop_assert_eq!(&with_empty, &merged);
        with_empty.merge(Autocorrelated::new());
        prop_assert_eq!(&with_empty, &merged);
        let recorded: Vec<&Vec<f64>> = chains.iter().filter(|chain| !chain.is_empty()).collect();
        prop_assert_eq!(merged.chains(), recorded.len() as u64);
        prop_assert_eq!(merged.values(), batch_means(&chains, 1).len() as u64);
        if let Some(mean) = merged.mean() {
            let means = recorded.iter().map(|chain| chain.iter().sum::<f64>() / chain.len() as f64);
            let expected = means.sum::<f64>() / recorded.len() as f64;
            prop_assert!((mean - expected).abs() < 1e-10);
        }
        // What is kept of each length is the mean and variance of all its batches.
        let text = format!("{merged:?}");
        for level in 0..7 {
            let count = batch_means(&chains, 1 << level).len();
            prop_assert!(count == 0 || text.contains(&format!("count: {count},")), "{} {}", level, text);
        }
    }
}

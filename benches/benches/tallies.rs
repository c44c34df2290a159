//! What recording a value costs.
//!
//! Values come from an array in the first-level cache, so that what is timed is the recording. By
//! hand: one plain sum, the least that a mean can cost, whose additions wait for each other; and two
//! sums about zero, of values and of squares, which is a mean and a variance that cancel.

use std::hint::black_box;

use croupier_benches::{Budget, Way, compare};
use croupier_compute::{Autocorrelated, Histogram, Quantiles, Resolution};
use croupier_compute::{Extremes, Mean, Proportion, Tally};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const VALUES: usize = 1024;
const ROUNDS: u64 = 256;
const ITEMS: u64 = ROUNDS * VALUES as u64;

fn record_all(values: &[f64], mut record: impl FnMut(u64, f64)) {
    for round in 0..ROUNDS {
        for (at, value) in black_box(values).iter().enumerate() {
            record(round * VALUES as u64 + at as u64, *value);
        }
    }
}

fn main() {
    let budget = Budget::from_arguments();
    let mut rng = ChaCha8Rng::from_seed([1; 32]);
    let values: Vec<f64> = (0..VALUES).map(|_| rng.random()).collect();
    let plain_sum = || {
        let mut sum = 0.0;
        record_all(&values, |_, value| sum += value);
        black_box(sum);
    };
    let two_sums = || {
        let [mut sum, mut squares] = [0.0; 2];
        record_all(&values, |_, value| {
            sum += value;
            squares += value * value;
        });
        black_box([sum, squares]);
    };
    compare(
        budget,
        "Mean::record",
        ITEMS,
        "1.5 ns a value",
        Way::new("Mean", || {
            let mut mean = Mean::new();
            record_all(&values, |_, value| mean.record(value));
            mean.end_block().expect("finite values");
            black_box(mean);
        }),
        Way::new("two plain sums", two_sums),
    );
    compare(
        budget,
        "Proportion::record",
        ITEMS,
        "no more than a sum",
        Way::new("Proportion", || {
            let mut proportion = Proportion::new();
            record_all(&values, |_, value| proportion.record(value < 0.5));
            black_box(proportion);
        }),
        Way::new("one plain sum", plain_sum),
    );
    compare(
        budget,
        "Extremes::record",
        ITEMS,
        "no more than two sums",
        Way::new("Extremes", || {
            let mut extremes = Extremes::new();
            record_all(&values, |sample, value| extremes.record(value, sample));
            extremes.end_block().expect("finite values");
            black_box(extremes);
        }),
        Way::new("two plain sums", two_sums),
    );
    moments(budget, &values);
    distributions(budget, &values);
}

/// Histograms and quantiles. By hand: one array of counts, and the bin by a multiplication, which checks for nothing.
fn distributions(budget: Budget, values: &[f64]) {
    let record = |mut histogram: Histogram| {
        record_all(values, |_, value| histogram.record(value));
        histogram.end_block().expect("finite values");
        black_box(histogram);
    };
    let quantiles = |resolution: Resolution| {
        let mut quantiles = Quantiles::new([0.5, 0.99]).with_resolution(resolution);
        record_all(values, |_, value| quantiles.record(value));
        quantiles.end_block().expect("finite values");
        black_box(quantiles);
    };
    let by_hand = || {
        let mut counts = vec![0u64; 100];
        record_all(values, |_, value| {
            if let Some(count) = counts.get_mut((value * 100.0) as usize) {
                *count += 1;
            }
        });
        black_box(counts);
    };
    // Two significant digits, of values in millionths.
    let hdr = || {
        let mut histogram = hdrhistogram::Histogram::<u64>::new(2).expect("two digits");
        record_all(values, |_, value| {
            histogram.record((value * 1e6) as u64).expect("it resizes");
        });
        black_box(histogram);
    };
    let aim = "4 ns a value";
    compare(
        budget,
        "Histogram::record",
        ITEMS,
        aim,
        Way::new("uniform", || record(Histogram::uniform(0.0, 1.0, 100))),
        Way::new("an array of counts", by_hand),
    );
    compare(
        budget,
        "Histogram::record",
        ITEMS,
        aim,
        Way::new("logarithmic", || {
            record(Histogram::logarithmic(1e-6, 1.0, 100));
        }),
        Way::new("an array of counts", by_hand),
    );
    // At even distances, at ones that grow, and so crowded on both sides of zero that they are bisected.
    let even = || (0..=100).map(|at| f64::from(at) / 100.0);
    let ways: [(&str, Vec<f64>); 3] = [
        ("given edges, even", even().collect()),
        ("given edges, squares", even().map(|at| at * at).collect()),
        (
            "given edges, crowded",
            even().map(|at| (2.0 * at - 1.0).powi(15)).collect(),
        ),
    ];
    for (name, edges) in ways {
        compare(
            budget,
            "Histogram::record",
            ITEMS,
            aim,
            Way::new(name, || record(Histogram::with_edges(edges.clone()))),
            Way::new("an array of counts", by_hand),
        );
    }
    compare(
        budget,
        "Quantiles::record",
        ITEMS,
        aim,
        Way::new("Medium", || quantiles(Resolution::Medium)),
        Way::new("hdrhistogram", hdr),
    );
    compare(
        budget,
        "Quantiles::record",
        ITEMS,
        aim,
        Way::new("Fine", || quantiles(Resolution::Fine)),
        Way::new("an array of counts", by_hand),
    );
    compare(
        budget,
        "Autocorrelated::record",
        ITEMS,
        "none",
        Way::new("Autocorrelated", || {
            let mut tally = Autocorrelated::new();
            let mut chain = tally.chain();
            record_all(values, |_, value| chain.record(value));
            drop(chain);
            tally.end_block().expect("finite values");
            black_box(tally);
        }),
        Way::new("an array of counts", by_hand),
    );
}

/// Tallies of moments and of several outputs, beside the crate `average` and sums by hand; and their merges.
fn moments(budget: Budget, values: &[f64]) {
    use average::Estimate as _;
    use croupier_compute::{
        ControlVariate, Covariance, Jackknife, Moments, Ratio, WeightedMean, WeightedMoments,
    };

    compare(
        budget,
        "Moments::record",
        ITEMS,
        "4 ns a value",
        Way::new("Moments", || {
            let mut moments = Moments::new();
            record_all(values, |_, value| moments.record(value));
            moments.end_block().expect("finite values");
            black_box(moments);
        }),
        Way::new("average::Kurtosis", || {
            let mut kurtosis = average::Kurtosis::new();
            record_all(values, |_, value| kurtosis.add(value));
            black_box(kurtosis);
        }),
    );
    compare(
        budget,
        "WeightedMean::record",
        ITEMS,
        "4 ns a value",
        Way::new("WeightedMean", || {
            let mut mean = WeightedMean::new();
            record_all(values, |_, value| mean.record(value, 1.0 - value));
            mean.end_block().expect("finite values");
            black_box(mean);
        }),
        Way::new("average::WeightedMeanWithError", || {
            let mut mean = average::WeightedMeanWithError::new();
            record_all(values, |_, value| mean.add(value, 1.0 - value));
            black_box(mean);
        }),
    );
    let two_products = || {
        let mut sums = [0.0; 5];
        record_all(values, |_, value| {
            let other = 1.0 - value * value;
            let all = [value, other, value * value, value * other, other * other];
            for (sum, one) in sums.iter_mut().zip(all) {
                *sum += one;
            }
        });
        black_box(sums);
    };
    compare(
        budget,
        "WeightedMoments::record",
        ITEMS,
        "none",
        Way::new("WeightedMoments", || {
            let mut moments = WeightedMoments::new();
            record_all(values, |_, value| moments.record(value, 1.0 - value));
            moments.end_block().expect("finite values");
            black_box(moments);
        }),
        Way::new("five plain sums", two_products),
    );
    compare(
        budget,
        "Covariance<2>::record",
        ITEMS,
        "4 ns a pair",
        Way::new("Covariance", || {
            let mut both = Covariance::<2>::new();
            record_all(values, |_, value| both.record([value, 1.0 - value * value]));
            both.end_block().expect("finite values");
            black_box(both);
        }),
        Way::new("five plain sums", two_products),
    );
    compare(
        budget,
        "ControlVariate<2>::record",
        ITEMS,
        "4 ns a pair",
        Way::new("ControlVariate", || {
            let mut controlled = ControlVariate::<2>::new();
            record_all(values, |_, value| {
                controlled.record([1.0 - value * value, value - 0.5])
            });
            controlled.end_block().expect("finite values");
            black_box(controlled);
        }),
        Way::new("five plain sums", two_products),
    );
    compare(
        budget,
        "Ratio::record",
        ITEMS,
        "4 ns a pair",
        Way::new("Ratio", || {
            let mut ratio = Ratio::new();
            ratio.begin_block(0);
            record_all(values, |_, value| ratio.record(value, 1.0 - value * value));
            ratio.end_block().expect("finite values");
            black_box(ratio);
        }),
        Way::new("five plain sums", two_products),
    );
    compare(
        budget,
        "Jackknife<2>::record",
        ITEMS,
        "4 ns a pair",
        Way::new("Jackknife", || {
            let mut jackknife = Jackknife::<2>::new();
            jackknife.begin_block(0);
            record_all(values, |_, value| {
                jackknife.record([value, 1.0 - value * value])
            });
            jackknife.end_block().expect("finite values");
            black_box(jackknife);
        }),
        Way::new("five plain sums", two_products),
    );
    let mut mean = Mean::new();
    let mut moments = Moments::new();
    let mut weighted = WeightedMean::new();
    let mut both = Covariance::<2>::new();
    let mut kurtosis = average::Kurtosis::new();
    for value in values {
        mean.record(*value);
        moments.record(*value);
        weighted.record(*value, 1.0 - value);
        both.record([*value, 1.0 - value * value]);
        kurtosis.add(*value);
    }
    for (title, ours) in [
        ("Mean, merge of two nodes", merges(&mean)),
        ("Moments, merge of two nodes", merges(&moments)),
        ("WeightedMean, merge of two nodes", merges(&weighted)),
        ("Covariance<2>, merge of two nodes", merges(&both)),
    ] {
        let theirs = Way::new("average::Kurtosis", || {
            use average::Merge as _;
            let mut into = kurtosis.clone();
            for _ in 0..MERGES {
                into.merge(black_box(&kurtosis));
            }
            black_box(&into);
        });
        compare(budget, title, MERGES, "100 ns", ours, theirs);
    }
}

const MERGES: u64 = 10_000;

/// Merges into one tally, again and again, copies of another.
fn merges<T: Tally>(tally: &T) -> Way<'_> {
    let mut closed = tally.clone();
    closed.end_block().expect("finite values");
    Way::new("merge and copy", move || {
        let mut into = closed.clone();
        for _ in 0..MERGES {
            into.merge(black_box(&closed).clone());
        }
        black_box(&into);
    })
}

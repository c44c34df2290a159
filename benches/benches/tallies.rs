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

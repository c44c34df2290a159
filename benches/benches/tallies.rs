//! What recording a value costs.
//!
//! Values come from an array in the first-level cache, so that what is timed is the recording. By
//! hand: one plain sum, the least that a mean can cost, whose additions wait for each other; and two
//! sums about zero, of values and of squares, which is a mean and a variance that cancel.

use std::hint::black_box;

use croupier_benches::{Budget, Way, compare};
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
}

//! A rare event by importance sampling: draw where it happens, and weigh.

use std::process::ExitCode;

use croupier::pinned::{exp, normal};
use croupier::prelude::*;

/// Estimates the probability that a standard normal variate is above a threshold that next to none is. Values are
/// drawn about the threshold instead, each with the weight that makes up for it.
///
/// The estimate to read is `plain`. `self_normalised` divides by the weights of all samples, of which a few that fell
/// far short of the threshold have nearly all the weight, and a warning says so.
#[derive(Args, Serialize, Deserialize)]
struct RareEvent {
    /// The threshold, in standard deviations
    #[arg(long, default_value_t = 5.0)]
    threshold: f64,
}

impl Kernel for RareEvent {
    type Rng = ChaCha8Rng;
    type Tally = WeightedMean;

    fn validate(&self) -> Result<(), Failure> {
        if !(0.0..=25.0).contains(&self.threshold) {
            return Err(Failure::new(
                "threshold must be from 0 to 25: beyond, squares of weights are smaller than any number that a computer has",
            ));
        }
        Ok(())
    }

    fn tally(&self) -> WeightedMean {
        WeightedMean::new()
    }

    fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, event: &mut WeightedMean) {
        let t = self.threshold;
        let z = normal(rng);
        // The density of t + z where z is meant, over that of z.
        let weight = exp(-t * (z + 0.5 * t));
        event.record(if z > 0.0 { 1.0 } else { 0.0 }, weight);
    }
}

fn main() -> ExitCode {
    croupier::main::<RareEvent>()
}

//! A harmonic oscillator in a heat bath: a ratio of two means, with the jackknife's error.

use std::process::ExitCode;

use croupier::pinned::{exp, normal};
use croupier::prelude::*;

/// Estimates the mean square of an oscillator's position at one temperature from positions at another, as one does
/// with a simulation that was made already. Weights are known up to a factor only, so the mean is a ratio: that of
/// weight times square to weight. The answer is the temperature over the stiffness.
#[derive(Args, Serialize, Deserialize)]
struct HarmonicOscillator {
    /// The temperature asked for, times Boltzmann's constant
    #[arg(long, default_value_t = 1.0)]
    temperature: f64,
    /// The temperature that positions are drawn at, more than half of the other
    #[arg(long, default_value_t = 1.5)]
    sampled: f64,
    /// The spring's stiffness
    #[arg(long, default_value_t = 1.0)]
    stiffness: f64,
}

impl Kernel for HarmonicOscillator {
    type Rng = ChaCha8Rng;
    type Tally = Ratio;
    // Small, so that a run soon has the 64 blocks that a jackknife needs.
    const BLOCK: u64 = 1 << 12;

    fn validate(&self) -> Result<(), Failure> {
        if !(self.temperature > 0.0 && self.stiffness > 0.0) {
            return Err(Failure::new("temperature and stiffness must be above 0"));
        }
        if self.sampled <= 0.5 * self.temperature {
            return Err(Failure::new(format!(
                "sampled is {}, and must be above half of temperature, {}: else weights have no variance, and errors no meaning",
                self.sampled, self.temperature
            )));
        }
        Ok(())
    }

    fn tally(&self) -> Ratio {
        Ratio::new()
    }

    fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, square: &mut Ratio) {
        let x = (self.sampled / self.stiffness).sqrt() * normal(rng);
        let energy = 0.5 * self.stiffness * x * x;
        let weight = exp(energy / self.sampled - energy / self.temperature);
        square.record(weight * x * x, weight);
    }
}

fn main() -> ExitCode {
    croupier::main::<HarmonicOscillator>()
}

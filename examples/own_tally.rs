//! A tally of one's own: what it keeps, how it merges, what it says.

use std::process::ExitCode;

use croupier::Estimate;
use croupier::prelude::*;

/// The geometric mean of positive values, with its error by the delta method.
#[derive(Clone, Serialize, Deserialize)]
struct GeometricMean {
    logarithm: Mean,
}

impl Tally for GeometricMean {
    fn merge(&mut self, right: Self) {
        self.logarithm.merge(right.logarithm);
    }

    fn end_block(&mut self) -> Result<(), NotFinite> {
        self.logarithm.end_block()
    }

    fn estimates(&self, estimates: &mut Estimates) {
        let value = self.logarithm.mean().map(f64::exp);
        estimates.push(Estimate {
            value,
            std_error: value
                .zip(self.logarithm.std_error())
                .map(|(value, error)| value * error),
            interval: None,
            samples: self.logarithm.count(),
        });
    }
}

/// The geometric mean of uniform variates, which is 1/e.
#[derive(Args, Serialize, Deserialize)]
struct Uniform {}

impl Kernel for Uniform {
    type Rng = ChaCha8Rng;
    type Tally = GeometricMean;

    fn tally(&self) -> GeometricMean {
        GeometricMean {
            logarithm: Mean::new(),
        }
    }

    fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, tally: &mut GeometricMean) {
        let value = pinned::uniform_positive(rng);
        tally.logarithm.record(pinned::ln(value));
    }
}

fn main() -> ExitCode {
    croupier::main::<Uniform>()
}

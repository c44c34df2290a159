//! A kernel whose samples fail where it is told, in every way a sample can.

use std::process::ExitCode;

use croupier::prelude::*;

/// Draws uniform numbers, and fails where it is told.
#[derive(Args, Serialize, Deserialize)]
struct Failing {
    /// Samples that end with an error
    #[arg(long, value_delimiter = ',')]
    errors: Vec<u64>,
    /// Samples that panic
    #[arg(long, value_delimiter = ',')]
    panics: Vec<u64>,
    /// Samples that record what is no number
    #[arg(long, value_delimiter = ',')]
    nans: Vec<u64>,
}

impl Kernel for Failing {
    type Rng = ChaCha8Rng;
    type Tally = Mean;
    const BLOCK: u64 = 64;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn try_sample(
        &self,
        sample: u64,
        rng: &mut Stream<ChaCha8Rng>,
        mean: &mut Mean,
    ) -> Result<(), Failure> {
        let value = pinned::uniform(rng);
        if self.errors.contains(&sample) {
            return Err(Failure::new(format!("the solver gave up at {value:.3}")));
        }
        assert!(!self.panics.contains(&sample), "a bug in the model");
        if self.nans.contains(&sample) {
            mean.record(f64::NAN);
        } else {
            mean.record(value);
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    croupier::main::<Failing>()
}

//! A kernel whose name can't be one.

use std::process::ExitCode;

use croupier::prelude::*;

/// Records nothing of interest.
#[derive(Args, Serialize, Deserialize)]
struct Misnamed {}

impl Kernel for Misnamed {
    type Rng = ChaCha8Rng;
    type Tally = Mean;
    const NAME: Option<&'static str> = Some("a name");

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, _sample: u64, _rng: &mut Stream<ChaCha8Rng>, mean: &mut Mean) {
        mean.record(1.0);
    }
}

fn main() -> ExitCode {
    croupier::main::<Misnamed>()
}

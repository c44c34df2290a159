//! A kernel with a parameter that is named like a flag of every program.

use std::process::ExitCode;

use croupier::prelude::*;

/// Would be given the shards' number for its own.
#[derive(Args, Serialize, Deserialize)]
struct TakenName {
    #[arg(long)]
    shards: u32,
}

impl Kernel for TakenName {
    type Rng = ChaCha8Rng;
    type Tally = Mean;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, _sample: u64, _rng: &mut Stream<ChaCha8Rng>, mean: &mut Mean) {
        mean.record(f64::from(self.shards));
    }
}

fn main() -> ExitCode {
    croupier::main::<TakenName>()
}

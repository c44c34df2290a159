//! Pi by throwing darts: the smallest whole program.

use std::process::ExitCode;

use croupier::prelude::*;

/// Estimates pi by throwing darts at the unit square.
#[derive(Args, Serialize, Deserialize)]
struct Pi {}

impl Kernel for Pi {
    type Rng = ChaCha8Rng;
    type Tally = Mean;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, hits: &mut Mean) {
        let [x, y]: [f64; 2] = rng.random();
        hits.record(if x * x + y * y < 1.0 { 4.0 } else { 0.0 });
    }
}

fn main() -> ExitCode {
    croupier::main::<Pi>()
}

//! A kernel whose parameters fix the number of its samples: one a pixel.

use std::process::ExitCode;

use croupier::prelude::*;

/// Records the number of every pixel.
#[derive(Args, Serialize, Deserialize)]
struct Image {
    #[arg(long, default_value_t = 30)]
    width: u64,
    #[arg(long, default_value_t = 20)]
    height: u64,
}

impl Kernel for Image {
    type Rng = ChaCha8Rng;
    type Tally = Mean;
    const BLOCK: u64 = 64;

    fn domain(&self) -> Option<u64> {
        Some(self.width * self.height)
    }

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, pixel: u64, _rng: &mut Stream<ChaCha8Rng>, mean: &mut Mean) {
        mean.record(pixel as f64);
    }
}

fn main() -> ExitCode {
    croupier::main::<Image>()
}

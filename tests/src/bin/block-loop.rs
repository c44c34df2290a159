//! A kernel with an inner loop of its own and no method for one sample, which panics where it is told: outside samples.

use std::ops::Range;
use std::process::ExitCode;

use croupier::prelude::*;

/// Draws uniform numbers, a block at a time.
#[derive(Args, Serialize, Deserialize)]
struct BlockLoop {
    /// The method that panics
    #[arg(long, default_value = "none")]
    panic_in: String,
}

impl BlockLoop {
    fn enter(&self, method: &str) {
        assert!(self.panic_in != method, "a bug in {method}");
    }
}

/// A mean that may have nothing to say.
#[derive(Clone, Serialize, Deserialize)]
struct Silent {
    mean: Mean,
    panics: bool,
}

impl Tally for Silent {
    fn merge(&mut self, right: Self) {
        self.mean.merge(right.mean);
    }

    fn end_block(&mut self) -> Result<(), NotFinite> {
        self.mean.end_block()
    }

    fn estimates(&self, estimates: &mut Estimates) {
        assert!(!self.panics, "a bug in estimates");
        self.mean.estimates(estimates);
    }
}

impl Kernel for BlockLoop {
    type Rng = ChaCha8Rng;
    type Tally = Silent;
    const BLOCK: u64 = 16;

    fn validate(&self) -> Result<(), Failure> {
        self.enter("validate");
        Ok(())
    }

    fn prepare(&mut self, _: &Inputs) -> Result<(), Failure> {
        self.enter("prepare");
        Ok(())
    }

    fn domain(&self) -> Option<u64> {
        self.enter("domain");
        None
    }

    fn tally(&self) -> Silent {
        self.enter("tally");
        Silent {
            mean: Mean::new(),
            panics: self.panic_in == "estimates",
        }
    }

    fn block(
        &self,
        samples: Range<u64>,
        rng: &mut Stream<ChaCha8Rng>,
        tally: &mut Silent,
    ) -> Result<(), Failure> {
        for _ in samples {
            tally.mean.record(pinned::uniform(rng));
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    croupier::main::<BlockLoop>()
}

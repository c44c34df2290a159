//! Neutrons through a slab: a random number of draws per sample, and a stream per sample.

use std::process::ExitCode;

use croupier::pinned::{exponential, uniform};
use croupier::prelude::*;

/// Follows neutrons that enter a slab head-on, scatter to all sides alike, and are absorbed, reflected
/// or transmitted. Each has a stream of its own, so that `replay --sample` follows one alone.
#[derive(Args, Serialize, Deserialize)]
struct NeutronSlab {
    /// The slab's thickness, in mean free paths
    #[arg(long, default_value_t = 2.0)]
    thickness: f64,
    /// The share of collisions that absorb, from 0 to 1
    #[arg(long, default_value_t = 0.3)]
    absorption: f64,
}

/// Where neutrons end up, and how often they collide.
#[derive(Clone, Tally, Serialize, Deserialize)]
struct Fates {
    transmitted: Proportion,
    reflected: Proportion,
    absorbed: Proportion,
    collisions: Mean,
    most_collisions: Extremes,
}

impl Kernel for NeutronSlab {
    type Rng = ChaCha8Rng;
    type Tally = Fates;
    const BLOCK: u64 = 1 << 14;
    const STREAMS: StreamPer = StreamPer::Sample;

    fn validate(&self) -> Result<(), Failure> {
        if self.thickness < 0.0 {
            return Err(Failure::new("thickness must not be negative"));
        }
        if !(0.0..=1.0).contains(&self.absorption) {
            return Err(Failure::new("absorption must be from 0 to 1"));
        }
        if self.absorption == 0.0 && self.thickness > 1000.0 {
            return Err(Failure::new(
                "without absorption, a slab so thick keeps neutrons for ever",
            ));
        }
        Ok(())
    }

    fn tally(&self) -> Fates {
        Fates {
            transmitted: Proportion::new(),
            reflected: Proportion::new(),
            absorbed: Proportion::new(),
            collisions: Mean::new(),
            most_collisions: Extremes::new(),
        }
    }

    fn sample(&self, sample: u64, rng: &mut Stream<ChaCha8Rng>, fates: &mut Fates) {
        let mut collisions = 0.0;
        // The cosine of the angle to the slab's axis; head-on at first.
        let mut direction = 1.0;
        let mut depth = exponential(rng);
        let mut is_absorbed = false;
        while (0.0..self.thickness).contains(&depth) {
            collisions += 1.0;
            if uniform(rng) < self.absorption {
                is_absorbed = true;
                break;
            }
            direction = 2.0 * uniform(rng) - 1.0;
            depth += direction * exponential(rng);
        }
        fates.absorbed.record(is_absorbed);
        fates.transmitted.record(!is_absorbed && direction > 0.0);
        fates.reflected.record(!is_absorbed && direction <= 0.0);
        fates.collisions.record(collisions);
        fates.most_collisions.record(collisions, sample);
    }
}

fn main() -> ExitCode {
    croupier::main::<NeutronSlab>()
}

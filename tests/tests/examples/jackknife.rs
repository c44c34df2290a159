//! The jackknife's error of a ratio against what is seen from seed to seed. A thousand runs are too many to start a
//! program for each.

use croupier::pinned::{exp, normal};
use croupier::prelude::*;

/// What the example `harmonic_oscillator` samples by default.
#[derive(Serialize, Deserialize)]
struct Oscillator {}

impl Kernel for Oscillator {
    type Rng = ChaCha8Rng;
    type Tally = Ratio;

    fn tally(&self) -> Ratio {
        Ratio::new()
    }

    fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, square: &mut Ratio) {
        const SAMPLED: f64 = 1.5;
        let x = SAMPLED.sqrt() * normal(rng);
        let energy = 0.5 * x * x;
        let weight = exp(energy / SAMPLED - energy);
        square.record(weight * x * x, weight);
    }
}

/// A thousand runs that differ in their seed: estimates vary by what the jackknife says, within a tenth, are
/// without bias, and 95 % intervals hold the answer in 93 to 97 % of the runs. (A spread seen in a thousand runs is
/// known to 2.2 %, and a share of 95 % to 0.7 %.)
#[test]
fn jackknife_errors_are_what_is_seen_from_seed_to_seed() -> Result<(), croupier::Error> {
    const SEEDS: u64 = 1000;
    let n = SEEDS as f64;
    let (mut sum, mut squares, mut errors, mut covered) = (0.0, 0.0, 0.0, 0);
    for seed in 0..SEEDS {
        let run = Run::new(Oscillator {})
            .samples(64 * 64)
            .block(64)
            .seed(seed)
            .threads(1);
        let estimates = run.run()?.report.estimates;
        let found = estimates
            .iter()
            .find(|estimate| estimate.name == "jackknife");
        let numbers = found.and_then(|one| Some((one.value?, one.std_error?, one.low?, one.high?)));
        let (value, error, low, high) = numbers.expect("a jackknifed estimate");
        sum += value - 1.0;
        squares += (value - 1.0) * (value - 1.0);
        errors += error;
        covered += u32::from((low..=high).contains(&1.0));
    }
    let spread = (squares / n).sqrt();
    let seen = format!(
        "bias {}, spread {spread}, mean error {}, {covered} intervals hold the answer",
        sum / n,
        errors / n
    );
    assert!((errors / n / spread - 1.0).abs() < 0.1, "{seen}");
    assert!((sum / n).abs() < 4.0 * spread / n.sqrt(), "{seen}");
    assert!((930..=970).contains(&covered), "{seen}");
    Ok(())
}

//! The two-dimensional Ising model: a sample is a Markov chain, and its error knows so.

use std::process::ExitCode;

use croupier::prelude::*;

/// Spins on a square lattice that closes on itself, by Metropolis' rule. Each sample is a chain of its own:
/// it begins with all spins up, forgets that, and is then measured once a sweep.
#[derive(Args, Serialize, Deserialize)]
struct Ising {
    /// Spins along a side of the lattice
    #[arg(long, default_value_t = 32)]
    side: usize,
    /// The temperature, in units of the coupling: 2.269 is critical
    #[arg(long, default_value_t = 3.0)]
    temperature: f64,
    /// Sweeps before the first that is measured
    #[arg(long, default_value_t = 200)]
    warm_up: u64,
    /// Sweeps that are measured
    #[arg(long, default_value_t = 1000)]
    sweeps: u64,
}

/// What is measured, per spin.
#[derive(Clone, Tally, Serialize, Deserialize)]
struct Measured {
    energy: Autocorrelated,
    magnetisation: Autocorrelated,
}

struct Lattice {
    side: usize,
    spins: Vec<i32>,
    /// How likely a flip is that costs 4 or 8 units of the coupling.
    accepted: [f64; 2],
}

impl Lattice {
    fn all_up(side: usize, temperature: f64) -> Self {
        Self {
            side,
            spins: vec![1; side * side],
            accepted: [4.0, 8.0].map(|cost| pinned::exp(-cost / temperature)),
        }
    }

    /// Offers each spin a flip, in order.
    fn sweep(&mut self, rng: &mut Stream<ChaCha8Rng>) {
        let side = self.side;
        for row in 0..side {
            let [above, here, below] = [row + side - 1, row, row + 1].map(|row| row % side * side);
            for column in 0..side {
                let left = if column == 0 { side - 1 } else { column - 1 };
                let right = if column + 1 == side { 0 } else { column + 1 };
                let neighbours = self.spins[above + column]
                    + self.spins[below + column]
                    + self.spins[here + left]
                    + self.spins[here + right];
                let spin = &mut self.spins[here + column];
                let is_flipped = match *spin * neighbours {
                    2 => pinned::uniform(rng) < self.accepted[0],
                    4 => pinned::uniform(rng) < self.accepted[1],
                    _ => true,
                };
                if is_flipped {
                    *spin = -*spin;
                }
            }
        }
    }

    /// Each spin with its right and its lower neighbour, per spin.
    fn energy(&self) -> f64 {
        let side = self.side;
        let mut bonds = 0;
        for row in 0..side {
            let [here, below] = [row, (row + 1) % side].map(|row| row * side);
            let mut left = self.spins[here + side - 1];
            for column in 0..side {
                let spin = self.spins[here + column];
                bonds += spin * (left + self.spins[below + column]);
                left = spin;
            }
        }
        -f64::from(bonds) / self.spins.len() as f64
    }

    fn magnetisation(&self) -> f64 {
        let sum: i32 = self.spins.iter().sum();
        f64::from(sum.abs()) / self.spins.len() as f64
    }
}

impl Kernel for Ising {
    type Rng = ChaCha8Rng;
    type Tally = Measured;
    const BLOCK: u64 = 1;

    fn validate(&self) -> Result<(), Failure> {
        if !(3..=4096).contains(&self.side) {
            return Err(Failure::new("side must be from 3 to 4096"));
        }
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return Err(Failure::new("temperature must be above 0"));
        }
        Ok(())
    }

    fn tally(&self) -> Measured {
        Measured {
            energy: Autocorrelated::new(),
            magnetisation: Autocorrelated::new(),
        }
    }

    fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, measured: &mut Measured) {
        let mut lattice = Lattice::all_up(self.side, self.temperature);
        for _ in 0..self.warm_up {
            lattice.sweep(rng);
        }
        let mut energy = measured.energy.chain();
        let mut magnetisation = measured.magnetisation.chain();
        for _ in 0..self.sweeps {
            lattice.sweep(rng);
            energy.record(lattice.energy());
            magnetisation.record(lattice.magnetisation());
        }
    }
}

fn main() -> ExitCode {
    croupier::main::<Ising>()
}

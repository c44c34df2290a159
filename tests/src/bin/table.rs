//! A kernel that is prepared with an input, and whose input fixes what it draws from.

use std::process::ExitCode;

use croupier::prelude::*;

/// Draws rows of a table, and records their values.
#[derive(Args, Serialize, Deserialize)]
struct Table {
    /// What values are multiplied with
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    #[arg(skip)]
    #[serde(skip)]
    rows: Vec<f64>,
}

impl Kernel for Table {
    type Rng = ChaCha8Rng;
    type Tally = Mean;
    const BLOCK: u64 = 64;
    const INPUTS: &'static [&'static str] = &["table"];

    fn prepare(&mut self, inputs: &Inputs) -> Result<(), Failure> {
        for line in std::str::from_utf8(inputs.get("table")?)?.lines() {
            self.rows.push(line.parse()?);
        }
        if self.rows.is_empty() {
            return Err(Failure::new("the table is empty"));
        }
        Ok(())
    }

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, mean: &mut Mean) {
        let row = rng.random_range(0..self.rows.len() as u64);
        mean.record(self.scale * self.rows[row as usize]);
    }
}

fn main() -> ExitCode {
    croupier::main::<Table>()
}

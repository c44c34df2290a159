//! A European option under Black and Scholes: parameters, several outputs, a tally of tallies.

use std::process::ExitCode;

use croupier::pinned::{exp, normal};
use croupier::prelude::*;

/// Prices a European call and put, and the call's delta, by simulating the asset's price at maturity.
#[derive(Args, Serialize, Deserialize)]
struct EuropeanOption {
    /// Today's price of the asset
    #[arg(long, default_value_t = 100.0)]
    spot: f64,
    /// The price agreed on
    #[arg(long, default_value_t = 100.0)]
    strike: f64,
    /// The continuously compounded interest rate, per year
    #[arg(long, default_value_t = 0.05, allow_negative_numbers = true)]
    rate: f64,
    /// The volatility, per square root of a year
    #[arg(long, default_value_t = 0.2)]
    volatility: f64,
    /// Years to maturity
    #[arg(long, default_value_t = 1.0)]
    maturity: f64,
}

/// Discounted payoffs.
#[derive(Clone, Tally, Serialize, Deserialize)]
struct Prices {
    call: Mean,
    put: Mean,
    /// The change of the call's price with the spot, path by path.
    delta: Mean,
}

impl Kernel for EuropeanOption {
    type Rng = ChaCha8Rng;
    type Tally = Prices;

    fn validate(&self) -> Result<(), Failure> {
        for (name, value) in [
            ("spot", self.spot),
            ("strike", self.strike),
            ("volatility", self.volatility),
            ("maturity", self.maturity),
        ] {
            if value <= 0.0 {
                return Err(Failure::new(format!(
                    "{name} is {value}, and must be above 0"
                )));
            }
        }
        Ok(())
    }

    fn tally(&self) -> Prices {
        Prices {
            call: Mean::new(),
            put: Mean::new(),
            delta: Mean::new(),
        }
    }

    fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, prices: &mut Prices) {
        let spread = self.volatility * self.maturity.sqrt();
        let drift = self.rate * self.maturity - 0.5 * spread * spread;
        let growth = exp(drift + spread * normal(rng));
        let discount = exp(-self.rate * self.maturity);
        let end = self.spot * growth;
        prices.call.record(discount * (end - self.strike).max(0.0));
        prices.put.record(discount * (self.strike - end).max(0.0));
        let delta = if end > self.strike {
            discount * growth
        } else {
            0.0
        };
        prices.delta.record(delta);
    }
}

fn main() -> ExitCode {
    croupier::main::<EuropeanOption>()
}

//! An Asian option: a mean made precise by one that is known, the control variate.

use std::process::ExitCode;

use croupier::pinned::{erfc, exp, ln, normal};
use croupier::prelude::*;

/// Prices a call on the arithmetic mean of an asset's prices at equally spaced dates. The call on their geometric
/// mean, which has a closed form (A. G. Z. Kemna and A. C. F. Vorst, 1990), is the control: `variance_reduction`
/// says how many times as many samples would do without.
#[derive(Args, Serialize, Deserialize)]
struct AsianOption {
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
    /// Dates over which prices are averaged, the last at maturity
    #[arg(long, default_value_t = 12)]
    dates: u32,
    /// The price of the call on the geometric mean.
    #[arg(skip)]
    #[serde(skip)]
    geometric: f64,
}

impl AsianOption {
    /// The logarithm of the geometric mean is normal, so this is Black and Scholes' formula.
    fn geometric_call(&self) -> f64 {
        let n = f64::from(self.dates);
        let variance = self.volatility * self.volatility;
        let mean_time = self.maturity * (n + 1.0) / (2.0 * n);
        let mean = ln(self.spot) + (self.rate - 0.5 * variance) * mean_time;
        let spread =
            (variance * self.maturity * (n + 1.0) * (2.0 * n + 1.0) / (6.0 * n * n)).sqrt();
        let d2 = (mean - ln(self.strike)) / spread;
        let forward = exp(mean + 0.5 * spread * spread);
        exp(-self.rate * self.maturity)
            * (forward * normal_cdf(d2 + spread) - self.strike * normal_cdf(d2))
    }
}

fn normal_cdf(x: f64) -> f64 {
    0.5 * erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

impl Kernel for AsianOption {
    type Rng = ChaCha8Rng;
    type Tally = ControlVariate<2>;
    const BLOCK: u64 = 1 << 14;

    fn validate(&self) -> Result<(), Failure> {
        for (name, value) in [
            ("spot", self.spot),
            ("strike", self.strike),
            ("volatility", self.volatility),
            ("maturity", self.maturity),
            ("dates", f64::from(self.dates)),
        ] {
            if value <= 0.0 {
                return Err(Failure::new(format!(
                    "{name} is {value}, and must be above 0"
                )));
            }
        }
        Ok(())
    }

    fn prepare(&mut self, _: &Inputs) -> Result<(), Failure> {
        self.geometric = self.geometric_call();
        Ok(())
    }

    fn tally(&self) -> ControlVariate<2> {
        ControlVariate::new()
    }

    fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, price: &mut ControlVariate<2>) {
        let n = f64::from(self.dates);
        let spread = self.volatility * (self.maturity / n).sqrt();
        let drift = self.rate * self.maturity / n - 0.5 * spread * spread;
        let (mut logarithm, mut logarithms, mut prices) = (0.0, 0.0, 0.0);
        for _ in 0..self.dates {
            logarithm += drift + spread * normal(rng);
            logarithms += logarithm;
            prices += exp(logarithm);
        }
        let discount = exp(-self.rate * self.maturity);
        let call = |mean: f64| discount * (self.spot * mean - self.strike).max(0.0);
        let geometric = call(exp(logarithms / n));
        price.record([call(prices / n), geometric - self.geometric]);
    }
}

fn main() -> ExitCode {
    croupier::main::<AsianOption>()
}

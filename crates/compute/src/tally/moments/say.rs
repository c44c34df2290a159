//! What sums of powers say of a distribution.

use super::super::shape::influence_variances;
use super::Moments;
use crate::interval::{normal_interval_quantile, student_quantile};
use crate::{ENOUGH_SAMPLES, Estimate, Estimates};

/// Of a variation smaller than this, the eighth power is lost below what a float can hold.
const SMALLEST_EIGHTH_POWER: f64 = 1e-290;
/// A kurtosis whose error is more than this share of it was settled by a few values.
const SHARE_OF_KURTOSIS: f64 = 0.25;
/// So many samples, times the square of the skewness, leave Student's interval at 95 % within half a percent of it:
/// P. Hall, "The Bootstrap and Edgeworth Expansion" (1992), section 2.6, has its error as 0.25 skewness^2 / n and less.
/// Measured in `docs/PRECISION.md`.
const SAMPLES_A_SQUARED_SKEWNESS: f64 = 50.0;
/// Where a few values carry a skewness, it is known badly, and more often too small than too large: so many errors are
/// added to it.
const ERRORS_OF_SKEWNESS: f64 = 2.0;

impl Moments {
    /// Of a closed tally.
    pub(super) fn say(&self, estimates: &mut Estimates) {
        match self.count {
            0 => estimates.note("has no samples: nothing can be estimated"),
            1 => estimates.note("has one sample: a variance needs two"),
            _ => {}
        }
        let is_finite = |what: &f64| what.is_finite();
        if self.count > 0 && !(self.mean.is_finite() && self.powers.iter().all(|p| p.is_finite())) {
            estimates.note("has blocks too far apart: the powers of their distances are infinite");
        }
        let variance = self.variance().filter(is_finite);
        estimates.within("mean", |estimates| {
            let std_error = variance.map(|variance| (variance / self.count as f64).sqrt());
            let quantile =
                |_| student_quantile(0.5 + 0.5 * estimates.level(), (self.count - 1) as f64);
            let value = self.mean().filter(is_finite);
            let estimate = about(value, std_error, std_error.map(quantile), self.count);
            estimates.push(estimate);
            self.note_skewness(estimates);
        });
        estimates.within("variance", |estimates| {
            self.say_variance(variance, estimates);
        });
        self.say_shape(estimates);
    }

    /// Says where the mean's interval rests on too few samples for ones so skewed. Fewer than 256 are too few for any.
    fn note_skewness(&self, estimates: &mut Estimates) {
        let shape = self.shape().filter(|_| self.count >= ENOUGH_SAMPLES);
        let Some([skewness, error]) = shape.and_then(|shape| shape.skewness_with_error()) else {
            return;
        };
        let largest = skewness.abs() + ERRORS_OF_SKEWNESS * error;
        let needed = SAMPLES_A_SQUARED_SKEWNESS * largest * largest;
        if (self.count as f64) < needed {
            estimates.note(&format!(
                "has a skewness of {skewness:.1}, give or take {error:.1}: with fewer than about {needed:.0} samples its interval may be too short, and its value off towards where most samples are; draw more --samples"
            ));
        }
    }

    fn say_variance(&self, variance: Option<f64>, estimates: &mut Estimates) {
        let n = self.count as f64;
        let z = normal_interval_quantile(estimates.level());
        let kurtosis = self.shape().map(|shape| shape.kurtosis());
        let std_error = variance.map(|variance| match kurtosis {
            Some(kurtosis) => {
                let [m2, free] = [self.powers[0] / n, (n - 3.0) / (n - 1.0)];
                let fourth = kurtosis * m2 * m2;
                ((fourth - free * variance * variance).max(0.0) / n).sqrt()
            }
            None => 0.0,
        });
        let interval = match (variance, kurtosis) {
            (Some(variance), Some(kurtosis)) if n > z => {
                let small = n / (n - z);
                let spread = (kurtosis - (n - 3.0) / n).max(0.0) / (n - 1.0);
                let half = z * small * spread.sqrt();
                Some([-half, half].map(|half| small * variance * half.exp()))
            }
            (Some(0.0), None) => Some([0.0; 2]),
            _ => None,
        };
        if self.count > 1 && interval.is_none() {
            estimates.note("has too few samples for an interval at this level");
        }
        estimates.push(Estimate {
            value: variance,
            std_error,
            interval,
            samples: self.count,
        });
    }

    fn say_shape(&self, estimates: &mut Estimates) {
        let shape = self.shape();
        let z = normal_interval_quantile(estimates.level());
        let why = match shape {
            Some(_) => None,
            None if self.count < 2 => None,
            None if self.powers[0] == 0.0 => {
                Some("can't be estimated: every sample had the same value")
            }
            None => Some(
                "can't be estimated: the samples vary by too little or too much for eighth powers; record multiples of them",
            ),
        };
        type Of = (&'static str, u64, fn(&Shape) -> Option<[f64; 2]>);
        let moments: [Of; 2] = [
            ("skewness", 3, Shape::skewness_with_error),
            ("excess_kurtosis", 4, Shape::excess_kurtosis_with_error),
        ];
        for (name, needed, of) in moments {
            estimates.within(name, |estimates| {
                let found = shape.as_ref().and_then(of);
                if let Some(why) = why {
                    estimates.note(why);
                } else if found.is_none() && self.count > 1 {
                    estimates.note(&format!("needs {needed} samples"));
                }
                let [value, error] = [found.map(|[value, _]| value), found.map(|[_, error]| error)];
                estimates.push(about(value, error, Some(z), self.count));
            });
        }
        let rough = shape.is_some_and(|shape| {
            shape
                .excess_kurtosis_with_error()
                .is_some_and(|[_, error]| error > SHARE_OF_KURTOSIS * shape.kurtosis())
        });
        if rough {
            estimates.within("excess_kurtosis", |estimates| {
                estimates.note("rests on a few values far out: its error is itself a rough one, and more samples are needed");
            });
        }
    }

    /// The moments of standardised values; none where there is no variation, or none to compute with.
    pub(super) fn shape(&self) -> Option<Shape> {
        let [squares, .., eighth] = self.powers;
        if self.count < 2 || !(SMALLEST_EIGHTH_POWER..f64::INFINITY).contains(&eighth) {
            return None;
        }
        let count = self.count as f64;
        let deviation = (squares / count).sqrt();
        let mut scale = count * deviation * deviation;
        let mut powers = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        for (standardised, power) in powers[2..].iter_mut().zip(self.powers) {
            *standardised = power / scale;
            scale *= deviation;
        }
        Some(Shape { count, powers })
    }
}

/// An estimate with an interval of `quantile` standard errors to both sides.
fn about(
    value: Option<f64>,
    std_error: Option<f64>,
    quantile: Option<f64>,
    samples: u64,
) -> Estimate {
    let half = std_error
        .zip(quantile)
        .map(|(error, quantile)| error * quantile);
    Estimate {
        value,
        std_error,
        interval: value
            .zip(half)
            .map(|(value, half)| [value - half, value + half]),
        samples,
    }
}

/// Means of standardised values' powers, 0 to 8: the third is the skewness and the fourth the
/// kurtosis, both biased.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    count: f64,
    powers: [f64; 9],
}

impl Shape {
    pub(super) fn kurtosis(&self) -> f64 {
        self.powers[4]
    }

    pub(super) fn skewness(&self) -> Option<f64> {
        self.skewness_with_error().map(|[value, _]| value)
    }

    pub(super) fn excess_kurtosis(&self) -> Option<f64> {
        self.excess_kurtosis_with_error().map(|[value, _]| value)
    }

    /// G1 and its error.
    fn skewness_with_error(&self) -> Option<[f64; 2]> {
        let n = self.count;
        let factor = (n * (n - 1.0)).sqrt() / (n - 2.0);
        let [variance, _] = self.variances();
        (n >= 3.0).then(|| [factor * self.powers[3], factor * (variance / n).sqrt()])
    }

    /// G2 and its error.
    fn excess_kurtosis_with_error(&self) -> Option<[f64; 2]> {
        let n = self.count;
        let factor = (n - 1.0) * (n + 1.0) / ((n - 2.0) * (n - 3.0));
        let offset = 6.0 * (n - 1.0) / ((n - 2.0) * (n - 3.0));
        let [_, variance] = self.variances();
        (n >= 4.0).then(|| {
            [
                factor * (self.powers[4] - 3.0) + offset,
                factor * (variance / n).sqrt(),
            ]
        })
    }

    fn variances(&self) -> [f64; 2] {
        influence_variances(self.powers[3], self.powers[4], self.powers)
    }
}

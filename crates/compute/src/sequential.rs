//! Intervals that stay right when the data decide when to stop.
//!
//! An ordinary interval is right at a number of samples that was fixed beforehand. Whoever looks, and
//! goes on until the interval is short enough, stops too often where it is short by luck. A
//! *confidence sequence* is a family of intervals, one for each number of samples, that covers the
//! truth at all of them at once with the probability of its level. So it may be looked at whenever, and
//! the run may be stopped for any reason.
//!
//! | method | assumes | from |
//! |---|---|---|
//! | [`Method::Bounded`] | every sample lies within bounds that are known, the estimate is the samples' mean | Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49 (2021), the two-sided beta-binomial mixture; for [`Support::Between`] mixed with an empirical Bernstein bound, by the inequality of Fan, Grama and Liu, Electronic Journal of Probability 20 (2015) |
//! | [`Method::Asymptotic`] | as many samples as an ordinary interval needs, and a variance | Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences", Annals of Statistics 52 (2024) |
//!
//! Both mix over what the truth could be instead, with a spread that is the error of the first look.
//! That makes them shortest when the run ends at about ten times the first look's samples, and little
//! wider from twice to a thousand times that. In standard errors, at level 0.95, where an ordinary
//! interval has 1.96:
//!
//! | samples over the first look's | 1 | 3 | 10 | 100 | 1000 |
//! |---|---|---|---|---|---|
//! | half-width | 3.66 | 3.14 | 3.04 | 3.27 | 3.59 |

mod bernstein;
mod mixture;
mod target;

use crate::Estimate;
use crate::interval::student_quantile;
use crate::pinned::erfc;
use mixture::Seen;

pub use target::{Look, Target, WrongTarget, next_samples};

/// How an interval was made that holds at any number of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Right for any number of samples, for samples within known bounds.
    Bounded,
    /// Right for many samples.
    Asymptotic,
}

/// What is known of the samples that an estimate is the mean of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Support {
    /// Each lies at one of these ends, or between them and mostly near one.
    Ends([f64; 2]),
    /// Each lies anywhere between these. Shorter than the other where they vary less than they could, and up to a
    /// tenth longer where they don't.
    Between([f64; 2]),
}

impl Support {
    /// What every sample lies between.
    pub fn ends(self) -> [f64; 2] {
        let (Self::Ends(ends) | Self::Between(ends)) = self;
        ends
    }
}

/// The confidence sequence of one run: what it was tuned to before there were data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sequence {
    first_samples: f64,
    level: f64,
}

impl Sequence {
    /// The sequence at confidence `level`, in (0, 1), of a run that is looked at for the first time
    /// after `first_samples` samples.
    pub fn new(first_samples: u64, level: f64) -> Self {
        Self {
            first_samples: first_samples.max(1) as f64,
            level,
        }
    }

    /// The half-width in standard errors at `samples` samples, for [`Method::Asymptotic`].
    ///
    /// The mixture's own is for a standard error that is known. Where it is estimated from few samples,
    /// Student's quantile is taken at the normal's tail, as in an ordinary interval. Infinite for fewer
    /// than two samples.
    pub fn factor(&self, samples: u64) -> f64 {
        if samples < 2 {
            return f64::INFINITY;
        }
        let normal = mixture::normal_factor(samples as f64 / self.first_samples, 1.0 - self.level);
        let tail = 0.5 * erfc(normal / std::f64::consts::SQRT_2);
        student_quantile(1.0 - tail, (samples - 1) as f64)
    }

    /// The interval of `estimate`, and how it was made; none where it can't be.
    ///
    /// `support` is what every sample lies between, where that is known and the estimate is the samples'
    /// mean. Without it nothing is known of an output that has not varied yet.
    pub fn interval(
        &self,
        estimate: &Estimate,
        support: Option<Support>,
    ) -> Option<([f64; 2], Method)> {
        let value = estimate.value?;
        if let Some(support) = support {
            let [low, high] = support.ends();
            if !fits(estimate, [low, high]) {
                return None;
            }
            let width = high - low;
            let seen = Seen {
                samples: estimate.samples as f64,
                share: ((value - low) / width).clamp(0.0, 1.0),
                first: self.first_samples,
            };
            let alpha = 1.0 - self.level;
            let interval = match support {
                Support::Ends(_) => mixture::bounded(seen, alpha),
                Support::Between(_) => {
                    let error = estimate.std_error.unwrap_or(0.0) / width;
                    let squares = error * error * seen.samples * (seen.samples - 1.0);
                    mixture::bounded_by_squares(seen, squares, alpha)
                }
            };
            let interval = interval.map(|share| low + share * width);
            return Some((interval, Method::Bounded));
        }
        let error = estimate.std_error.filter(|error| *error > 0.0)?;
        let half_width = error * self.factor(estimate.samples);
        let interval = [value - half_width, value + half_width];
        (interval.iter().all(|end| end.is_finite())).then_some((interval, Method::Asymptotic))
    }
}

/// Whether a mean and its standard error can be those of samples that all lie within `bounds`: the
/// variance is then at most the product of the mean's distances from both.
pub fn fits(estimate: &Estimate, [low, high]: [f64; 2]) -> bool {
    let Some(value) = estimate.value else {
        return true;
    };
    let samples = estimate.samples as f64;
    let variance = estimate
        .std_error
        .map_or(0.0, |error| error * error * (samples - 1.0));
    let rounding = 1e-9 * (high - low) * (high - low);
    variance <= (value - low) * (high - value) + rounding
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(value: f64, std_error: f64, samples: u64) -> Estimate {
        Estimate {
            value: Some(value),
            std_error: Some(std_error),
            interval: None,
            samples,
        }
    }

    #[test]
    fn the_table_of_half_widths_is_right() {
        let first = 1_000_000;
        let sequence = Sequence::new(first, 0.95);
        for (ratio, hundredths) in [
            (1, 366.0),
            (3, 314.0),
            (10, 304.0),
            (100, 327.0),
            (1000, 359.0),
        ] {
            let found = sequence.factor(first * ratio);
            assert!((100.0 * found - hundredths).abs() < 0.6, "{ratio}: {found}");
        }
    }

    #[test]
    fn few_samples_make_the_factor_wider() {
        let sequence = Sequence::new(8, 0.95);
        assert_eq!(sequence.factor(1), f64::INFINITY);
        let factors: Vec<f64> = [2, 4, 8, 16].map(|n| sequence.factor(n)).into();
        assert!(factors.is_sorted_by(|a, b| a > b), "{factors:?}");
        assert!(factors[2] > 5.0);
    }

    #[test]
    fn an_output_that_has_not_varied_has_no_interval_without_bounds() {
        let sequence = Sequence::new(100, 0.95);
        let never = estimate(0.0, 0.0, 1000);
        assert_eq!(sequence.interval(&never, None), None);
        let (bounded, method) = sequence
            .interval(&never, Some(Support::Ends([0.0, 1.0])))
            .unwrap();
        assert_eq!((bounded[0], method), (0.0, Method::Bounded));
        assert!((0.003..0.02).contains(&bounded[1]), "{bounded:?}");
    }

    #[test]
    fn bounds_scale() {
        let sequence = Sequence::new(1000, 0.95);
        let error = |p: f64, n: f64| (p * (1.0 - p) / (n - 1.0)).sqrt();
        let unit = estimate(0.3, error(0.3, 5000.0), 5000);
        let wide = estimate(-7.0, 10.0 * error(0.3, 5000.0), 5000);
        for support in [Support::Ends, Support::Between] {
            let (unit, _) = sequence.interval(&unit, Some(support([0.0, 1.0]))).unwrap();
            let (wide, _) = sequence
                .interval(&wide, Some(support([-10.0, 0.0])))
                .unwrap();
            for (unit, wide) in unit.iter().zip(wide) {
                assert!((10.0 * unit - 10.0 - wide).abs() < 1e-9);
            }
        }
    }

    /// The table of half-widths in standard errors in `docs/PRECISION.md`: at ten times the first look's samples.
    #[test]
    fn samples_that_vary_little_within_their_bounds_have_shorter_intervals() {
        for (mean, deviation, by_first_look) in [
            (0.5, 0.49, [3.23, 3.24, 3.25, 3.26]),
            (0.5, 0.2887, [4.00, 3.74, 3.70, 3.73]),
            (0.5, 0.1443, [4.61, 4.11, 3.85, 3.77]),
            (0.1, 0.05, [6.99, 4.85, 4.36, 4.03]),
            (0.5, 0.01, [19.58, 7.95, 5.09, 4.42]),
        ] {
            for (first, expected) in [1 << 6, 1 << 10, 1 << 14, 1 << 20]
                .into_iter()
                .zip(by_first_look)
            {
                let samples = 10 * first;
                let error = deviation / (samples as f64).sqrt();
                let seen = estimate(mean, error, samples);
                let half_width = |support: Support| {
                    let interval = Sequence::new(first, 0.95).interval(&seen, Some(support));
                    let ([low, high], _) = interval.unwrap();
                    0.5 * (high - low) / error
                };
                let between = half_width(Support::Between([0.0, 1.0]));
                assert!(
                    (between - expected).abs() < 0.01,
                    "{mean} {deviation} {first}: {between}"
                );
                assert!(between < 1.1 * half_width(Support::Ends([0.0, 1.0])));
            }
        }
    }

    #[test]
    fn bounds_that_samples_must_have_left_are_seen() {
        assert!(!fits(&estimate(1.5, 0.1, 100), [0.0, 1.0]));
        assert!(!fits(&estimate(0.5, 0.1, 100), [0.0, 1.0]), "too wide");
        assert!(fits(&estimate(0.5, 0.05, 100), [0.0, 1.0]));
        let outside = estimate(-0.2, 0.0, 10);
        assert_eq!(
            Sequence::new(10, 0.95).interval(&outside, Some(Support::Between([0.0, 1.0]))),
            None
        );
    }
}

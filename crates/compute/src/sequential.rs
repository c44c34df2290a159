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
//! | [`Method::Bounded`] | every sample lies within bounds that are known, the estimate is the samples' mean | Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49 (2021), the two-sided beta-binomial mixture |
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

mod mixture;
mod target;

use crate::Estimate;
use crate::interval::student_quantile;
use crate::pinned::erfc;

pub use target::{Look, Target, WrongTarget, next_samples};

/// How an interval was made that holds at any number of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Right for any number of samples, for samples within known bounds.
    Bounded,
    /// Right for many samples.
    Asymptotic,
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
    /// `bounds` are what every sample lies between, where that is known and the estimate is the samples'
    /// mean. Without them nothing is known of an output that has not varied yet.
    pub fn interval(
        &self,
        estimate: &Estimate,
        bounds: Option<[f64; 2]>,
    ) -> Option<([f64; 2], Method)> {
        let value = estimate.value?;
        if let Some([low, high]) = bounds {
            if !fits(estimate, [low, high]) {
                return None;
            }
            let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
            let samples = estimate.samples as f64;
            let interval = mixture::bounded(samples, share, self.first_samples, 1.0 - self.level)
                .map(|share| low + share * (high - low));
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
        let (bounded, method) = sequence.interval(&never, Some([0.0, 1.0])).unwrap();
        assert_eq!((bounded[0], method), (0.0, Method::Bounded));
        assert!((0.003..0.02).contains(&bounded[1]), "{bounded:?}");
    }

    #[test]
    fn bounds_scale() {
        let sequence = Sequence::new(1000, 0.95);
        let error = |p: f64, n: f64| (p * (1.0 - p) / (n - 1.0)).sqrt();
        let unit = estimate(0.3, error(0.3, 5000.0), 5000);
        let wide = estimate(-7.0, 10.0 * error(0.3, 5000.0), 5000);
        let (unit, _) = sequence.interval(&unit, Some([0.0, 1.0])).unwrap();
        let (wide, _) = sequence.interval(&wide, Some([-10.0, 0.0])).unwrap();
        for (unit, wide) in unit.iter().zip(wide) {
            assert!((10.0 * unit - 10.0 - wide).abs() < 1e-9);
        }
    }

    #[test]
    fn bounds_that_samples_must_have_left_are_seen() {
        assert!(!fits(&estimate(1.5, 0.1, 100), [0.0, 1.0]));
        assert!(!fits(&estimate(0.5, 0.1, 100), [0.0, 1.0]), "too wide");
        assert!(fits(&estimate(0.5, 0.05, 100), [0.0, 1.0]));
        let outside = estimate(-0.2, 0.0, 10);
        assert_eq!(
            Sequence::new(10, 0.95).interval(&outside, Some([0.0, 1.0])),
            None
        );
    }
}

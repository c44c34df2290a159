//! How long batches must be to be independent, and what the variance of their means says then.

use crate::Mean;

/// At the first length of batches that is long enough.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plateau {
    /// The integrated autocorrelation time.
    pub(super) time: f64,
    /// The standard error of the mean of all values.
    pub(super) std_error: f64,
    /// How many batches there are.
    pub(super) batches: u64,
}

/// Below so few batches a variance is too rough to choose by.
const FEWEST_BATCHES: u64 = 8;

impl Plateau {
    /// From the means of batches of 2^k values, for each k. None where no batches are long enough and
    /// many enough, or the values don't vary.
    pub(super) fn of(levels: &[Mean]) -> Option<Self> {
        let values = levels.first()?;
        let [count, variance] = [values.count() as f64, values.variance()?];
        if variance.is_nan() || variance <= 0.0 {
            return None;
        }
        let mut length = 1.0;
        for level in levels {
            if level.count() < FEWEST_BATCHES {
                return None;
            }
            let time = length * level.variance()? / variance;
            if length * length * length > 2.0 * count * time * time {
                return Some(Self {
                    time,
                    std_error: (time * variance / count).sqrt(),
                    batches: level.count(),
                });
            }
            length *= 2.0;
        }
        None
    }

    /// The standard error of the time over the time, by that of a variance of normal values.
    pub(super) fn relative_error(&self) -> f64 {
        (2.0 / (self.batches - 1) as f64).sqrt()
    }
}

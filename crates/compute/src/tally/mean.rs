//! Mean, variance and standard error of one output.

use serde::{Deserialize, Serialize};

use crate::interval::student_quantile;
use crate::{Estimate, Estimates, NotFinite, Tally};

/// Count, mean and variance of recorded values, and the mean's standard error.
///
/// Inside a block it keeps plain sums of distances from the block's first value, and of their
/// squares: about as fast as one plain sum, and without the cancellation of sums about zero. At the
/// block's end they become moments, which merge by T. F. Chan, G. H. Golub and R. J. LeVeque,
/// "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances" (1979).
///
/// The interval is Student's t: right for any number of normal values, and for many values of any
/// distribution with a variance.
///
/// # Example
///
/// ```
/// use croupier_compute::{Mean, Tally};
///
/// let mut mean = Mean::new();
/// for x in [2.0, 4.0, 9.0] {
///     mean.record(x);
/// }
/// mean.end_block().unwrap();
/// assert_eq!(mean.mean(), Some(5.0));
/// assert_eq!(mean.variance(), Some(13.0));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    count: u64,
    mean: f64,
    /// The sum of squared distances from the mean.
    squares: f64,
    #[serde(skip)]
    open: Open,
}

/// The block being recorded: sums about its first value.
#[derive(Clone, Debug, Default, PartialEq)]
struct Open {
    count: u64,
    centre: f64,
    sum: f64,
    sum_of_squares: f64,
}

impl Mean {
    /// Nothing recorded yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records one value.
    #[inline]
    pub fn record(&mut self, value: f64) {
        if self.open.count == 0 {
            self.open.centre = value;
        }
        let distance = value - self.open.centre;
        self.open.count += 1;
        self.open.sum += distance;
        self.open.sum_of_squares += distance * distance;
    }

    /// How many values the closed blocks have.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean; none of no values.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then_some(self.mean)
    }

    /// The unbiased sample variance; none of fewer than two values.
    pub fn variance(&self) -> Option<f64> {
        (self.count > 1).then(|| self.squares / (self.count - 1) as f64)
    }

    /// The mean's standard error: sqrt(variance / count); none of fewer than two values.
    pub fn std_error(&self) -> Option<f64> {
        self.variance()
            .map(|variance| (variance / self.count as f64).sqrt())
    }
}

impl Tally for Mean {
    fn merge(&mut self, right: Self) {
        if right.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = right;
            return;
        }
        let count = self.count + right.count;
        let distance = right.mean - self.mean;
        let share = right.count as f64 / count as f64;
        self.mean += distance * share;
        self.squares += right.squares + distance * distance * (self.count as f64 * share);
        self.count = count;
    }

    fn end_block(&mut self) -> Result<(), NotFinite> {
        let open = std::mem::take(&mut self.open);
        if open.count == 0 {
            return Ok(());
        }
        let count = open.count as f64;
        let shift = open.sum / count;
        let block = Self {
            count: open.count,
            mean: open.centre + shift,
            // Rounding may leave a tiny negative where all values are almost equal.
            squares: (open.sum_of_squares - open.sum * shift).max(0.0),
            open: Open::default(),
        };
        if !open.sum_of_squares.is_finite() || !block.mean.is_finite() {
            let what = if open.sum_of_squares.is_nan() {
                "NaN"
            } else {
                "an infinity"
            };
            return Err(NotFinite::new(what));
        }
        self.merge(block);
        Ok(())
    }

    fn estimates(&self, estimates: &mut Estimates) {
        let std_error = self.std_error();
        let level = estimates.level();
        let half_width = std_error.map(|std_error| {
            std_error * student_quantile(0.5 + 0.5 * level, (self.count - 1) as f64)
        });
        match self.count {
            0 => estimates.note("has no samples: nothing can be estimated"),
            1 => estimates.note("has one sample: a variance needs two"),
            _ => {}
        }
        estimates.push(Estimate {
            value: self.mean(),
            std_error,
            interval: self
                .mean()
                .zip(half_width)
                .map(|(mean, half)| [mean - half, mean + half]),
            samples: self.count,
        });
    }
}

//! Mean, variance and standard error of one output.

use serde::{Deserialize, Serialize};

use super::centre::Centre;
use crate::interval::student_quantile;
use crate::{Estimate, Estimates, NotFinite, Tally};

/// Count, mean and variance of recorded values, and the mean's standard error.
///
/// Inside a block it keeps plain sums of distances from the block's first value, and of their
/// squares: about as fast as one plain sum. At the block's end they become moments, which merge by
/// T. F. Chan, G. H. Golub and R. J. LeVeque, "Updating Formulae and a Pairwise Algorithm for
/// Computing Sample Variances" (1979). The mean is kept in two parts, so that the distance between two
/// blocks' means is right to its own last digits, and not only to those of the means.
///
/// An offset common to all values costs no digits, through any number of blocks. A first value that lies far out costs few: being
/// one of the block's n values it has its share in their variance, so the squares about it are at most
/// n + 1 times those about the mean, whatever the values. (And sums are put aside every 1,024 values,
/// so that their rounding grows with n / 1,024.) The relative error of a block's variance, for values
/// that vary alike, and for a first value so far out that it is all of the variance, is at most about
///
/// | n | alike | first far out |
/// |---|---|---|
/// | 2^10 | 1e-14 | 5e-10 |
/// | 2^16 | 1e-14 | 3e-8 |
/// | 2^24 | 1e-13 | 1e-5 |
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
    /// What `mean` lacks.
    mean_rest: f64,
    /// The sum of squared distances from the mean.
    squares: f64,
    #[serde(skip)]
    open: Open,
}

/// How many values are summed before their sums are put aside: a power of two.
const STRETCH: u64 = 1024;

/// The block being recorded: sums about its first value.
#[derive(Clone, Debug, Default, PartialEq)]
struct Open {
    count: u64,
    centre: f64,
    sum: f64,
    sum_of_squares: f64,
    /// Both sums over the stretches before this one.
    earlier: [f64; 2],
}

impl Mean {
    /// Nothing recorded yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records one value.
    #[inline]
    pub fn record(&mut self, value: f64) {
        if self.open.count.is_multiple_of(STRETCH) {
            self.open.begin_stretch(value);
        }
        let distance = value - self.open.centre;
        self.open.count += 1;
        self.open.sum += distance;
        self.open.sum_of_squares += distance * distance;
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.count + self.open.count
    }

    /// The mean; none of no values.
    pub fn mean(&self) -> Option<f64> {
        let closed = self.closed();
        (closed.count > 0).then_some(closed.mean)
    }

    /// The unbiased sample variance; none of fewer than two values.
    pub fn variance(&self) -> Option<f64> {
        let closed = self.closed();
        (closed.count > 1).then(|| closed.squares / (closed.count - 1) as f64)
    }

    /// The mean's standard error: sqrt(variance / count); none of fewer than two values.
    pub fn std_error(&self) -> Option<f64> {
        self.variance()
            .map(|variance| (variance / self.count() as f64).sqrt())
    }

    fn closed(&self) -> Self {
        let mut closed = self.clone();
        closed.close();
        closed
    }

    /// Turns the open block's sums into moments.
    fn close(&mut self) {
        let mut open = std::mem::take(&mut self.open);
        open.sum += open.earlier[0];
        open.sum_of_squares += open.earlier[1];
        if open.count == 0 {
            return;
        }
        let shift = open.sum / open.count as f64;
        let squares = open.sum_of_squares - open.sum * shift;
        self.add_moments(
            open.count,
            Centre::at(open.centre).moved_by(shift),
            // Rounding may leave a tiny negative where all values are almost equal. (`max` would
            // also hide a NaN.)
            if squares < 0.0 { 0.0 } else { squares },
        );
    }

    fn add_moments(&mut self, right_count: u64, right_mean: Centre, right_squares: f64) {
        if right_count == 0 {
            return;
        }
        if self.count == 0 {
            self.count = right_count;
            self.set_centre(right_mean);
            self.squares = right_squares;
            return;
        }
        let count = self.count + right_count;
        let centre = self.centre();
        let distance = centre.distance_to(right_mean);
        let share = right_count as f64 / count as f64;
        self.set_centre(centre.moved_by(distance * share));
        self.squares += right_squares + distance * distance * (self.count as f64 * share);
        self.count = count;
    }

    fn centre(&self) -> Centre {
        Centre {
            value: self.mean,
            rest: self.mean_rest,
        }
    }

    fn set_centre(&mut self, centre: Centre) {
        (self.mean, self.mean_rest) = (centre.value, centre.rest);
    }
}

impl Open {
    /// Puts the sums aside. Inline and free of calls, so that a loop around `record` keeps them in
    /// registers.
    #[inline(always)]
    fn begin_stretch(&mut self, value: f64) {
        if self.count == 0 {
            self.centre = value;
        }
        self.earlier[0] += self.sum;
        self.earlier[1] += self.sum_of_squares;
        self.sum = 0.0;
        self.sum_of_squares = 0.0;
    }

    fn not_finite(&self) -> Option<&'static str> {
        if self.centre.is_nan() || self.centre.is_finite() && self.sum_of_squares.is_nan() {
            Some("NaN")
        } else if self.centre.is_infinite() {
            Some("an infinity")
        } else if self.sum_of_squares.is_infinite() {
            Some("an infinity, or values whose distance is too large to be squared")
        } else {
            None
        }
    }
}

impl Tally for Mean {
    fn merge(&mut self, mut right: Self) {
        self.close();
        right.close();
        self.add_moments(right.count, right.centre(), right.squares);
    }

    fn end_block(&mut self) -> Result<(), NotFinite> {
        let refused = self.open.not_finite();
        self.close();
        match refused {
            Some(what) => Err(NotFinite::new(what)),
            None if self.mean.is_finite() && self.squares.is_finite() => Ok(()),
            None => Err(NotFinite::new("sums that are NaN or infinite")),
        }
    }

    fn estimates(&self, estimates: &mut Estimates) {
        let count = self.count();
        match count {
            0 => estimates.note("has no samples: nothing can be estimated"),
            1 => estimates.note("has one sample: a variance needs two"),
            _ => {}
        }
        let finite = |what: Option<f64>| what.filter(|value| value.is_finite());
        let [mean, std_error] = [self.mean(), self.std_error()].map(finite);
        if mean.is_none() && self.mean().is_some() || std_error.is_none() && count > 1 {
            estimates.note("has blocks too far apart: the squares of their distances are infinite");
        }
        if count > 1 && std_error == Some(0.0) {
            estimates.note(
                "had the same value in every sample: its standard error is 0, which is right only if no sample can have another",
            );
        }
        let interval = mean.zip(std_error).map(|(mean, std_error)| {
            let quantile = student_quantile(0.5 + 0.5 * estimates.level(), (count - 1) as f64);
            [mean - std_error * quantile, mean + std_error * quantile]
        });
        estimates.push(Estimate {
            value: mean,
            std_error,
            interval,
            samples: count,
        });
    }
}

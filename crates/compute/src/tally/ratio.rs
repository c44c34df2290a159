//! The ratio of two means.

use serde::{Deserialize, Serialize};

use super::jackknife::{Groups, check_begun, estimate_of, note_what_is_missing};
use crate::interval::student_quantile;
use crate::{Covariance, Estimate, Estimates, Jackknifed, Misfit, NotFinite, Tally};

/// A denominator fewer of its standard errors from zero than this makes a ratio of which neither error
/// means much.
const LEAST_ERRORS_FROM_ZERO: f64 = 5.0;

/// The mean of one output over the mean of another, of the same samples.
///
/// Two estimates are listed. The ratio itself has the error of the delta method,
/// sqrt((c_yy - 2 r c_xy + r^2 c_xx) / n) / |x|, and Student's t interval; its bias is O(1 / n). `jackknife`
/// is the ratio less the bias that the 64 groups of blocks show, with their error: see
/// [`Jackknife`](crate::Jackknife), and how many blocks that needs. Where the two errors differ by more
/// than a quarter, the delta method has too few samples, or samples depend on others in their block.
///
/// # Example
///
/// ```
/// use croupier_compute::{Ratio, Tally};
///
/// let mut ratio = Ratio::new();
/// ratio.begin_block(0);
/// for (numerator, denominator) in [(1.0, 2.0), (3.0, 5.0), (5.0, 8.0)] {
///     ratio.record(numerator, denominator);
/// }
/// ratio.end_block().unwrap();
/// assert!((ratio.ratio().unwrap() - 0.6).abs() < 1e-15);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    both: Covariance<2>,
    groups: Groups<2>,
    #[serde(skip)]
    open: Open,
}

/// The block being recorded.
#[derive(Clone, Debug, Default, PartialEq)]
struct Open {
    block: Option<u64>,
    both: Covariance<2>,
}

impl Default for Ratio {
    fn default() -> Self {
        Self::new()
    }
}

impl Ratio {
    /// Nothing recorded yet.
    pub fn new() -> Self {
        Self {
            both: Covariance::new(),
            groups: Groups::new(),
            open: Open::default(),
        }
    }

    /// Records what one sample adds to the numerator and to the denominator.
    #[inline]
    pub fn record(&mut self, numerator: f64, denominator: f64) {
        self.open.both.record([numerator, denominator]);
    }

    /// How many samples were recorded.
    pub fn count(&self) -> u64 {
        self.both.count() + self.open.both.count()
    }

    /// The ratio of the means; none of no samples, or where the denominator is zero.
    pub fn ratio(&self) -> Option<f64> {
        let [numerator, denominator] = self.closed().both.means()?;
        (denominator != 0.0).then(|| numerator / denominator)
    }

    /// The delta method's standard error; none of fewer than two samples, or where the denominator is
    /// zero.
    pub fn std_error(&self) -> Option<f64> {
        let closed = self.closed();
        let ratio = closed.ratio()?;
        let [_, denominator] = closed.both.means()?;
        let covariance = |i, j| closed.both.covariance(i, j);
        let [yy, xy, xx] = [covariance(0, 0)?, covariance(0, 1)?, covariance(1, 1)?];
        let square = yy - ratio * (2.0 * xy - ratio * xx);
        // Rounding may leave a tiny negative where the two are in one proportion.
        let square = if square < 0.0 { 0.0 } else { square };
        Some((square / closed.count() as f64).sqrt() / denominator.abs())
    }

    /// The jackknife's; none of no samples.
    pub fn jackknife(&self) -> Option<Jackknifed> {
        self.closed().groups.estimate(|[y, x]| y / x)
    }

    fn closed(&self) -> Self {
        let mut closed = self.clone();
        closed.close();
        closed
    }

    fn close(&mut self) {
        let open = std::mem::take(&mut self.open);
        if let Some(means) = open.both.means() {
            self.groups
                .add(open.block.unwrap_or(0), open.both.count(), means);
            self.both.merge(open.both);
        }
    }

    /// How many of its standard errors the denominator is away from zero.
    fn errors_from_zero(&self) -> Option<f64> {
        let [_, denominator] = self.both.means()?;
        let error = (self.both.covariance(1, 1)? / self.count() as f64).sqrt();
        Some(denominator.abs() / error)
    }
}

impl Tally for Ratio {
    fn begin_block(&mut self, block: u64) {
        self.open.block = Some(block);
    }

    fn merge(&mut self, mut right: Self) {
        self.close();
        right.close();
        self.both.merge(right.both);
        self.groups.merge(right.groups);
    }

    fn end_block(&mut self) -> Result<(), NotFinite> {
        let is_begun = self.open.block.is_some() || self.open.both.count() == 0;
        self.close();
        check_begun(is_begun)?;
        self.both.end_block()?;
        self.groups.check_finite()
    }

    fn fits(&self, right: &Self) -> Result<(), Misfit> {
        right.groups.check_whole()?;
        let [all, in_groups] = [right.both.count(), right.groups.count()];
        if all == in_groups {
            Ok(())
        } else {
            Err(Misfit::new(format!(
                "a damaged ratio: {all} samples, and {in_groups} of them in groups"
            )))
        }
    }

    fn estimates(&self, estimates: &mut Estimates) {
        let closed = self.closed();
        let samples = closed.count();
        let finite = |what: Option<f64>| what.filter(|what| what.is_finite());
        let [ratio, std_error] = [closed.ratio(), closed.std_error()].map(finite);
        match samples {
            0 => estimates.note("has no samples: nothing can be estimated"),
            1 => estimates.note("has one sample: a variance needs two"),
            _ if closed.ratio().is_none() => {
                estimates.note("has a denominator whose mean is zero");
            }
            _ if ratio.is_none() || std_error.is_none() => {
                estimates.note(
                    "has blocks too far apart, or a denominator too near to zero, to be divided",
                );
            }
            _ if closed
                .errors_from_zero()
                .is_some_and(|errors| errors < LEAST_ERRORS_FROM_ZERO) =>
            {
                estimates.note(&format!(
                    "has a denominator that is less than {LEAST_ERRORS_FROM_ZERO} of its standard errors from zero: neither the ratio nor its errors can be trusted"
                ));
            }
            _ => {}
        }
        let half = std_error.map(|error| {
            error * student_quantile(0.5 + 0.5 * estimates.level(), (samples - 1) as f64)
        });
        estimates.push(Estimate {
            value: ratio,
            std_error,
            interval: ratio
                .zip(half)
                .map(|(ratio, half)| [ratio - half, ratio + half]),
            samples,
        });
        estimates.within("jackknife", |estimates| {
            let found = closed.jackknife();
            note_what_is_missing(found, estimates);
            let value = found.map(|it| it.bias_corrected);
            estimates.push(estimate_of(found, value, estimates.level()));
        });
    }
}

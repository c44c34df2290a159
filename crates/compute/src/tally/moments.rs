//! Mean, variance, skewness and kurtosis of one output.

mod say;

use serde::{Deserialize, Serialize};

use super::centre::{Centre, shifted, stretch_after};
use crate::{Estimates, NotFinite, Tally};

/// Mean, variance, skewness and excess kurtosis of recorded values, each with its standard error.
///
/// Errors of the higher moments rest on moments higher still: that of the kurtosis on the eighth. So
/// sums of powers to the eighth are kept. That makes the errors right for any distribution with that
/// many moments, where the usual tables hold for normal values only, and limits what can be recorded:
/// distances between values up to 1e38, and no variation below 1e-36 where skewness and kurtosis are
/// wanted. ([`Mean`](crate::Mean) has no such limits.)
///
/// Values are summed about a centre near their mean, 1,024 at a time, and merged by P. Pébay,
/// "Formulas for Robust, One-Pass Parallel Computation of Covariances and Arbitrary-Order
/// Statistical Moments", SAND2008-6212 (2008). The mean is kept in two parts, so an offset common to all values
/// costs only the digits that the values themselves lack. The relative error of the variance, and the
/// error of skewness and kurtosis relative to themselves or to 1, whichever is larger, is at most about
///
/// | block of | values that vary alike | first value far out |
/// |---|---|---|
/// | 2^10 | 1e-14 | 2e-14 |
/// | 2^16 | 1e-14 | 2e-14 |
/// | 2^20 | 1e-14 | 2e-14 |
///
/// Estimates are named `mean`, `variance`, `skewness` and `excess_kurtosis`:
///
/// - the mean's interval is Student's t;
/// - the variance is the unbiased one; its error is that of any distribution with four moments,
///   sqrt((m4 - (n - 3) / (n - 1) s^4) / n), and its interval D. G. Bonett's, "Approximate confidence
///   interval for standard deviation of nonnormal distributions", Computational Statistics & Data
///   Analysis 50 (2006), 775-782, with the kurtosis about the mean;
/// - skewness and excess kurtosis are those without bias for normal values (G1 and G2 in D. N. Joanes
///   and C. A. Gill, "Comparing measures of sample skewness and kurtosis", The Statistician 47 (1998),
///   183-189), their errors are the delta method's, and their intervals normal: both need thousands of
///   samples, and more where tails are heavy.
///
/// # Example
///
/// ```
/// use croupier_compute::{Moments, Tally};
///
/// let mut moments = Moments::new();
/// for x in [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0] {
///     moments.record(x);
/// }
/// moments.end_block().unwrap();
/// assert_eq!(moments.mean(), Some(5.0));
/// assert_eq!(moments.variance(), Some(32.0 / 7.0));
/// assert!((moments.skewness().unwrap() - 0.818_487_553_356).abs() < 1e-12);
/// assert!((moments.excess_kurtosis().unwrap() - 0.940_625).abs() < 1e-12);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    count: u64,
    mean: f64,
    /// What `mean` lacks.
    mean_rest: f64,
    /// Sums of distances from the mean to the powers 2 to 8.
    powers: [f64; 7],
    #[serde(skip)]
    open: Open,
}

/// The stretch being recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Open {
    count: u64,
    /// How many values it is to have.
    length: u64,
    centre: Centre,
    /// Sums of distances from the centre to the powers 1 to 8.
    sums: [f64; 8],
}

impl Moments {
    /// Nothing recorded yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records one value.
    #[inline]
    pub fn record(&mut self, value: f64) {
        if self.open.count == self.open.length {
            self.begin_stretch(value);
        }
        let d = self.open.centre.distance_of(value);
        let [d2, d3] = [d * d, d * d * d];
        let d4 = d2 * d2;
        let powers = [d, d2, d3, d4, d4 * d, d4 * d2, d4 * d3, d4 * d4];
        self.open.count += 1;
        for (sum, power) in self.open.sums.iter_mut().zip(powers) {
            *sum += power;
        }
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
        (closed.count > 1).then(|| closed.powers[0] / (closed.count - 1) as f64)
    }

    /// The skewness, unbiased for normal values; none of fewer than three values or where all are equal.
    pub fn skewness(&self) -> Option<f64> {
        self.closed().shape().and_then(|shape| shape.skewness())
    }

    /// The kurtosis less 3, unbiased for normal values; none of fewer than four values or where all
    /// are equal.
    pub fn excess_kurtosis(&self) -> Option<f64> {
        self.closed()
            .shape()
            .and_then(|shape| shape.excess_kurtosis())
    }

    /// Inline up to the merge, which takes and gives values: a loop around `record` keeps the sums in
    /// registers.
    #[inline(always)]
    fn begin_stretch(&mut self, value: f64) {
        let merged = merged(self.parts(), about_own_mean(self.open));
        self.set(merged);
        let centre = if merged.count == 0 {
            Centre::at(value)
        } else {
            merged.mean
        };
        self.open = Open {
            count: 0,
            length: stretch_after(merged.count),
            centre,
            sums: [0.0; 8],
        };
    }

    fn closed(&self) -> Self {
        let mut closed = self.clone();
        closed.close();
        closed
    }

    fn close(&mut self) {
        if self.open.length == 0 {
            return;
        }
        let open = std::mem::take(&mut self.open);
        self.set(merged(self.parts(), about_own_mean(open)));
    }

    #[inline(always)]
    fn parts(&self) -> Parts {
        Parts {
            count: self.count,
            mean: Centre {
                value: self.mean,
                rest: self.mean_rest,
            },
            powers: self.powers,
        }
    }

    #[inline(always)]
    fn set(&mut self, parts: Parts) {
        self.count = parts.count;
        self.mean = parts.mean.value;
        self.mean_rest = parts.mean.rest;
        self.powers = parts.powers;
    }
}

/// What merges: sums of powers about the mean.
#[derive(Clone, Copy)]
struct Parts {
    count: u64,
    mean: Centre,
    powers: [f64; 7],
}

impl Parts {
    /// About where the mean is after it has moved by -`by`.
    fn shifted(&self, by: f64) -> [f64; 9] {
        let [p2, p3, p4, p5, p6, p7, p8] = self.powers;
        shifted([self.count as f64, 0.0, p2, p3, p4, p5, p6, p7, p8], by)
    }
}

fn about_own_mean(open: Open) -> Parts {
    if open.count == 0 {
        return Parts {
            count: 0,
            mean: Centre::default(),
            powers: [0.0; 7],
        };
    }
    let count = open.count as f64;
    let shift = open.sums[0] / count;
    let [s1, s2, s3, s4, s5, s6, s7, s8] = open.sums;
    let sums = shifted([count, s1, s2, s3, s4, s5, s6, s7, s8], -shift);
    let [_, _, mut powers @ ..] = sums;
    // Rounding may leave a tiny negative where all values are almost equal.
    for even in powers.iter_mut().step_by(2) {
        if *even < 0.0 {
            *even = 0.0;
        }
    }
    Parts {
        count: open.count,
        mean: open.centre.moved_by(shift),
        powers,
    }
}

#[inline(never)]
fn merged(left: Parts, right: Parts) -> Parts {
    if right.count == 0 {
        return left;
    }
    if left.count == 0 {
        return right;
    }
    let count = left.count + right.count;
    let distance = left.mean.distance_to(right.mean);
    let share = right.count as f64 / count as f64;
    // The mean moves towards the right, so the left's values lie further to the left of it.
    let by = distance * share;
    let [_, _, mut powers @ ..] = left.shifted(-by);
    let [_, _, others @ ..] = right.shifted(distance - by);
    for (power, other) in powers.iter_mut().zip(others) {
        *power += other;
    }
    Parts {
        count,
        mean: left.mean.moved_by(by),
        powers,
    }
}

impl Tally for Moments {
    fn merge(&mut self, mut right: Self) {
        self.close();
        right.close();
        self.set(merged(self.parts(), right.parts()));
    }

    fn end_block(&mut self) -> Result<(), NotFinite> {
        self.close();
        let is_finite = self.mean.is_finite() && self.powers.iter().all(|power| power.is_finite());
        if is_finite {
            Ok(())
        } else {
            Err(NotFinite::new(if self.mean.is_finite() {
                "values whose distance is too large for its eighth power"
            } else {
                "NaN or an infinity"
            }))
        }
    }

    fn estimates(&self, estimates: &mut Estimates) {
        self.closed().say(estimates);
    }
}

//! The values that given shares of all samples lie below.

mod buckets;
mod ranks;

use serde::{Deserialize, Serialize};

use crate::{Estimate, Estimates, Misfit, NotFinite, Tally};

use buckets::Windows;

pub use buckets::Resolution;

/// Quantiles of recorded values, by counting them in buckets of constant relative width.
///
/// A value's bucket is its sign, its exponent and the upper bits of its mantissa, so finding it takes
/// no logarithm, and counts are integers: merged quantiles are the same in any order. Values of any
/// size have their bucket, negative ones too; what is nearer to zero than the smallest normal double
/// divided by the buckets of an octave, about 10^-310, counts as zero.
///
/// | resolution | buckets an octave | largest relative error of a value |
/// |---|---|---|
/// | [`Coarse`](Resolution::Coarse) | 2^5 | 1.6 % |
/// | [`Medium`](Resolution::Medium), the default | 2^7 | 0.39 % |
/// | [`Fine`](Resolution::Fine) | 2^10 | 0.049 % |
///
/// (Below 2.2e-308, among the subnormals, the absolute error is at most that of the smallest normal value.)
///
/// The q-quantile of n values is the ceil(n q)-th smallest, given as the middle of its bucket. Its
/// interval holds for any distribution, continuous or not: it reaches from the lower end of the bucket of
/// one order statistic to the upper end of that of another, whose ranks enclose the binomial
/// distribution's (H. A. David and H. N. Nagaraja, "Order Statistics", 3rd edition (2003), section 7.1).
/// The standard error is half the distance between the quantiles at q -+ sqrt(q (1 - q) / n), to the outer
/// ends of their buckets (R. S. Woodruff, "Confidence Intervals for Medians and Other Position
/// Measures", JASA 47 (1952), 635-646); so neither is ever smaller than what the buckets can tell apart.
/// Where q is so far in the tail that an order statistic there would be beyond the data, there is none.
///
/// Memory: 12 bytes for each bucket that holds something, in a file too. While a block is recorded, 8 bytes
/// for each bucket of each octave between the smallest and the largest size seen, of either sign: 2.5,
/// 10 or 80 KiB for sizes within a factor of a thousand, and at most 512 KiB. Sizes so far apart that this
/// would not hold them (by more than 2^2047, 2^512 and 2^64) are counted one by one, some 30 bytes for each
/// bucket, at some 50 ns a value.
///
/// # Example
///
/// ```
/// use croupier_compute::{Quantiles, Tally};
///
/// let mut times = Quantiles::new([0.5, 0.99]);
/// for x in 1..=1000 {
///     times.record(f64::from(x));
/// }
/// times.end_block().unwrap();
/// let median = times.quantile(0.5).unwrap();
/// assert!((median / 500.0 - 1.0).abs() < 0.004);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    resolution: Resolution,
    /// Those among the estimates.
    listed: Vec<f64>,
    /// The buckets that hold something, ascending, and how many values each holds.
    buckets: Vec<i32>,
    counts: Vec<u64>,
    #[serde(skip)]
    open: Windows,
}

/// Shares that no quantile has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a quantile at {0}, expected shares in ascending order between 0 and 1")]
pub struct QuantilesError(String);

impl Quantiles {
    /// Nothing recorded yet. The result lists the quantiles at the shares `listed`, such as 0.5 for
    /// the median, under the names `q0.5` and so on; any others can be asked for later.
    ///
    /// # Panics
    ///
    /// Where [`try_new`](Self::try_new) refuses.
    pub fn new(listed: impl Into<Vec<f64>>) -> Self {
        match Self::try_new(listed) {
            Ok(quantiles) => quantiles,
            Err(error) => panic!("{error}"),
        }
    }

    /// As [`new`](Self::new).
    ///
    /// # Errors
    ///
    /// Where shares don't ascend, or do not lie between 0 and 1.
    pub fn try_new(listed: impl Into<Vec<f64>>) -> Result<Self, QuantilesError> {
        let listed = listed.into();
        check_shares(&listed)?;
        Ok(Self {
            resolution: Resolution::Medium,
            listed,
            buckets: Vec::new(),
            counts: Vec::new(),
            open: Windows::default(),
        })
    }

    /// The same with other buckets, and nothing recorded.
    #[must_use]
    pub fn with_resolution(self, resolution: Resolution) -> Self {
        Self {
            resolution,
            buckets: Vec::new(),
            counts: Vec::new(),
            open: Windows::default(),
            ..self
        }
    }

    /// Records one value.
    #[inline]
    pub fn record(&mut self, value: f64) {
        self.open.record(value, self.resolution);
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.open.count()
    }

    /// The value that a share `q` of all values does not exceed, to the resolution; none of no
    /// values, and where `q` is not from 0 to 1.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        self.closed().estimate(q, 0.5).value
    }

    /// The interval in which the `q`-quantile of the distribution lies with confidence `level`; none
    /// where there are too few values for it.
    pub fn interval(&self, q: f64, level: f64) -> Option<[f64; 2]> {
        self.closed().estimate(q, level).interval
    }

    fn closed(&self) -> Self {
        let mut closed = self.clone();
        closed.close();
        closed
    }

    /// Adds what is open to the sorted lists.
    fn close(&mut self) {
        let (buckets, counts) = self.open.take();
        self.add(buckets, counts);
    }

    /// Adds lists that ascend too.
    fn add(&mut self, buckets: Vec<i32>, counts: Vec<u64>) {
        if self.buckets.is_empty() {
            (self.buckets, self.counts) = (buckets, counts);
            return;
        }
        if buckets.is_empty() {
            return;
        }
        let left = std::mem::take(&mut self.buckets);
        let left_counts = std::mem::take(&mut self.counts);
        let mut left = left.into_iter().zip(left_counts).peekable();
        let mut right = buckets.into_iter().zip(counts).peekable();
        loop {
            let next = match (left.peek(), right.peek()) {
                (Some((a, _)), Some((b, _))) if b < a => right.next(),
                (Some(_), _) => left.next(),
                (None, _) => right.next(),
            };
            let Some((bucket, count)) = next else {
                return;
            };
            match (self.buckets.last(), self.counts.last_mut()) {
                (Some(last), Some(so_far)) if *last == bucket => *so_far += count,
                _ => {
                    self.buckets.push(bucket);
                    self.counts.push(count);
                }
            }
        }
    }

    /// Of a closed tally.
    fn estimate(&self, q: f64, level: f64) -> Estimate {
        let samples = self.counts.iter().sum();
        let has_one = samples > 0 && (0.0..=1.0).contains(&q);
        let [low, high] = if has_one {
            ranks::interval(samples, q, level)
        } else {
            [None; 2]
        };
        let ends = |ranks: [Option<u64>; 2]| {
            let [low, high] = ranks;
            Some([self.ends(low?)?[0], self.ends(high?)?[1]])
        };
        let spread = if has_one {
            ranks::one_standard_error(samples, q)
        } else {
            [None; 2]
        };
        Estimate {
            value: has_one
                .then(|| ranks::quantile(samples, q))
                .and_then(|rank| self.ends(rank))
                .map(|[low, high]| low + 0.5 * (high - low)),
            std_error: ends(spread).map(|[low, high]| 0.5 * high - 0.5 * low),
            interval: ends([low, high]),
            samples,
        }
    }

    /// The ends of the bucket that the `rank`-th smallest value, from 1, lies in.
    fn ends(&self, rank: u64) -> Option<[f64; 2]> {
        let mut up_to = 0;
        self.buckets
            .iter()
            .zip(&self.counts)
            .find(|(_, count)| {
                up_to = u64::saturating_add(up_to, **count);
                up_to >= rank
            })
            .map(|(bucket, _)| self.resolution.ends(*bucket))
    }

    /// Whether what was read from a file is what could have been written.
    fn is_whole(&self) -> bool {
        let limit = self.resolution.buckets_of_one_sign();
        self.buckets.len() == self.counts.len()
            && self.buckets.windows(2).all(|pair| pair[0] < pair[1])
            && self
                .buckets
                .iter()
                .all(|bucket| bucket.unsigned_abs() < limit)
            && self.counts.iter().all(|count| *count > 0)
            && check_shares(&self.listed).is_ok()
    }
}

fn check_shares(listed: &[f64]) -> Result<(), QuantilesError> {
    let mut before = 0.0;
    for share in listed {
        if !(before < *share && *share < 1.0) {
            return Err(QuantilesError(share.to_string()));
        }
        before = *share;
    }
    Ok(())
}

impl Tally for Quantiles {
    /// # Panics
    ///
    /// Where [`fits`](Tally::fits) refuses.
    fn merge(&mut self, mut right: Self) {
        if let Err(misfit) = self.fits(&right) {
            panic!("{misfit}");
        }
        self.close();
        right.close();
        self.add(right.buckets, right.counts);
        self.open.refuse(right.open.refused());
    }

    fn end_block(&mut self) -> Result<(), NotFinite> {
        self.close();
        self.open
            .refused()
            .map_or(Ok(()), |value| Err(NotFinite::new(value.to_string())))
    }

    fn fits(&self, right: &Self) -> Result<(), Misfit> {
        if !right.is_whole() || !self.is_whole() {
            return Err(Misfit::new(
                "damaged quantiles: their buckets are out of order, or not those of their resolution",
            ));
        }
        if self.resolution != right.resolution {
            return Err(Misfit::new(format!(
                "quantiles of resolution {:?}, expected {:?}",
                right.resolution, self.resolution
            )));
        }
        if self.listed != right.listed {
            return Err(Misfit::new(format!(
                "quantiles at {:?}, expected at {:?}",
                right.listed, self.listed
            )));
        }
        Ok(())
    }

    fn estimates(&self, estimates: &mut Estimates) {
        let closed = self.closed();
        let level = estimates.level();
        if closed.counts.is_empty() {
            estimates.note("has no samples: nothing can be estimated");
        }
        for q in &closed.listed {
            let estimate = closed.estimate(*q, level);
            estimates.within(&format!("q{q}"), |estimates| {
                if estimate.value.is_some()
                    && (estimate.std_error.is_none() || estimate.interval.is_none())
                {
                    estimates.note(
                        "has too few samples beyond it: what would bound it lies outside of them",
                    );
                }
                estimates.push(estimate);
            });
        }
    }
}

//! How several outputs vary together.

mod say;

use serde::{Deserialize, Serialize};

use super::array;
use super::centre::{Centre, stretch_after};
use crate::{Estimates, NotFinite, Tally};

/// Means, covariances and correlations of `D` outputs of a sample.
///
/// Estimates are named `mean.i`, `covariance.i.j` and `correlation.i.j`, with outputs numbered from 0
/// and j at most i, below i for correlations. A mean's error and interval are those of
/// [`Mean`](crate::Mean). Of covariances (unbiased) and correlations they are those for jointly normal
/// outputs, and a note says so: sqrt((c_ii c_jj + c_ij^2) / (n - 1)), and R. A. Fisher's transformation,
/// "On the 'probable error' of a coefficient of correlation deduced from a small sample", Metron 1 (1921).
/// For errors that hold for any outputs record products as outputs of their own in a
/// [`Jackknife`](crate::Jackknife).
///
/// Sums are kept and merged as in [`Moments`](crate::Moments), whose precision it has, by P. Pébay,
/// SAND2008-6212 (2008), 3.1. A value costs about (D + 3) D / 2 additions.
///
/// # Example
///
/// ```
/// use croupier_compute::{Covariance, Tally};
///
/// let mut both = Covariance::new();
/// for sample in [[1.0, 2.0], [2.0, 2.0], [3.0, 5.0]] {
///     both.record(sample);
/// }
/// both.end_block().unwrap();
/// assert_eq!(both.means(), Some([2.0, 3.0]));
/// assert_eq!(both.covariance(0, 1), Some(1.5));
/// assert_eq!(both.covariance(1, 1), Some(3.0));
/// assert!((both.correlation(0, 1).unwrap() - 0.75f64.sqrt()).abs() < 1e-15);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Covariance<const D: usize> {
    closed: Closed<D>,
    #[serde(skip)]
    open: Open<D>,
}

/// What merges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Closed<const D: usize> {
    pub(super) count: u64,
    #[serde(with = "array")]
    pub(super) means: [f64; D],
    /// What the means lack.
    #[serde(with = "array")]
    pub(super) mean_rests: [f64; D],
    /// Sums of products of distances from the means, on and below the diagonal.
    #[serde(with = "array::triangle")]
    pub(super) products: [[f64; D]; D],
}

/// The stretch being recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Open<const D: usize> {
    count: u64,
    length: u64,
    centres: [Centre; D],
    sums: [f64; D],
    products: [[f64; D]; D],
}

impl<const D: usize> Default for Open<D> {
    fn default() -> Self {
        Self {
            count: 0,
            length: 0,
            centres: [Centre::default(); D],
            sums: [0.0; D],
            products: [[0.0; D]; D],
        }
    }
}

impl<const D: usize> Default for Covariance<D> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const D: usize> Covariance<D> {
    /// Nothing recorded yet.
    pub fn new() -> Self {
        Self {
            closed: Closed::new(),
            open: Open::default(),
        }
    }

    /// Records the outputs of one sample.
    #[inline]
    pub fn record(&mut self, values: [f64; D]) {
        if self.open.count == self.open.length {
            self.begin_stretch(values);
        }
        let open = &mut self.open;
        open.count += 1;
        let mut distances = [0.0; D];
        for i in 0..D {
            distances[i] = open.centres[i].distance_of(values[i]);
            open.sums[i] += distances[i];
            for j in 0..D {
                if j <= i {
                    open.products[i][j] += distances[i] * distances[j];
                }
            }
        }
    }

    /// How many samples were recorded.
    pub fn count(&self) -> u64 {
        self.closed.count + self.open.count
    }

    /// The mean of each output; none of no samples.
    pub fn means(&self) -> Option<[f64; D]> {
        let closed = self.closed();
        (closed.count > 0).then_some(closed.means)
    }

    /// The unbiased covariance of outputs `i` and `j`, their variance where they are the same; none of
    /// fewer than two samples.
    ///
    /// # Panics
    ///
    /// Where there is no such output.
    pub fn covariance(&self, i: usize, j: usize) -> Option<f64> {
        let closed = self.closed();
        (closed.count > 1).then(|| closed.product(i, j) / (closed.count - 1) as f64)
    }

    /// The correlation of outputs `i` and `j`, from -1 to 1; none of fewer than two samples, or where
    /// one of the outputs does not vary.
    ///
    /// # Panics
    ///
    /// Where there is no such output.
    pub fn correlation(&self, i: usize, j: usize) -> Option<f64> {
        self.closed().correlation(i, j)
    }

    #[inline(always)]
    fn begin_stretch(&mut self, values: [f64; D]) {
        let merged = merged(self.closed.clone(), about_own_means(self.open));
        self.open = Open {
            length: stretch_after(merged.count),
            centres: if merged.count == 0 {
                values.map(Centre::at)
            } else {
                merged.centres()
            },
            ..Open::default()
        };
        self.closed = merged;
    }

    /// All of it.
    pub(super) fn closed(&self) -> Closed<D> {
        merged(self.closed.clone(), about_own_means(self.open))
    }

    /// Closes the stretch.
    pub(super) fn close(&mut self) -> &Closed<D> {
        if self.open.length > 0 {
            self.closed = self.closed();
            self.open = Open::default();
        }
        &self.closed
    }
}

impl<const D: usize> Closed<D> {
    fn new() -> Self {
        Self {
            count: 0,
            means: [0.0; D],
            mean_rests: [0.0; D],
            products: [[0.0; D]; D],
        }
    }

    fn centres(&self) -> [Centre; D] {
        std::array::from_fn(|i| Centre {
            value: self.means[i],
            rest: self.mean_rests[i],
        })
    }

    /// The sum of products of the distances of `i` and `j` from their means.
    pub(super) fn product(&self, i: usize, j: usize) -> f64 {
        self.products[i.max(j)][i.min(j)]
    }

    pub(super) fn is_finite(&self) -> bool {
        let products = self.products.iter().flatten();
        products.chain(&self.means).all(|what| what.is_finite())
    }

    fn correlation(&self, i: usize, j: usize) -> Option<f64> {
        let spread = self.product(i, i).sqrt() * self.product(j, j).sqrt();
        let is_known = self.count > 1 && spread > 0.0 && spread.is_finite();
        is_known.then(|| (self.product(i, j) / spread).clamp(-1.0, 1.0))
    }
}

fn about_own_means<const D: usize>(open: Open<D>) -> Closed<D> {
    let mut closed = Closed::new();
    if open.count == 0 {
        return closed;
    }
    let n = open.count as f64;
    closed.count = open.count;
    for i in 0..D {
        let shift = open.sums[i] / n;
        let mean = open.centres[i].moved_by(shift);
        (closed.means[i], closed.mean_rests[i]) = (mean.value, mean.rest);
        for j in 0..=i {
            closed.products[i][j] = open.products[i][j] - shift * open.sums[j];
        }
        // Rounding may leave a tiny negative where all values are almost equal.
        if closed.products[i][i] < 0.0 {
            closed.products[i][i] = 0.0;
        }
    }
    closed
}

#[inline(never)]
fn merged<const D: usize>(mut left: Closed<D>, right: Closed<D>) -> Closed<D> {
    if right.count == 0 {
        return left;
    }
    if left.count == 0 {
        return right;
    }
    let count = left.count + right.count;
    let share = right.count as f64 / count as f64;
    let both = left.count as f64 * share;
    let [from, to] = [left.centres(), right.centres()];
    let distances: [f64; D] = std::array::from_fn(|i| from[i].distance_to(to[i]));
    for i in 0..D {
        let mean = from[i].moved_by(distances[i] * share);
        (left.means[i], left.mean_rests[i]) = (mean.value, mean.rest);
        for j in 0..=i {
            left.products[i][j] += right.products[i][j] + distances[i] * distances[j] * both;
        }
    }
    left.count = count;
    left
}

impl<const D: usize> Tally for Covariance<D> {
    fn merge(&mut self, mut right: Self) {
        self.close();
        right.close();
        self.closed = merged(self.closed.clone(), right.closed);
    }

    fn end_block(&mut self) -> Result<(), NotFinite> {
        if self.close().is_finite() {
            Ok(())
        } else {
            Err(NotFinite::new(
                "NaN, an infinity, or values whose distance is too large to be squared",
            ))
        }
    }

    fn estimates(&self, estimates: &mut Estimates) {
        self.closed().say(estimates);
    }
}

//! The mean of values with weights.

use serde::{Deserialize, Serialize};

use super::{
    about, effective_samples, note_too_few, note_what_weights_leave, refused, say_effective_samples,
};
use crate::interval::student_quantile;
use crate::tally::centre::{Centre, stretch_after};
use crate::{Estimates, NotFinite, Tally};

/// The mean of values that were not drawn as often as they should count, each with its weight.
///
/// In importance sampling a value drawn with density q where p is meant has weight p / q. There are
/// two estimates, and which is the better one depends on the problem:
///
/// - `plain`, the mean of weight times value. It has no bias, and needs weights whose mean is known to
///   be 1. The one for rare events: samples outside the event add nothing to its error.
/// - `self_normalised`, the sum of weight times value over the sum of weights. Weights need be known
///   only up to a factor, as in reweighting. Its bias is O(1 / n). Its error is the delta method's,
///   sqrt(n / (n - 1) sum(w^2 (x - mean)^2)) / sum(w).
///
/// Both have Student's t intervals. `effective_samples` is Kish's number of samples of equal weight
/// that say as much, (sum w)^2 / sum(w^2); below 100 a note says that `self_normalised` can't be
/// trusted. A large number is no proof: a proposal that misses a part of the distribution altogether
/// doesn't see what it misses. (A. B. Owen, Monte Carlo theory, methods and examples (2013), chapter 9.)
///
/// Distances are kept from the weighted mean, so an offset common to all values costs no digits, and the
/// mean of weights from the first. What `plain` needs is kept apart: weights that span many powers of ten
/// cost it nothing where the values of the largest are zero. Merged by T. F. Chan, G. H. Golub and R. J. LeVeque's formulas (1979)
/// with weights (D. H. D. West, "Updating mean and variance estimates", CACM 22 (1979), 532-535).
///
/// A negative weight, like NaN, fails the sample.
///
/// # Example
///
/// ```
/// use croupier_compute::{Tally, WeightedMean};
///
/// let mut mean = WeightedMean::new();
/// for (value, weight) in [(2.0, 1.0), (4.0, 0.5), (9.0, 0.0)] {
///     mean.record(value, weight);
/// }
/// mean.end_block().unwrap();
/// assert!((mean.plain().unwrap() - 4.0 / 3.0).abs() < 1e-15);
/// assert!((mean.self_normalised().unwrap() - 4.0 / 1.5).abs() < 1e-15);
/// assert!((mean.effective_samples().unwrap() - 1.5 * 1.5 / 1.25).abs() < 1e-15);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WeightedMean {
    count: u64,
    /// The mean of weights.
    weight: f64,
    /// The sum of squared distances of weights from their mean.
    weight_squares: f64,
    /// The weighted mean of values.
    mean: f64,
    /// What `mean` lacks.
    mean_rest: f64,
    /// With e = weight times the value's distance from the mean, which add up to nothing: the sum of
    /// squares of e.
    squares: f64,
    /// The sum of products of e and the weight's distance from its mean.
    products: f64,
    /// The mean of weight times value.
    plain: f64,
    /// What `plain` lacks.
    plain_rest: f64,
    /// The sum of squared distances of weight times value from `plain`.
    plain_squares: f64,
    #[serde(skip)]
    open: Open,
}

/// The stretch being recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Open {
    count: u64,
    length: u64,
    /// A weight that is about their mean.
    weight: f64,
    centre: Centre,
    has_negative_weight: bool,
    /// The sum of weights as they are: all of one sign, they lose nothing where they are far from `weight`.
    sum_of_weights: f64,
    /// Of weights' distances from `weight`: the sum, and that of squares.
    weights: [f64; 2],
    /// Of e, about `centre`: the sum, that of squares, and that of products with weights' distances.
    values: [f64; 3],
    /// A product of weight and value that is about their mean.
    plain: Centre,
    /// Of products' distances from `plain`: the sum, and that of squares.
    plains: [f64; 2],
}

impl WeightedMean {
    /// Nothing recorded yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records one value with its weight, which must not be negative.
    #[inline]
    pub fn record(&mut self, value: f64, weight: f64) {
        if self.open.count == self.open.length {
            self.begin_stretch(value, weight);
        }
        let open = &mut self.open;
        let distance = weight - open.weight;
        let e = weight * open.centre.distance_of(value);
        let plain = open.plain.distance_of(weight * value);
        open.count += 1;
        open.has_negative_weight |= weight < 0.0;
        open.sum_of_weights += weight;
        open.weights[0] += distance;
        open.weights[1] += distance * distance;
        open.values[0] += e;
        open.values[1] += e * e;
        open.values[2] += e * distance;
        open.plains[0] += plain;
        open.plains[1] += plain * plain;
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.count + self.open.count
    }

    /// The mean of weights; none of no values.
    pub fn mean_weight(&self) -> Option<f64> {
        let closed = self.closed();
        (closed.count > 0).then_some(closed.weight)
    }

    /// The mean of weight times value; none of no values.
    pub fn plain(&self) -> Option<f64> {
        let closed = self.closed();
        (closed.count > 0).then_some(closed.plain)
    }

    /// The standard error of [`plain`](Self::plain); none of fewer than two values.
    pub fn plain_std_error(&self) -> Option<f64> {
        let closed = self.closed();
        let n = closed.count as f64;
        (closed.count > 1).then(|| (closed.plain_squares / (n - 1.0) / n).sqrt())
    }

    /// The sum of weight times value over the sum of weights; none where that is zero.
    pub fn self_normalised(&self) -> Option<f64> {
        let closed = self.closed();
        (closed.weight > 0.0).then_some(closed.mean)
    }

    /// The standard error of [`self_normalised`](Self::self_normalised); none of fewer than two values,
    /// and where all weights are zero, or too small to be squared.
    pub fn self_normalised_std_error(&self) -> Option<f64> {
        let closed = self.closed();
        let n = closed.count as f64;
        let is_known = closed.effective_samples().is_some() && closed.count > 1;
        is_known.then(|| (closed.squares / (n - 1.0) / n).sqrt() / closed.weight)
    }

    /// Kish's effective sample size; none where all weights are zero, or too small to be squared.
    pub fn effective_samples(&self) -> Option<f64> {
        let closed = self.closed();
        let parts = closed.parts();
        effective_samples(parts.sum_of_weights(), parts.sum_of_squared_weights())
    }

    #[inline(always)]
    fn begin_stretch(&mut self, value: f64, weight: f64) {
        let merged = merged(self.parts(), about_own_means(self.open));
        self.set(merged);
        let is_first = merged.count == 0;
        self.open = Open {
            length: stretch_after(merged.count),
            weight: if is_first { weight } else { merged.weight },
            centre: if merged.weight > 0.0 {
                merged.mean
            } else {
                Centre::at(value)
            },
            has_negative_weight: self.open.has_negative_weight,
            plain: if is_first {
                Centre::at(weight * value)
            } else {
                merged.plain
            },
            ..Open::default()
        };
    }

    fn closed(&self) -> Self {
        let mut closed = self.clone();
        closed.close();
        closed
    }

    fn close(&mut self) {
        if self.open.length > 0 {
            let open = std::mem::take(&mut self.open);
            self.set(merged(self.parts(), about_own_means(open)));
        }
    }

    #[inline(always)]
    fn parts(&self) -> Parts {
        Parts {
            count: self.count,
            weight: self.weight,
            weight_squares: self.weight_squares,
            mean: Centre {
                value: self.mean,
                rest: self.mean_rest,
            },
            squares: self.squares,
            products: self.products,
            plain: Centre {
                value: self.plain,
                rest: self.plain_rest,
            },
            plain_squares: self.plain_squares,
        }
    }

    #[inline(always)]
    fn set(&mut self, parts: Parts) {
        self.count = parts.count;
        self.weight = parts.weight;
        self.weight_squares = parts.weight_squares;
        self.mean = parts.mean.value;
        self.mean_rest = parts.mean.rest;
        self.squares = parts.squares;
        self.products = parts.products;
        self.plain = parts.plain.value;
        self.plain_rest = parts.plain.rest;
        self.plain_squares = parts.plain_squares;
    }
}

/// What merges.
#[derive(Clone, Copy)]
struct Parts {
    count: u64,
    weight: f64,
    weight_squares: f64,
    mean: Centre,
    squares: f64,
    products: f64,
    plain: Centre,
    plain_squares: f64,
}

impl Parts {
    fn sum_of_weights(&self) -> f64 {
        self.count as f64 * self.weight
    }

    fn sum_of_squared_weights(&self) -> f64 {
        self.weight_squares + self.sum_of_weights() * self.weight
    }

    /// Sums of squares and of products after the mean has moved by `by` and the mean of weights by
    /// `by_weight`. Both halves of a merge move, and what e adds up to then cancels between them.
    fn moved(&self, by: f64, by_weight: f64) -> [f64; 2] {
        let with_weights = self.products;
        let squares = self.squares - by * (2.0 * with_weights - by * self.sum_of_squared_weights());
        let products =
            self.products - by * (self.weight_squares - self.sum_of_weights() * by_weight);
        [squares, products]
    }
}

fn about_own_means(open: Open) -> Parts {
    let n = open.count as f64;
    if open.count == 0 {
        return WeightedMean::new().parts();
    }
    let [sum, squares] = open.weights;
    let [e, e_squares, e_products] = open.values;
    let [plain, plain_squares] = open.plains;
    let shift = sum / n;
    let weight_squares = positive(squares - sum * shift);
    let mut parts = Parts {
        count: open.count,
        weight: open.sum_of_weights / n,
        weight_squares,
        mean: open.centre,
        squares: e_squares,
        products: e_products,
        plain: open.plain.moved_by(plain / n),
        plain_squares: positive(plain_squares - plain * (plain / n)),
    };
    let by = e / parts.sum_of_weights();
    // Where all weights are zero, the centre is as good as any.
    if e != 0.0 && parts.weight > 0.0 {
        parts.mean = parts.mean.moved_by(by);
        let with_weights = e_products + open.weight * e;
        parts.squares =
            positive(e_squares - by * (2.0 * with_weights - by * parts.sum_of_squared_weights()));
        parts.products = e_products - by * (squares + open.weight * sum);
    }
    parts
}

/// Rounding may leave a tiny negative of what is a square. (`max` would also hide a NaN.)
fn positive(square: f64) -> f64 {
    if square < 0.0 { 0.0 } else { square }
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
    let weight_distance = right.weight - left.weight;
    let share = right.count as f64 / count as f64;
    let by_weight = weight_distance * share;
    let weight = left.weight + by_weight;
    let weight_squares = left.weight_squares
        + right.weight_squares
        + weight_distance * by_weight * left.count as f64;
    // Of a half without weight, the mean says nothing.
    let (mean, by) = if right.weight == 0.0 {
        (left.mean, [0.0; 2])
    } else if left.weight == 0.0 {
        (right.mean, [0.0; 2])
    } else {
        let weights = [left, right].map(|half| half.sum_of_weights());
        let distance = left.mean.distance_to(right.mean);
        let by = distance * (weights[1] / (weights[0] + weights[1]));
        (left.mean.moved_by(by), [by, by - distance])
    };
    let plain_distance = left.plain.distance_to(right.plain);
    let by_plain = plain_distance * share;
    let [squares, products] = left.moved(by[0], by_weight);
    let others = right.moved(by[1], by_weight - weight_distance);
    Parts {
        count,
        weight,
        weight_squares,
        mean,
        squares: positive(squares + others[0]),
        products: products + others[1],
        plain: left.plain.moved_by(by_plain),
        plain_squares: left.plain_squares
            + right.plain_squares
            + plain_distance * by_plain * left.count as f64,
    }
}

impl Tally for WeightedMean {
    fn merge(&mut self, mut right: Self) {
        self.close();
        right.close();
        self.set(merged(self.parts(), right.parts()));
    }

    fn end_block(&mut self) -> Result<(), NotFinite> {
        let has_negative_weight = self.open.has_negative_weight;
        self.close();
        let sums = [
            self.weight,
            self.weight_squares,
            self.mean,
            self.squares,
            self.products,
            self.plain,
            self.plain_squares,
        ];
        refused(has_negative_weight, &sums)
    }

    fn estimates(&self, estimates: &mut Estimates) {
        let closed = self.closed();
        let samples = closed.count;
        note_too_few(samples, estimates);
        let degrees = samples.saturating_sub(1).max(1) as f64;
        let quantile = student_quantile(0.5 + 0.5 * estimates.level(), degrees);
        let effective = closed.effective_samples();
        let estimate = |value: Option<f64>, error| about(value, error, quantile, samples);
        let note_infinite = |what: &crate::Estimate, estimates: &mut Estimates| {
            if samples > 1 && (what.value.is_none() || what.std_error.is_none()) {
                estimates
                    .note("has blocks too far apart: the squares of their distances are infinite");
            }
        };
        estimates.within("plain", |estimates| {
            let plain = estimate(closed.plain(), closed.plain_std_error());
            note_infinite(&plain, estimates);
            estimates.push(plain);
        });
        estimates.within("self_normalised", |estimates| {
            let ratio = estimate(closed.self_normalised(), closed.self_normalised_std_error());
            note_what_weights_leave(effective, samples, estimates);
            if effective.is_some() {
                note_infinite(&ratio, estimates);
            }
            estimates.push(ratio);
        });
        say_effective_samples(effective, samples, estimates);
    }
}

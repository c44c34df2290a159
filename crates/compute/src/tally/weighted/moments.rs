//! The moments of values with weights.

use serde::{Deserialize, Serialize};

use super::{
    about, effective_samples, note_too_few, note_what_weights_leave, refused, say_effective_samples,
};
use crate::interval::normal_interval_quantile;
use crate::tally::centre::{Centre, shifted, stretch_after};
use crate::tally::shape::influence_variances;
use crate::{Estimate, Estimates, NotFinite, Tally};

/// Mean, variance, skewness and excess kurtosis of values that were not drawn as often as they should
/// count, each with its weight.
///
/// All are self-normalised: weights need be known only up to a factor, and the bias is O(1 / n). Errors
/// are the delta method's, from sums of squared weights times powers to the eighth; the same limits hold
/// as for [`Moments`](crate::Moments). For a mean without bias see [`WeightedMean`](crate::WeightedMean),
/// which is cheaper too.
///
/// Estimates are named `mean`, `variance` (without bias where weights have nothing to do with values),
/// `skewness`, `excess_kurtosis` and `effective_samples`. Intervals are normal, of the variance that of
/// its logarithm.
///
/// A negative weight, like NaN, fails the sample.
///
/// # Example
///
/// ```
/// use croupier_compute::{Tally, WeightedMoments};
///
/// let mut moments = WeightedMoments::new();
/// for (value, weight) in [(2.0, 1.0), (4.0, 3.0), (5.0, 2.0), (7.0, 1.0), (9.0, 1.0)] {
///     moments.record(value, weight);
/// }
/// moments.end_block().unwrap();
/// assert_eq!(moments.mean(), Some(5.0));
/// assert_eq!(moments.effective_samples(), Some(4.0));
/// assert!((moments.variance().unwrap() - 32.0 / 8.0 * 4.0 / 3.0).abs() < 1e-14);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WeightedMoments {
    count: u64,
    /// The weighted mean.
    mean: f64,
    /// What `mean` lacks.
    mean_rest: f64,
    /// Sums of weights times distances from the mean to the powers 0 to 4.
    powers: [f64; 5],
    /// Sums of squared weights times distances from the mean to the powers 0 to 8.
    squared_powers: [f64; 9],
    #[serde(skip)]
    open: Open,
}

/// The stretch being recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Open {
    count: u64,
    length: u64,
    centre: Centre,
    has_negative_weight: bool,
    /// Of weights times powers, then of squared weights times powers.
    sums: [f64; 14],
}

impl WeightedMoments {
    /// Nothing recorded yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records one value with its weight, which must not be negative.
    #[inline]
    pub fn record(&mut self, value: f64, weight: f64) {
        if self.open.count == self.open.length {
            self.begin_stretch(value);
        }
        let open = &mut self.open;
        let d = open.centre.distance_of(value);
        let d2 = d * d;
        let [w0, w1, w2] = [weight, weight * d, weight * d2];
        let [w3, w4] = [w1 * d2, w2 * d2];
        // Side by side, so that they are added two at a time.
        let powers = [
            w0,
            w1,
            w2,
            w3,
            w4,
            w0 * w0,
            w0 * w1,
            w0 * w2,
            w1 * w2,
            w2 * w2,
            w1 * w4,
            w2 * w4,
            w3 * w4,
            w4 * w4,
        ];
        open.count += 1;
        open.has_negative_weight |= weight < 0.0;
        for (sum, power) in open.sums.iter_mut().zip(powers) {
            *sum += power;
        }
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.count + self.open.count
    }

    /// The weighted mean; none where all weights are zero.
    pub fn mean(&self) -> Option<f64> {
        let closed = self.closed();
        (closed.powers[0] > 0.0).then_some(closed.mean)
    }

    /// The weighted variance; none where it all rests on one value.
    pub fn variance(&self) -> Option<f64> {
        let closed = self.closed();
        let effective = closed.effective_samples()?;
        let variance = closed.powers[2] / closed.powers[0];
        (effective > 1.0).then(|| variance * (effective / (effective - 1.0)))
    }

    /// The weighted skewness; none where there is no variation.
    pub fn skewness(&self) -> Option<f64> {
        self.closed().shape().map(|shape| shape.skewness)
    }

    /// The weighted kurtosis less 3; none where there is no variation.
    pub fn excess_kurtosis(&self) -> Option<f64> {
        self.closed().shape().map(|shape| shape.kurtosis - 3.0)
    }

    /// Kish's effective sample size; none where all weights are zero, or too small to be squared.
    pub fn effective_samples(&self) -> Option<f64> {
        let closed = self.closed();
        effective_samples(closed.powers[0], closed.squared_powers[0])
    }

    #[inline(always)]
    fn begin_stretch(&mut self, value: f64) {
        let merged = merged(self.parts(), about_own_mean(self.open));
        self.set(merged);
        self.open = Open {
            length: stretch_after(merged.count),
            centre: if merged.powers[0] > 0.0 {
                merged.mean
            } else {
                Centre::at(value)
            },
            has_negative_weight: self.open.has_negative_weight,
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
            self.set(merged(self.parts(), about_own_mean(open)));
        }
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
            squared_powers: self.squared_powers,
        }
    }

    #[inline(always)]
    fn set(&mut self, parts: Parts) {
        self.count = parts.count;
        self.mean = parts.mean.value;
        self.mean_rest = parts.mean.rest;
        self.powers = parts.powers;
        self.squared_powers = parts.squared_powers;
    }

    /// Of a closed tally; none where there is no variation, or none to compute with.
    fn shape(&self) -> Option<Shape> {
        let [sum, _, squares, third, fourth] = self.powers;
        let eighth = self.squared_powers[8];
        if !(super::SMALLEST_SQUARES..f64::INFINITY).contains(&eighth) {
            return None;
        }
        let deviation = (squares / sum).sqrt();
        let mut scale = sum * sum;
        let squared_powers = self.squared_powers.map(|power| {
            let standardised = power / scale;
            scale *= deviation;
            standardised
        });
        let skewness = third / sum / (deviation * deviation * deviation);
        let kurtosis = fourth / sum / (squares / sum) / (squares / sum);
        let [of_skewness, of_kurtosis] = influence_variances(skewness, kurtosis, squared_powers);
        Some(Shape {
            skewness,
            skewness_error: of_skewness.sqrt(),
            kurtosis,
            kurtosis_error: of_kurtosis.sqrt(),
        })
    }

    /// The mean's error and the variance's, of a closed tally.
    fn errors(&self) -> Option<[f64; 2]> {
        self.effective_samples()?;
        let n = self.count as f64;
        let [sum, _, squares, ..] = self.powers;
        let [q0, _, q2, _, q4, ..] = self.squared_powers;
        let variance = squares / sum;
        let small = (n / (n - 1.0)).sqrt();
        let of_variance = (q4 - variance * (2.0 * q2 - variance * q0)).max(0.0);
        (self.count > 1).then(|| [q2, of_variance].map(|square| small * square.sqrt() / sum))
    }
}

struct Shape {
    skewness: f64,
    skewness_error: f64,
    kurtosis: f64,
    kurtosis_error: f64,
}

/// What merges: sums about the weighted mean.
#[derive(Clone, Copy)]
struct Parts {
    count: u64,
    mean: Centre,
    powers: [f64; 5],
    squared_powers: [f64; 9],
}

impl Parts {
    /// About a centre that is `by` to the right.
    fn moved(&self, by: f64) -> ([f64; 5], [f64; 9]) {
        (shifted(self.powers, -by), shifted(self.squared_powers, -by))
    }
}

fn about_own_mean(open: Open) -> Parts {
    let [sum, first, w2, w3, w4, squared_powers @ ..] = open.sums;
    let mut parts = Parts {
        count: open.count,
        mean: open.centre,
        powers: [sum, first, w2, w3, w4],
        squared_powers,
    };
    // Where all weights are zero, the centre is as good as any.
    if first != 0.0 {
        let by = first / sum;
        (parts.powers, parts.squared_powers) = parts.moved(by);
        parts.mean = parts.mean.moved_by(by);
        parts.powers[1] = 0.0;
        // Rounding may leave a tiny negative where all values are almost equal.
        let evens = parts.powers.iter_mut().step_by(2);
        for even in evens.chain(parts.squared_powers.iter_mut().step_by(2)) {
            if *even < 0.0 {
                *even = 0.0;
            }
        }
    }
    parts
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
    // Of a half without weight, the mean says nothing.
    if right.powers[0] == 0.0 {
        return Parts { count, ..left };
    }
    if left.powers[0] == 0.0 {
        return Parts { count, ..right };
    }
    let distance = left.mean.distance_to(right.mean);
    let by = distance * (right.powers[0] / (left.powers[0] + right.powers[0]));
    let (mut powers, mut squared_powers) = left.moved(by);
    let (others, squared_others) = right.moved(by - distance);
    for (power, other) in powers.iter_mut().zip(others) {
        *power += other;
    }
    for (power, other) in squared_powers.iter_mut().zip(squared_others) {
        *power += other;
    }
    // What is about the mean adds up to nothing.
    powers[1] = 0.0;
    Parts {
        count,
        mean: left.mean.moved_by(by),
        powers,
        squared_powers,
    }
}

impl Tally for WeightedMoments {
    fn merge(&mut self, mut right: Self) {
        self.close();
        right.close();
        self.set(merged(self.parts(), right.parts()));
    }

    fn end_block(&mut self) -> Result<(), NotFinite> {
        let has_negative_weight = self.open.has_negative_weight;
        self.close();
        let mut sums = vec![self.mean];
        sums.extend(self.powers.iter().chain(&self.squared_powers));
        refused(has_negative_weight, &sums)
    }

    fn estimates(&self, estimates: &mut Estimates) {
        let closed = self.closed();
        let samples = closed.count;
        note_too_few(samples, estimates);
        let z = normal_interval_quantile(estimates.level());
        let [mean_error, variance_error] =
            closed.errors().map_or([None; 2], |errors| errors.map(Some));
        let effective = closed.effective_samples();
        let variance = closed.variance();
        let shape = closed.shape();
        let mut all = [
            ("mean", about(closed.mean(), mean_error, z, samples)),
            ("variance", about(variance, variance_error, z, samples)),
            (
                "skewness",
                about(
                    shape.as_ref().map(|shape| shape.skewness),
                    shape.as_ref().map(|shape| shape.skewness_error),
                    z,
                    samples,
                ),
            ),
            (
                "excess_kurtosis",
                about(
                    shape.as_ref().map(|shape| shape.kurtosis - 3.0),
                    shape.as_ref().map(|shape| shape.kurtosis_error),
                    z,
                    samples,
                ),
            ),
        ];
        all[1].1.interval = variance.zip(variance_error).and_then(|(value, error)| {
            let factor = (z * error / value).exp();
            factor.is_finite().then(|| [value / factor, value * factor])
        });
        for (name, estimate) in all {
            estimates.within(name, |estimates| {
                note_what_weights_leave(effective, samples, estimates);
                note_what_is_left_out(&estimate, effective, estimates);
                estimates.push(estimate);
            });
        }
        say_effective_samples(effective, samples, estimates);
    }
}

/// Says why an estimate can't be made, where the weights are not to blame.
fn note_what_is_left_out(of: &Estimate, effective: Option<f64>, estimates: &mut Estimates) {
    let is_whole = of.value.is_some() && of.std_error.is_some() && of.interval.is_some();
    if effective.is_some() && of.samples > 1 && !is_whole {
        estimates.note(
            "can't be estimated: all that has weight has the same value, or varies by too little or too much for eighth powers",
        );
    }
}

//! A mean made more precise by others that are known.

mod regression;

use serde::{Deserialize, Serialize};

use crate::interval::student_quantile;
use crate::{Covariance, Estimate, Estimates, NotFinite, Tally};

use regression::Regression;

/// A control whose mean is further from what is known than this many of its standard errors was
/// probably told a wrong one.
const ERRORS_OFF: f64 = 5.0;

/// The mean of an output, freed of what it shares with outputs whose means are known: its controls.
///
/// `D` counts them all: `ControlVariate<2>` has one control, `ControlVariate<3>` has two. A sample is
/// recorded as the output and, for each control, its distance from its known mean.
///
/// The estimate is y - sum(b_k c_k) of the means y and c_k, with the coefficients b that leave the smallest
/// variance: those of the regression of the output on the controls (S. S. Lavenberg and P. D. Welch, "A
/// perspective on the use of control variables to increase the efficiency of Monte Carlo simulations",
/// Management Science 27 (1981), 322-335). They are estimated from the same samples, which costs a bias of
/// O(1 / n), none for jointly normal outputs, against an error of O(1 / sqrt(n)). The error is the one of a
/// regression's value at a point, sqrt(s^2 (1 / n + c' M^-1 c)) with s^2 the residual variance and M the
/// controls' sums of products, and the interval is Student's t with n - D degrees of freedom.
///
/// Estimates: the controlled mean itself; `plain`, the output's mean as it is; `coefficient.k`, where control
/// k is number k of what is recorded; and `variance_reduction`, how many times as many samples the plain mean
/// needs for the same error. The last two have no error of their own: it would need moments that are not
/// kept, and those of normal outputs are a third of what is seen with an option's. A control that is a
/// combination of those before it, or does not vary, is left out, and a note says so, as it does where a
/// control's mean is unlike what is known.
///
/// # Example
///
/// ```
/// use croupier_compute::{ControlVariate, Tally};
///
/// // The mean of e^u over uniform u, with u itself for control: its mean is 1/2.
/// let mut mean = ControlVariate::<2>::new();
/// for i in 0..100 {
///     let u = (i as f64 + 0.25) / 100.0;
///     mean.record([u.exp(), u - 0.5]);
/// }
/// mean.end_block().unwrap();
/// assert!((mean.mean().unwrap() - (1f64.exp() - 1.0)).abs() < 1e-4);
/// assert!(mean.variance_reduction().unwrap() > 60.0);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ControlVariate<const D: usize> {
    outputs: Covariance<D>,
}

impl<const D: usize> Default for ControlVariate<D> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const D: usize> ControlVariate<D> {
    /// Nothing recorded yet.
    pub fn new() -> Self {
        const { assert!(D > 1, "an output and at least one control") }
        Self {
            outputs: Covariance::new(),
        }
    }

    /// Records the output of one sample, and by how much each control is above its known mean.
    #[inline]
    pub fn record(&mut self, output_and_controls: [f64; D]) {
        self.outputs.record(output_and_controls);
    }

    /// How many samples were recorded.
    pub fn count(&self) -> u64 {
        self.outputs.count()
    }

    /// The controlled mean; none of no samples.
    pub fn mean(&self) -> Option<f64> {
        self.regression().map(|regression| regression.value)
    }

    /// Its standard error; none of no more samples than outputs.
    pub fn std_error(&self) -> Option<f64> {
        self.regression()?.std_error
    }

    /// The output's mean as it is; none of no samples.
    pub fn plain(&self) -> Option<f64> {
        self.outputs.means().map(|means| means[0])
    }

    /// The coefficient of control `k`, from 1 to D - 1, 0 for one that is left out; none of no samples.
    ///
    /// # Panics
    ///
    /// Where there is no such control.
    pub fn coefficient(&self, k: usize) -> Option<f64> {
        assert!((1..D).contains(&k), "no control {k}");
        self.regression()
            .map(|regression| regression.coefficients[k])
    }

    /// The variance of the plain mean over that of the controlled one; none of too few samples, or
    /// where the controlled mean has no variance.
    pub fn variance_reduction(&self) -> Option<f64> {
        self.regression()?.variance_reduction()
    }

    fn regression(&self) -> Option<Regression<D>> {
        Regression::of(&self.outputs.closed())
    }
}

impl<const D: usize> Tally for ControlVariate<D> {
    fn merge(&mut self, right: Self) {
        self.outputs.merge(right.outputs);
    }

    fn end_block(&mut self) -> Result<(), NotFinite> {
        self.outputs.end_block()
    }

    fn estimates(&self, estimates: &mut Estimates) {
        let closed = self.outputs.closed();
        closed.note_what_is_missing(estimates);
        let samples = closed.count;
        let level = estimates.level();
        let regression = Regression::of(&closed);
        let about = |value: Option<f64>, std_error: Option<f64>| {
            let finite = |what: Option<f64>| what.filter(|what| what.is_finite());
            let [value, std_error] = [value, std_error].map(finite);
            let degrees = regression.as_ref().map_or(0.0, |it| it.degrees_of_freedom);
            let half = std_error.map(|error| error * student_quantile(0.5 + 0.5 * level, degrees));
            Estimate {
                value,
                std_error,
                interval: value
                    .zip(half)
                    .map(|(value, half)| [value - half, value + half]),
                samples,
            }
        };
        if let Some(regression) = &regression {
            note_controls(regression, samples, estimates);
        }
        estimates.push(about(
            regression.as_ref().map(|it| it.value),
            regression.as_ref().and_then(|it| it.std_error),
        ));
        estimates.within("plain", |estimates| {
            estimates.push(closed.mean_estimate(0, level));
        });
        let alone = |value: Option<f64>| Estimate {
            value,
            std_error: None,
            interval: None,
            samples,
        };
        if regression.is_some() {
            estimates.within("coefficient", |estimates| {
                estimates.note("is of the regression on these samples: it has no standard error");
            });
        }
        for k in 1..D {
            estimates.within(&format!("coefficient.{k}"), |estimates| {
                estimates.push(alone(regression.as_ref().map(|it| it.coefficients[k])));
            });
        }
        estimates.within("variance_reduction", |estimates| {
            let found = regression.as_ref().and_then(Regression::variance_reduction);
            if found.is_some() {
                estimates.note("is what these samples show: it has no standard error");
            } else if samples > 1 {
                estimates.note(
                    "can't be estimated: the output does not vary, or not beyond its controls",
                );
            }
            estimates.push(alone(found));
        });
    }
}

/// Says what is wrong with the controls.
fn note_controls<const D: usize>(
    regression: &Regression<D>,
    samples: u64,
    estimates: &mut Estimates,
) {
    if samples > 1 && regression.degrees_of_freedom < 1.0 {
        estimates.note(&format!("needs more than {} samples for an error", samples));
    }
    for k in 1..D {
        if samples > 1 && !regression.is_used[k] {
            estimates.within(&format!("coefficient.{k}"), |estimates| {
                estimates.note("is of a control that does not vary, or only with those before it: it is left out");
            });
        }
        if let Some(errors) = regression.errors_off[k].filter(|errors| *errors > ERRORS_OFF) {
            estimates.note(&format!(
                "has a control, number {k}, whose mean is {errors:.1} standard errors from what is said to be known: if that is wrong, so is the estimate"
            ));
        }
    }
}

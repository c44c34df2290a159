//! What sums of products say of outputs.

use super::Closed;
use crate::interval::{normal_interval_quantile, student_quantile};
use crate::{Estimate, Estimates};

impl<const D: usize> Closed<D> {
    pub(super) fn say(&self, estimates: &mut Estimates) {
        self.note_what_is_missing(estimates);
        self.say_means(estimates);
        self.say_covariances(estimates);
        self.say_correlations(estimates);
    }

    /// Says why nothing can be estimated, where nothing can.
    pub(in crate::tally) fn note_what_is_missing(&self, estimates: &mut Estimates) {
        match self.count {
            0 => estimates.note("has no samples: nothing can be estimated"),
            1 => estimates.note("has one sample: a variance needs two"),
            _ if !self.is_finite() => {
                estimates
                    .note("has blocks too far apart: the squares of their distances are infinite");
            }
            _ => {}
        }
    }

    /// The estimate of the mean of output `i`, as of a [`Mean`](crate::Mean).
    pub(in crate::tally) fn mean_estimate(&self, i: usize, level: f64) -> Estimate {
        let n = self.count as f64;
        let std_error = (self.count > 1)
            .then(|| (self.products[i][i] / (n - 1.0) / n).sqrt())
            .filter(|error| error.is_finite());
        let half = std_error.map(|error| error * student_quantile(0.5 + 0.5 * level, n - 1.0));
        let value = (self.count > 0).then_some(self.means[i]);
        Estimate {
            value: value.filter(|value| value.is_finite()),
            std_error,
            interval: half.map(|half| [self.means[i] - half, self.means[i] + half]),
            samples: self.count,
        }
    }

    fn say_means(&self, estimates: &mut Estimates) {
        for i in 0..D {
            let mean = self.mean_estimate(i, estimates.level());
            estimates.within(&format!("mean.{i}"), |estimates| estimates.push(mean));
        }
    }

    fn say_covariances(&self, estimates: &mut Estimates) {
        let z = normal_interval_quantile(estimates.level());
        if self.count > 1 {
            estimates.within("covariance", |estimates| {
                estimates.note("has errors that hold for jointly normal outputs");
            });
        }
        let covariance = |i, j| self.product(i, j) / (self.count - 1) as f64;
        for (i, j) in (0..D).flat_map(|i| (0..=i).map(move |j| (i, j))) {
            let value = (self.count > 1).then(|| covariance(i, j));
            let std_error = value.map(|value| {
                let square = covariance(i, i) * covariance(j, j) + value * value;
                (square / (self.count - 1) as f64).sqrt()
            });
            let [value, std_error] =
                [value, std_error].map(|what| what.filter(|what| what.is_finite()));
            let interval = value
                .zip(std_error)
                .map(|(value, error)| [value - z * error, value + z * error]);
            estimates.within(&format!("covariance.{i}.{j}"), |estimates| {
                estimates.push(Estimate {
                    value,
                    std_error,
                    interval,
                    samples: self.count,
                });
            });
        }
    }

    fn say_correlations(&self, estimates: &mut Estimates) {
        let z = normal_interval_quantile(estimates.level());
        if D > 1 && self.count > 1 {
            estimates.within("correlation", |estimates| {
                estimates.note("has errors that hold for jointly normal outputs");
            });
        }
        let n = self.count as f64;
        for (i, j) in (0..D).flat_map(|i| (0..i).map(move |j| (i, j))) {
            let value = self.correlation(i, j);
            estimates.within(&format!("correlation.{i}.{j}"), |estimates| {
                if self.count > 1 && value.is_none() {
                    estimates.note("can't be estimated: one of the outputs does not vary");
                } else if self.count > 1 && n <= 3.0 {
                    estimates.note("needs 4 samples for an interval");
                }
                estimates.push(Estimate {
                    value,
                    std_error: value.map(|r| (1.0 - r * r) / (n - 1.0).sqrt()),
                    // Without clamping an |r| of 1 has ends of 1, as it should.
                    interval: value.filter(|_| n > 3.0).map(|r| {
                        let half = z / (n - 3.0).sqrt();
                        [-half, half].map(|half| (r.atanh() + half).tanh())
                    }),
                    samples: self.count,
                });
            });
        }
    }
}

//! How often something happened.

use serde::{Deserialize, Serialize};

use crate::interval::normal_interval_quantile;
use crate::{Estimate, Estimates, Tally};

/// The proportion of samples for which something was true, counted in integers.
///
/// The interval is Wilson's (E. B. Wilson, "Probable Inference, the Law of Succession, and
/// Statistical Inference", JASA 22 (1927), 209-212): it stays inside [0, 1] and says something where
/// nothing, or everything, was a hit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proportion {
    count: u64,
    hits: u64,
}

impl Proportion {
    /// Nothing recorded yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records whether one sample was a hit.
    #[inline]
    pub fn record(&mut self, hit: bool) {
        self.count += 1;
        self.hits += u64::from(hit);
    }

    /// How many samples were recorded.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many of them were hits.
    pub fn hits(&self) -> u64 {
        self.hits
    }

    /// Hits over samples; none of no samples.
    pub fn proportion(&self) -> Option<f64> {
        (self.count > 0).then(|| self.hits as f64 / self.count as f64)
    }

    /// `hits` out of `count`, counted by someone else.
    pub(crate) fn of(hits: u64, count: u64) -> Self {
        Self { count, hits }
    }

    /// Whether some samples were hits and some were not.
    pub(crate) fn varied(&self) -> bool {
        self.hits > 0 && self.hits < self.count
    }

    /// The proportion with its standard error and interval at `level`.
    pub(crate) fn estimate(&self, level: f64) -> Estimate {
        let p = self.proportion();
        Estimate {
            value: p,
            std_error: p
                .filter(|_| self.varied())
                .map(|p| (p * (1.0 - p) / self.count as f64).sqrt()),
            interval: self.wilson(normal_interval_quantile(level)),
            samples: self.count,
        }
    }

    /// Wilson's interval for a normal quantile `z`; none of no samples.
    fn wilson(&self, z: f64) -> Option<[f64; 2]> {
        let p = self.proportion()?;
        let n = self.count as f64;
        let shrink = 1.0 + z * z / n;
        let centre = (p + z * z / (2.0 * n)) / shrink;
        let half = z / shrink * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        // At the ends the formula is exact where rounding isn't.
        let low = if self.hits == 0 { 0.0 } else { centre - half };
        let high = if self.hits == self.count {
            1.0
        } else {
            centre + half
        };
        Some([low, high])
    }
}

impl Tally for Proportion {
    fn merge(&mut self, right: Self) {
        self.count += right.count;
        self.hits += right.hits;
    }

    fn estimates(&self, estimates: &mut Estimates) {
        if self.count == 0 {
            estimates.note("has no samples: nothing can be estimated");
        } else if !self.varied() {
            estimates.note(
                "had the same outcome in every sample: its standard error can't be estimated, its interval can",
            );
        }
        estimates.bounded([0.0, 1.0]);
        estimates.push(self.estimate(estimates.level()));
    }
}

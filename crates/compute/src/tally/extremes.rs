//! The smallest and the largest value, and which sample each came from.

use serde::{Deserialize, Serialize};

use crate::{Estimate, Estimates, NotFinite, Tally};

/// The smallest and the largest recorded value, each with its sample's number, so that it can be replayed.
///
/// Of equal values the earliest sample counts. An extreme of what was seen has no standard error.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Extremes {
    count: u64,
    min: Option<Extreme>,
    max: Option<Extreme>,
    /// The first value of the block that was NaN or infinite.
    #[serde(skip)]
    refused: Option<f64>,
}

/// A value, and the sample it came from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extreme {
    /// The value.
    pub value: f64,
    /// The sample's number over the whole run.
    pub sample: u64,
}

impl Extremes {
    /// Nothing recorded yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records the value of sample number `sample`.
    #[inline]
    pub fn record(&mut self, value: f64, sample: u64) {
        self.count += 1;
        if !value.is_finite() {
            self.refused.get_or_insert(value);
            return;
        }
        let seen = Some(Extreme { value, sample });
        if self.min.is_none_or(|min| value < min.value) {
            self.min = seen;
        }
        if self.max.is_none_or(|max| value > max.value) {
            self.max = seen;
        }
    }

    /// The smallest value; none of no values.
    pub fn min(&self) -> Option<Extreme> {
        self.min
    }

    /// The largest value; none of no values.
    pub fn max(&self) -> Option<Extreme> {
        self.max
    }
}

impl Tally for Extremes {
    fn merge(&mut self, right: Self) {
        self.count += right.count;
        self.refused = self.refused.or(right.refused);
        if let Some(other) = right.min
            && self.min.is_none_or(|min| other.value < min.value)
        {
            self.min = Some(other);
        }
        if let Some(other) = right.max
            && self.max.is_none_or(|max| other.value > max.value)
        {
            self.max = Some(other);
        }
    }

    fn end_block(&mut self) -> Result<(), NotFinite> {
        self.refused
            .map_or(Ok(()), |value| Err(NotFinite::new(value.to_string())))
    }

    fn estimates(&self, estimates: &mut Estimates) {
        estimates.note(if self.count == 0 {
            "has no samples: nothing can be estimated"
        } else {
            "holds extremes of what was seen: they have no standard error"
        });
        for (name, extreme) in [("min", self.min), ("max", self.max)] {
            estimates.within(name, |estimates| {
                estimates.push(Estimate {
                    value: extreme.map(|extreme| extreme.value),
                    std_error: None,
                    interval: None,
                    samples: self.count,
                });
            });
        }
    }
}

//! Estimates as a result lists them: JSON has no way to say NaN, and nothing is null without a reason.

use croupier_compute::{Estimate, Estimates};
use serde::{Deserialize, Serialize};

/// One estimate. What can't be estimated is null, and a warning says why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EstimateReport {
    /// Its name: the tally's field, or the kernel's name where the tally has none.
    pub name: String,
    /// The estimate.
    pub value: Option<f64>,
    /// Its standard error.
    pub std_error: Option<f64>,
    /// The lower end of its confidence interval.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// The interval's confidence level.
    pub level: f64,
    /// How many samples it rests on.
    pub samples: u64,
}

impl EstimateReport {
    /// All of a tally's estimates.
    pub fn all(estimates: &Estimates) -> Vec<Self> {
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        estimates
            .named()
            .iter()
            .map(|(name, estimate)| Self {
                name: name.clone(),
                value: finite(estimate.value),
                std_error: finite(estimate.std_error),
                low: finite(estimate.interval.map(|[low, _]| low)),
                high: finite(estimate.interval.map(|[_, high]| high)),
                level: estimates.level(),
                samples: estimate.samples,
            })
            .collect()
    }

    /// The reasons for what [`all`](Self::all) leaves null, where the tally gives none itself.
    pub(crate) fn unexplained(estimates: &Estimates) -> Vec<String> {
        estimates
            .named()
            .iter()
            .flat_map(|(name, estimate)| {
                let is_noted = estimates
                    .notes()
                    .iter()
                    .any(|note| is_about(note, name, estimates));
                parts(estimate)
                    .into_iter()
                    .filter_map(move |(what, value)| match value {
                        Some(value) if value.is_finite() => None,
                        Some(value) => {
                            Some(format!("the {what} of `{name}` is {value}: it is left out"))
                        }
                        None if is_noted => None,
                        None => Some(format!(
                            "the {what} of `{name}` is not known: its tally gives none"
                        )),
                    })
            })
            .collect()
    }
}

/// What an estimate is made of; of an interval's ends the one that is not finite, if one is.
fn parts(estimate: &Estimate) -> [(&'static str, Option<f64>); 3] {
    let end = estimate
        .interval
        .map(|[low, high]| if low.is_finite() { high } else { low });
    [
        ("value", estimate.value),
        ("standard error", estimate.std_error),
        ("interval", end),
    ]
}

/// Whether a note is about the estimate `name`, about what it is a part of, or about all.
fn is_about(note: &str, name: &str, estimates: &Estimates) -> bool {
    let Some((noted, _)) = note.strip_prefix('`').and_then(|note| note.split_once('`')) else {
        return false;
    };
    let is_below = |name: &str| {
        name.strip_prefix(noted)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    // A tally that is no field of another notes under the kernel's name, which begins no estimate's
    // name unless it is the estimate.
    is_below(name) || !estimates.named().iter().any(|(other, _)| is_below(other))
}

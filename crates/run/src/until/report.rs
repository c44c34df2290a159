//! What a result says of a run that was to be precise: intervals for it, and the looks.

use croupier_compute::sequential::{Method, Sequence, Support};
use croupier_compute::{Estimate, Estimates};
use serde::{Deserialize, Serialize};

use super::judge::judge;
use super::look::{Ending, Look, LookedAt};
use crate::manifest::FORMAT;
use crate::report::Warning;
use crate::{EstimateReport, StoredRun, Until};

/// How precise a run was to be, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UntilReport {
    /// What was asked for.
    pub asked: Until,
    /// Whether it is reached.
    pub met: bool,
    /// How the intervals of the estimates were made, by name.
    pub intervals: Vec<SequenceReport>,
    /// When it was looked at: the looks before this result's, and its own.
    pub looks: Vec<Look>,
    /// Whether the last look may decide: all shards are done, or as many as the policy asks for.
    pub is_decided: bool,
}

/// How an interval was made that holds however often it is looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SequenceReport {
    /// The estimate's name.
    pub name: String,
    /// `confidence sequence` or `asymptotic confidence sequence`; none where there is no interval.
    pub method: Option<String>,
    /// What it assumes.
    pub assumes: Option<String>,
    /// The longer half of the interval.
    pub half_width: Option<f64>,
    /// That over the estimate.
    pub relative_half_width: Option<f64>,
    /// The lower end of the ordinary interval, which is right only for a number of samples that was fixed before.
    pub ordinary_low: Option<f64>,
    /// Its upper end.
    pub ordinary_high: Option<f64>,
}

/// What an interval assumes, for people.
fn described(method: Method) -> (&'static str, &'static str) {
    match method {
        Method::Bounded => (
            "confidence sequence",
            "every sample lies within its bounds; right for any number of samples",
        ),
        Method::Asymptotic => (
            "asymptotic confidence sequence",
            "a variance, and as many samples at the first look as an ordinary interval needs",
        ),
    }
}

impl Until {
    /// Puts intervals that hold at every look in the place of ordinary ones in `listed`, and takes a look. `looks`
    /// are those that are recorded; `is_decided` says whether this one may decide.
    pub(crate) fn report(
        &self,
        run: &StoredRun,
        looks: &[Look],
        estimates: &Estimates,
        listed: &mut [EstimateReport],
        (samples, digest, is_decided): (u64, &str, bool),
    ) -> UntilReport {
        let first = run.segments.first().map_or(1, |first| first.end_sample);
        let shown = Sequence::new(first, estimates.level());
        let decides = Sequence::new(first, self.level);
        let mut intervals = Vec::with_capacity(listed.len());
        let mut seen = Vec::new();
        for ((name, estimate), listed) in estimates.named().iter().zip(listed) {
            let by_tally = estimates.bounds(name).map(Support::Ends);
            let support = by_tally.or(self.bounds(name).map(Support::Between));
            if self.target(name).is_some() {
                seen.push(look_at(name, estimate, decides.interval(estimate, support)));
            }
            // What has no interval and no error, such as a maximum, is left as it is.
            let has_error = estimate.std_error.is_some() || estimate.interval.is_some();
            if has_error {
                intervals.push(replace(listed, shown.interval(estimate, support)));
            }
        }
        let segment = run.segments.len() as u32 - 1;
        let recorded = looks.iter().find(|look| look.segment == segment);
        let look = recorded.cloned().unwrap_or_else(|| {
            let seconds = run.seconds_since_planned();
            let judged = judge(run, self, &seen, seconds);
            Look {
                format: FORMAT,
                croupier: env!("CARGO_PKG_VERSION").to_owned(),
                segment,
                samples,
                digest: digest.to_owned(),
                seconds,
                estimates: seen,
                goes_on_to: judged.ok().filter(|_| is_decided),
                ended: judged.err().filter(|_| is_decided),
            }
        });
        let mut looks: Vec<Look> = looks
            .iter()
            .filter(|look| look.segment < segment)
            .cloned()
            .collect();
        let met = look.ended == Some(Ending::Met);
        looks.push(look);
        UntilReport {
            asked: self.clone(),
            met,
            intervals,
            looks,
            is_decided,
        }
    }
}

fn look_at(name: &str, estimate: &Estimate, interval: Option<([f64; 2], Method)>) -> LookedAt {
    let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
    LookedAt {
        name: name.to_owned(),
        value: finite(estimate.value),
        std_error: finite(estimate.std_error),
        low: interval.map(|([low, _], _)| low),
        high: interval.map(|([_, high], _)| high),
        samples: estimate.samples,
    }
}

/// Lists `interval` instead of the ordinary one, which is kept under another name.
fn replace(listed: &mut EstimateReport, interval: Option<([f64; 2], Method)>) -> SequenceReport {
    let (ordinary_low, ordinary_high) = (listed.low, listed.high);
    listed.low = interval.map(|([low, _], _)| low);
    listed.high = interval.map(|([_, high], _)| high);
    let described = interval.map(|(_, method)| described(method));
    let half_width = interval
        .zip(listed.value)
        .map(|(([low, high], _), value)| (high - value).max(value - low));
    SequenceReport {
        name: listed.name.clone(),
        method: described.map(|(method, _)| method.to_owned()),
        assumes: described.map(|(_, assumes)| assumes.to_owned()),
        half_width,
        relative_half_width: half_width
            .zip(listed.value)
            .map(|(half_width, value)| half_width / value.abs())
            .filter(|relative| relative.is_finite()),
        ordinary_low,
        ordinary_high,
    }
}

impl UntilReport {
    /// Why the result is not precise enough; none where it is.
    pub(crate) fn refused(&self) -> Option<String> {
        if self.met {
            return None;
        }
        let look = self.looks.last()?;
        let mut far = Vec::new();
        for aim in &self.asked.aims {
            let seen = look
                .estimates
                .iter()
                .find(|seen| aim.estimate.as_ref() == Some(&seen.name));
            let seen = seen.map(LookedAt::as_look);
            if seen.is_some_and(|seen| aim.target.is_met(&seen)) {
                continue;
            }
            let half_width = seen.and_then(|seen| seen.half_width());
            far.push(match half_width.zip(seen.and_then(|seen| seen.value)) {
                Some((half_width, value)) => {
                    format!("{aim} is asked for, {value} +- {half_width:.3e} is there")
                }
                None => format!("{aim} is asked for, and no interval can be made"),
            });
        }
        let why = match look.ended {
            Some(Ending::MaxSamples) => "it has --max-samples",
            Some(Ending::MaxTime) => "more would take longer than --max-time",
            Some(Ending::Unpredictable) => {
                "nothing tells how many samples it takes; --max-samples allows more"
            }
            Some(Ending::Met) | None => "it is not over: `drive` goes on with it",
        };
        Some(format!("not precise enough: {}; {why}", far.join("; ")))
    }

    /// Whether the interval of the estimate `name` is right for any number of samples.
    pub(crate) fn needs_no_samples(&self, name: &str) -> bool {
        let (bounded, _) = described(Method::Bounded);
        self.intervals
            .iter()
            .any(|interval| interval.name == name && interval.method.as_deref() == Some(bounded))
    }

    /// What must be said beside it.
    pub(crate) fn warnings(&self, estimates: &[EstimateReport]) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for interval in &self.intervals {
            let estimate = estimates.iter().find(|one| one.name == interval.name);
            if interval.method.is_some() || estimate.is_none_or(|one| one.value.is_none()) {
                continue;
            }
            warnings.push(Warning::NoSequence {
                name: interval.name.clone(),
                has_bounds: self.asked.bounds(&interval.name).is_some(),
            });
        }
        let [.., before, last] = self.looks.as_slice() else {
            return warnings;
        };
        for (before, last) in before.estimates.iter().zip(&last.estimates) {
            if self.needs_no_samples(&last.name) {
                continue;
            }
            let deviation = |seen: &LookedAt| Some(seen.std_error? * (seen.samples as f64).sqrt());
            if let (Some(before), Some(after)) = (deviation(before), deviation(last))
                && !(1.0 / RESTLESS..=RESTLESS).contains(&(after / before))
            {
                warnings.push(Warning::Restless {
                    name: last.name.clone(),
                    before,
                    after,
                });
            }
        }
        warnings
    }
}

/// Standard deviations of one output at two looks differ by less than this factor, unless few samples carry them.
const RESTLESS: f64 = 1.15;

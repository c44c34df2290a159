//! What a look decides: a function of what was seen, so that it can be tested without a store or a clock.

use croupier_compute::sequential::{self, next_samples};

use super::look::{Ending, LookedAt};
use crate::{StoredRun, Until};

/// A run of which nothing can be predicted, and which has no maximum, ends at so many times its first samples.
const MOST_BLIND_GROWTH: u64 = 1024;

/// How a run goes on after a look at all it has.
pub(super) fn judge(
    run: &StoredRun,
    until: &Until,
    estimates: &[LookedAt],
    seconds: f64,
) -> Result<u64, Ending> {
    let samples = run.samples();
    let length = run.manifest.identity.block_length;
    let mut next = 0;
    let mut is_blind = false;
    for aim in &until.aims {
        let seen = estimates
            .iter()
            .find(|seen| aim.estimate.as_ref() == Some(&seen.name));
        let look = seen.map(LookedAt::as_look);
        if look.is_some_and(|look| aim.target.is_met(&look)) {
            continue;
        }
        let growth = look.and_then(|look| aim.target.growth(&look));
        is_blind |= growth.is_none();
        next = next.max(next_samples(samples, growth, length));
    }
    if next == 0 {
        return Err(Ending::Met);
    }
    if let Some(most) = until.max_samples {
        if samples >= most {
            return Err(Ending::MaxSamples);
        }
        next = next.min(most);
    }
    if let Some(most) = until.max_seconds {
        // As many as there is time for, at the speed so far.
        let in_time = samples as f64 * (most / seconds.max(1e-3));
        let whole_blocks = in_time.min(9e18) as u64 / length.samples() * length.samples();
        next = next.min(whole_blocks);
        if next <= samples {
            return Err(Ending::MaxTime);
        }
    }
    let first = run.segments.first().map_or(0, |first| first.end_sample);
    let has_maximum = until.max_samples.is_some() || until.max_seconds.is_some();
    if is_blind && !has_maximum && samples >= first.saturating_mul(MOST_BLIND_GROWTH) {
        return Err(Ending::Unpredictable);
    }
    Ok(next)
}

impl LookedAt {
    pub(super) fn as_look(&self) -> sequential::Look {
        sequential::Look {
            samples: self.samples,
            value: self.value,
            interval: self.low.zip(self.high).map(|(low, high)| [low, high]),
        }
    }
}

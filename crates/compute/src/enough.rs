//! How many samples an interval needs before its level can be believed, as far as a tally can see.

use crate::Estimate;

/// An interval of fewer samples may cover less than 94.5 % where it says 95 %: measured for a normal and an
/// exponential output, in `docs/PRECISION.md`.
pub const ENOUGH_SAMPLES: u64 = 256;
/// The same for a proportion: so many hits, and so many misses.
pub const ENOUGH_EVENTS: u64 = 16;

/// What an interval has too few of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooFew {
    /// So few samples; [`ENOUGH_SAMPLES`] are enough for outputs no more skewed than an exponential one.
    Samples(u64),
    /// So few hits, or so few misses; [`ENOUGH_EVENTS`] are enough.
    Events(u64),
}

impl Estimate {
    /// What its interval has too few of; none where it has enough, or there is no interval, or one that is left out
    /// for an end that is not finite.
    ///
    /// `bounds` are what each of its samples lies between, where its tally says so: then few samples do not
    /// matter, but few at one of the ends do. Of other outputs nothing is seen but how many samples there are: not
    /// how skewed they are, and not what has never happened yet.
    pub fn too_few(&self, bounds: Option<[f64; 2]>) -> Option<TooFew> {
        if !self.interval?.iter().all(|end| end.is_finite()) {
            return None;
        }
        let Some([low, high]) = bounds else {
            let has_few = self.samples < ENOUGH_SAMPLES;
            return has_few.then_some(TooFew::Samples(self.samples));
        };
        let share = (self.value? - low) / (high - low);
        let events = (share.min(1.0 - share) * self.samples as f64).round() as u64;
        (events < ENOUGH_EVENTS).then_some(TooFew::Events(events))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(value: f64, samples: u64) -> Estimate {
        Estimate {
            value: Some(value),
            std_error: Some(0.1),
            interval: Some([value - 0.2, value + 0.2]),
            samples,
        }
    }

    #[test]
    fn few_samples_and_few_events_are_told_apart() {
        let unit = Some([0.0, 1.0]);
        assert_eq!(estimate(5.0, 255).too_few(None), Some(TooFew::Samples(255)));
        assert_eq!(estimate(5.0, 256).too_few(None), None);
        assert_eq!(estimate(0.5, 40).too_few(unit), None);
        for value in [0.001, 0.999] {
            let few = estimate(value, 15_000).too_few(unit);
            assert_eq!(few, Some(TooFew::Events(15)), "{value}");
            assert_eq!(estimate(value, 16_000).too_few(unit), None);
        }
        for interval in [None, Some([0.0, f64::INFINITY])] {
            let largest = Estimate {
                interval,
                ..estimate(5.0, 3)
            };
            assert_eq!(largest.too_few(None), None);
        }
    }
}

//! How precise is enough, and how many samples that takes.

use std::fmt;
use std::str::FromStr;

use crate::BlockLength;

/// How long half an interval may be. Written `rel=1e-3` or `abs=0.05`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// At most this times the estimate's absolute value.
    Relative(f64),
    /// At most this, in the estimate's own unit.
    Absolute(f64),
}

/// One look at an estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Samples so far.
    pub samples: u64,
    /// The estimate.
    pub value: Option<f64>,
    /// Its interval, the one that is reported.
    pub interval: Option<[f64; 2]>,
}

impl Look {
    /// The longer half of the interval.
    pub fn half_width(&self) -> Option<f64> {
        let ([low, high], value) = self.interval.zip(self.value)?;
        Some((high - value).max(value - low))
    }
}

impl Target {
    /// Whether `look` is precise enough. What can't be estimated is not.
    pub fn is_met(self, look: &Look) -> bool {
        match (self.allowed(look), look.half_width()) {
            (Some(allowed), Some(half_width)) => half_width <= allowed,
            _ => false,
        }
    }

    /// How many times as many samples the target takes, by how the error shrinks: with one over their root.
    /// None where it can't be told: where there is no interval yet, or a relative error is asked of what may be
    /// zero.
    pub fn growth(self, look: &Look) -> Option<f64> {
        let ratio = look.half_width()? / self.allowed(look)?;
        if let (Self::Relative(_), Some([low, high])) = (self, look.interval)
            && low <= 0.0
            && high >= 0.0
        {
            return None;
        }
        let growth = ratio * ratio;
        growth.is_finite().then_some(growth)
    }

    fn allowed(self, look: &Look) -> Option<f64> {
        match self {
            Self::Relative(share) => look.value.map(|value| share * value.abs()),
            Self::Absolute(half_width) => Some(half_width),
        }
    }
}

/// Asked for on top of what is predicted, so that the next look is the last one more often than not.
const MARGIN: f64 = 1.1;
/// A run grows by so much from look to look. More would trust a first error too much; less would look
/// again and again.
const LEAST_GROWTH: f64 = 1.1;
const MOST_GROWTH: f64 = 8.0;
/// Where nothing can be predicted.
const BLIND_GROWTH: f64 = 2.0;

/// How many samples a run of `samples` should have by the next look: `growth` times as many and a tenth more, but
/// between 1.1 and 8 times as many; twice as many, where `growth` is none. Whole blocks, so that none is drawn
/// twice.
pub fn next_samples(samples: u64, growth: Option<f64>, length: BlockLength) -> u64 {
    let growth = growth.map_or(BLIND_GROWTH, |growth| {
        (MARGIN * growth).clamp(LEAST_GROWTH, MOST_GROWTH)
    });
    let whole = length.samples();
    // Beyond 2^63 a run has no room to grow either.
    let wanted = (growth * samples as f64).min(9e18) as u64;
    wanted.div_ceil(whole).saturating_mul(whole)
}

/// A text that is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no precision: give rel=R, half the interval over the estimate, as in rel=1e-3, or abs=A, half the interval, as in abs=0.05"
)]
pub struct WrongTarget(String);

impl FromStr for Target {
    type Err = WrongTarget;

    fn from_str(text: &str) -> Result<Self, WrongTarget> {
        let wrong = || WrongTarget(text.to_owned());
        let (kind, number) = text.split_once('=').ok_or_else(wrong)?;
        let number: f64 = number.parse().map_err(|_| wrong())?;
        match kind {
            "rel" if number > 0.0 && number < 1.0 => Ok(Self::Relative(number)),
            "abs" if number > 0.0 && number.is_finite() => Ok(Self::Absolute(number)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, number) = match self {
            Self::Relative(number) => ("rel", number),
            Self::Absolute(number) => ("abs", number),
        };
        if (1e-3..1e6).contains(number) {
            write!(formatter, "{kind}={number}")
        } else {
            write!(formatter, "{kind}={number:e}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(samples: u64, value: f64, half_width: f64) -> Look {
        Look {
            samples,
            value: Some(value),
            interval: Some([value - half_width, value + half_width]),
        }
    }

    #[test]
    fn targets_are_read_and_written() {
        for text in ["rel=1e-4", "rel=0.01", "abs=0.5", "abs=3e7"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        for text in [
            "", "rel", "1e-4", "rel=", "rel=0", "rel=1", "rel=-1", "rel=NaN", "abs=inf", "abs=-2",
            "se=0.1", "rel=1%", "REL=0.1",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_target_is_met_by_half_the_interval() {
        let (rel, abs) = (Target::Relative(0.01), Target::Absolute(0.01));
        assert!(rel.is_met(&look(100, -5.0, 0.05)) && !abs.is_met(&look(100, -5.0, 0.05)));
        assert!(!rel.is_met(&look(100, 0.5, 0.0051)) && abs.is_met(&look(100, 0.5, 0.0051)));
        let lopsided = Look {
            interval: Some([0.4999, 0.52]),
            ..look(100, 0.5, 0.0)
        };
        assert!(!abs.is_met(&lopsided), "the longer half counts");
        let unknown = Look {
            interval: None,
            ..look(100, 0.5, 0.0)
        };
        assert!(!rel.is_met(&unknown) && !abs.is_met(&unknown));
    }

    #[test]
    fn four_times_the_samples_halve_the_error() {
        let (rel, abs) = (Target::Relative(0.015_625), Target::Absolute(0.25));
        assert_eq!(abs.growth(&look(1000, 5.0, 0.5)), Some(4.0));
        assert_eq!(rel.growth(&look(1000, -8.0, 0.25)), Some(4.0));
        let may_be_zero = look(1000, 0.1, 0.2);
        assert_eq!(rel.growth(&may_be_zero), None);
        assert!(abs.growth(&may_be_zero).is_some());
    }

    #[test]
    fn the_next_look_is_bounded_and_at_a_blocks_end() {
        let length = BlockLength::new(64).unwrap();
        assert_eq!(next_samples(1000, Some(4.0), length), 4416);
        assert_eq!(next_samples(1000, Some(1e6), length), 8000);
        assert_eq!(next_samples(1024, Some(0.9), length), 1152);
        assert_eq!(next_samples(1024, None, length), 2048);
        assert_eq!(next_samples(64, Some(1.0), length), 128);
    }
}

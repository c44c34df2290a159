//! What becomes of a run whose shards fail: what may be missing, in integers, and what is done about it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// What becomes of a run whose shards fail, and how many holes its result may have.
///
/// Written `complete`, `tolerate=N` (shards unfinished) or `tolerate=P%` (share of blocks missing, at
/// most three decimals); before either, `retry=R` (rounds of holes only), as in `retry=3,tolerate=1%`;
/// or `fail-fast` (the first failure stops all others).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Policy {
    /// Whether the first failure stops all others.
    pub fail_fast: bool,
    /// How often shards with holes are run again before the rest of the policy decides.
    pub retries: u32,
    /// What may be missing.
    pub tolerance: Tolerance,
}

/// What may be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tolerance {
    /// Nothing.
    #[default]
    Nothing,
    /// So many shards may be unfinished.
    Shards(u32),
    /// So large a share of the blocks may be missing, in thousandths of a percent.
    Blocks(Share),
}

/// A share in thousandths of a percent: 100,000 is all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u32);

const WHOLE: u32 = 100_000;

impl Share {
    /// Whether `part` of `whole` is more than this share. A share exactly met is not exceeded.
    pub fn is_exceeded_by(self, part: u64, whole: u64) -> bool {
        u128::from(part) * u128::from(WHOLE) > u128::from(self.0) * u128::from(whole)
    }

    /// The largest part of `whole` that does not exceed this share.
    pub fn of(self, whole: u64) -> u64 {
        (u128::from(self.0) * u128::from(whole) / u128::from(WHOLE)) as u64
    }
}

impl Policy {
    /// Whether the policy takes a result in which `unfinished` shards and `missing` of `planned`
    /// blocks are missing. A result of no blocks is always refused.
    pub fn accepts(&self, unfinished: u64, missing: u64, planned: u64) -> bool {
        missing < planned
            && match self.tolerance {
                Tolerance::Nothing => missing == 0,
                Tolerance::Shards(count) => unfinished <= u64::from(count),
                Tolerance::Blocks(share) => !share.is_exceeded_by(missing, planned),
            }
    }
}

impl FromStr for Policy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| {
            Error::Input(format!(
                "{text:?} is no policy{why}: give complete, tolerate=N (shards), tolerate=P% (of the blocks, at most three decimals), retry=R, both as in retry=3,tolerate=1%, or fail-fast"
            ))
        };
        let mut policy = Self::default();
        let mut said = Vec::new();
        for part in text.split(',') {
            let (what, amount) = part
                .split_once('=')
                .map_or((part, None), |(what, amount)| (what, Some(amount)));
            match (what, amount) {
                ("complete", None) => {}
                ("fail-fast", None) => policy.fail_fast = true,
                ("retry", Some(rounds)) => {
                    policy.retries = whole(rounds).ok_or_else(|| wrong(""))?;
                }
                ("tolerate", Some(amount)) => {
                    policy.tolerance = match amount.strip_suffix('%') {
                        Some(percent) => {
                            Tolerance::Blocks(percent.parse().map_err(|()| wrong(""))?)
                        }
                        None => Tolerance::Shards(whole(amount).ok_or_else(|| wrong(""))?),
                    };
                }
                _ => return Err(wrong("")),
            }
            // Both say what may be missing in the end.
            let about = if what == "complete" { "tolerate" } else { what };
            if said.contains(&about) {
                return Err(wrong(", it says one thing twice"));
            }
            said.push(about);
        }
        if policy.fail_fast && said.len() > 1 {
            return Err(wrong(
                ", since what fails fast is neither tolerated nor retried",
            ));
        }
        Ok(policy)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.fail_fast {
            return formatter.write_str("fail-fast");
        }
        if self.retries > 0 {
            write!(formatter, "retry={}", self.retries)?;
            if self.tolerance == Tolerance::Nothing {
                return Ok(());
            }
            formatter.write_str(",")?;
        }
        match self.tolerance {
            Tolerance::Nothing => formatter.write_str("complete"),
            Tolerance::Shards(count) => write!(formatter, "tolerate={count}"),
            Tolerance::Blocks(share) => write!(formatter, "tolerate={share}"),
        }
    }
}

impl TryFrom<String> for Policy {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Policy> for String {
    fn from(policy: Policy) -> Self {
        policy.to_string()
    }
}

/// Digits alone: no sign, no space.
fn whole<N: FromStr>(text: &str) -> Option<N> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

impl FromStr for Share {
    type Err = ();

    /// Reads percent, without the sign.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (percent, decimals) = text.split_once('.').unwrap_or((text, "0"));
        if decimals.is_empty() || decimals.len() > 3 || percent.is_empty() {
            return Err(());
        }
        let percent: u32 = whole(percent).ok_or(())?;
        let thousandths: u32 = whole(&format!("{decimals:0<3}")).ok_or(())?;
        percent
            .checked_mul(1000)
            .and_then(|share| share.checked_add(thousandths))
            .filter(|share| *share <= WHOLE)
            .map(Self)
            .ok_or(())
    }
}

impl fmt::Display for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:03}", self.0 % 1000);
        match decimals.trim_end_matches('0') {
            "" => write!(formatter, "{}%", self.0 / 1000),
            decimals => write!(formatter, "{}.{decimals}%", self.0 / 1000),
        }
    }
}

/// How many samples may fail and be left out: a number, or a share of the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum FailedSamplesLimit {
    /// So many.
    Count(u64),
    /// So large a share of all samples.
    Share(Share),
}

impl FailedSamplesLimit {
    /// How many of `samples` samples may fail.
    pub fn of(self, samples: u64) -> u64 {
        match self {
            Self::Count(count) => count,
            Self::Share(share) => share.of(samples),
        }
    }
}

impl Default for FailedSamplesLimit {
    fn default() -> Self {
        Self::Count(0)
    }
}

impl FromStr for FailedSamplesLimit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = match text.strip_suffix('%') {
            Some(percent) => percent.parse().ok().map(Self::Share),
            None => whole(text).filter(|_| !text.is_empty()).map(Self::Count),
        };
        parsed.ok_or_else(|| {
            Error::Input(format!(
                "{text:?} is no limit of failed samples: give a whole number, or a share such as 0.1% with at most three decimals"
            ))
        })
    }
}

impl fmt::Display for FailedSamplesLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(formatter, "{count}"),
            Self::Share(share) => write!(formatter, "{share}"),
        }
    }
}

impl TryFrom<String> for FailedSamplesLimit {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<FailedSamplesLimit> for String {
    fn from(limit: FailedSamplesLimit) -> Self {
        limit.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> Policy {
        text.parse().unwrap()
    }

    #[test]
    fn a_share_exactly_met_is_accepted() {
        let tolerate = policy("tolerate=1%");
        assert!(tolerate.accepts(99, 10, 1000));
        assert!(!tolerate.accepts(1, 11, 1000));
        assert!(policy("tolerate=0.125%").accepts(1, 125, 100_000));
        assert!(!policy("tolerate=0.125%").accepts(1, 126, 100_000));
        assert!(policy("tolerate=2").accepts(2, 900, 1000));
        assert!(!policy("tolerate=2").accepts(3, 3, 1000));
        assert!(!policy("complete").accepts(0, 1, 1000));
        assert!(policy("complete").accepts(0, 0, 1000));
    }

    #[test]
    fn a_result_of_nothing_is_refused() {
        for text in ["tolerate=100%", "tolerate=1000"] {
            assert!(!policy(text).accepts(10, 1000, 1000), "{text}");
            assert!(policy(text).accepts(10, 999, 1000), "{text}");
        }
    }

    #[test]
    fn the_largest_numbers_are_compared_exactly() {
        let tolerate = policy("tolerate=99.999%");
        assert!(tolerate.accepts(0, 99_999 << 40, 100_000 << 40));
        assert!(!tolerate.accepts(0, (99_999 << 40) + 1, 100_000 << 40));
    }

    #[test]
    fn texts_are_read_as_they_are_written() {
        for text in [
            "complete",
            "tolerate=3",
            "tolerate=0.5%",
            "tolerate=100%",
            "tolerate=0.001%",
            "fail-fast",
            "retry=3",
            "retry=3,tolerate=1%",
        ] {
            assert_eq!(policy(text).to_string(), text);
        }
        for text in [
            "",
            "tolerate",
            "tolerate=",
            "tolerate=-1",
            "tolerate=1.5",
            "tolerate=101%",
            "tolerate=0.0001%",
            "tolerate=%",
            "tolerate=.5%",
            "tolerate=5.%",
            "complete=1",
            "tolerate=+1",
            "retry",
            "retry=-1",
            "retry=1,retry=2",
            "complete,tolerate=1",
            "fail-fast,tolerate=1",
            "retry=1,",
        ] {
            assert!(text.parse::<Policy>().is_err(), "{text:?}");
        }
        for text in ["0", "17", "0.1%"] {
            assert_eq!(
                text.parse::<FailedSamplesLimit>().unwrap().to_string(),
                text
            );
        }
        for text in ["", "-1", "1.5", "%"] {
            assert!(text.parse::<FailedSamplesLimit>().is_err(), "{text:?}");
        }
    }
}

//! How many may be missing: a count, or a share of the whole. Shares are kept in integers, so that whether a share is
//! exceeded is the same on every machine and to the last sample.

use std::fmt;
use std::str::FromStr;

/// `5`, `1%` or `0.125%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountOrShare {
    /// So many.
    Count(u64),
    /// So many of each 100,000: a percentage with three decimals.
    Share {
        /// From 0 to 100,000.
        parts_per_100_000: u32,
    },
}

/// Reads a count as [`count`](super::count) does, or a percentage with at most three decimals. A clap value parser.
///
/// # Errors
/// What is neither, a share over 100 %, and one with more than three decimals.
pub fn count_or_share(text: &str) -> Result<CountOrShare, String> {
    let Some(percent) = text.strip_suffix('%') else {
        return super::count(text).map(CountOrShare::Count);
    };
    let refuse = || format!("{text:?} is not a share: write it like 1% or 0.125%");
    let (whole, decimals) = percent.split_once('.').unwrap_or((percent, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) {
        return Err(refuse());
    }
    if decimals.len() > 3 {
        return Err(format!(
            "{text:?} has {} decimals: a share has at most three",
            decimals.len()
        ));
    }
    let thousandths: u32 = format!("{decimals:0<3}").parse().map_err(|_| refuse())?;
    whole
        .parse::<u32>()
        .ok()
        .and_then(|whole| whole.checked_mul(1000)?.checked_add(thousandths))
        .filter(|parts| *parts <= 100_000)
        .map(|parts_per_100_000| CountOrShare::Share { parts_per_100_000 })
        .ok_or_else(|| format!("{text:?} is more than the whole: at most 100%"))
}

impl CountOrShare {
    /// Whether `part` of `whole` is more than this allows. Exactly as much is not.
    #[must_use]
    pub fn is_exceeded_by(self, part: u64, whole: u64) -> bool {
        match self {
            Self::Count(count) => part > count,
            Self::Share { parts_per_100_000 } => {
                u128::from(part) * 100_000 > u128::from(parts_per_100_000) * u128::from(whole)
            }
        }
    }
}

impl FromStr for CountOrShare {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        count_or_share(text)
    }
}

/// As it is read: `5`, `1%`, `0.125%`.
impl fmt::Display for CountOrShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Share { parts_per_100_000 } => {
                let (whole, decimals) = (parts_per_100_000 / 1000, parts_per_100_000 % 1000);
                if decimals == 0 {
                    return write!(f, "{whole}%");
                }
                let decimals = format!("{decimals:03}");
                write!(f, "{whole}.{}%", decimals.trim_end_matches('0'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(parts_per_100_000: u32) -> CountOrShare {
        CountOrShare::Share { parts_per_100_000 }
    }

    #[test]
    fn both_are_read_and_written() {
        for (text, expected, written) in [
            ("5", CountOrShare::Count(5), "5"),
            ("1e3", CountOrShare::Count(1000), "1000"),
            ("0%", share(0), "0%"),
            ("1%", share(1_000), "1%"),
            ("0.125%", share(125), "0.125%"),
            ("12.5%", share(12_500), "12.5%"),
            ("01.50%", share(1_500), "1.5%"),
            ("0.001%", share(1), "0.001%"),
            ("100%", share(100_000), "100%"),
            ("100.000%", share(100_000), "100%"),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
            assert_eq!(expected.to_string(), written);
            assert_eq!(written.parse(), Ok(expected));
        }
    }

    #[test]
    fn anything_else_is_refused_with_its_reason() {
        for (text, why) in [
            ("0.0001%", "three"),
            ("1.0000%", "three"),
            ("100.001%", "at most 100%"),
            ("4294968%", "at most 100%"),
            ("99999999999%", "at most 100%"),
            ("%", "write it like"),
            (".5%", "write it like"),
            ("5.%", "write it like"),
            ("-1%", "write it like"),
            ("+1%", "write it like"),
            ("1e1%", "write it like"),
            ("1 %", "write it like"),
            ("NaN%", "write it like"),
            ("0.5", "not a whole"),
            ("", "nothing"),
        ] {
            let error = count_or_share(text);
            assert!(
                error.clone().is_err_and(|e| e.contains(why)),
                "{text}: {error:?}"
            );
        }
    }

    #[test]
    fn a_share_is_exceeded_by_more_than_itself() {
        let one_percent = share(1_000);
        assert!(!one_percent.is_exceeded_by(100, 10_000));
        assert!(one_percent.is_exceeded_by(101, 10_000));
        assert!(!one_percent.is_exceeded_by(0, 99));
        assert!(one_percent.is_exceeded_by(1, 99));
        assert!(!share(100_000).is_exceeded_by(u64::MAX, u64::MAX));
        assert!(share(99_999).is_exceeded_by(u64::MAX, u64::MAX));
        assert!(!CountOrShare::Count(5).is_exceeded_by(5, 6));
        assert!(CountOrShare::Count(5).is_exceeded_by(6, 6_000_000));
    }
}

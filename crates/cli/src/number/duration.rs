//! Durations with their units said: a bare `20` would be seconds to one reader and minutes to another.

use std::time::Duration;

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads a duration: whole numbers with units, from the largest to the smallest, such as `1h30m`, `90s` or `500ms`. A
/// clap value parser.
///
/// # Errors
/// A number without a unit, an unknown unit, units out of order or twice, a fraction, a sign, or more than 2^64 - 1
/// milliseconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let refuse = |why: &str| {
        format!("{text:?} is not a duration, {why}: write it like 20m, 1h30m, 90s or 500ms")
    };
    if text.is_empty() {
        return Err("expected a duration such as 20m, found nothing".into());
    }
    let mut rest = text;
    let mut smaller_units = UNITS.as_slice();
    let mut milliseconds = 0_u64;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(end_of(rest, |c| c.is_ascii_digit()));
        let (unit, after) = after.split_at(end_of(after, |c| c.is_ascii_alphabetic()));
        if number.is_empty() {
            return Err(refuse(
                "for it has something other than digits where a number was expected",
            ));
        }
        if unit.is_empty() && after.is_empty() {
            return Err(refuse("for it has a number without a unit"));
        }
        if unit.is_empty() {
            return Err(refuse("for its numbers are not whole"));
        }
        let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(refuse("for its units are other than d, h, m, s and ms"));
        };
        let Some(position) = smaller_units.iter().position(|(name, _)| *name == unit) else {
            return Err(refuse("for its units are not in order from large to small"));
        };
        smaller_units = &smaller_units[position + 1..];
        milliseconds = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*factor))
            .and_then(|more| milliseconds.checked_add(more))
            .ok_or_else(|| refuse("for it is too long"))?;
        rest = after;
    }
    Ok(Duration::from_millis(milliseconds))
}

fn end_of(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_sums_of_units() {
        for (text, milliseconds) in [
            ("20m", 1_200_000),
            ("90s", 90_000),
            ("1h30m", 5_400_000),
            ("500ms", 500),
            ("1d2h3m4s5ms", 93_784_005),
            ("1m5ms", 60_005),
            ("0s", 0),
        ] {
            assert_eq!(
                duration(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn anything_else_is_refused_with_its_reason() {
        for (text, why) in [
            ("", "nothing"),
            ("20", "without a unit"),
            ("1h30", "without a unit"),
            ("1.5h", "not whole"),
            ("1_0s", "not whole"),
            ("20 m", "not whole"),
            ("-5s", "other than digits"),
            ("m", "other than digits"),
            ("5s ", "other than digits"),
            ("5min", "units are other than"),
            ("5M", "units are other than"),
            ("5m1h", "not in order"),
            ("5m5m", "not in order"),
            ("99999999999999999999s", "too long"),
            ("18446744073709551615d", "too long"),
        ] {
            let error = duration(text);
            assert!(
                error.clone().is_err_and(|e| e.contains(why)),
                "{text}: {error:?}"
            );
        }
    }
}

//! Numbers as people write them: counts here, durations below. Apart because every verb reads them, and
//! because they are read in integers: a count that passed through an `f64` may be another count.
//!
//! | written | is |
//! |---|---|
//! | `1e9`, `2.5e6`, `1_000_000` | 1,000,000,000; 2,500,000; 1,000,000 |
//! | `64k`, `64K`, `64M`, `64G`, `64T` | times 1000, 1000, 1000², 1000³, 1000⁴ |
//! | `64Ki`, `64Mi`, `64Gi`, `64Ti` | times 1024, 1024², 1024³, 1024⁴ |
//!
//! The functions that read return their error as text, because that is what clap wants of a value parser.

mod duration;

pub use duration::duration;

/// What may follow the digits of a count. The longer suffixes first: `Mi` also ends in a letter that none else has,
/// but `M` is the beginning of it.
const SUFFIXES: [(&str, u64); 9] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("k", 1_000),
    ("K", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
];

/// Any number of so many digits fits into 128 bits.
const MOST_DIGITS: usize = 38;

/// Reads a count: a clap value parser.
///
/// # Errors
/// The text is no number, is negative, is not whole, or exceeds 2^64 - 1.
pub fn count(text: &str) -> Result<u64, String> {
    let (number, factor) = SUFFIXES
        .iter()
        .find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)))
        .unwrap_or((text, 1));
    let decimal = Decimal::read(number).ok_or_else(|| refuse(text))?;
    decimal.times(factor).map_err(|problem| match problem {
        Problem::NotWhole => format!("{text:?} is not a whole number"),
        Problem::TooManyDigits => {
            format!("{text:?} has more than {MOST_DIGITS} digits, and no count has")
        }
        Problem::TooLarge => format!("{text:?} is too large: at most {} (2^64 - 1)", u64::MAX),
    })
}

fn refuse(text: &str) -> String {
    if text.is_empty() {
        return "expected a count, found nothing".into();
    }
    if text.starts_with('-') {
        return format!("{text:?} is negative: expected a count");
    }
    format!("{text:?} is not a count: write it like 1000000, 1_000_000, 1e6, 2.5e6, 64k or 64Mi")
}

/// A count with its digits in groups of three: `1_000_000`, which [`count`] reads.
#[must_use]
pub fn format_count(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push('_');
        }
        grouped.push(digit);
    }
    grouped
}

/// A quantity for the eye, in three digits: `1.23 G`, `45.6 k`, `789`. Not to be read back.
#[must_use]
pub fn format_quantity(quantity: f64) -> String {
    const PREFIXES: [&str; 6] = ["", " k", " M", " G", " T", " P"];
    let mut scaled = quantity;
    let mut prefix = 0;
    // 999.5 is where three digits become four.
    while scaled.abs() >= 999.5 && prefix + 1 < PREFIXES.len() {
        scaled /= 1000.0;
        prefix += 1;
    }
    let decimals = match scaled.abs() {
        small if small < 9.995 => 2,
        middling if middling < 99.95 => 1,
        _ => 0,
    };
    let mut text = format!("{scaled:.decimals$}");
    if prefix == 0 && text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    text + PREFIXES[prefix]
}

/// A number that is not negative, exactly as it was written: `digits` times ten to the `exponent`.
struct Decimal {
    digits: String,
    exponent: i64,
}

enum Problem {
    NotWhole,
    TooManyDigits,
    TooLarge,
}

impl Decimal {
    /// Reads `12`, `1_000`, `1.5`, `2.5e6`, `1E+3`; nothing else.
    fn read(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, read_exponent(exponent)?),
            None => (text, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (read_digits(whole)?, read_digits(fraction)?),
            None => (read_digits(mantissa)?, String::new()),
        };
        let exponent = exponent - i64::try_from(fraction.len()).ok()?;
        let digits = whole + &fraction;
        let significant = digits.trim_end_matches('0');
        let zeros = i64::try_from(digits.len() - significant.len()).ok()?;
        Some(Self {
            digits: significant.trim_start_matches('0').to_owned(),
            exponent: exponent + zeros,
        })
    }

    /// The number times `factor`, exactly.
    fn times(&self, mut factor: u64) -> Result<u64, Problem> {
        if self.digits.is_empty() {
            return Ok(0);
        }
        if self.digits.len() > MOST_DIGITS {
            return Err(Problem::TooManyDigits);
        }
        let mut mantissa: u128 = self.digits.parse().map_err(|_| Problem::TooManyDigits)?;
        // Tens are divided out prime by prime, before the multiplication, which so has room for every whole result.
        // This ends early: two numbers hold only so many twos and fives.
        for _ in self.exponent..0 {
            for prime in [2_u8, 5] {
                if mantissa.is_multiple_of(prime.into()) {
                    mantissa /= u128::from(prime);
                } else if factor.is_multiple_of(prime.into()) {
                    factor /= u64::from(prime);
                } else {
                    return Err(Problem::NotWhole);
                }
            }
        }
        u32::try_from(self.exponent.max(0))
            .ok()
            .and_then(|exponent| 10_u128.checked_pow(exponent))
            .and_then(|power| power.checked_mul(mantissa)?.checked_mul(factor.into()))
            .and_then(|product| u64::try_from(product).ok())
            .ok_or(Problem::TooLarge)
    }
}

fn read_exponent(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    // An exponent of ten digits or more is far outside of any count, and is read as the largest of nine.
    let digits = read_digits(digits)?;
    let digits = digits.trim_start_matches('0');
    let size: i64 = match digits.len() {
        0 => 0,
        1..=9 => digits.parse().ok()?,
        _ => 999_999_999,
    };
    Some(sign * size)
}

/// Decimal digits with single underscores between them; the digits alone.
fn read_digits(text: &str) -> Option<String> {
    let mut digits = String::with_capacity(text.len());
    for group in text.split('_') {
        if group.is_empty() || !group.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        digits += group;
    }
    Some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_as_people_write_them() {
        for (text, expected) in [
            ("0", 0),
            ("0e999999999999", 0),
            ("007", 7),
            ("1_000_000", 1_000_000),
            ("1e9", 1_000_000_000),
            ("1E+9", 1_000_000_000),
            ("1_0e0_3", 10_000),
            ("2.5e6", 2_500_000),
            ("1000e-3", 1),
            ("3.000", 3),
            ("64k", 64_000),
            ("64K", 64_000),
            ("1.5M", 1_500_000),
            ("2G", 2_000_000_000),
            ("1T", 1_000_000_000_000),
            ("64Ki", 65_536),
            ("64Mi", 67_108_864),
            ("1.5Gi", 1_610_612_736),
            ("1Ti", 1_099_511_627_776),
            ("0.0009765625Ki", 1),
            ("1e3k", 1_000_000),
        ] {
            assert_eq!(count(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn counts_are_exact_where_floats_are_not() {
        for (text, expected) in [
            ("9007199254740993", (1 << 53) + 1),
            ("9.007199254740993e15", (1 << 53) + 1),
            ("18446744073709551615", u64::MAX),
            ("1.8446744073709551615e19", u64::MAX),
            ("0.0000000000009094947017729282379150390625Ti", 1),
            ("18014398509481983.9990234375Ki", u64::MAX),
        ] {
            assert_eq!(count(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_too_large_is_refused() {
        for text in [
            "18446744073709551616",
            "1e19999999999",
            "2e19",
            "16777216Ti",
            "99999999999999999999999999999999999999Ti",
        ] {
            let error = count(text);
            assert!(
                error.clone().is_err_and(|e| e.contains("too large")),
                "{error:?}"
            );
        }
        assert_eq!(count("1e19"), Ok(10_000_000_000_000_000_000));
        for text in [
            "100000000000000000000000000000000000001",
            "1.00000000000000000000000000000000000001",
        ] {
            assert!(count(text).is_err_and(|e| e.contains("more than 38 digits")));
        }
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        for text in [
            "1.5",
            "1e-3",
            "1.2345k",
            "0.1Ki",
            "0.00000000000000000000000000000000000000000000000001",
            "1.0000000000000000000000000000000000001",
            "1e-99999999999",
        ] {
            let error = count(text);
            assert!(
                error.clone().is_err_and(|e| e.contains("not a whole")),
                "{error:?}"
            );
        }
    }

    #[test]
    fn what_is_no_count_is_refused_with_an_example() {
        for text in [
            "NaN", "inf", "+5", " 5", "5 ", "0x10", "1,000", "_1", "1_", "1__0", ".5", "5.", "1e",
            "e9", "1e+", "1e1.5", "k", "5 k", "5kk", "5B", "٣",
        ] {
            let error = count(text);
            assert!(
                error.clone().is_err_and(|e| e.contains("write it like")),
                "{error:?}"
            );
        }
        assert!(count("").is_err_and(|e| e.contains("nothing")));
        assert!(count("-5").is_err_and(|e| e.contains("negative")));
        assert!(count("-inf").is_err_and(|e| e.contains("negative")));
    }

    #[test]
    fn formatted_counts_are_read_back() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1_000"),
            (123_456_789, "123_456_789"),
        ] {
            assert_eq!(format_count(number), text);
        }
        assert_eq!(count(&format_count(u64::MAX)), Ok(u64::MAX));
    }

    #[test]
    fn quantities_have_three_digits() {
        for (quantity, text) in [
            (0.0, "0"),
            (0.5, "0.5"),
            (7.0, "7"),
            (45.67, "45.7"),
            (999.4, "999"),
            (999.5, "1.00 k"),
            (1_234.0, "1.23 k"),
            (9_996.0, "10.0 k"),
            (45_678.0, "45.7 k"),
            (999_600.0, "1.00 M"),
            (1.234e9, "1.23 G"),
            (-2.5e6, "-2.50 M"),
            (1.0e20, "100000 P"),
        ] {
            assert_eq!(format_quantity(quantity), text, "{quantity}");
        }
    }
}

//! What verbs print on stdout.

use std::fmt::Write as _;

use croupier_compute::Estimates;
use croupier_run::{CasesReport, EstimateReport, Report};
use serde::Serialize;
use serde_json::Value;

use crate::number::{format_count, format_quantity};
use crate::{CliError, until};

/// Prints text for people, or one JSON object.
///
/// # Errors
/// It could not be written, as on a full disk. A closed pipe is the reader's choice.
pub(crate) fn print<T: Serialize>(
    json: bool,
    value: &T,
    text: impl FnOnce(&T) -> String,
) -> Result<(), CliError> {
    let text = if json {
        // Reports hold strings, numbers and lists of them, which always serialise.
        serde_json::to_string_pretty(value)
            .unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"))
    } else {
        text(value)
    };
    use std::io::Write as _;
    let mut stdout = std::io::stdout();
    let written = writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush());
    printed(written)
}

/// What came of writing to stdout.
pub(crate) fn printed(written: std::io::Result<()>) -> Result<(), CliError> {
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(CliError::System {
            what: "the output can't be written",
            error,
        }),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A result for people.
pub(crate) fn report(report: &Report, written: Option<&str>) -> String {
    if report.identity.is_task() {
        return task(report, written);
    }
    let mut text = estimates(&report.estimates);
    let samples = &report.samples;
    let rate = samples.done as f64 / report.seconds;
    let _ = write!(text, "\n{} samples", format_count(samples.done));
    if samples.done + samples.failed < samples.planned {
        let _ = write!(text, " of {}", format_count(samples.planned));
    }
    if samples.failed > 0 {
        let _ = write!(text, ", {} failed", format_count(samples.failed));
    }
    if rate.is_finite() {
        let _ = write!(
            text,
            " in {}, {} a second",
            seconds(report.seconds),
            format_quantity(rate)
        );
    }
    let _ = write!(
        text,
        "\nseed    {}\ndigest  {}\nresult  {}",
        report.seed,
        report.digest,
        written.unwrap_or("not written: there is nothing to write")
    );
    if let Some(until) = &report.until {
        text.push_str(&until::described(until));
    }
    if !report.shards.missing.is_empty() {
        let _ = write!(text, "\nmissing {}", shards(&report.shards.missing));
    }
    for failed in report.failed_samples.iter().take(10) {
        let _ = write!(
            text,
            "\nfailed sample {}: {}",
            failed.sample, failed.message
        );
    }
    if report.failed_samples.len() > 10 {
        let _ = write!(text, "\n(more of them in result.json)");
    }
    if let Some(refused) = &report.refused {
        let _ = write!(text, "\nNOT ACCEPTED: {refused}");
    }
    text
}

/// A task's result for people: its row, a line each field.
fn task(report: &Report, written: Option<&str>) -> String {
    let mut text = report.row.as_ref().map_or_else(String::new, row_text);
    let _ = write!(
        text,
        "\n{} in {}\nresult  {}",
        report.kernel,
        seconds(report.seconds),
        written.unwrap_or("none: it is not done")
    );
    if let Some(refused) = &report.refused {
        let _ = write!(text, "\nNOT ACCEPTED: {refused}");
    }
    text
}

/// The results of cases for people: each case with those of its parameters that are not the same for all.
pub(crate) fn cases(report: &CasesReport, written: Option<&str>) -> String {
    const MOST: usize = 20;
    let mut text = String::new();
    let varies = |name: &str| {
        let mut values = report.cases.iter().map(|case| case.parameters.get(name));
        let first = values.next();
        values.any(|value| Some(value) != first)
    };
    for case in report.cases.iter().take(MOST) {
        let _ = write!(text, "case {}", case.case);
        for (name, value) in case.parameters.as_object().into_iter().flatten() {
            if varies(name) {
                let _ = write!(text, "  {name} {value}");
            }
        }
        text.push('\n');
        let rows = match case.row.as_ref() {
            Some(row) => row_text(row),
            None => estimates(&case.estimates),
        };
        for line in rows.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    if report.cases.len() > MOST {
        let _ = writeln!(
            text,
            "(and {} more in the result's table)",
            report.cases.len() - MOST
        );
    }
    let _ = write!(
        text,
        "\n{} of {} cases are done\ndigest  {}\nresult  {}",
        format_count(report.done_cases as u64),
        format_count(report.planned_cases as u64),
        report.digest,
        written.unwrap_or("not written: there is nothing to write")
    );
    if !report.shards.missing.is_empty() {
        let _ = write!(text, "\nmissing {}", shards(&report.shards.missing));
    }
    if let Some(refused) = &report.refused {
        let _ = write!(text, "\nNOT ACCEPTED: {refused}");
    }
    text
}

/// A task's row, a line each field.
fn row_text(row: &Value) -> String {
    let Value::Object(fields) = row else {
        return format!("{row}\n");
    };
    let width = fields.keys().map(String::len).max().unwrap_or(0);
    let lines = fields.iter().map(|(name, value)| match value {
        Value::String(value) => format!("{name:width$}  {value}\n"),
        value => format!("{name:width$}  {value}\n"),
    });
    lines.collect()
}

/// What must be said beside a result.
pub(crate) fn warn(warnings: &[String]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}

/// Estimates as a table.
pub(crate) fn estimates(estimates: &[EstimateReport]) -> String {
    let width = estimates
        .iter()
        .map(|estimate| estimate.name.len())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for estimate in estimates {
        let _ = write!(text, "{:width$}  ", estimate.name);
        match (estimate.value, estimate.std_error) {
            (None, _) => text.push_str("can't be estimated"),
            (Some(value), None) => {
                let _ = write!(text, "{value}");
            }
            (Some(value), Some(error)) => {
                let digits = decimals(error);
                let _ = write!(text, "{value:.digits$} +- {error:.digits$}");
            }
        }
        if let (Some(low), Some(high)) = (estimate.low, estimate.high) {
            let digits = decimals(estimate.std_error.unwrap_or((high - low) / 4.0));
            let _ = write!(
                text,
                "  ({} %: {low:.digits$} to {high:.digits$})",
                estimate.level * 100.0
            );
        }
        text.push('\n');
    }
    text
}

/// A tally's estimates, and what must be said of them.
pub(crate) fn tally(estimates_of: &Estimates) -> String {
    let mut text = estimates(&EstimateReport::all(estimates_of));
    for note in estimates_of.notes() {
        let _ = writeln!(text, "{note}");
    }
    text
}

/// So many decimals that the error shows two digits.
fn decimals(error: f64) -> usize {
    if error > 0.0 && error.is_finite() {
        (1.0 - error.log10().floor()).clamp(0.0, 17.0) as usize
    } else {
        6
    }
}

pub(crate) fn seconds(seconds: f64) -> String {
    match seconds {
        s if s >= 5400.0 => format!("{:.1} h", s / 3600.0),
        s if s >= 100.0 => format!("{:.1} min", s / 60.0),
        s if s >= 1.0 => format!("{s:.1} s"),
        s => format!("{:.0} ms", s * 1e3),
    }
}

/// Shards in order as `shard 4`, or `shards 0-3, 7, 9-10`.
pub(crate) fn shards(numbers: &[u32]) -> String {
    let what = if numbers.len() == 1 {
        "shard"
    } else {
        "shards"
    };
    format!("{what} {}", ranges(numbers))
}

fn ranges(numbers: &[u32]) -> String {
    let mut text = String::new();
    let mut rest = numbers;
    while let Some((first, _)) = rest.split_first() {
        let count = rest
            .iter()
            .zip(*first..)
            .take_while(|(number, expected)| *number == expected)
            .count();
        if !text.is_empty() {
            text.push_str(", ");
        }
        let last = rest[count - 1];
        let _ = if last == *first {
            write!(text, "{first}")
        } else {
            write!(text, "{first}-{last}")
        };
        rest = &rest[count..];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_a_range() {
        assert_eq!(ranges(&[]), "");
        assert_eq!(ranges(&[0, 1, 2, 3, 7, 9, 10]), "0-3, 7, 9-10");
    }

    #[test]
    fn an_error_shows_two_digits() {
        let estimate = EstimateReport {
            name: "ratio".to_owned(),
            value: Some(1.234_567_8),
            std_error: Some(0.000_518_9),
            low: Some(1.23),
            high: Some(1.24),
            level: 0.95,
            samples: 1,
        };
        assert_eq!(
            estimates(&[estimate]),
            "ratio  1.23457 +- 0.00052  (95 %: 1.23000 to 1.24000)\n"
        );
    }
}

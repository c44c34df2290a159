//! Executions' names: the same for the same start in every process, and read back from a machine's listing.
//!
//! `demo-1f2e3d4c5b6a7988-s0-199-0` is the first start of shards 0 to 199 of the run `demo` whose URI has that digest,
//! and `demo-1f2e3d4c5b6a7988-r2-1` the second one of round 2.

use std::fmt;

use croupier_run::Found;

use crate::engine::aws_batch::names::prefix;

/// Of 80 letters, what the rest of the longest name leaves.
const RUN_LETTERS: usize = 30;

/// The names of one run's executions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    prefix: String,
}

/// What an execution's indexes mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Shards, the least and the greatest of which are these.
    Shards(u32, u32),
    /// Shards of the round, in its order.
    Round(u32),
}

impl fmt::Display for Meaning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shards(least, greatest) => write!(formatter, "s{least}-{greatest}"),
            Self::Round(round) => write!(formatter, "r{round}"),
        }
    }
}

impl Names {
    pub(super) fn of(run: &Found) -> Self {
        Self::new(run.name(), &run.uri())
    }

    pub(super) fn new(run: &str, uri: &str) -> Self {
        Self {
            prefix: prefix(run, uri, RUN_LETTERS),
        }
    }

    /// The execution that is start `number`, from 0.
    pub(super) fn execution(&self, meaning: Meaning, number: u32) -> String {
        format!("{}{meaning}-{number}", self.prefix)
    }

    /// What an execution of this name does, if it is one of the run's.
    pub(super) fn read(&self, name: &str) -> Option<Meaning> {
        let (what, number) = name.strip_prefix(&self.prefix)?.rsplit_once('-')?;
        let number: u32 = number.parse().ok()?;
        let meaning = match what.split_once('-') {
            None => Meaning::Round(what.strip_prefix('r')?.parse().ok()?),
            Some((least, greatest)) => Meaning::Shards(
                least.strip_prefix('s')?.parse().ok()?,
                greatest.parse().ok()?,
            ),
        };
        // One spelling each.
        (self.execution(meaning, number) == name).then_some(meaning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_and_is_no_other_runs() {
        let names = Names::new("pi-2026", "s3://b/pi-2026");
        for meaning in [
            Meaning::Shards(0, 199),
            Meaning::Shards(7, 7),
            Meaning::Round(2),
        ] {
            let name = names.execution(meaning, 3);
            assert_eq!(names.read(&name), Some(meaning));
            assert_eq!(Names::new("pi-2026", "s3://c/pi-2026").read(&name), None);
            for other in [
                format!("{name}x"),
                name[1..].to_owned(),
                name.replace("-3", "-03"),
            ] {
                assert_eq!(names.read(&other), None, "{other}");
            }
        }
    }

    #[test]
    fn whatever_a_run_is_called_its_executions_names_are_taken() {
        for run in [&"ü".repeat(200), "-a b/c", "_", &"x".repeat(200), "a.b"] {
            let names = Names::new(run, "uri");
            let name = names.execution(Meaning::Shards(u32::MAX - 1, u32::MAX), 9_999);
            assert!(name.len() <= 80, "{name}");
            let is_taken = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
            assert!(name.chars().all(is_taken), "{name}");
        }
    }
}

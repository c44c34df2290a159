//! Jobs' names: the same for the same work in every process, and read back from a queue's listing.
//!
//! `demo-1f2e3d4c5b6a7988-s0-199-0` is the first start of shards 0 to 199 of the run `demo` whose URI has that digest.

use croupier_run::{Digest, Found};

use crate::engine::Part;

/// Of 128 letters, what the rest of the longest name leaves.
const RUN_LETTERS: usize = 60;
const DIGEST_LETTERS: usize = 16;
const DRIVER: &str = "driver";

/// The names of one run's jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    prefix: String,
    /// What the run is called in tags.
    pub(super) run: String,
}

/// What a job does, and which start of that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Shards(Part, u32),
    Driver(u32),
}

impl Names {
    pub(super) fn of(run: &Found) -> Self {
        Self::new(run.name(), &run.uri())
    }

    fn new(run: &str, uri: &str) -> Self {
        Self {
            prefix: prefix(run, uri, RUN_LETTERS),
            run: tag(run),
        }
    }

    pub(super) fn shards(&self, part: Part, number: u32) -> String {
        format!("{}{part}-{number}", self.prefix)
    }

    pub(super) fn driver(&self, number: u32) -> String {
        format!("{}{DRIVER}-{number}", self.prefix)
    }

    /// A filter for every job of the run. (A star ends what a name begins with.)
    pub(super) fn all_shards(&self) -> String {
        format!("{}*", self.prefix)
    }

    pub(super) fn all_drivers(&self) -> String {
        format!("{}{DRIVER}-*", self.prefix)
    }

    /// What a job of this name does, if it is one of the run's.
    pub(super) fn read(&self, name: &str) -> Option<What> {
        let (what, number) = name.strip_prefix(&self.prefix)?.rsplit_once('-')?;
        let number: u32 = number.parse().ok()?;
        match what {
            DRIVER => Some(What::Driver(number)),
            part => Some(What::Shards(part.parse().ok()?, number)),
        }
    }
}

/// What every name begins with; of the run's own at most so many letters. The URI's digest tells runs of the same name
/// apart.
pub(in crate::engine) fn prefix(run: &str, uri: &str, letters: usize) -> String {
    let is_taken = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let name: String = run
        .chars()
        .map(|letter| if is_taken(letter) { letter } else { '-' })
        .take(letters)
        .collect();
    let name = name.trim_start_matches(['-', '_']);
    let digest = Digest::of_bytes(uri.as_bytes()).to_string();
    let digest = &digest[..DIGEST_LETTERS];
    match name {
        "" => format!("run-{digest}-"),
        name => format!("{name}-{digest}-"),
    }
}

/// What a run is called in tags, which take ASCII alone.
pub(in crate::engine) fn tag(run: &str) -> String {
    let is_tag = |letter: char| letter.is_ascii_alphanumeric() || " +-=._:/@".contains(letter);
    run.chars()
        .map(|letter| if is_tag(letter) { letter } else { '_' })
        .take(256)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_and_is_no_other_runs() {
        let names = Names::new("pi-2026", "s3://b/pi-2026");
        let parts = [
            Part::One(7),
            Part::Range {
                first: 0,
                count: 200,
            },
            Part::Round {
                round: 2,
                offset: 0,
                count: 50,
            },
        ];
        for part in parts {
            let name = names.shards(part, 3);
            assert_eq!(names.read(&name), Some(What::Shards(part, 3)));
            assert_eq!(Names::new("pi-2026", "s3://c/pi-2026").read(&name), None);
        }
        assert_eq!(names.read(&names.driver(0)), Some(What::Driver(0)));
        for other in ["", "pi-2026", "pi-2026-s7-0", &names.driver(0)[1..]] {
            assert_eq!(names.read(other), None, "{other}");
        }
    }

    #[test]
    fn whatever_a_run_is_called_its_jobs_names_are_taken() {
        for run in [&"ü".repeat(200), "-a b/c", "_", &"x".repeat(200), "a.b"] {
            let names = Names::new(run, "uri");
            let longest = Part::Range {
                first: 4_000_000_000,
                count: 10_000,
            };
            let name = names.shards(longest, u32::MAX);
            assert!(name.len() <= 128, "{name}");
            assert!(
                name.starts_with(|first: char| first.is_ascii_alphanumeric()),
                "{name}"
            );
            let is_taken = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
            assert!(name.chars().all(is_taken), "{name}");
        }
    }
}

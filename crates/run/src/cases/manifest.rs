//! What a run of cases is. Written once.

use std::fmt;

use chrono::{SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::manifest::FORMAT;
use crate::random::random_id;
use crate::{Error, FailedSamplesLimit, InputSource, Policy};

/// Where the cases' parameters are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaseSource {
    /// A directory or prefix with `<i>.json` for case i.
    Folder(String),
    /// A file with a JSON object in each line, the first being case 0.
    Lines(String),
}

impl fmt::Display for CaseSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(uri) | Self::Lines(uri) => f.write_str(uri),
        }
    }
}

/// Cases with neighbouring numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseRange {
    /// The first.
    pub first: u32,
    /// The last.
    pub last: u32,
}

impl CaseRange {
    /// The ranges of sorted numbers.
    pub fn all(numbers: impl IntoIterator<Item = u32>) -> Vec<Self> {
        let mut ranges: Vec<Self> = Vec::new();
        for number in numbers {
            match ranges.last_mut() {
                Some(range) if range.last.checked_add(1) == Some(number) => range.last = number,
                _ => ranges.push(Self {
                    first: number,
                    last: number,
                }),
            }
        }
        ranges
    }
}

/// Parameters that were given for all cases, as flags and their values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommonFlags {
    /// From the command line: these go before a case's own.
    pub parameters: Map<String, Value>,
    /// From the environment: a case's own go before these.
    pub defaults: Map<String, Value>,
}

/// What a run of cases is to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CasesWanted {
    /// The kernel's or task's name.
    pub kernel: String,
    /// Its declared version.
    pub version: u32,
    /// Where the cases' parameters are.
    pub source: CaseSource,
    /// How many shards each case is dealt to.
    pub shards: u32,
    /// How many samples each case has, where the parameters don't fix it.
    pub samples: Option<u64>,
    /// The seed, the same for all cases; none where any will do. In JSON it is among the fields of [`CasesManifest`].
    #[serde(skip)]
    pub seed: Option<u64>,
    /// Samples in a block; the kernel's own choice if left out.
    pub block: Option<u64>,
    /// Parameters of all cases.
    #[serde(flatten)]
    pub common: CommonFlags,
    /// Where inputs are read from.
    pub inputs: InputSource,
    /// How many holes all cases together may have.
    pub policy: Policy,
    /// How many samples of a case may fail.
    pub failed_samples: FailedSamplesLimit,
    /// Whether no shard may be started twice.
    pub at_most_once: bool,
}

/// What a run of cases is: `cases.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CasesManifest {
    /// The format of this file.
    pub format: u32,
    /// The release of Croupier that wrote it.
    pub croupier: String,
    /// The run's name.
    pub run: String,
    /// A random number in hexadecimal.
    pub id: String,
    /// When it was planned, UTC.
    pub created: String,
    /// The numbers of the cases, in order.
    pub cases: Vec<CaseRange>,
    /// The seed of all cases, in decimal.
    pub seed: String,
    /// What was asked for.
    #[serde(flatten)]
    pub wanted: CasesWanted,
}

impl CasesWanted {
    pub(super) fn manifest(&self, run: &str, cases: Vec<CaseRange>, seed: u64) -> CasesManifest {
        CasesManifest {
            format: FORMAT,
            croupier: env!("CARGO_PKG_VERSION").to_owned(),
            run: run.to_owned(),
            id: random_id(),
            created: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
            cases,
            seed: seed.to_string(),
            wanted: Self {
                seed: Some(seed),
                ..self.clone()
            },
        }
    }
}

impl CasesManifest {
    /// The numbers of the cases, in order.
    pub fn numbers(&self) -> impl Iterator<Item = u32> {
        self.cases.iter().flat_map(|range| range.first..=range.last)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.numbers().count()
    }

    /// Whether `case` is one of them.
    pub fn has(&self, case: u32) -> bool {
        // They are in order, and there may be as many as cases.
        let at = self.cases.partition_point(|range| range.last < case);
        let range = self.cases.get(at);
        range.is_some_and(|range| range.first <= case)
    }

    /// The first of them.
    pub fn first(&self) -> u32 {
        self.cases.first().map_or(0, |range| range.first)
    }

    /// How many shards each case is dealt to.
    pub fn shards(&self) -> u32 {
        self.wanted.shards
    }

    /// The numbers in words: `cases 0-9, 12`.
    pub fn said(&self) -> String {
        let ranges: Vec<String> = self
            .cases
            .iter()
            .map(|range| match range.first == range.last {
                true => range.first.to_string(),
                false => format!("{}-{}", range.first, range.last),
            })
            .collect();
        format!("cases {}", ranges.join(", "))
    }

    /// The seed of all cases.
    ///
    /// # Errors
    ///
    /// Where it is no number, as in a damaged file.
    pub fn seed(&self) -> Result<u64, Error> {
        self.seed.parse().map_err(|_| Error::Malformed {
            key: format!("cases.json of run {}", self.run),
            reason: format!("its seed {:?} is no whole number below 2^64", self.seed),
        })
    }

    /// Whether its shards can be numbered.
    pub(super) fn check(&self, key: &str) -> Result<(), Error> {
        let is_sorted = self.cases.iter().all(|range| range.first <= range.last)
            && self
                .cases
                .windows(2)
                .all(|pair| pair[0].last < pair[1].first);
        let last = self.cases.last().map_or(0, |range| u64::from(range.last));
        let shards = (last + 1) * u64::from(self.shards());
        let reason = if self.cases.is_empty() {
            "it has no cases"
        } else if !is_sorted {
            "its cases are not in order"
        } else if self.shards() == 0 {
            "its cases have no shards"
        } else if shards > u64::from(u32::MAX) {
            "it has more shards than can be numbered, 2^32: ask for fewer shards"
        } else {
            return Ok(());
        };
        Err(Error::Malformed {
            key: key.to_owned(),
            reason: reason.to_owned(),
        })
    }

    /// In what it is not `wanted`. The policy and the limit of failed samples stay as they were planned, and a seed that
    /// nobody asked for is any.
    pub(super) fn differences(&self, wanted: &CasesWanted) -> Vec<String> {
        let there = &self.wanted;
        let mut differences = Vec::new();
        let mut compare = |what: &str, there: String, wanted: String| {
            if there != wanted {
                differences.push(format!("{what} is {there}, expected {wanted}"));
            }
        };
        let or_none = |number: Option<u64>| number.map_or("none".to_owned(), |n| n.to_string());
        compare("kernel", there.kernel.clone(), wanted.kernel.clone());
        compare(
            "version",
            there.version.to_string(),
            wanted.version.to_string(),
        );
        compare(
            "source of cases",
            there.source.to_string(),
            wanted.source.to_string(),
        );
        compare(
            "shards",
            there.shards.to_string(),
            wanted.shards.to_string(),
        );
        compare("samples", or_none(there.samples), or_none(wanted.samples));
        compare("block", or_none(there.block), or_none(wanted.block));
        compare(
            "at most once",
            there.at_most_once.to_string(),
            wanted.at_most_once.to_string(),
        );
        if let Some(seed) = wanted.seed {
            compare("seed", self.seed.clone(), seed.to_string());
        }
        let text = |flags: &Map<String, Value>| Value::Object(flags.clone()).to_string();
        let (ours, theirs) = (&wanted.common, &there.common);
        compare(
            "what all cases share",
            text(&theirs.parameters),
            text(&ours.parameters),
        );
        compare(
            "what the environment gives all cases",
            text(&theirs.defaults),
            text(&ours.defaults),
        );
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(shards: u32) -> CasesWanted {
        CasesWanted {
            kernel: "pi".to_owned(),
            version: 1,
            source: CaseSource::Folder("kwargs".to_owned()),
            shards,
            samples: Some(100),
            seed: None,
            block: None,
            common: CommonFlags::default(),
            inputs: InputSource::new(),
            policy: Policy::default(),
            failed_samples: FailedSamplesLimit::default(),
            at_most_once: false,
        }
    }

    #[test]
    fn numbers_are_ranges_and_ranges_are_numbers() {
        let numbers = [0, 1, 2, 7, 9, 10];
        let manifest = wanted(1).manifest("demo", CaseRange::all(numbers), 7);
        assert_eq!(manifest.cases.len(), 3);
        assert!(manifest.numbers().eq(numbers));
        assert_eq!(manifest.said(), "cases 0-2, 7, 9-10");
        assert!(manifest.has(9) && !manifest.has(8));
    }

    #[test]
    fn it_is_read_as_it_is_written() {
        let manifest = wanted(3).manifest("demo", CaseRange::all([4]), u64::MAX);
        let text = serde_json::to_string(&manifest).unwrap();
        let read: CasesManifest = serde_json::from_str(&text).unwrap();
        assert_eq!(read.seed().unwrap(), u64::MAX);
        assert_eq!(read.differences(&wanted(3)), [""; 0]);
        let other = CasesWanted {
            seed: Some(1),
            ..wanted(4)
        };
        assert_eq!(read.differences(&other).len(), 2);
    }

    #[test]
    fn shards_that_can_not_be_numbered_are_refused() {
        let refusal = |manifest: CasesManifest| manifest.check("cases.json").is_err();
        assert!(!refusal(wanted(1).manifest("demo", CaseRange::all([0]), 7)));
        assert!(refusal(wanted(0).manifest("demo", CaseRange::all([0]), 7)));
        assert!(refusal(wanted(1).manifest("demo", Vec::new(), 7)));
        let far = CaseRange::all([1 << 20]);
        assert!(refusal(wanted(1 << 20).manifest("demo", far, 7)));
        let twice = vec![
            CaseRange { first: 0, last: 3 },
            CaseRange { first: 3, last: 4 },
        ];
        assert!(refusal(wanted(1).manifest("demo", twice, 7)));
    }
}

//! Runs that end when they are precise enough: what that means, which is planned with the run.
//!
//! Such a run goes on in segments. When all shards of one are done, the merged result is looked at: either it is
//! precise enough, or the next segment is sized by the error so far, or the run may grow no more. Each [`Look`] is
//! kept in the store, put if absent, so that any number of drivers decide the same, and the result lists them.

mod judge;
mod look;
mod report;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use croupier_compute::BlockLength;
use croupier_compute::sequential::Target;
use serde::{Deserialize, Serialize};

use crate::Error;

pub use look::{Ending, Look, LookedAt};
pub use report::{SequenceReport, UntilReport};

/// When a run is precise enough, and what it may cost until then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Until {
    /// What is to be reached, all of it.
    pub aims: Vec<Aim>,
    /// The most samples the run may have.
    #[serde(default)]
    pub max_samples: Option<u64>,
    /// The most seconds it may take from when it was planned.
    #[serde(default)]
    pub max_seconds: Option<f64>,
    /// What samples lie between, where that is known.
    #[serde(default)]
    pub bounds: Vec<Bounds>,
    /// The confidence level of the intervals that decide.
    pub level: f64,
}

/// How precise one estimate is to be. Written `price:rel=1e-3`, `abs=0.05` where there is but one estimate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Aim {
    /// Which; the only one, if left out.
    pub estimate: Option<String>,
    /// How precise.
    pub target: Target,
}

/// What every sample of one estimate lies between. Written `price:0,100`, or `0,100`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bounds {
    /// Which; the only one, if left out.
    pub estimate: Option<String>,
    /// The least and the largest a sample can be.
    pub ends: [f64; 2],
}

impl Until {
    /// As precise as `aims`, at 95 % confidence, whatever it costs.
    pub fn new(aims: Vec<Aim>) -> Self {
        Self {
            aims,
            max_samples: None,
            max_seconds: None,
            bounds: Vec::new(),
            level: 0.95,
        }
    }

    /// May take `time` from when it was planned.
    #[must_use]
    pub fn with_max_time(mut self, time: Option<Duration>) -> Self {
        self.max_seconds = time.map(|time| time.as_secs_f64());
        self
    }

    /// The same, with every estimate by its name; `names` are all there are.
    ///
    /// # Errors
    ///
    /// Where there is no such estimate, one must be named since there are several, or two things are said of one.
    pub fn named(mut self, names: &[String]) -> Result<Self, Error> {
        if self.aims.is_empty() {
            return Err(Error::Input(
                "nothing says how precise: give --until, such as --until rel=1e-3".to_owned(),
            ));
        }
        for aim in &mut self.aims {
            aim.estimate = Some(find("--until", aim.estimate.take(), names)?);
        }
        for bounds in &mut self.bounds {
            bounds.estimate = Some(find("--bounds", bounds.estimate.take(), names)?);
        }
        let aims = self.aims.iter().map(|aim| ("--until", &aim.estimate));
        let bounds = self
            .bounds
            .iter()
            .map(|bounds| ("--bounds", &bounds.estimate));
        let mut said = Vec::new();
        for about in aims.chain(bounds) {
            if said.contains(&about) {
                return Err(Error::Input(format!(
                    "{} says two things of `{}`",
                    about.0,
                    about.1.as_deref().unwrap_or_default()
                )));
            }
            said.push(about);
        }
        Ok(self)
    }

    /// How many samples the first segment has: `asked` for, or enough for a first look. Whole blocks, since another
    /// segment may follow, which would draw a short one again; but no more than the run may have.
    ///
    /// # Errors
    ///
    /// Where more are asked for than the run may have.
    pub fn first_samples(
        &self,
        asked: Option<u64>,
        length: BlockLength,
        shards: u32,
    ) -> Result<u64, Error> {
        let most = self.max_samples.unwrap_or(u64::MAX);
        if let Some(asked) = asked
            && asked > most
        {
            return Err(Error::Input(format!(
                "--samples {asked} to begin with, and --max-samples {most}: begin with fewer"
            )));
        }
        let blocks = match asked {
            Some(samples) => length.blocks_for(samples),
            None => length
                .blocks_for(FIRST_SAMPLES)
                .max(FIRST_BLOCKS)
                .max(u64::from(shards).saturating_mul(BLOCKS_A_SHARD)),
        };
        Ok(blocks.saturating_mul(length.samples()).min(most))
    }

    /// What samples of the estimate `name` lie between, as was said when the run was planned.
    fn bounds(&self, name: &str) -> Option<[f64; 2]> {
        let is_it = |bounds: &&Bounds| bounds.estimate.as_deref() == Some(name);
        self.bounds.iter().find(is_it).map(|bounds| bounds.ends)
    }

    /// How precise the estimate `name` is to be.
    fn target(&self, name: &str) -> Option<Target> {
        let is_it = |aim: &&Aim| aim.estimate.as_deref() == Some(name);
        self.aims.iter().find(is_it).map(|aim| aim.target)
    }
}

/// A first look rests on so many samples at least, so that its error means something, in so many blocks at least, so
/// that threads have something to do.
const FIRST_SAMPLES: u64 = 1024;
const FIRST_BLOCKS: u64 = 16;
const BLOCKS_A_SHARD: u64 = 4;

fn find(flag: &str, name: Option<String>, names: &[String]) -> Result<String, Error> {
    let list = || {
        let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        quoted.join(", ")
    };
    match (name, names) {
        (_, []) => Err(Error::Input(format!(
            "{flag}: this kernel's tally has no estimates"
        ))),
        (Some(name), names) if names.contains(&name) => Ok(name),
        (Some(name), _) => Err(Error::Input(format!(
            "{flag}: there is no estimate `{name}`; there are {}",
            list()
        ))),
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(Error::Input(format!(
            "{flag}: of which estimate? Put its name and a colon in front; there are {}",
            list()
        ))),
    }
}

impl fmt::Display for Until {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = self.aims.iter().map(ToString::to_string).collect();
        parts.extend(self.bounds.iter().map(|bounds| format!("bounds {bounds}")));
        parts.extend(
            self.max_samples
                .map(|most| format!("at most {most} samples")),
        );
        parts.extend(self.max_seconds.map(|most| format!("at most {most} s")));
        formatter.write_str(&parts.join(", "))
    }
}

/// The name before the last colon, if there is one, and the rest.
fn split_name(text: &str) -> (Option<String>, &str) {
    match text.rsplit_once(':') {
        Some((name, rest)) => (Some(name.to_owned()), rest),
        None => (None, text),
    }
}

impl FromStr for Aim {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (estimate, target) = split_name(text);
        let target =
            target
                .parse()
                .map_err(|error: croupier_compute::sequential::WrongTarget| {
                    Error::Input(error.to_string())
                })?;
        Ok(Self { estimate, target })
    }
}

impl FromStr for Bounds {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (estimate, ends) = split_name(text);
        let read = |text: &str| text.parse::<f64>().ok().filter(|end| end.is_finite());
        let ends = ends
            .split_once(',')
            .and_then(|(low, high)| Some([read(low)?, read(high)?]))
            .filter(|[low, high]| low < high && (high - low).is_finite());
        match ends {
            Some(ends) => Ok(Self { estimate, ends }),
            None => Err(Error::Input(format!(
                "{text:?} are no bounds: give the least and the largest value that a sample can have, as in 0,1"
            ))),
        }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.estimate {
            write!(formatter, "{name}:")?;
        }
        self.target.fmt(formatter)
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.estimate {
            write!(formatter, "{name}:")?;
        }
        let [low, high] = self.ends;
        write!(formatter, "{low},{high}")
    }
}

macro_rules! as_text {
    ($($what:ident),+) => {$(
        impl TryFrom<String> for $what {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                text.parse()
            }
        }

        impl From<$what> for String {
            fn from(what: $what) -> Self {
                what.to_string()
            }
        }
    )+};
}

as_text!(Aim, Bounds);

#[cfg(test)]
mod tests {
    use super::*;

    fn until(aims: &[&str]) -> Until {
        Until::new(aims.iter().map(|aim| aim.parse().unwrap()).collect())
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn aims_and_bounds_are_written_as_they_are_read() {
        for text in ["rel=1e-4", "price:abs=0.5", "by.name:x:rel=0.01"] {
            assert_eq!(text.parse::<Aim>().unwrap().to_string(), text);
        }
        for text in ["0,1", "price:-2.5,100"] {
            assert_eq!(text.parse::<Bounds>().unwrap().to_string(), text);
        }
        for text in ["price", "price:", ":", "price=rel:1"] {
            assert!(text.parse::<Aim>().is_err(), "{text:?}");
        }
        for text in [
            "",
            "1",
            "1,0",
            "0,0",
            "0,inf",
            "0,NaN",
            "0;1",
            "-1e308,1e308",
        ] {
            assert!(text.parse::<Bounds>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_estimate_is_found_by_its_name_or_by_being_the_only_one() {
        let only = until(&["rel=0.1"]).named(&names(&["pi"])).unwrap();
        assert_eq!(only.to_string(), "pi:rel=0.1");
        for (aims, names_there, said) in [
            (vec!["rel=0.1"], vec!["a", "b"], "there are `a`, `b`"),
            (
                vec!["c:rel=0.1"],
                vec!["a", "b"],
                "no estimate `c`; there are `a`, `b`",
            ),
            (vec!["rel=0.1"], vec![], "no estimates"),
            (
                vec!["a:rel=0.1", "a:abs=1"],
                vec!["a", "b"],
                "two things of `a`",
            ),
            (vec![], vec!["a"], "how precise"),
        ] {
            let error = until(&aims).named(&names(&names_there)).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn the_first_segment_is_whole_blocks() {
        let length = BlockLength::new(64).unwrap();
        let mut until = until(&["rel=0.1"]);
        for (asked, shards, expected) in [
            (None, 1, 1024),
            (None, 100, 25_600),
            (Some(100), 1, 128),
            (Some(1), 1, 64),
        ] {
            let samples = until.first_samples(asked, length, shards).unwrap();
            assert_eq!(samples, expected);
        }
        until.max_samples = Some(1000);
        assert_eq!(until.first_samples(None, length, 1).unwrap(), 1000);
        assert!(until.first_samples(Some(1001), length, 1).is_err());
    }
}

//! What a run's numbers are a function of, and how two of them differ.

mod finite;

use std::collections::BTreeMap;
use std::fmt::Display;

use croupier_compute::{BlockLength, Generator, Kernel, RECIPE, kernel_name, pinned::LIBM_VERSION};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::partial::columns;
use crate::{Digest, Error, Task, content_digest, task_name};

pub use finite::first_not_finite;

/// Everything that the merged tally depends on, besides the set of blocks merged.
///
/// How many samples, dealt to how many shards, under what name and policy and on what machines is
/// outside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The kernel's name.
    pub kernel: String,
    /// The version the author declared.
    pub version: u32,
    /// The parameters, as they serialise.
    pub parameters: Value,
    /// SHA-256 of each input, by name.
    pub inputs: BTreeMap<String, String>,
    /// The seed. A string in JSON, where numbers beyond 2^53 are not safe.
    #[serde(with = "as_text")]
    pub seed: u64,
    /// The generator's name.
    pub generator: String,
    /// Whether a stream serves a block or a sample.
    pub streams: String,
    /// The version of the recipe for streams.
    pub recipe: u32,
    /// The version of `libm` behind the pinned functions.
    pub libm: String,
    /// Samples in a block.
    pub block_length: BlockLength,
    /// The number of samples, where the parameters fix it.
    pub domain: Option<u64>,
}

impl Identity {
    /// The identity of `kernel` under `seed`.
    ///
    /// # Errors
    ///
    /// Where a parameter is not finite or can't be serialised, or the tally can't be kept in a store.
    pub fn of<K: Kernel + Serialize>(
        kernel: &K,
        seed: u64,
        block_length: BlockLength,
        inputs: BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        columns::<K::Tally>()?;
        Ok(Self {
            kernel: kernel_name::<K>(),
            version: K::VERSION,
            parameters: parameters(kernel)?,
            inputs,
            seed,
            generator: K::Rng::name().into_owned(),
            streams: K::STREAMS.name().to_owned(),
            recipe: RECIPE,
            libm: LIBM_VERSION.to_owned(),
            block_length,
            domain: kernel.domain(),
        })
    }

    /// The identity of `task`. It draws nothing, so of what is about drawing there is nothing in it.
    ///
    /// # Errors
    ///
    /// Where a parameter is not finite or can't be serialised.
    pub fn of_task<T: Task + Serialize>(
        task: &T,
        inputs: BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        Ok(Self {
            kernel: task_name::<T>(),
            version: T::VERSION,
            parameters: parameters(task)?,
            inputs,
            seed: 0,
            generator: NONE.to_owned(),
            streams: NONE.to_owned(),
            recipe: 0,
            libm: String::new(),
            block_length: BlockLength::new(1)?,
            domain: Some(1),
        })
    }

    /// Whether it is a task's.
    pub fn is_task(&self) -> bool {
        self.streams == NONE
    }

    /// Whether this program's `T` is the task that the identity says.
    pub(crate) fn check_task<T: Task>(&self) -> Result<(), Error> {
        self.refuse(&[
            ("task", &self.kernel, &task_name::<T>()),
            ("version", &self.version, &T::VERSION),
        ])
    }

    /// The digest of all of it.
    pub fn digest(&self) -> Digest {
        // Strings, integers and JSON values always encode.
        content_digest("croupier identity v1", self)
            .unwrap_or_else(|error| unreachable!("an identity that can't be encoded: {error}"))
    }

    /// Whether this program's `K` draws what the identity says.
    ///
    /// Parameters and inputs are the caller's to compare.
    pub(crate) fn check_program<K: Kernel>(&self) -> Result<(), Error> {
        self.refuse(&[
            ("kernel", &self.kernel, &kernel_name::<K>()),
            ("version", &self.version, &K::VERSION),
            ("generator", &self.generator, &K::Rng::name()),
            ("streams", &self.streams, &K::STREAMS.name()),
            ("recipe", &self.recipe, &RECIPE),
            ("libm", &self.libm, &LIBM_VERSION),
        ])
    }

    /// Whether this program's `K` merges and estimates what the identity says.
    pub(crate) fn check_tally<K: Kernel>(&self) -> Result<(), Error> {
        self.refuse(&[
            ("kernel", &self.kernel, &kernel_name::<K>()),
            ("version", &self.version, &K::VERSION),
        ])
    }

    fn refuse(&self, parts: &[(&str, &dyn Display, &dyn Display)]) -> Result<(), Error> {
        let differences: Vec<String> = parts
            .iter()
            .map(|(what, expected, found)| (what, expected.to_string(), found.to_string()))
            .filter(|(_, expected, found)| expected != found)
            .map(|(what, expected, found)| format!("its {what} is {found}, expected {expected}"))
            .collect();
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::Foreign {
            what: "this program".to_owned(),
            differences,
            advice: "use the program that the run was planned with, or plan another run",
        })
    }

    /// In what `self` differs from `expected`, each as "what: here, expected there".
    pub fn differences(&self, expected: &Self) -> Vec<String> {
        serde_json::to_value(self)
            .map(|found| expected.differences_of(&found))
            .unwrap_or_else(|error| vec![format!("it can't be written: {error}")])
    }

    /// The same of an identity as it stands in a file, which may have other fields than this release knows.
    pub(crate) fn differences_of(&self, found: &Value) -> Vec<String> {
        match serde_json::to_value(self) {
            Ok(expected) => differences("", found, &expected),
            Err(error) => vec![format!("what is expected can't be written: {error}")],
        }
    }
}

/// What a task's identity says of streams.
const NONE: &str = "none";

fn parameters<P: Serialize>(of: &P) -> Result<Value, Error> {
    if let Some(path) = first_not_finite(of) {
        return Err(Error::Input(format!(
            "parameter {path} is not finite: give a number"
        )));
    }
    serde_json::to_value(of)
        .map_err(|error| Error::Input(format!("the parameters can't be written: {error}")))
}

/// In what the fields of `found` differ from those of `expected`; `of` is what a field is called.
fn differences(of: &str, found: &Value, expected: &Value) -> Vec<String> {
    let names = |value: &Value| -> Vec<String> {
        let fields = value.as_object().into_iter().flatten();
        fields.map(|(name, _)| name.clone()).collect()
    };
    let show = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
    let mut all = names(found);
    all.extend(names(expected));
    all.sort();
    all.dedup();
    all.iter()
        .flat_map(
            |name| match (name.as_str(), found.get(name), expected.get(name)) {
                (
                    "parameters",
                    Some(found @ Value::Object(_)),
                    Some(expected @ Value::Object(_)),
                ) if of.is_empty() => differences("parameter ", found, expected),
                ("inputs", Some(found @ Value::Object(_)), Some(expected @ Value::Object(_)))
                    if of.is_empty() =>
                {
                    differences("input ", found, expected)
                }
                (_, found, expected) if found != expected => vec![format!(
                    "{of}{name} is {}, expected {}",
                    show(found),
                    show(expected)
                )],
                _ => Vec::new(),
            },
        )
        .collect()
}

mod as_text {
    //! A u64 as a JSON string.

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|_| D::Error::custom(format!("{text:?} is no whole number below 2^64")))
    }
}

//! What a result says to people and programs: `result.json`, and what `--json` prints.
//!
//! This is API: fields are added, never changed or taken away within a format.

mod estimates;
mod missingness;
mod usage;
mod warning;

use serde::{Deserialize, Serialize};

use crate::{FailedSamplesLimit, Identity, Policy, UntilReport};

pub use estimates::EstimateReport;
pub use missingness::Comparison;
pub(crate) use missingness::{IN_TROUBLE, Trouble, WITH_FAILED_SAMPLES};
pub(crate) use usage::Attempts;
pub use usage::Usage;
pub(crate) use warning::Warning;

/// A result, and how it came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The format of this object.
    pub format: u32,
    /// The release of Croupier that wrote it.
    pub croupier: String,
    /// The run, as `--run` takes it.
    pub run: String,
    /// The kernel's name.
    pub kernel: String,
    /// The kernel's declared version.
    pub version: u32,
    /// The seed, as a string since JSON's numbers are not safe beyond 2^53.
    pub seed: String,
    /// What the numbers are a function of, in full.
    pub identity: Identity,
    /// Whether the policy takes the result.
    pub accepted: bool,
    /// Why it doesn't.
    pub refused: Option<String>,
    /// The policy that was applied.
    pub policy: Policy,
    /// How many samples were allowed to fail.
    pub failed_samples_limit: FailedSamplesLimit,
    /// Samples of the run.
    pub samples: SampleCounts,
    /// Blocks of the run.
    pub blocks: BlockCounts,
    /// Shards of the run.
    pub shards: ShardCounts,
    /// What the tally says.
    pub estimates: Vec<EstimateReport>,
    /// How precise the run was to be, where its samples are not fixed: then the intervals of the estimates hold
    /// however often the run is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UntilReport>,
    /// What a task returned; none of a kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<serde_json::Value>,
    /// The samples that failed, the first 1000 by number.
    pub failed_samples: Vec<FailedSamplesReport>,
    /// SHA-256 of the identity, the blocks merged and the merged tally, in hexadecimal. Equal digests
    /// mean equal bits.
    pub digest: String,
    /// Seconds from the first attempt's start to the last one's end.
    pub seconds: f64,
    /// What was used in all.
    pub usage: Usage,
    /// Shards that were in trouble, or have failed samples, beside the rest: where they differ, what is missing is not
    /// missing by chance. Also of a run that is complete after retries, since it tells what leaving them out would
    /// have done.
    #[serde(default)]
    pub missingness: Vec<Comparison>,
    /// What the reader must know.
    pub warnings: Vec<String>,
}

/// How many samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleCounts {
    /// Asked for.
    pub planned: u64,
    /// In the tally.
    pub done: u64,
    /// Failed, and not in the tally.
    pub failed: u64,
}

/// How many blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockCounts {
    /// Asked for.
    pub planned: u64,
    /// Merged.
    pub done: u64,
}

/// How many shards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardCounts {
    /// Asked for.
    pub planned: u32,
    /// All of whose blocks are merged.
    pub done: u32,
    /// The others, by number.
    pub missing: Vec<u32>,
}

/// Samples that failed for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedSamplesReport {
    /// The first of them.
    pub sample: u64,
    /// How many, one after the other.
    pub samples: u64,
    /// What it said.
    pub message: String,
}

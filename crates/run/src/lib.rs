//! One run in a store: planned once, worked on by anyone, reduced to whatever is there.
//!
//! A [`Plan`] becomes a [`StoredRun`]: a manifest that says what the numbers are a function of (the
//! [`Identity`]), and a [`Segment`] that says which blocks are dealt to how many shards. A worker
//! ([`work`]) runs one shard's blocks and publishes finished nodes of the merge tree as a [`partial`],
//! an Arrow file named by the digest of its bytes. The reducer ([`reduce`]) lists what is there,
//! checks it, finishes the tree, lets the [`Policy`] decide, and writes a [`Report`] and the merged
//! tally. [`verify`] runs a part of the work again and compares bits.
//!
//! What is true of a run is what its valid partials say; all else in the store explains.
//!
//! invariant: nothing is ever changed in place except attempt records and a result's own files. Workers
//! delete nothing, but for the probe of one that plans; `stopped.json` is deleted by who takes it back.
//! invariant: a partial's bytes depend on the identity, the build and the blocks, never on clock, host
//! or order.
//! invariant: tallies in memory do not grow with the number of shards.

mod attempt;
mod cases;
mod clean;
mod content;
mod error;
mod executable;
mod extend;
mod found;
mod identity;
mod inputs;
mod inventory;
mod layout;
mod machine;
mod manifest;
mod open;
pub mod partial;
mod plan;
mod policy;
mod random;
mod reduce;
mod remove;
mod report;
mod results;
mod rounds;
mod shard;
mod started;
mod stopped;
mod survey;
mod table;
mod task;
mod tasks;
mod until;
mod verify;
mod worker;

pub use attempt::{Attempt, AttemptState, Death, Scheduler};
pub use cases::{
    CaseRange, CaseReport, CaseSource, CasesManifest, CasesReport, CasesWanted, CommonFlags,
    FailedCase, StoredCases,
};
pub use clean::clean;
pub use content::{Digest, content_digest};
pub use error::Error;
pub use executable::Executable;
pub use found::Found;
pub use identity::{Identity, first_not_finite};
pub use inputs::{InputDigests, InputSource, load_inputs};
pub use inventory::{Inventory, ShardState};
pub use layout::check_name;
pub use machine::Machine;
pub use manifest::{Manifest, Segment};
pub use open::{find, newest, open, planned_seed, runs};
pub use plan::{Plan, Planned, StoredRun, drawn_seed, plan};
pub use policy::{FailedSamplesLimit, Policy, Tolerance};
pub use reduce::{ReduceOptions, Reduced, Verdict, reduce};
pub use remove::remove;
pub use report::{
    BlockCounts, Comparison, EstimateReport, FailedSamplesReport, Report, SampleCounts,
    ShardCounts, Usage,
};
pub use results::Results;
pub use rounds::Round;
pub use stopped::StopOrder;
pub use survey::{Cause, ShardSurvey, Standing, Survey};
pub use task::{Task, TaskFailure, clean_task, reduce_task, task_name};
pub use until::{Aim, Bounds, Ending, Look, LookedAt, SequenceReport, Until, UntilReport};
pub use verify::{Depth, Verified, verify};
pub use worker::{Checkpoints, WorkOptions, Worked, perform, work};

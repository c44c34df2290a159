//! What a tracker is asked by, and what it answers.

use std::time::SystemTime;

use super::FailureClass;

/// Who asks for a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// The random id of this attempt, as in the run's store; no other start of any shard has it. 1 to 64 bytes.
    pub attempt: String,
    /// The machine's name, for people. Its first 64 bytes are kept.
    pub host: String,
}

/// The right to run a shard for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The shard.
    pub shard: u32,
    /// The id of the attempt that has it.
    pub attempt: String,
    /// The fencing number: larger than that of every claim before it.
    pub token: u64,
    /// Which attempt of the shard this is, from 1. Attempts that were stopped in time are not counted.
    pub number: u32,
    /// When it runs out unless it is renewed, by the clock of the one who claimed it.
    pub expires: SystemTime,
}

/// How a claim ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "the shard may not be this worker's to run"]
pub enum Claim {
    /// The shard is the claimant's to run.
    Granted(Lease),
    /// Somebody else runs it.
    Held {
        /// The id of their attempt.
        by: String,
        /// Their machine.
        host: String,
        /// When their lease runs out; the shard can be had a margin later.
        expires: SystemTime,
    },
    /// It is done.
    Done,
    /// It has failed as often as it may, or will fail again.
    GivenUp {
        /// How many attempts counted.
        attempts: u32,
        /// How the last of them ended.
        class: FailureClass,
        /// What the last of them said.
        message: String,
    },
}

/// How a renewal ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the lease may be lost"]
pub enum Renewed {
    /// The lease holds until then.
    Until(SystemTime),
    /// It has ended: another has claimed the shard, or it is marked done or failed.
    Lost,
}

/// How marking a shard ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// It stands so.
    Recorded,
    /// The lease isn't the shard's current one any more, and nothing was changed. No error: what the attempt has put into
    /// the store counts all the same.
    Superseded,
}

/// How a shard stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Somebody claimed it, and hasn't said that it ended.
    Running,
    /// Its partial is in the store.
    Done,
    /// Its last attempt failed, or was stopped in time.
    Failed,
}

/// A shard's record. A shard that nobody ever claimed has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// The shard.
    pub shard: u32,
    /// How it stands.
    pub state: State,
    /// How many attempts there were, those stopped in time not counted.
    pub attempts: u32,
    /// Who has it, or had it last. Nobody if it was only ever rebuilt.
    pub holder: Option<Claimant>,
    /// When the holder's lease runs out, or ran out.
    pub expires: Option<SystemTime>,
    /// How the last attempt that failed ended, whatever came after it.
    pub class: Option<FailureClass>,
    /// What it said; empty if none failed.
    pub message: String,
    /// When the record was last changed.
    pub updated: SystemTime,
}

//! What remembers how shards ended.
//!
//! A scheduler forgets: which shards were tried, by whom, how often, and what they died of. A tracker keeps one small
//! record a shard, so that two workers need not run one shard at the same time, a shard that fails again and again is
//! given up, and `status` can say why. It explains and steers, and never decides what counts: the valid partials in the
//! store do. Whatever a tracker answers, and if all of it is lost, a result is the same.
//!
//! | state | by | next |
//! |---|---|---|
//! | (no record) | | a claim makes it running |
//! | [`Running`](State::Running) | [`claim`](Tracker::claim) | kept by [`renew`](Tracker::renew); claimable again once its lease has run out by more than a margin |
//! | [`Failed`](State::Failed) | [`fail`](Tracker::fail) | claimable until its attempts are used up; at once given up if the kernel failed |
//! | [`Done`](State::Done) | [`complete`](Tracker::complete), [`rebuild`](Tracker::rebuild) | stays |
//!
//! **Fencing.** Every claim raises the shard's token. A worker that lost its lease while it was paused, or cut off,
//! holds an old token and can change nothing any more: it is told [`Marked::Superseded`], which is no error, for its
//! partial is as good as any. The id of the attempt is compared as well, since tokens begin anew with a new table.
//!
//! **Time.** A lease is five minutes by the claimant's clock, to be renewed every minute ([`Terms`]). Others wait two
//! minutes more than that by their own, so clocks may differ by two minutes and no lease that its holder believes in is
//! taken. A worker that was killed strands its shard for seven minutes at most.
//!
//! **Giving up.** A claim says how many attempts a shard may have; what isn't stored can be raised later. An attempt
//! counts unless it was [stopped in time](FailureClass::Stopped). One that was never heard of again counts too: a shard
//! whose worker is killed each time (by want of memory, say) would otherwise be tried for ever.
//!
//! [`InStore`] keeps its records in the run's own store, `DynamoDb` (behind the feature `aws`) in a table, [`Memory`]
//! nowhere, for tests and simulation; one suite, `conformance` (behind the feature of that name), is run by all three.
//! [`open`] makes the second from what a person types.

mod answer;
mod class;
mod clock;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
#[cfg(feature = "aws")]
mod dynamodb;
mod error;
mod in_store;
mod memory;
mod open;
mod record;

use async_trait::async_trait;

pub use self::answer::{Claim, Claimant, Lease, Marked, Renewed, State, Tracked};
pub use self::class::FailureClass;
pub use self::clock::{Clock, ManualClock, SystemClock, Terms};
#[cfg(feature = "aws")]
pub use self::dynamodb::DynamoDb;
pub use self::error::TrackerError;
pub use self::in_store::InStore;
pub use self::memory::Memory;
pub use self::open::{create, open};

/// The most bytes a run's name may have.
pub const RUN_BYTES: usize = 480;
/// The most bytes an attempt's id may have.
pub const ATTEMPT_BYTES: usize = 64;
/// How many bytes of a host's name are kept.
pub const HOST_BYTES: usize = 64;
/// How many bytes of a failure's message are kept, in UTF-8. A longer one is cut between characters and ends with `…`.
pub const MESSAGE_BYTES: usize = 256;

/// How the shards of one run stand.
///
/// A tracker is opened for one run, by a name of at most [`RUN_BYTES`] bytes, its URI for one; runs of other names are
/// not seen. Every method may be called from any number of tasks, processes and machines at once, and each call changes
/// one shard's record atomically or not at all ([`rebuild`](Tracker::rebuild): each of its shards). After an error the
/// change was made or not; every call may be repeated as it was, and then answers as if the first had been the only one.
#[async_trait]
pub trait Tracker: std::fmt::Debug + Send + Sync {
    /// Where it keeps its records, in the form that [`open`] takes: `dynamodb://table`.
    fn uri(&self) -> String;

    /// The run that it was opened for.
    fn run(&self) -> &str;

    /// Asks for a shard, to run it.
    ///
    /// Of any number of concurrent claims of a free shard exactly one is granted. A claimant that holds the shard already
    /// is granted the same lease once more, so a claim whose answer was lost can be repeated; so an attempt's id must be
    /// its own. At most `max_attempts` attempts that count are granted; 0 is taken as 1.
    ///
    /// # Errors
    /// [`TrackerError::BadName`] if the attempt's id is empty or has more than [`ATTEMPT_BYTES`] bytes.
    async fn claim(
        &self,
        shard: u32,
        claimant: &Claimant,
        max_attempts: u32,
    ) -> Result<Claim, TrackerError>;

    /// Keeps a lease for its whole length from now.
    ///
    /// To be called every [`Terms::renew_every`] (a minute), and not more often: each is a write. A lease that has run
    /// out can still be renewed as long as nobody else has claimed the shard.
    async fn renew(&self, lease: &Lease) -> Result<Renewed, TrackerError>;

    /// Marks the shard as done. Call it once the shard's partial is in the store.
    async fn complete(&self, lease: &Lease) -> Result<Marked, TrackerError>;

    /// Marks the attempt as failed, and lets the shard be claimed again if the class allows it.
    ///
    /// Of the message [`MESSAGE_BYTES`] bytes are kept.
    async fn fail(
        &self,
        lease: &Lease,
        class: FailureClass,
        message: &str,
    ) -> Result<Marked, TrackerError>;

    /// Every shard that was ever claimed or rebuilt, by number, each once.
    ///
    /// Sees every change that was answered before this call began. For 10,000 shards it takes at most 12 requests.
    async fn states(&self) -> Result<Vec<Tracked>, TrackerError>;

    /// Marks these shards as done, after the tracker's records were lost, and returns how many were not before (fewer
    /// where an answer was lost and the repeat found it done).
    ///
    /// Leaves alone what is running on a lease that still holds. Shards may be named in any order and more than once.
    /// Takes one request a shard that isn't done already, and those of [`states`](Tracker::states).
    async fn rebuild(&self, done: &[u32]) -> Result<usize, TrackerError>;
}

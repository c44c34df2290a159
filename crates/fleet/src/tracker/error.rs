//! What can go wrong, in the classes a caller acts on. Every text says what to do.

use std::time::Duration;

/// Why a tracker could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrackerError {
    /// The text names no tracker.
    #[error("{uri:?} names no tracker: {reason}; give store or dynamodb://table")]
    BadUri {
        /// What was given.
        uri: String,
        /// What is wrong with it.
        reason: String,
    },

    /// A run's name or an attempt's id that cannot be kept.
    #[error("{name:?} cannot be the {what}: it has {bytes} bytes; give it 1 to {most}")]
    BadName {
        /// What it would be.
        what: &'static str,
        /// What was given.
        name: String,
        /// Its length.
        bytes: usize,
        /// The most that it may have.
        most: usize,
    },

    /// The table is there and says no.
    #[error("{action} on table {table} is not allowed ({reason}); {advice}")]
    AccessDenied {
        /// What was not allowed: `dynamodb:UpdateItem`.
        action: &'static str,
        /// On which table.
        table: String,
        /// What the server said.
        reason: String,
        /// What to do about it.
        advice: &'static str,
    },

    /// Nobody to be.
    #[error(
        "no AWS credentials: tried {tried} ({reason}); set AWS_PROFILE, or AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY, or run `aws sso login`, or give the job a role"
    )]
    NoCredentials {
        /// The links of the chain, in order.
        tried: String,
        /// What the last of them said.
        reason: String,
    },

    /// Nowhere to send the request.
    #[error(
        "no AWS region for table {table}: set AWS_REGION, or `region` in the profile of AWS_PROFILE"
    )]
    NoRegion {
        /// The table.
        table: String,
    },

    /// The table does not exist.
    #[error(
        "there is no table {table}: make it (`aws dynamodb create-table --table-name {table} \
         --attribute-definitions AttributeName=run,AttributeType=S AttributeName=shard,AttributeType=N \
         --key-schema AttributeName=run,KeyType=HASH AttributeName=shard,KeyType=RANGE \
         --billing-mode PAY_PER_REQUEST`), or correct its name, AWS_REGION or AWS_ENDPOINT_URL_DYNAMODB"
    )]
    NoTable {
        /// Its name.
        table: String,
    },

    /// The table exists and has other keys.
    #[error(
        "table {table} has the wrong keys ({reason}): it needs partition key `run` (S) and sort key `shard` (N); \
         name another table"
    )]
    WrongTable {
        /// Its name.
        table: String,
        /// What was found, or what the server said.
        reason: String,
    },

    /// A record that this version did not write.
    #[error(
        "the record of shard {shard} of {run} in table {table} cannot be read ({reason}): another version or \
         program wrote it; delete that item, the partials in the store are what counts"
    )]
    Damaged {
        /// The table.
        table: String,
        /// The run.
        run: String,
        /// The shard, as far as it can be read.
        shard: String,
        /// What is wrong.
        reason: String,
    },

    /// The run's store failed, where that is the tracker.
    #[error(transparent)]
    Store(#[from] croupier_store::Error),

    /// The server did not answer in time. What was being written may have been.
    #[error("{action} on {target} got no answer within {after:?}; try again")]
    Timeout {
        /// What was tried.
        action: &'static str,
        /// On what.
        target: String,
        /// How long was waited, every attempt included.
        after: Duration,
    },

    /// The server was not reached, or failed at every attempt.
    #[error("{action} on {target} failed at every attempt ({reason}); try again later")]
    Unavailable {
        /// What was tried.
        action: &'static str,
        /// On what.
        target: String,
        /// What happened the last time.
        reason: String,
    },

    /// An answer that fits none of the above.
    #[error("{action} on {target} failed: {reason}")]
    Other {
        /// What was tried.
        action: &'static str,
        /// On what.
        target: String,
        /// What the server said.
        reason: String,
    },
}

impl TrackerError {
    /// Whether the same call may succeed later with nothing changed by hand.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Timeout { .. } | Self::Unavailable { .. } => true,
            Self::Store(error) => error.is_retryable(),
            Self::BadUri { .. }
            | Self::BadName { .. }
            | Self::AccessDenied { .. }
            | Self::NoCredentials { .. }
            | Self::NoRegion { .. }
            | Self::NoTable { .. }
            | Self::WrongTable { .. }
            | Self::Damaged { .. }
            | Self::Other { .. } => false,
        }
    }
}

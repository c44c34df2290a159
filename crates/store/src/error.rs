//! What can go wrong, in the classes a caller acts on. Every text says what to do.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a store could not do what was asked.
///
/// Where a variant has a `cause`, its text already tells it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such object.
    #[error("there is no {key} in {store}")]
    NotFound {
        /// What was asked for.
        key: String,
        /// Where.
        store: String,
    },

    /// The key breaks the rules of [`Store`](crate::Store).
    #[error("{key:?} cannot be a key: {reason}")]
    BadKey {
        /// The key.
        key: String,
        /// Which rule it breaks.
        reason: &'static str,
    },

    /// The text names no store.
    #[error("{uri:?} names no store: {reason}; give a path, file:///path or s3://bucket/prefix")]
    BadUri {
        /// What was given.
        uri: String,
        /// What is wrong with it.
        reason: String,
    },

    /// The store is there and says no.
    #[error("{action} on {target} is not allowed ({reason}); {advice}")]
    AccessDenied {
        /// What was not allowed, in the backend's own words: `s3:PutObject`, `write`.
        action: String,
        /// On what: `bucket/key`, or a path.
        target: String,
        /// What the backend said.
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
        "no AWS region for bucket {bucket}: set AWS_REGION, or `region` in the profile of AWS_PROFILE"
    )]
    NoRegion {
        /// The bucket.
        bucket: String,
    },

    /// The bucket does not exist.
    #[error(
        "there is no bucket {bucket}: create it (`aws s3 mb s3://{bucket}`), or correct its name or AWS_ENDPOINT_URL"
    )]
    NoBucket {
        /// Its name.
        bucket: String,
    },

    /// The object is longer than the caller takes.
    #[error("{target} is longer than {limit_bytes} bytes")]
    TooLarge {
        /// Which object.
        target: String,
        /// How long it may be.
        limit_bytes: u64,
    },

    /// The store did not answer in time. What was being written may have been.
    #[error("{action} of {target} got no answer within {after:?}; try again, or allow more time")]
    Timeout {
        /// What was tried.
        action: String,
        /// On what.
        target: String,
        /// How long was waited, every attempt included.
        after: Duration,
    },

    /// The store was not reached, or failed at every attempt.
    #[error("{action} of {target} failed at every attempt ({reason}); try again later")]
    Unavailable {
        /// What was tried.
        action: String,
        /// On what.
        target: String,
        /// What happened the last time.
        reason: String,
    },

    /// The store cannot do this at all.
    #[error("{store} cannot {what} ({reason}); {advice}")]
    Unsupported {
        /// Which store.
        store: String,
        /// What it cannot do.
        what: &'static str,
        /// What it said.
        reason: String,
        /// What to do about it.
        advice: &'static str,
    },

    /// The filesystem failed.
    #[error("cannot {action} {}: {cause}{}", path.display(), advice(cause))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },

    /// An answer that fits none of the above.
    #[error("{action} of {target} failed: {reason}")]
    Other {
        /// What was tried.
        action: String,
        /// On what.
        target: String,
        /// What the backend said.
        reason: String,
        /// Whether to ask again makes sense.
        is_retryable: bool,
    },
}

impl Error {
    /// Whether the same call may succeed later with nothing changed by hand.
    ///
    /// A full disk counts (others empty it); what needs another key, name, permission or setting does not.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Timeout { .. } | Self::Unavailable { .. } => true,
            Self::Io { cause, .. } => !needs_another_path(cause),
            Self::Other { is_retryable, .. } => *is_retryable,
            Self::NotFound { .. }
            | Self::BadKey { .. }
            | Self::BadUri { .. }
            | Self::AccessDenied { .. }
            | Self::NoCredentials { .. }
            | Self::NoRegion { .. }
            | Self::NoBucket { .. }
            | Self::TooLarge { .. }
            | Self::Unsupported { .. } => false,
        }
    }

    /// The class of a filesystem's error.
    pub(crate) fn io(action: &'static str, path: &Path, cause: std::io::Error) -> Self {
        use std::io::ErrorKind;
        match cause.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::AccessDenied {
                action: action.to_owned(),
                target: path.display().to_string(),
                reason: cause.to_string(),
                advice: "give this user the right to, or choose another directory",
            },
            _ => Self::Io {
                action,
                path: path.to_owned(),
                cause,
            },
        }
    }
}

/// Whether the path is at fault: what stands there, or how it is spelt, is no matter of time.
fn needs_another_path(cause: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        cause.kind(),
        ErrorKind::IsADirectory | ErrorKind::NotADirectory | ErrorKind::InvalidFilename
    )
}

/// What a person can do about it, where the system's own words do not say.
fn advice(cause: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;
    match cause.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "; free some space there, or choose another directory"
        }
        ErrorKind::NotADirectory => {
            "; a file stands where a directory is needed: move it, or choose another directory"
        }
        ErrorKind::IsADirectory => {
            "; a directory stands where a file is needed: move it, or choose another name"
        }
        ErrorKind::StaleNetworkFileHandle => "; mount the share again",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    #[test]
    fn a_full_disk_names_the_path_and_what_to_do() {
        let error = Error::io("write", Path::new("/data/x"), ErrorKind::StorageFull.into());
        let text = error.to_string();
        assert!(
            text.contains("/data/x") && text.contains("free some space"),
            "{text}"
        );
        assert!(error.is_retryable());
    }

    #[test]
    fn a_path_that_cannot_be_is_not_worth_a_retry() {
        for kind in [
            ErrorKind::IsADirectory,
            ErrorKind::NotADirectory,
            ErrorKind::InvalidFilename,
        ] {
            let error = Error::io("write", Path::new("/data/x"), kind.into());
            assert!(!error.is_retryable(), "{error}");
        }
    }

    #[test]
    fn a_read_only_disk_is_a_lack_of_permission() {
        for kind in [ErrorKind::ReadOnlyFilesystem, ErrorKind::PermissionDenied] {
            let error = Error::io("write", Path::new("/data/x"), kind.into());
            assert!(matches!(&error, Error::AccessDenied { target, .. } if target == "/data/x"));
            assert!(!error.is_retryable());
        }
    }
}

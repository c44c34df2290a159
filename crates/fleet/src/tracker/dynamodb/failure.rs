//! From the SDK's errors to ours: which class, in which words, and what to do.

use std::error::Error as StdError;
use std::time::{Duration, Instant};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use super::TrackerError;
use crate::aws::{self, Unset};

/// What was tried, for the texts.
#[derive(Clone, Copy)]
pub(super) struct Attempted<'a> {
    pub(super) action: &'static str,
    pub(super) table: &'a str,
    pub(super) shard: Option<u32>,
}

impl Attempted<'_> {
    pub(super) fn failed<E>(&self, error: SdkError<E, HttpResponse>, start: Instant) -> TrackerError
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        if let Some(credentials) = aws::find::<CredentialsError>(&error) {
            return no_credentials(credentials);
        }
        match &error {
            SdkError::TimeoutError(_) => self.timed_out(start.elapsed().min(aws::OPERATION)),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => {
                self.timed_out(start.elapsed().min(aws::OPERATION))
            }
            SdkError::ServiceError(refused) => {
                self.refused(refused.err(), refused.raw().status().as_u16())
            }
            SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
                self.unavailable(aws::innermost(&error))
            }
            // Nothing was sent: the request itself is wrong. The enum grows; what it will hold is no known class.
            _ => self.other(aws::innermost(&error)),
        }
    }

    pub(super) fn timed_out(&self, after: Duration) -> TrackerError {
        TrackerError::Timeout {
            action: self.action,
            target: self.target(),
            after: Duration::from_millis(after.as_millis() as u64),
        }
    }

    /// The item that refused a claim says that it was free, or the one that was granted names nobody.
    pub(super) fn contradicted(&self) -> TrackerError {
        self.unavailable("the server's answer contradicts the item that came with it".to_owned())
    }

    pub(super) fn other(&self, reason: String) -> TrackerError {
        TrackerError::Other {
            action: self.action,
            target: self.target(),
            reason,
        }
    }

    fn refused(&self, error: &impl ProvideErrorMetadata, status: u16) -> TrackerError {
        let code = error.code().unwrap_or_default();
        let message = error.message().unwrap_or_default();
        let reason = match (code, message) {
            ("", _) => format!("status {status}"),
            (_, "") => format!("{code}, status {status}"),
            _ => format!("{code}, status {status}: {message}"),
        };
        match code {
            "ResourceNotFoundException" => TrackerError::NoTable { table: self.table.to_owned() },
            "ValidationException" if message.contains("schema") => {
                TrackerError::WrongTable { table: self.table.to_owned(), reason }
            }
            "ExpiredTokenException" | "ExpiredToken" => {
                self.denied(reason, "renew the credentials, with `aws sso login` for one")
            }
            "InvalidSignatureException" if message.contains("Signature expired") || message.contains("not yet current") => {
                self.denied(reason, "set this machine's clock")
            }
            "UnrecognizedClientException" | "InvalidSignatureException" | "IncompleteSignatureException"
            | "MissingAuthenticationTokenException" => self.denied(
                reason,
                "correct the credentials: AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            ),
            "AccessDeniedException" | "AccessDenied" => {
                self.denied(reason, "allow it in the role's policy for this table")
            }
            "ThrottlingException" | "ProvisionedThroughputExceededException" | "RequestLimitExceeded"
            | "TransactionConflictException" | "ReplicatedWriteConflictException" | "InternalServerError"
            | "ServiceUnavailable" | "LimitExceededException" => self.unavailable(reason),
            _ if matches!(status, 401 | 403) => self.denied(reason, "allow it in the role's policy for this table"),
            _ if matches!(status, 408 | 429 | 500..=599) => self.unavailable(reason),
            _ => self.other(reason),
        }
    }

    fn denied(&self, reason: String, advice: &'static str) -> TrackerError {
        TrackerError::AccessDenied {
            action: self.action,
            table: self.table.to_owned(),
            reason,
            advice,
        }
    }

    fn unavailable(&self, reason: String) -> TrackerError {
        TrackerError::Unavailable {
            action: self.action,
            target: self.target(),
            reason,
        }
    }

    fn target(&self) -> String {
        match self.shard {
            Some(shard) => format!("shard {shard} in table {}", self.table),
            None => format!("table {}", self.table),
        }
    }
}

/// What the environment does not say.
pub(super) fn unset(unset: Unset, table: &str) -> TrackerError {
    match unset {
        Unset::Region => TrackerError::NoRegion {
            table: table.to_owned(),
        },
        Unset::Credentials(error) => no_credentials(&error),
    }
}

fn no_credentials(error: &CredentialsError) -> TrackerError {
    TrackerError::NoCredentials {
        tried: aws::CHAIN.to_owned(),
        reason: aws::reason(error),
    }
}

//! From the SDK's errors to ours: which class, in which words, and what to do.

use std::error::Error as StdError;
use std::time::{Duration, Instant};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::S3;
use crate::{Error, Store};

/// The links of aws-config's chain, as a person knows them.
const CHAIN: &str =
    "environment, profile (SSO among them), web identity, container, instance metadata";

/// What was tried, for the texts.
pub(super) struct Attempted<'a> {
    pub(super) action: &'static str,
    pub(super) bucket: &'a str,
    pub(super) name: &'a str,
    pub(super) store: &'a S3,
    pub(super) limit: Duration,
}

/// An error, and the status that came with it if the server answered.
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) status: Option<u16>,
}

impl Attempted<'_> {
    pub(super) fn failed<E>(&self, error: SdkError<E, HttpResponse>, start: Instant) -> Failure
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        let status = error
            .raw_response()
            .map(|response| response.status().as_u16());
        Failure {
            error: self.class(&error, status, start),
            status,
        }
    }

    pub(super) fn timed_out(&self, after: Duration) -> Error {
        Error::Timeout {
            action: self.action.to_owned(),
            target: self.target(),
            after,
        }
    }

    pub(super) fn unavailable(&self, reason: String) -> Error {
        Error::Unavailable {
            action: self.action.to_owned(),
            target: self.target(),
            reason,
        }
    }

    fn class<E>(
        &self,
        error: &SdkError<E, HttpResponse>,
        status: Option<u16>,
        start: Instant,
    ) -> Error
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        if let Some(credentials) = find::<CredentialsError>(error) {
            return no_credentials(credentials);
        }
        match error {
            SdkError::TimeoutError(_) => self.timed_out(self.waited(start)),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => {
                self.timed_out(self.waited(start))
            }
            SdkError::ServiceError(refused) => self.refused(refused.err(), status.unwrap_or(0)),
            SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
                self.unavailable(innermost(error))
            }
            // Nothing was sent: the request itself is wrong. The enum grows; what it will hold is no known class.
            _ => self.other(innermost(error), false),
        }
    }

    fn refused(&self, error: &impl ProvideErrorMetadata, status: u16) -> Error {
        let code = error.code().unwrap_or_default();
        let reason = reason(code, error.message().unwrap_or_default(), status);
        match (code, status) {
            ("NoSuchBucket", _) => Error::NoBucket { bucket: self.bucket.to_owned() },
            ("NoSuchKey", _) | (_, 404) => {
                Error::NotFound { key: self.name.to_owned(), store: format!("s3://{}", self.bucket) }
            }
            ("NotImplemented", _) | (_, 501) => Error::Unsupported {
                store: self.store.uri(),
                what: self.action,
                reason,
                advice: "use a server that does what S3 does, conditional puts among it",
            },
            // The region is part of the signature, so a wrong one is refused in several ways.
            ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _)
            | (_, 301 | 307) => self.other(format!("{reason}; set AWS_REGION to the bucket's region"), false),
            ("RequestTimeTooSkewed", _) => self.denied(reason, "set this machine's clock"),
            ("ExpiredToken" | "ExpiredTokenException", _) => {
                self.denied(reason, "renew the credentials, with `aws sso login` for one")
            }
            ("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken", _) => {
                self.denied(reason, "correct the credentials: AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
            }
            (_, 401 | 403) if self.action == "s3:GetObject" => self.denied(
                reason,
                "allow it in the role's or the bucket's policy (without s3:ListBucket an absent key is denied, too)",
            ),
            (_, 401 | 403) => self.denied(reason, "allow it in the role's or the bucket's policy"),
            ("SlowDown" | "RequestTimeout" | "RequestTimeoutException" | "ThrottlingException", _)
            | (_, 408 | 409 | 429 | 500..=599) => self.unavailable(reason),
            _ => self.other(reason, false),
        }
    }

    fn denied(&self, reason: String, advice: &'static str) -> Error {
        Error::AccessDenied {
            action: self.action.to_owned(),
            target: self.target(),
            reason,
            advice,
        }
    }

    fn other(&self, reason: String, is_retryable: bool) -> Error {
        Error::Other {
            action: self.action.to_owned(),
            target: self.target(),
            reason,
            is_retryable,
        }
    }

    fn target(&self) -> String {
        format!("{}/{}", self.bucket, self.name)
    }

    /// The limit if it was reached; less if every attempt had ended before.
    fn waited(&self, start: Instant) -> Duration {
        let elapsed = start.elapsed();
        if elapsed >= self.limit {
            self.limit
        } else {
            Duration::from_millis(elapsed.as_millis() as u64)
        }
    }
}

/// That there are none, or that what should give them failed.
pub(super) fn no_credentials(error: &CredentialsError) -> Error {
    // Where the whole chain was gone through its error lists the links, a line each, below a headline.
    let text = innermost(error).replace("the credential provider was not enabled", "none");
    let links = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.ends_with("Attempted:"));
    Error::NoCredentials {
        tried: CHAIN.to_owned(),
        reason: links.collect::<Vec<_>>().join(", "),
    }
}

fn reason(code: &str, message: &str, status: u16) -> String {
    match (code, message) {
        ("", _) => format!("status {status}"),
        (_, "") => format!("{code}, status {status}"),
        _ => format!("{code}, status {status}: {message}"),
    }
}

/// The text at the end of the chain: the ones above it say "dispatch failure" and the like.
pub(super) fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

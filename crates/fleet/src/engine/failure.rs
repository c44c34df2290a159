//! From the SDK's errors to ours: whether a call was done, and what to do.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_batch::config::http::HttpResponse;
use aws_sdk_batch::error::{ProvideErrorMetadata, SdkError};

use crate::aws::{self, Unset};

/// Why a call was not answered as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CallError {
    /// Too many at once: it was not done, and may be tried again later.
    Throttled(String),
    /// It may have been done, or not.
    Unclear(String),
    /// It is not allowed.
    Denied(String),
    /// It was refused, and will be again.
    Refused(String),
}

impl CallError {
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        if let Some(credentials) = aws::find::<CredentialsError>(error) {
            return Self::Denied(no_credentials(credentials));
        }
        match error {
            SdkError::ServiceError(refused) => {
                Self::refused(refused.err(), refused.raw().status().as_u16())
            }
            SdkError::TimeoutError(_)
            | SdkError::DispatchFailure(_)
            | SdkError::ResponseError(_) => Self::Unclear(aws::innermost(error)),
            // Nothing was sent: the request itself is wrong. The enum grows; what it will hold is no known class.
            _ => Self::Refused(aws::innermost(error)),
        }
    }

    fn refused(error: &impl ProvideErrorMetadata, status: u16) -> Self {
        let code = error.code().unwrap_or_default();
        let message = error.message().unwrap_or_default();
        let reason = match (code, message) {
            ("", _) => format!("status {status}"),
            (_, "") => format!("{code}, status {status}"),
            _ => format!("{code}, status {status}: {message}"),
        };
        let denied = |advice: &str| Self::Denied(format!("{reason}: {advice}"));
        match code {
            "TooManyRequestsException"
            | "ThrottlingException"
            | "Throttling"
            | "RequestLimitExceeded" => Self::Throttled(reason),
            "ExpiredTokenException" | "ExpiredToken" => {
                denied("renew the credentials, with `aws sso login` for one")
            }
            "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "IncompleteSignatureException"
            | "MissingAuthenticationTokenException" => denied(
                "correct the credentials, AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or this machine's clock",
            ),
            "AccessDeniedException" | "AccessDenied" => denied("allow it in the caller's policy"),
            _ if status == 429 => Self::Throttled(reason),
            _ if matches!(status, 401 | 403) => denied("allow it in the caller's policy"),
            _ if matches!(status, 408 | 500..=599) => Self::Unclear(reason),
            _ => Self::Refused(reason),
        }
    }

    /// Whether the same call may be answered later.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Throttled(_) | Self::Unclear(_))
    }

    /// What was said.
    pub(super) fn into_reason(self) -> String {
        match self {
            Self::Throttled(reason) => {
                format!("{reason}: the account makes too many such calls, try again later")
            }
            Self::Unclear(reason) | Self::Denied(reason) | Self::Refused(reason) => reason,
        }
    }
}

/// What the environment does not say.
pub(super) fn unset(unset: &Unset) -> String {
    match unset {
        Unset::Region => {
            "no region: set AWS_REGION, or one in the profile that AWS_PROFILE names".to_owned()
        }
        Unset::Credentials(error) => no_credentials(error),
    }
}

fn no_credentials(error: &CredentialsError) -> String {
    format!(
        "no credentials were found ({}): {}",
        aws::CHAIN,
        aws::reason(error)
    )
}

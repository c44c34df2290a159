//! From the environment to what a client of AWS is made of. The one place of this crate that reads the environment,
//! through aws-config.
//!
//! | | |
//! |---|---|
//! | connect | 3 s |
//! | one attempt, and its first byte | 10 s |
//! | credentials | 15 s |
//! | an operation, all attempts | 60 s |
//! | attempts | 6, with pauses of up to 1 s, 2 s, 4 s, ... between them (full jitter) |

use std::error::Error as StdError;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::identity::IdentityCache;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::{ProvideRegion, RegionProviderChain};
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_types::service_config::ServiceConfigKey;

/// How long an operation may take in all.
pub(crate) const OPERATION: Duration = Duration::from_secs(60);
/// The links of aws-config's chain of credentials, as a person knows them.
pub(crate) const CHAIN: &str =
    "environment, profile (SSO among them), web identity, container, instance metadata";

/// How long the instance's metadata may take; where there is some, it takes milliseconds.
const METADATA: Duration = Duration::from_millis(1500);
/// What a server of one's own is told; such servers seldom care.
const ANY_REGION: Region = Region::from_static("us-east-1");

/// What the environment does not say.
#[derive(Debug)]
pub(crate) enum Unset {
    Region,
    Credentials(CredentialsError),
}

/// Region, endpoint and credentials as the AWS tools find them; the service is named as its SDK names it.
///
/// Where there is neither a region nor a custom endpoint both are looked for at once, so that who has set up nothing
/// learns the more helpful half first, and soon.
pub(crate) async fn from_environment(service: &'static str) -> Result<SdkConfig, Unset> {
    // Not by the default chains: both end with the instance's metadata, each waits for it where there is none, and the
    // credentials' one asks for the region again.
    let named = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new());
    if let Some(region) = named.region().await {
        return Ok(loader(region).load().await);
    }
    let bare = loader(named).no_credentials().load().await;
    if endpoint(service, &bare).is_some() {
        return Ok(loader(ANY_REGION).load().await);
    }
    let metadata = ImdsRegionProvider::builder().build();
    let chain = DefaultCredentialsChain::builder()
        .region(ANY_REGION)
        .build()
        .await;
    let (region, credentials) = tokio::join!(
        tokio::time::timeout(METADATA, metadata.region()),
        tokio::time::timeout(METADATA, chain.provide_credentials()),
    );
    match (region, credentials) {
        (Ok(Some(region)), _) => Ok(loader(region).load().await),
        (_, Ok(Err(error))) => Err(Unset::Credentials(error)),
        // Credentials that take longer than this are somewhere; the region is not.
        (_, Ok(Ok(_)) | Err(_)) => Err(Unset::Region),
    }
}

/// The configuration with our deadlines and retries, from which any service's client is made.
pub(crate) fn limited(service: &'static str, config: &SdkConfig) -> Result<SdkConfig, Unset> {
    let attempt = Duration::from_secs(10);
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .read_timeout(attempt)
        .operation_attempt_timeout(attempt)
        .operation_timeout(OPERATION);
    let identities = IdentityCache::lazy().load_timeout(Duration::from_secs(15));
    let mut builder = config
        .to_builder()
        .behavior_version(BehaviorVersion::latest())
        .timeout_config(timeouts.build())
        .retry_config(RetryConfig::standard().with_max_attempts(6))
        .identity_cache(identities.build());
    if config.region().is_none() {
        endpoint(service, config).ok_or(Unset::Region)?;
        builder = builder.region(ANY_REGION);
    }
    Ok(builder.build())
}

/// The last words of a chain of credentials, a line a link, as one line.
pub(crate) fn reason(error: &CredentialsError) -> String {
    let text = innermost(error).replace("the credential provider was not enabled", "none");
    let links = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.ends_with("Attempted:"));
    links.collect::<Vec<_>>().join(", ")
}

/// The text at the end of the chain: the ones above it say "dispatch failure" and the like.
pub(crate) fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// The first error of this type in the chain.
pub(crate) fn find<'a, T: StdError + 'static>(
    error: &'a (dyn StdError + 'static),
) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn loader(region: impl ProvideRegion + 'static) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest()).region(region)
}

/// The endpoint that is set for the service, as its SDK looks for it.
fn endpoint(service: &'static str, config: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    let of_the_service = config
        .service_config()
        .and_then(|loaded| loaded.load_config(key));
    of_the_service.or_else(|| config.endpoint_url().map(str::to_owned))
}

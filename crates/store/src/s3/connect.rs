//! From the environment to a client. The one place of this crate that reads the environment, through aws-config.

use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::{ProvideRegion, RegionProviderChain};
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryPartition;
use aws_sdk_s3::config::{IdentityCache, ProvideCredentials};
use aws_types::service_config::ServiceConfigKey;

use super::failure;
use super::limits::Limits;
use crate::{Error, random};

/// How long the instance's metadata may take; where there is some, it takes milliseconds. It gives up by itself after a
/// second for credentials, and later for the region.
const METADATA: Duration = Duration::from_millis(1500);
/// What a server of one's own is told; such servers seldom care.
const ANY_REGION: Region = Region::from_static("us-east-1");

/// Region, endpoint, credentials and checksums as the AWS tools find them.
///
/// # Errors
/// [`Error::NoCredentials`] and [`Error::NoRegion`] if there is neither a region nor a custom endpoint: then both are
/// looked for at once, so that who has set up nothing learns the more helpful half first, and soon.
pub(super) async fn from_environment(bucket: &str) -> Result<SdkConfig, Error> {
    // Not by the default chains: both end with the instance's metadata, each waits for it where there is none, and the
    // credentials' one asks for the region again.
    let named = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new());
    if let Some(region) = named.region().await {
        return Ok(loader(region).load().await);
    }
    let bare = loader(named).no_credentials().load().await;
    if endpoint(&bare).is_some() {
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
        (_, Ok(Err(error))) => Err(failure::no_credentials(&error)),
        // Credentials that take longer than this are somewhere; the region is not.
        (_, Ok(Ok(_)) | Err(_)) => Err(Error::NoRegion {
            bucket: bucket.to_owned(),
        }),
    }
}

fn loader(region: impl ProvideRegion + 'static) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest()).region(region)
}

/// A client with our deadlines. Costs no request.
pub(super) fn client(bucket: &str, limits: &Limits, config: &SdkConfig) -> Result<Client, Error> {
    let endpoint = endpoint(config);
    let mut builder = aws_sdk_s3::config::Builder::from(config)
        .behavior_version(BehaviorVersion::latest())
        .timeout_config(limits.timeouts(0))
        .retry_config(limits.retries())
        // The SDK lets repeats run out for all clients of a region together; one store's trouble is not another's.
        .retry_partition(RetryPartition::new(random::name()))
        .identity_cache(
            IdentityCache::lazy()
                .load_timeout(limits.credentials())
                .build(),
        )
        // A bucket's name is seldom a host name where the server is one's own.
        .force_path_style(endpoint.is_some());
    if config.region().is_none() {
        if endpoint.is_none() {
            return Err(Error::NoRegion {
                bucket: bucket.to_owned(),
            });
        }
        builder = builder.region(ANY_REGION);
    }
    Ok(Client::from_conf(builder.build()))
}

/// The endpoint that is set for S3, as the SDK looks for it.
fn endpoint(config: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id("S3")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    let of_the_service = config
        .service_config()
        .and_then(|loaded| loaded.load_config(key));
    of_the_service.or_else(|| config.endpoint_url().map(str::to_owned))
}

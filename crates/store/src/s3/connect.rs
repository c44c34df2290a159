//! From the environment to a client. The one place of this crate that reads the environment, through aws-config.

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::IdentityCache;
use aws_types::service_config::ServiceConfigKey;

use super::limits::Limits;
use crate::Error;

/// What a server of one's own is told; such servers seldom care.
const ANY_REGION: Region = Region::from_static("us-east-1");

/// Region, endpoint, credentials and checksums as the AWS tools find them.
pub(super) async fn from_environment() -> SdkConfig {
    // The default chain's last link is the instance's metadata, which hangs for a second where there is none.
    let named = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new());
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(named)
        .load()
        .await;
    if config.region().is_some() || endpoint(&config).is_some() {
        return config;
    }
    aws_config::load_defaults(BehaviorVersion::latest()).await
}

/// A client with our deadlines. Costs no request.
pub(super) fn client(bucket: &str, limits: &Limits, config: &SdkConfig) -> Result<Client, Error> {
    let endpoint = endpoint(config);
    let mut builder = aws_sdk_s3::config::Builder::from(config)
        .behavior_version(BehaviorVersion::latest())
        .timeout_config(limits.timeouts(0))
        .retry_config(limits.retries())
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
    if config.http_client().is_none() && endpoint.is_some_and(|url| url.starts_with("http://")) {
        // Without TLS there is no reason to load the system's certificates first.
        builder = builder.http_client(aws_smithy_http_client::Builder::new().build_http());
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

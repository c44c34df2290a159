//! S3 for tasks: the client that Croupier's own stores have, so that a task finds credentials, region and endpoint where
//! they do.

use std::time::Duration;

use croupier_store::Options;

use crate::Error;

/// The AWS SDK's own crate, in the version that [`client`] is of.
pub use croupier_store::aws_sdk_s3 as sdk;

/// A client with credentials, region and endpoint of where all AWS tools look for them. An operation may take
/// `timeout`, repeats included; a third of it each.
///
/// # Errors
///
/// Where there are no credentials, or no region and no endpoint.
pub async fn client(timeout: Duration) -> Result<sdk::Client, Error> {
    let options = Options {
        timeout,
        ..Options::default()
    };
    Ok(croupier_store::s3_client(&options).await?)
}

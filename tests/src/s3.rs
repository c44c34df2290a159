//! An S3 server in this process: real requests, real signatures, objects in a map under one lock, and faults on demand.
//!
//! The library `s3s` speaks the protocol (`objects` holds what it serves), and `front` stands before it, where
//! connections break, hang and lie. A real server cannot be made to fail at the moment a test needs.

mod fault;
mod front;
mod objects;

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use bytes::Bytes;
use croupier_store::{Options, S3};
use s3s::auth::{S3Auth, SecretKey};
use s3s::service::S3ServiceBuilder;
use s3s::{S3Result, s3_error};

pub use self::fault::{Fault, Moment, Operation, Request};
use self::front::Front;
use self::objects::Objects;
use crate::http::Server;

/// The bucket that is there from the start.
pub const BUCKET: &str = "croupier-test";
const ACCESS_KEY: &str = "AKIDCROUPIERTEST";
const SECRET_KEY: &str = "a secret that only the tests know";
const REGION: &str = "eu-west-1";

/// A server on a free port of this machine. It stops, and all its connections break, when it is dropped.
#[derive(Debug)]
pub struct S3Server {
    server: Server,
    objects: Objects,
    front: Arc<Front>,
}

impl S3Server {
    /// Starts it, with the one empty bucket [`BUCKET`].
    ///
    /// # Panics
    /// If this machine has no port or thread left.
    #[must_use]
    pub fn start() -> Self {
        let objects = Objects::default();
        objects.create_bucket(BUCKET);
        let mut service = S3ServiceBuilder::new(objects.clone());
        service.set_auth(OneUser);
        let front = Arc::new(Front::new(service.build()));
        let (mut server, answering) = (Server::bind(), Arc::clone(&front));
        server.answer(move |request| {
            let front = Arc::clone(&answering);
            async move { front.answer(request).await }
        });
        Self {
            server,
            objects,
            front,
        }
    }

    /// What to set `AWS_ENDPOINT_URL` to.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// `s3://` and the bucket and `prefix`, for `--store`.
    #[must_use]
    pub fn uri(&self, prefix: &str) -> String {
        format!("s3://{BUCKET}/{prefix}")
            .trim_end_matches('/')
            .to_owned()
    }

    /// The environment of a child process that uses this server and nothing else: whatever is configured on this
    /// machine is hidden. Remove `AWS_PROFILE` and `AWS_SESSION_TOKEN` where they may be set.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL", self.endpoint().as_str()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
            ("AWS_REGION", REGION),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ("NO_PROXY", "*"),
            ("no_proxy", "*"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// The same for a client in this process, where the environment is not to be changed.
    #[must_use]
    pub fn sdk_config(&self) -> SdkConfig {
        Self::sdk_config_for(&self.endpoint(), ACCESS_KEY, SECRET_KEY)
    }

    /// A configuration for any endpoint and credentials.
    #[must_use]
    pub fn sdk_config_for(endpoint: &str, access_key: &str, secret_key: &str) -> SdkConfig {
        let credentials = Credentials::new(access_key, secret_key, None, None, "test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }

    /// A store below `prefix`, which may be empty.
    ///
    /// # Panics
    /// If `prefix` is no key.
    #[must_use]
    pub fn store(&self, prefix: &str, options: &Options) -> S3 {
        S3::connect(BUCKET, prefix, options, &self.sdk_config()).expect("a prefix that is a key")
    }

    /// Makes another bucket.
    pub fn create_bucket(&self, name: &str) {
        self.objects.create_bucket(name);
    }

    /// Deletes a bucket with all that is in it, behind every client's back.
    pub fn delete_bucket(&self, name: &str) {
        self.objects.delete_bucket(name);
    }

    /// Everything in [`BUCKET`].
    #[must_use]
    pub fn objects(&self) -> BTreeMap<String, Bytes> {
        self.objects.all(BUCKET)
    }

    /// Every key in [`BUCKET`], sorted.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.objects().into_keys().collect()
    }

    /// Puts an object behind every client's back.
    pub fn put(&self, key: &str, bytes: impl Into<Bytes>) {
        self.objects.put(BUCKET, key, bytes.into());
    }

    /// Lets an object say that it has so many bytes, whatever is in it.
    pub fn set_size(&self, key: &str, bytes: i64) {
        self.objects.set_size(BUCKET, key, bytes);
    }

    /// Removes an object behind every client's back.
    pub fn remove(&self, key: &str) {
        self.objects.remove(BUCKET, key);
    }

    /// The CRC-32 that came with an object, in the header's form, if one did.
    #[must_use]
    pub fn checksum(&self, key: &str) -> Option<String> {
        self.objects.checksum(BUCKET, key)
    }

    /// How many keys a listing's page holds at most; 1,000 unless told.
    pub fn set_page(&self, keys: usize) {
        self.objects.set_page(keys);
    }

    /// Every request so far, in the order they came, those that failed or hang included.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.front.requests()
    }

    /// The requests from number `first` on.
    #[must_use]
    pub fn requests_since(&self, first: usize) -> Vec<Request> {
        self.requests()
            .split_off(first.min(self.front.requests().len()))
    }

    /// Decides for each request that comes from now on what goes wrong with it. It is asked once a request, before
    /// anything is done, and may wait or kill as it likes.
    pub fn set_fault(&self, fault: impl Fn(&Request) -> Fault + Send + Sync + 'static) {
        self.front.set_fault(Arc::new(fault));
    }

    /// No more faults.
    pub fn clear_fault(&self) {
        self.set_fault(|_| Fault::None);
    }

    /// Calls `hook` before each operation is done, and after, before it is answered: where a process can be killed
    /// exactly between two of its calls.
    pub fn set_hook(&self, hook: impl Fn(Moment, &Request) + Send + Sync + 'static) {
        self.front.set_hook(Arc::new(hook));
    }
}

/// Knows one access key, and refuses others as S3 does.
struct OneUser;

#[async_trait::async_trait]
impl S3Auth for OneUser {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == ACCESS_KEY {
            Ok(SecretKey::from(SECRET_KEY))
        } else {
            Err(s3_error!(InvalidAccessKeyId))
        }
    }
}

//! A bucket, or what lies below a prefix of one, through aws-sdk-s3.
//!
//! The SDK signs, retries (its standard mode: exponential, full jitter) and follows profiles, regions, SSO and
//! `AWS_ENDPOINT_URL`. What it leaves open is closed here: deadlines for everything (`limits`), bodies that end early,
//! conditional puts whose own answer was lost, and errors that say what to do (`failure`).
//!
//! Invariant: nothing here trusts the order of a listing, nor one answer to a conditional put.

mod connect;
mod failure;
mod limits;

use std::fmt;
use std::future::Future;
use std::time::Instant;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use self::failure::{Attempted, Failure};
use self::limits::Limits;
use crate::{Entry, Error, Options, Placed, Store, key};

/// Objects in a bucket.
#[derive(Clone)]
pub struct S3 {
    client: Client,
    bucket: String,
    /// Empty, or ends with `/`.
    prefix: String,
    limits: Limits,
}

/// A client as [`S3`] has it, for what is no store: with its deadlines, and found as all AWS tools find theirs.
///
/// # Errors
/// [`Error::NoRegion`] and [`Error::NoCredentials`].
pub async fn client(options: &Options) -> Result<Client, Error> {
    const NO_BUCKET: &str = "(any)";
    let config = connect::from_environment(NO_BUCKET).await?;
    connect::client(NO_BUCKET, &Limits::new(options), &config)
}

impl S3 {
    /// The keys of `bucket` below `prefix` (which may be empty), with what the environment, the shared configuration
    /// files and the instance say about region, endpoint and credentials. Sends nothing to the bucket.
    ///
    /// Takes a few milliseconds where the region is known; asks the instance's metadata otherwise, for a second.
    ///
    /// # Errors
    /// As [`connect`](S3::connect).
    pub async fn open(bucket: &str, prefix: &str, options: &Options) -> Result<Self, Error> {
        Self::connect(
            bucket,
            prefix,
            options,
            &connect::from_environment(bucket).await?,
        )
    }

    /// The same with a configuration made by hand. Its timeouts, retries and path style are replaced by ours.
    ///
    /// # Errors
    /// [`Error::BadUri`] if `prefix` could not be a key, [`Error::NoRegion`] if there is neither a region nor a custom
    /// endpoint.
    pub fn connect(
        bucket: &str,
        prefix: &str,
        options: &Options,
        config: &SdkConfig,
    ) -> Result<Self, Error> {
        if !prefix.is_empty() {
            key::check(prefix).map_err(|error| Error::BadUri {
                uri: format!("s3://{bucket}/{prefix}"),
                reason: error.to_string(),
            })?;
        }
        let limits = Limits::new(options);
        let client = connect::client(bucket, &limits, config)?;
        let prefix = if prefix.is_empty() {
            String::new()
        } else {
            format!("{prefix}/")
        };
        Ok(Self {
            client,
            bucket: bucket.to_owned(),
            prefix,
            limits,
        })
    }

    /// The object with exactly this name, which need not be a key of ours; of at most `limit` bytes, if there is one.
    pub(crate) async fn get_object(
        &self,
        name: &str,
        limit_bytes: Option<u64>,
    ) -> Result<Bytes, Error> {
        let start = Instant::now();
        let mut limit = self.limits.operation(0);
        let attempted = self.attempted("s3:GetObject", name);
        let mut last = None;
        for attempt in 0..self.limits.attempts {
            self.limits.pause_before(attempt).await;
            let left = limit.saturating_sub(start.elapsed());
            let request = self
                .client
                .get_object()
                .bucket(&self.bucket)
                .key(name)
                .send();
            let answer = match tokio::time::timeout(left, request).await {
                Ok(answer) => answer.map_err(|error| attempted.failed(error, start).error)?,
                Err(_) => break,
            };
            let length = answer
                .content_length()
                .and_then(|length| u64::try_from(length).ok());
            if let Some(limit_bytes) = limit_bytes
                && length > Some(limit_bytes)
            {
                // The body is on its way, and is dropped with the connection.
                return Err(Error::TooLarge {
                    target: format!("s3://{}/{name}", self.bucket),
                    limit_bytes,
                });
            }
            let size = length.unwrap_or(0);
            limit = limit.max(self.limits.operation(size));
            let left = limit.saturating_sub(start.elapsed());
            let left = left.min(self.limits.attempt(size));
            match tokio::time::timeout(left, answer.body.collect()).await {
                // It stalled; another connection may not.
                Err(_) => last = None,
                Ok(Err(error)) => {
                    last = Some(format!(
                        "its body broke off: {}",
                        failure::innermost(&error)
                    ))
                }
                Ok(Ok(body)) => {
                    let body = body.into_bytes();
                    match length {
                        Some(length) if length != body.len() as u64 => {
                            last = Some(format!("{} bytes of {length} came", body.len()));
                        }
                        _ => return Ok(body),
                    }
                }
            }
        }
        Err(match last {
            Some(reason) => attempted.unavailable(reason),
            None => attempted.timed_out(limit),
        })
    }

    /// One put with its own deadlines.
    async fn put_object(&self, name: &str, bytes: Bytes, if_absent: bool) -> Result<(), Failure> {
        let start = Instant::now();
        let mut request = self.client.put_object().bucket(&self.bucket).key(name);
        if if_absent {
            request = request.if_none_match("*");
        }
        let request = request.body(ByteStream::from(bytes.clone()));
        let sent = match self.limits.for_body(bytes.len() as u64) {
            None => request.send().await,
            Some(timeouts) => {
                let own = aws_sdk_s3::config::Builder::new().timeout_config(timeouts);
                request.customize().config_override(own).send().await
            }
        };
        sent.map(drop).map_err(|error| {
            self.attempted("s3:PutObject", name)
                .failed::<PutObjectError>(error, start)
        })
    }

    async fn place(&self, name: &str, bytes: &Bytes) -> Result<Placed, Error> {
        let mut last = String::new();
        for attempt in 0..self.limits.attempts {
            self.limits.pause_before(attempt).await;
            let Err(failure) = self.put_object(name, bytes.clone(), true).await else {
                return Ok(Placed::Written);
            };
            match failure.status {
                // Something is there: another's object, or our own whose answer was lost before the SDK asked again.
                Some(412) => match self.get_object(name, None).await {
                    Ok(there) => return Ok(Placed::found(there, bytes)),
                    // It was deleted before it could be read, so the key is free again.
                    Err(Error::NotFound { .. }) => "what was there is gone".clone_into(&mut last),
                    Err(error) => return Err(error),
                },
                // Another put is under way; S3 asks to try again, the SDK does not.
                Some(409) => last = failure.error.to_string(),
                _ => return Err(failure.error),
            }
        }
        Err(self.attempted("s3:PutObject", name).unavailable(last))
    }

    /// Bounds what is made of several requests.
    async fn within<T>(
        &self,
        action: &'static str,
        name: &str,
        body: u64,
        work: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let limit = self.limits.operation(body);
        match tokio::time::timeout(limit, work).await {
            Ok(result) => result,
            Err(_) => Err(self.attempted(action, name).timed_out(limit)),
        }
    }

    fn attempted<'a>(&'a self, action: &'static str, name: &'a str) -> Attempted<'a> {
        Attempted {
            action,
            bucket: &self.bucket,
            name,
            store: self,
            limit: self.limits.operation(0),
        }
    }

    fn name(&self, key: &str) -> Result<String, Error> {
        key::check(key)?;
        Ok(format!("{}{key}", self.prefix))
    }
}

#[async_trait]
impl Store for S3 {
    fn uri(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix)
            .trim_end_matches('/')
            .to_owned()
    }

    async fn get(&self, key: &str) -> Result<Bytes, Error> {
        self.get_object(&self.name(key)?, None).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, Error> {
        key::check_prefix(prefix)?;
        let name = format!("{}{prefix}", self.prefix);
        let attempted = self.attempted("s3:ListBucket", &name);
        let mut entries = Vec::new();
        let mut token = None;
        loop {
            let start = Instant::now();
            let request = self
                .client
                .list_objects_v2()
                .bucket(&self.bucket)
                .prefix(&name);
            let page = request.set_continuation_token(token).send().await;
            let page = page.map_err(|error| attempted.failed(error, start).error)?;
            for object in page.contents() {
                // What others keep below the prefix (a folder's marker, say) is no object of ours.
                if let Some(key) = object
                    .key()
                    .and_then(|name| name.strip_prefix(&self.prefix))
                    && key::check(key).is_ok()
                {
                    let bytes = object
                        .size()
                        .and_then(|size| u64::try_from(size).ok())
                        .unwrap_or(0);
                    entries.push(Entry {
                        key: key.to_owned(),
                        bytes,
                    });
                }
            }
            token = page.next_continuation_token().map(str::to_owned);
            match (page.is_truncated().unwrap_or(false), &token) {
                (false, _) => break,
                (true, Some(_)) => {}
                // Half a listing would look like missing work.
                (true, None) => {
                    return Err(attempted
                        .unavailable("a page says that more follow, and not where".to_owned()));
                }
            }
        }
        entries.sort_unstable();
        // A page may repeat the last key of the one before.
        entries.dedup_by(|b, a| a.key == b.key);
        Ok(entries)
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error> {
        let name = self.name(key)?;
        let body = bytes.len() as u64;
        let work = async {
            self.put_object(&name, bytes, false)
                .await
                .map_err(|failure| failure.error)
        };
        self.within("s3:PutObject", &name, body, work).await
    }

    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<Placed, Error> {
        let name = self.name(key)?;
        self.within(
            "s3:PutObject",
            &name,
            bytes.len() as u64,
            self.place(&name, &bytes),
        )
        .await
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        let name = self.name(key)?;
        let work = async {
            let start = Instant::now();
            let request = self.client.delete_object().bucket(&self.bucket).key(&name);
            match request.send().await.map_err(|error| {
                self.attempted("s3:DeleteObject", &name)
                    .failed(error, start)
            }) {
                Ok(_) => Ok(()),
                Err(failure) => match failure.error {
                    Error::NotFound { .. } => Ok(()),
                    error => Err(error),
                },
            }
        };
        self.within("s3:DeleteObject", &name, 0, work).await
    }
}

/// The URI; the client's own form is pages long and no help.
impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3").field(&self.uri()).finish()
    }
}

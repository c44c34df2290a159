//! The objects, and the S3 operations on them.
//!
//! One lock over one map makes every operation atomic, so what a test sees go wrong is the client's doing. Listings give
//! each page backwards: the order of a listing is no promise of S3's.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, CreateBucketInput,
    CreateBucketOutput, DeleteObjectInput, DeleteObjectOutput, ETag, GetObjectInput,
    GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
    ListObjectsV2Input, ListObjectsV2Output, Object, PutObjectInput, PutObjectOutput,
    StreamingBlob, Timestamp,
};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::front::Unconditional;

#[derive(Clone, Debug)]
pub(super) struct Objects {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    buckets: BTreeMap<String, BTreeMap<String, Stored>>,
    page: usize,
}

#[derive(Clone, Debug)]
struct Stored {
    bytes: Bytes,
    at: SystemTime,
    /// What the client sent with it, given back so that it can check.
    crc32: Option<String>,
    /// What it says that it has, where a test can't wait for so many.
    said_bytes: Option<i64>,
}

impl Default for Objects {
    fn default() -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                buckets: BTreeMap::new(),
                page: 1000,
            })),
        }
    }
}

impl Objects {
    pub(super) fn create_bucket(&self, name: &str) {
        self.state().buckets.entry(name.to_owned()).or_default();
    }

    pub(super) fn delete_bucket(&self, name: &str) {
        self.state().buckets.remove(name);
    }

    pub(super) fn all(&self, bucket: &str) -> BTreeMap<String, Bytes> {
        let state = self.state();
        let objects = state.buckets.get(bucket).into_iter().flatten();
        objects
            .map(|(key, stored)| (key.clone(), stored.bytes.clone()))
            .collect()
    }

    pub(super) fn put(&self, bucket: &str, key: &str, bytes: Bytes) {
        let stored = Stored {
            bytes,
            at: SystemTime::now(),
            crc32: None,
            said_bytes: None,
        };
        self.state()
            .buckets
            .entry(bucket.to_owned())
            .or_default()
            .insert(key.to_owned(), stored);
    }

    pub(super) fn set_size(&self, bucket: &str, key: &str, bytes: i64) {
        let mut state = self.state();
        let objects = state.buckets.entry(bucket.to_owned()).or_default();
        if let Some(stored) = objects.get_mut(key) {
            stored.said_bytes = Some(bytes);
        }
    }

    pub(super) fn remove(&self, bucket: &str, key: &str) {
        self.state()
            .buckets
            .entry(bucket.to_owned())
            .or_default()
            .remove(key);
    }

    pub(super) fn checksum(&self, bucket: &str, key: &str) -> Option<String> {
        self.state().buckets.get(bucket)?.get(key)?.crc32.clone()
    }

    pub(super) fn set_page(&self, keys: usize) {
        self.state().page = keys;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, bucket: &str, key: &str) -> S3Result<Stored> {
        let mut state = self.state();
        state
            .bucket(bucket)?
            .get(key)
            .cloned()
            .ok_or_else(|| s3_error!(NoSuchKey))
    }
}

impl State {
    fn bucket(&mut self, name: &str) -> S3Result<&mut BTreeMap<String, Stored>> {
        self.buckets
            .get_mut(name)
            .ok_or_else(|| s3_error!(NoSuchBucket))
    }
}

impl Stored {
    fn etag(&self) -> ETag {
        let mut hasher = DefaultHasher::new();
        self.bytes.hash(&mut hasher);
        ETag::Strong(format!("{:032x}", hasher.finish()))
    }

    fn size(&self) -> i64 {
        self.said_bytes
            .unwrap_or_else(|| i64::try_from(self.bytes.len()).unwrap_or(i64::MAX))
    }
}

#[async_trait::async_trait]
impl S3 for Objects {
    async fn create_bucket(
        &self,
        req: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        Objects::create_bucket(self, &req.input.bucket);
        Ok(S3Response::new(CreateBucketOutput::default()))
    }

    async fn head_bucket(
        &self,
        req: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.state().bucket(&req.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn get_object(
        &self,
        req: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let stored = self.find(&req.input.bucket, &req.input.key)?;
        if req.input.range.is_some() {
            return Err(s3_error!(NotImplemented, "this server gives whole objects"));
        }
        let size = stored.size();
        let (etag, at) = (stored.etag(), stored.at);
        Ok(S3Response::new(GetObjectOutput {
            body: Some(StreamingBlob::from(s3s::Body::from(stored.bytes))),
            content_length: Some(size),
            checksum_crc32: stored.crc32.filter(|_| req.input.checksum_mode.is_some()),
            e_tag: Some(etag),
            last_modified: Some(Timestamp::from(at)),
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(
        &self,
        req: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let stored = self.find(&req.input.bucket, &req.input.key)?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: Some(stored.size()),
            e_tag: Some(stored.etag()),
            last_modified: Some(Timestamp::from(stored.at)),
            ..HeadObjectOutput::default()
        }))
    }

    async fn put_object(
        &self,
        req: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let is_new_only = req.extensions.get::<Unconditional>().is_none()
            && req
                .input
                .if_none_match
                .as_ref()
                .is_some_and(|condition| condition.is_any());
        // Whole before anything is changed: a body that breaks off leaves no object.
        let bytes = match req.input.body {
            Some(body) => body.try_fold(BytesMut::new(), |mut whole, part| async move {
                whole.extend_from_slice(&part);
                Ok(whole)
            }),
            None => return Err(s3_error!(MissingRequestBodyError)),
        };
        let bytes = bytes
            .await
            .map_err(|error| s3_error!(IncompleteBody, "{error}"))?
            .freeze();
        if req
            .input
            .content_length
            .is_some_and(|length| length != bytes.len() as i64)
        {
            return Err(s3_error!(IncompleteBody));
        }
        let trailing = req.trailing_headers.and_then(|headers| headers.take());
        let trailing = trailing
            .and_then(|map| Some(map.get("x-amz-checksum-crc32")?.to_str().ok()?.to_owned()));
        let stored = Stored {
            bytes,
            at: SystemTime::now(),
            crc32: req.input.checksum_crc32.or(trailing),
            said_bytes: None,
        };
        let etag = stored.etag();
        let mut state = self.state();
        let bucket = state.bucket(&req.input.bucket)?;
        if is_new_only && bucket.contains_key(&req.input.key) {
            return Err(s3_error!(PreconditionFailed));
        }
        bucket.insert(req.input.key, stored);
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(etag),
            ..PutObjectOutput::default()
        }))
    }

    async fn copy_object(
        &self,
        req: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        const MOST_BYTES: i64 = 5 << 30;
        let CopySource::Bucket { bucket, key, .. } = &req.input.copy_source else {
            return Err(s3_error!(NotImplemented, "this server copies from buckets"));
        };
        let stored = Stored {
            at: SystemTime::now(),
            ..self.find(bucket, key)?
        };
        if stored.size() > MOST_BYTES {
            return Err(s3_error!(InvalidRequest, "the source is larger than 5 GiB"));
        }
        let (etag, at) = (stored.etag(), stored.at);
        let mut state = self.state();
        state
            .bucket(&req.input.bucket)?
            .insert(req.input.key, stored);
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(CopyObjectResult {
                e_tag: Some(etag),
                last_modified: Some(Timestamp::from(at)),
                ..CopyObjectResult::default()
            }),
            ..CopyObjectOutput::default()
        }))
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.state()
            .bucket(&req.input.bucket)?
            .remove(&req.input.key);
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        if input.delimiter.is_some() {
            return Err(s3_error!(
                NotImplemented,
                "this server lists without a delimiter"
            ));
        }
        let prefix = input.prefix.clone().unwrap_or_default();
        let after = input
            .continuation_token
            .as_ref()
            .or(input.start_after.as_ref());
        let from = match after {
            Some(after) if *after >= prefix => Bound::Excluded(after.as_str()),
            _ => Bound::Included(prefix.as_str()),
        };
        let mut state = self.state();
        let asked = input
            .max_keys
            .and_then(|keys| usize::try_from(keys).ok())
            .unwrap_or(usize::MAX);
        let page = state.page.min(asked);
        let bucket = state.bucket(&input.bucket)?;
        let mut found = bucket
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(&prefix));
        let mut contents: Vec<Object> = found
            .by_ref()
            .take(page)
            .map(|(key, stored)| Object {
                key: Some(key.clone()),
                size: Some(stored.size()),
                e_tag: Some(stored.etag()),
                last_modified: Some(Timestamp::from(stored.at)),
                ..Object::default()
            })
            .collect();
        let is_truncated = found.next().is_some();
        let next = contents
            .last()
            .and_then(|last| last.key.clone())
            .filter(|_| is_truncated);
        contents.reverse();
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            max_keys: Some(i32::try_from(page).unwrap_or(i32::MAX)),
            key_count: Some(i32::try_from(contents.len()).unwrap_or(i32::MAX)),
            continuation_token: input.continuation_token,
            is_truncated: Some(is_truncated),
            next_continuation_token: next,
            contents: Some(contents),
            ..ListObjectsV2Output::default()
        }))
    }
}

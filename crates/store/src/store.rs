//! The contract: five verbs over bytes by key, with what holds before, during and after each.
//!
//! Apart from its implementations, because everything above this crate sees only this.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::Error;

/// Bytes by key.
///
/// A key is one or more segments joined by `/`. A segment is 1 to 255 bytes, does not begin with `.`, and holds neither
/// control characters nor `\`; a whole key has at most 900 bytes. Anything else is [`Error::BadKey`], so no key leaves
/// the store's root, and every key that one store takes, all take. A key must not be a parent of another (`a` and
/// `a/b`): a bucket holds both, a directory cannot.
///
/// Every method may be called from any number of tasks, processes and machines at once. Dropping a returned future
/// abandons the wait, not always the work: what was being written may still appear, whole.
#[async_trait]
pub trait Store: std::fmt::Debug + Send + Sync {
    /// What a person can paste back to [`open`](crate::open): an absolute path or `s3://bucket/prefix`.
    fn uri(&self) -> String;

    /// The whole object.
    ///
    /// Sees every put and delete that returned before this call began. A body that ends early is an error, never short
    /// bytes. Changes nothing, so it may be repeated.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none.
    async fn get(&self, key: &str) -> Result<Bytes, Error>;

    /// Every key that starts with `prefix`, sorted by the bytes of the key, each once.
    ///
    /// `prefix` is a plain string prefix, not a folder: `a/b` finds `a/b/1` and also `a/bc`; `a/b/` finds only the
    /// former. The empty prefix finds all. Sees every put that returned before this call began; of what is put or
    /// deleted meanwhile it may see any part. Nothing found is an empty list. Memory: one entry a key.
    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, Error>;

    /// Writes the object, replacing what is there.
    ///
    /// Atomic: a reader sees the old object or the new one, whole. Durable once it returns. After an error the object is
    /// the old one or the new one, and the call may be repeated.
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error>;

    /// Writes the object unless there is one.
    ///
    /// Atomic as [`put`](Store::put) is. Among any number of calls for a key that is absent, at most one gets
    /// [`Placed::Written`]; the others are told what is there. Exactly one gets it if no answer is lost: a caller whose
    /// success was lost on the way and who asks again (or for whom the store did so) gets [`Placed::Identical`], so
    /// treat both as success. After an error the object is absent, ours or another's, whole, and the call may be
    /// repeated.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the backend is known to be unable. A server that ignores the condition cannot be told
    /// from one that keeps it by a single call: see [`honours_put_if_absent`](crate::honours_put_if_absent).
    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<Placed, Error>;

    /// Removes the object. An absent key is fine, so it may be repeated.
    async fn delete(&self, key: &str) -> Result<(), Error>;
}

/// A key and its size.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// The key, as [`Store::get`] takes it.
    pub key: String,
    /// The size of the object, in bytes.
    pub bytes: u64,
}

/// How [`Store::put_if_absent`] ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "what is there may not be what was put"]
pub enum Placed {
    /// There was nothing, and now there is this.
    Written,
    /// The same bytes were there already.
    Identical,
    /// Other bytes were there and still are: these.
    Different(Bytes),
}

impl Placed {
    /// What it means that `there` was found where `ours` was to be written.
    pub(crate) fn found(there: Bytes, ours: &Bytes) -> Self {
        if there == *ours {
            Self::Identical
        } else {
            Self::Different(there)
        }
    }
}

#[async_trait]
impl<S: Store + ?Sized> Store for Arc<S> {
    fn uri(&self) -> String {
        (**self).uri()
    }

    async fn get(&self, key: &str) -> Result<Bytes, Error> {
        (**self).get(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, Error> {
        (**self).list(prefix).await
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error> {
        (**self).put(key, bytes).await
    }

    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<Placed, Error> {
        (**self).put_if_absent(key, bytes).await
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        (**self).delete(key).await
    }
}

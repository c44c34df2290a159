//! A store in memory: the contract without a backend, for tests and for runs that keep nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Entry, Error, Placed, Store, key};

/// Objects in memory. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    objects: Arc<Mutex<BTreeMap<String, Bytes>>>,
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        // Every change under the lock is one call of the map, so a panic elsewhere leaves nothing half done.
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for Memory {
    /// Not one that [`open`](crate::open) takes: there is nothing to paste back.
    fn uri(&self) -> String {
        "memory".to_owned()
    }

    async fn get(&self, key: &str) -> Result<Bytes, Error> {
        key::check(key)?;
        let found = self.objects().get(key).cloned();
        found.ok_or_else(|| Error::NotFound {
            key: key.to_owned(),
            store: self.uri(),
        })
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, Error> {
        key::check_prefix(prefix)?;
        let objects = self.objects();
        let from = objects.range::<str, _>((
            std::ops::Bound::Included(prefix),
            std::ops::Bound::Unbounded,
        ));
        Ok(from
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, bytes)| Entry {
                key: key.clone(),
                bytes: bytes.len() as u64,
            })
            .collect())
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error> {
        key::check(key)?;
        self.objects().insert(key.to_owned(), bytes);
        Ok(())
    }

    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<Placed, Error> {
        key::check(key)?;
        let mut objects = self.objects();
        if let Some(there) = objects.get(key) {
            return Ok(Placed::found(there.clone(), &bytes));
        }
        objects.insert(key.to_owned(), bytes);
        Ok(Placed::Written)
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        key::check(key)?;
        self.objects().remove(key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn conforms() {
        crate::conformance::run(Arc::new(Memory::new())).await;
    }
}

//! A store below a prefix of another: a run sees only its own keys.

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Entry, Error, Placed, Store, key};

/// What `store` holds below `prefix/`, as a store of its own. The contract is the inner store's.
///
/// Errors name the inner store's key, which is the one to look for.
#[derive(Clone, Debug)]
pub struct Prefixed<S> {
    store: S,
    /// Ends with `/`.
    prefix: String,
}

impl<S: Store> Prefixed<S> {
    /// The keys of `store` that begin with `prefix` and a slash.
    ///
    /// # Errors
    /// [`Error::BadKey`] if `prefix` could not be a key.
    pub fn new(store: S, prefix: &str) -> Result<Self, Error> {
        key::check(prefix)?;
        Ok(Self {
            store,
            prefix: format!("{prefix}/"),
        })
    }

    /// The store below.
    pub fn inner(&self) -> &S {
        &self.store
    }

    fn outer(&self, key: &str) -> Result<String, Error> {
        key::check(key)?;
        Ok(format!("{}{key}", self.prefix))
    }
}

#[async_trait]
impl<S: Store> Store for Prefixed<S> {
    fn uri(&self) -> String {
        format!(
            "{}/{}",
            self.store.uri().trim_end_matches('/'),
            self.prefix.trim_end_matches('/')
        )
    }

    async fn get(&self, key: &str) -> Result<Bytes, Error> {
        self.store.get(&self.outer(key)?).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, Error> {
        key::check_prefix(prefix)?;
        let mut entries = self.store.list(&format!("{}{prefix}", self.prefix)).await?;
        for entry in &mut entries {
            entry.key.drain(..self.prefix.len());
        }
        Ok(entries)
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error> {
        self.store.put(&self.outer(key)?, bytes).await
    }

    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<Placed, Error> {
        self.store.put_if_absent(&self.outer(key)?, bytes).await
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        self.store.delete(&self.outer(key)?).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Memory;

    #[tokio::test]
    async fn conforms() {
        let memory = Memory::new();
        memory
            .put("sibling", Bytes::from_static(b"x"))
            .await
            .unwrap();
        memory
            .put("runs/demolition/x", Bytes::from_static(b"x"))
            .await
            .unwrap();
        let below = Prefixed::new(memory.clone(), "runs/demo").unwrap();
        crate::conformance::run(Arc::new(below)).await;
        assert_eq!(
            memory.list("").await.unwrap().len(),
            2,
            "it left its prefix"
        );
    }

    #[tokio::test]
    async fn conforms_over_a_shared_store() {
        let shared: Arc<dyn Store> = Arc::new(Memory::new());
        let twice = Prefixed::new(Prefixed::new(shared, "a").unwrap(), "b").unwrap();
        assert_eq!(twice.uri(), "memory/a/b");
        crate::conformance::run(Arc::new(twice)).await;
    }

    #[test]
    fn a_prefix_that_leaves_the_store_is_refused() {
        assert!(matches!(
            Prefixed::new(Memory::new(), "../x"),
            Err(Error::BadKey { .. })
        ));
    }
}

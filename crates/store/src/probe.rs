//! Does the server keep its word? Some answer a conditional put with success and replace the object.

use bytes::Bytes;

use crate::{Error, Placed, Store, random};

/// Whether `store` keeps [`Store::put_if_absent`]'s contract, found out with a throw-away key that begins with
/// `key_prefix` and is removed again (unless removing is denied: then it stays, a few bytes).
///
/// `false`: a second put replaced the first, or the backend said that it cannot. Costs three requests, so ask once,
/// when planning.
///
/// # Errors
/// Whatever else the store reports, [`Error::AccessDenied`] for writing among them.
pub async fn honours_put_if_absent(store: &dyn Store, key_prefix: &str) -> Result<bool, Error> {
    let key = format!("{key_prefix}{}", random::name());
    let answer = ask(store, &key).await;
    match store.delete(&key).await {
        Ok(()) | Err(Error::AccessDenied { .. }) => answer,
        // The first error is the one that explains.
        Err(error) => answer.and(Err(error)),
    }
}

async fn ask(store: &dyn Store, key: &str) -> Result<bool, Error> {
    for (bytes, is_first) in [(&b"first"[..], true), (&b"second"[..], false)] {
        match store.put_if_absent(key, Bytes::from_static(bytes)).await {
            // The first answer may have been lost on the way, and the repeat finds its own bytes.
            Ok(Placed::Written | Placed::Identical) if is_first => {}
            Ok(placed) => return Ok(placed == Placed::Different(Bytes::from_static(b"first"))),
            Err(Error::Unsupported { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memory;

    #[tokio::test]
    async fn memory_keeps_its_word_and_the_probe_leaves_nothing() {
        let memory = Memory::new();
        assert!(honours_put_if_absent(&memory, "demo/probe-").await.unwrap());
        assert_eq!(memory.list("").await.unwrap(), []);
    }
}

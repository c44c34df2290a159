//! A local or shared directory: a key is a path below its root.
//!
//! Objects come into being whole: written aside under a hidden name, flushed, then renamed or linked into place, and the
//! directory flushed. So a reader meets no half of a file, and a crash leaves at most a hidden aside that nobody lists.
//! Files whose names could not be keys (hidden ones, such as an aside, `.nfs…` or `.DS_Store`) are no objects.
//!
//! Invariant: nothing here waits on an async thread; every call runs where blocking is allowed.

mod walk;
mod write;

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Entry, Error, Placed, Store, key};

/// Objects as files below a directory, which is made when something is first put.
#[derive(Clone, Debug)]
pub struct Directory {
    /// Absolute, so that a later change of the working directory means nothing.
    root: PathBuf,
}

impl Directory {
    /// The store at `root`, which need not exist yet.
    ///
    /// # Errors
    /// [`Error::BadUri`] if it is empty, or is something else than a directory.
    pub fn new(root: impl AsRef<Path>) -> Result<Self, Error> {
        let root = root.as_ref();
        let bad = |reason: &str| Error::BadUri {
            uri: root.display().to_string(),
            reason: reason.to_owned(),
        };
        let absolute = std::path::absolute(root).map_err(|_| bad("the path is empty"))?;
        match std::fs::metadata(&absolute) {
            Ok(there) if !there.is_dir() => Err(bad("it is a file, not a directory")),
            // What is absent will be made; what cannot be looked at will say so when it is used.
            Ok(_) | Err(_) => Ok(Self { root: absolute }),
        }
    }

    fn path(&self, key: &str) -> Result<PathBuf, Error> {
        key::check(key)?;
        Ok(self.root.join(key))
    }
}

#[async_trait]
impl Store for Directory {
    fn uri(&self) -> String {
        self.root.display().to_string()
    }

    async fn get(&self, key: &str) -> Result<Bytes, Error> {
        let path = self.path(key)?;
        let absent = Error::NotFound {
            key: key.to_owned(),
            store: self.uri(),
        };
        blocking(move || match std::fs::read(&path) {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) if is_absence(error.kind()) => Err(absent),
            Err(error) => Err(Error::io("read", &path, error)),
        })
        .await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, Error> {
        key::check_prefix(prefix)?;
        let (root, prefix) = (self.root.clone(), prefix.to_owned());
        blocking(move || walk::list(&root, &prefix)).await
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error> {
        let path = self.path(key)?;
        blocking(move || write::replace(&path, &bytes)).await
    }

    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<Placed, Error> {
        let path = self.path(key)?;
        let store = self.uri();
        blocking(move || write::place(&store, &path, &bytes)).await
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        let (root, path) = (self.root.clone(), self.path(key)?);
        blocking(move || remove(&root, &path)).await
    }
}

/// The bytes of one file, which need not lie in a store nor have a key for a name; of at most `limit`, if there is one.
pub(crate) async fn read_file(path: PathBuf, limit: Option<u64>) -> Result<Bytes, Error> {
    blocking(move || match read_up_to(&path, limit) {
        Ok(bytes) => match limit {
            Some(limit_bytes) if bytes.len() as u64 > limit_bytes => Err(Error::TooLarge {
                target: path.display().to_string(),
                limit_bytes,
            }),
            Some(_) | None => Ok(bytes.into()),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let name = path
                .file_name()
                .unwrap_or(path.as_os_str())
                .to_string_lossy()
                .into_owned();
            Err(Error::NotFound {
                key: name,
                store: path.parent().unwrap_or(&path).display().to_string(),
            })
        }
        Err(error) => Err(Error::io("read", &path, error)),
    })
    .await
}

/// One byte more than the limit, where there is more: it shows that the file is longer, however long it is.
fn read_up_to(path: &Path, limit: Option<u64>) -> std::io::Result<Vec<u8>> {
    let Some(limit) = limit else {
        return std::fs::read(path);
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a path that answers so holds no object: nothing there, or a directory there or a file on the way.
fn is_absence(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory
    )
}

/// Removes the file, and the directories that it leaves empty: in a bucket there are none.
fn remove(root: &Path, path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if is_absence(error.kind()) => return Ok(()),
        Err(error) => return Err(Error::io("delete", path, error)),
    }
    for parent in path
        .ancestors()
        .skip(1)
        .take_while(|parent| *parent != root)
    {
        // Not empty, or not ours to remove: it stays. A writer who finds its directory gone makes it again.
        if std::fs::remove_dir(parent).is_err() {
            break;
        }
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::Other {
                action: "file access".to_owned(),
                target: "the store".to_owned(),
                reason: "the runtime is shutting down".to_owned(),
                is_retryable: true,
            }),
        },
    }
}

#[cfg(test)]
mod tests;

//! Listing: one walk below the deepest directory the prefix names, one `stat` a file for its size.

use std::fs::DirEntry;
use std::io;
use std::path::Path;

use super::is_absence;
use crate::{Entry, Error, key};

/// Every object below `root` whose key starts with `prefix`, sorted.
pub(super) fn list(root: &Path, prefix: &str) -> Result<Vec<Entry>, Error> {
    let (parent, start) = prefix.rsplit_once('/').unwrap_or(("", prefix));
    let mut walk = Walk {
        entries: Vec::new(),
    };
    walk.directory(&root.join(parent), parent, start)?;
    walk.entries.sort_unstable();
    Ok(walk.entries)
}

struct Walk {
    entries: Vec<Entry>,
}

impl Walk {
    /// Takes what is in the directory of key `parent` and has a name that begins with `start`, and all below it.
    fn directory(&mut self, path: &Path, parent: &str, start: &str) -> Result<(), Error> {
        let failed = |error| Error::io("list", path, error);
        let Some(names) = unless_gone(std::fs::read_dir(path)).map_err(failed)? else {
            return Ok(());
        };
        for entry in names {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            // A name that is no UTF-8 cannot be a key's.
            let Some(name) = name
                .to_str()
                .filter(|name| name.starts_with(start) && key::is_segment(name))
            else {
                continue;
            };
            let key = if parent.is_empty() {
                name.to_owned()
            } else {
                format!("{parent}/{name}")
            };
            self.entry(&entry, key).map_err(|error| match error {
                Failed::Here(error) => failed(error),
                Failed::Below(error) => error,
            })?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &DirEntry, key: String) -> Result<(), Failed> {
        // Known from reading the directory; only a link has to be followed.
        let mut kind = entry.file_type().map_err(Failed::Here)?;
        if kind.is_symlink() {
            match unless_gone(std::fs::metadata(entry.path())).map_err(Failed::Here)? {
                Some(there) => kind = there.file_type(),
                None => return Ok(()),
            }
        }
        if kind.is_dir() {
            return self
                .directory(&entry.path(), &key, "")
                .map_err(Failed::Below);
        }
        // Deleted since the directory was read: then it is no longer there.
        if kind.is_file()
            && let Some(there) = unless_gone(size(entry)).map_err(Failed::Here)?
        {
            self.entries.push(Entry { key, bytes: there });
        }
        Ok(())
    }
}

enum Failed {
    Here(io::Error),
    Below(Error),
}

fn size(entry: &DirEntry) -> io::Result<u64> {
    let there = entry.metadata()?;
    if there.is_symlink() {
        std::fs::metadata(entry.path()).map(|there| there.len())
    } else {
        Ok(there.len())
    }
}

fn unless_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(there) => Ok(Some(there)),
        Err(error) if is_absence(error.kind()) => Ok(None),
        Err(error) => Err(error),
    }
}

//! Putting a file in place whole: aside, flush, rename or link, flush the directory.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::is_absence;
use crate::{Error, Placed, random};

/// How often a directory that someone else removes meanwhile is made again, and how often a file that appears and
/// disappears is looked at.
const PATIENCE: u32 = 64;

/// Puts `bytes` at `path` whatever is there.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let aside = Aside::write(path, bytes)?;
    fs::rename(&aside.path, path).map_err(|error| Error::io("write", path, error))?;
    flush_parent(path)
}

/// Puts `bytes` at `path` unless something is there.
pub(super) fn place(store: &str, path: &Path, bytes: &Bytes) -> Result<Placed, Error> {
    for _ in 0..PATIENCE {
        // Most of a herd comes late: a read spares it the write.
        if let Some(there) = read(path)? {
            // Whoever linked it may not have flushed it yet, and our caller goes on as if it were there for good.
            flush_parent(path)?;
            return Ok(Placed::found(there, bytes));
        }
        let aside = Aside::write(path, bytes)?;
        match aside.link(path) {
            Ok(()) => {
                flush_parent(path)?;
                return Ok(Placed::Written);
            }
            // Lost the race. What won it may be deleted before it is read; then the race is open again.
            Err(NoLink::Taken) => {}
            Err(NoLink::Unable(cause)) => return Err(unsupported(store, &cause)),
            Err(NoLink::Failed(cause)) => return Err(Error::io("write", path, cause)),
        }
    }
    Err(Error::Unavailable {
        action: "write".to_owned(),
        target: path.display().to_string(),
        reason: format!("it appeared and vanished {PATIENCE} times"),
    })
}

fn unsupported(store: &str, cause: &io::Error) -> Error {
    Error::Unsupported {
        store: store.to_owned(),
        what: "write a file only if there is none",
        reason: format!(
            "its filesystem has neither hard links nor a rename that does not replace: {cause}"
        ),
        advice: "choose a directory on another filesystem",
    }
}

fn read(path: &Path) -> Result<Option<Bytes>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path, error)),
    }
}

/// A flushed file under a hidden name beside its destination. Removed when dropped; gone already if it was renamed.
struct Aside {
    path: PathBuf,
}

enum NoLink {
    Taken,
    Unable(io::Error),
    Failed(io::Error),
}

impl Aside {
    fn write(destination: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let path = destination.with_file_name(format!(".{}.aside", random::name()));
        let mut file = create(&path)?;
        let aside = Self { path };
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        // The destination, not the aside: that is the name a person knows.
        written.map_err(|error| Error::io("write", destination, error))?;
        Ok(aside)
    }

    /// Gives the file its name, unless that is taken.
    fn link(self, path: &Path) -> Result<(), NoLink> {
        match fs::hard_link(&self.path, path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(NoLink::Taken),
            // What filesystems without links say. Lack of permission for the directory showed when the aside was made.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::PermissionDenied | ErrorKind::Unsupported | ErrorKind::TooManyLinks
                ) =>
            {
                rename_without_replacing(&self.path, path)
            }
            Err(error) => Err(NoLink::Failed(error)),
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // An aside that cannot be removed is never listed, so it does no harm.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(target_os = "linux")]
fn rename_without_replacing(from: &Path, to: &Path) -> Result<(), NoLink> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(|errno| match errno {
        Errno::EXIST => NoLink::Taken,
        Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP => NoLink::Unable(errno.into()),
        other => NoLink::Failed(other.into()),
    })
}

#[cfg(not(target_os = "linux"))]
fn rename_without_replacing(_: &Path, _: &Path) -> Result<(), NoLink> {
    Err(NoLink::Unable(ErrorKind::Unsupported.into()))
}

/// A new file, and the directories above it.
fn create(path: &Path) -> Result<File, Error> {
    let failed = |error| Error::io("write", path, error);
    let directory = parent(path);
    for _ in 0..PATIENCE {
        match File::create_new(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                make_directory(directory)
                    .map_err(|error| Error::io("make directory", directory, error))?;
            }
            result => return result.map_err(failed),
        }
    }
    Err(failed(io::Error::new(
        ErrorKind::NotFound,
        "its directory is removed as often as it is made",
    )))
}

/// Makes a directory and those above it, so that they outlive a crash.
fn make_directory(path: &Path) -> io::Result<()> {
    for _ in 0..PATIENCE {
        match fs::create_dir(path) {
            Ok(()) => return flush(parent(path)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound && path.parent().is_some() => {
                make_directory(parent(path))?;
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(
        ErrorKind::NotFound,
        "it is removed as often as it is made",
    ))
}

/// Paths here are absolute and below a root, so there is always a parent.
fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

fn flush_parent(path: &Path) -> Result<(), Error> {
    let directory = parent(path);
    match flush(directory) {
        Ok(()) => Ok(()),
        // Someone deleted the object, and the directory with it: nothing is left to be kept.
        Err(error) if is_absence(error.kind()) => Ok(()),
        Err(error) => Err(Error::io("flush", directory, error)),
    }
}

/// Makes a directory's entries outlive a crash, on filesystems that can.
#[cfg(unix)]
fn flush(directory: &Path) -> io::Result<()> {
    match File::open(directory)?.sync_all() {
        // Some network and user-space filesystems refuse it; there is nothing stronger to ask of them.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}

#[cfg(not(unix))]
fn flush(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_rename_without_links_places_once_and_never_replaces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let ours = Aside::write(&path, b"ours").unwrap();
        assert!(rename_without_replacing(&ours.path, &path).is_ok());
        drop(ours);
        let theirs = Aside::write(&path, b"theirs").unwrap();
        assert!(matches!(
            rename_without_replacing(&theirs.path, &path),
            Err(NoLink::Taken)
        ));
        drop(theirs);
        assert_eq!(fs::read(&path).unwrap(), b"ours");
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "an aside was left"
        );
    }
}

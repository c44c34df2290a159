//! Which program is at work, so that one run is never worked on by two builds unnoticed.

mod build_id;

pub(crate) use build_id::build_id;

use std::io::Read;
use std::path::Path;

use croupier_store::{Placed, Store};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Error, layout};

/// The fingerprint of a program file, and what it was built for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executable {
    /// Processor and system, such as `x86_64-linux`.
    pub target: String,
    /// SHA-256 of what tells builds apart: of the linker's build id and the file's length (64 bits,
    /// little-endian) where it has an id, since a large file takes longer to read than a small shard
    /// to run; else of the whole file.
    pub sha256: String,
    /// The release of Croupier in it.
    pub croupier: String,
}

impl Executable {
    /// The program that is running.
    ///
    /// # Errors
    ///
    /// Where its file can't be read.
    pub fn current() -> std::io::Result<Self> {
        Self::at(&std::env::current_exe()?)
    }

    fn at(path: &Path) -> std::io::Result<Self> {
        // Headers and notes come first in a file.
        const HEAD_BYTES: u64 = 64 << 10;
        let mut file = std::fs::File::open(path)?;
        let mut bytes = Vec::new();
        file.by_ref().take(HEAD_BYTES).read_to_end(&mut bytes)?;
        let mut hasher = Sha256::new();
        match build_id(&bytes) {
            Some(id) => {
                hasher.update(id);
                // What somebody appended or stripped since is not in the id.
                hasher.update(file.metadata()?.len().to_le_bytes());
            }
            None => {
                while !bytes.is_empty() {
                    hasher.update(&bytes);
                    bytes.clear();
                    file.by_ref().take(HEAD_BYTES).read_to_end(&mut bytes)?;
                }
            }
        }
        Ok(Self {
            target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            sha256: hex::encode(hasher.finalize()),
            croupier: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    /// How partials name it.
    pub fn name(&self) -> String {
        format!("{} {}", self.target, self.sha256)
    }

    /// Leaves this fingerprint as the run's for its target, or compares it with the one that is there.
    pub(crate) async fn claim(&self, store: &dyn Store, allow_other: bool) -> Result<(), Error> {
        let key = layout::build(&self.target);
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| Error::Malformed {
            key: key.clone(),
            reason: error.to_string(),
        })?;
        let Placed::Different(there) = store.put_if_absent(&key, bytes.into()).await? else {
            return Ok(());
        };
        let first: Self = serde_json::from_slice(&there).map_err(|error| Error::Malformed {
            key,
            reason: error.to_string(),
        })?;
        if first.sha256 == self.sha256 || allow_other {
            return Ok(());
        }
        Err(Error::Foreign {
            what: "this program".to_owned(),
            differences: vec![format!(
                "its executable is {}, the run's first worker was {}",
                short(&self.sha256),
                short(&first.sha256)
            )],
            advice: "run the same build everywhere, or pass --allow-other-build if you know that both give the same numbers",
        })
    }
}

fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_build_id_is_known_by_all_of_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        for length in [0, 1, 100_000, 1 << 16, 1 << 17] {
            let bytes = vec![7; length];
            std::fs::write(&path, &bytes).unwrap();
            let found = Executable::at(&path).unwrap();
            assert_eq!(found.sha256, hex::encode(Sha256::digest(&bytes)));
        }
    }

    #[test]
    fn this_program_is_the_same_each_time() {
        let one = Executable::current().unwrap();
        assert_eq!(one, Executable::current().unwrap());
        assert_eq!(one.sha256.len(), 64);
        assert!(one.name().ends_with(&one.sha256));
    }

    #[test]
    fn this_program_with_something_appended_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        let mut bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        let one = Executable::current().unwrap();
        assert_eq!(Executable::at(&path).unwrap(), one);
        bytes.push(0);
        std::fs::write(&path, &bytes).unwrap();
        assert_ne!(Executable::at(&path).unwrap(), one);
    }
}

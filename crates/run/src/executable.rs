//! Which program is at work, so that one run is never worked on by two builds unnoticed.

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
    /// SHA-256 of the file.
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
        let mut file = std::fs::File::open(path)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                count => hasher.update(&buffer[..count]),
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

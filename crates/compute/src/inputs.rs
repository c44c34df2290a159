//! The files a kernel is prepared with, already read.

use std::collections::BTreeMap;

use crate::Failure;

/// The inputs of a run by name, as bytes. Their digests are part of the run's identity.
#[derive(Clone, Debug, Default)]
pub struct Inputs(BTreeMap<String, Vec<u8>>);

impl Inputs {
    /// The bytes of input `name`.
    ///
    /// # Errors
    ///
    /// Where the run has no input of that name.
    pub fn get(&self, name: &str) -> Result<&[u8], Failure> {
        self.0.get(name).map(Vec::as_slice).ok_or_else(|| {
            Failure::new(format!(
                "no input {name:?}: give it with --input {name}=URI"
            ))
        })
    }

    /// All inputs by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }
}

impl FromIterator<(String, Vec<u8>)> for Inputs {
    fn from_iter<I: IntoIterator<Item = (String, Vec<u8>)>>(inputs: I) -> Self {
        Self(inputs.into_iter().collect())
    }
}

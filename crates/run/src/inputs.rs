//! Reads the inputs a kernel is prepared with, and takes their digests.

use std::collections::BTreeMap;

use croupier_compute::Inputs;
use croupier_store::Options;

use crate::{Digest, Error};

/// Where each input is read from, by name.
pub type InputSource = BTreeMap<String, String>;

/// The SHA-256 of each input, by name.
pub type InputDigests = BTreeMap<String, String>;

/// Reads the inputs `sources` for a kernel that asks for `expected`, and gives them with their SHA-256 by name.
///
/// # Errors
///
/// Where names are not those the kernel asks for, or one can't be read.
pub async fn load_inputs(
    expected: &[&str],
    sources: &InputSource,
    options: &Options,
) -> Result<(Inputs, InputDigests), Error> {
    for name in expected {
        if !sources.contains_key(*name) {
            return Err(Error::Input(format!(
                "input {name:?} is missing: give it with --input {name}=URI"
            )));
        }
    }
    if let Some(name) = sources
        .keys()
        .find(|name| !expected.contains(&name.as_str()))
    {
        return Err(Error::Input(match expected {
            [] => format!("input {name:?}: this kernel takes no inputs"),
            names => format!(
                "input {name:?} is unknown: this kernel takes {}",
                names.join(", ")
            ),
        }));
    }
    let mut inputs = Vec::new();
    let mut digests = InputDigests::new();
    for (name, uri) in sources {
        let bytes = croupier_store::read(uri, options).await?;
        digests.insert(name.clone(), Digest::of_bytes(&bytes).to_string());
        inputs.push((name.clone(), bytes.into()));
    }
    Ok((inputs.into_iter().collect(), digests))
}

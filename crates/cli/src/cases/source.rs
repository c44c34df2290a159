//! Where cases' parameters are, and how many cases that makes.

use std::sync::Arc;

use croupier_run::{CaseRange, CaseSource};
use croupier_store::{Options, Store};

use crate::CliError;
use crate::parameters::{JsonText, MOST_BYTES, ParametersError};

/// No file of cases is longer: 256 MiB.
const MOST_BYTES_OF_LINES: u64 = 256 << 20;

/// Cases' parameters, to be read.
pub(crate) enum Source {
    Folder(Arc<dyn Store>),
    Lines { uri: String, lines: Vec<Vec<u8>> },
}

impl Source {
    pub(crate) async fn open(source: &CaseSource, options: &Options) -> Result<Self, CliError> {
        match source {
            CaseSource::Folder(uri) => Ok(Self::Folder(croupier_store::open(uri, options).await?)),
            CaseSource::Lines(uri) => Ok(Self::Lines {
                uri: uri.clone(),
                lines: lines(uri, options).await?,
            }),
        }
    }

    /// What errors call the case, and its text.
    pub(crate) async fn text(&self, case: u32) -> Result<(String, JsonText), CliError> {
        match self {
            Self::Folder(store) => {
                let key = format!("{case}.json");
                let file = format!("{}/{key}", store.uri().trim_end_matches('/'));
                let bytes = store.get(&key).await?;
                Ok((file.clone(), JsonText::from_bytes(file, bytes.to_vec())?))
            }
            Self::Lines { uri, lines } => {
                let line = lines.get(case as usize).ok_or_else(|| {
                    CliError::Usage(format!(
                        "{uri} has {} lines, and none for case {case}",
                        lines.len()
                    ))
                })?;
                let number = case as usize + 1;
                let text = JsonText::from_line(uri.clone(), number, line.clone())?;
                Ok((format!("{uri}, line {number}"), text))
            }
        }
    }
}

/// The numbers of the cases that are there.
pub(crate) async fn numbers(
    source: &CaseSource,
    options: &Options,
) -> Result<Vec<CaseRange>, CliError> {
    let numbers: Vec<u32> = match source {
        CaseSource::Lines(uri) => (0..)
            .zip(lines(uri, options).await?)
            .map(|(n, _)| n)
            .collect(),
        CaseSource::Folder(uri) => numbered(&*croupier_store::open(uri, options).await?).await?,
    };
    if numbers.is_empty() {
        return Err(CliError::Usage(format!(
            "there are no cases in {source}: a folder has them as 0.json, 1.json and so on, a file that ends with .jsonl as an object in each line"
        )));
    }
    Ok(CaseRange::all(numbers))
}

/// The numbers of `<i>.json` in a folder, in order. What is too long for parameters is refused before it is read.
pub(crate) async fn numbered(store: &dyn Store) -> Result<Vec<u32>, CliError> {
    let entries = store.list("").await?;
    let number = |key: &str| {
        let number: u32 = key.strip_suffix(".json")?.parse().ok()?;
        (format!("{number}.json") == key).then_some(number)
    };
    let mut numbers = Vec::new();
    for entry in &entries {
        let Some(number) = number(&entry.key) else {
            continue;
        };
        if entry.bytes > MOST_BYTES {
            return Err(CliError::Parameters(ParametersError::TooLarge {
                file: format!("{}/{}", store.uri().trim_end_matches('/'), entry.key),
                limit_bytes: MOST_BYTES,
            }));
        }
        numbers.push(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The lines of a file of cases; the last may be empty.
pub(crate) async fn lines(uri: &str, options: &Options) -> Result<Vec<Vec<u8>>, CliError> {
    let bytes = match croupier_store::read_at_most(uri, MOST_BYTES_OF_LINES, options).await {
        Ok(bytes) => bytes,
        Err(croupier_store::Error::TooLarge { limit_bytes, .. }) => {
            return Err(CliError::Parameters(ParametersError::TooLarge {
                file: uri.to_owned(),
                limit_bytes,
            }));
        }
        Err(error) => return Err(error.into()),
    };
    let mut lines: Vec<Vec<u8>> = bytes
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec())
        .collect();
    if lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    for (at, line) in lines.iter().enumerate() {
        let number = at + 1;
        if line.iter().all(u8::is_ascii_whitespace) {
            return Err(CliError::Usage(format!(
                "{uri}, line {number}: it is empty, and each line is a case: {{}} is one without parameters"
            )));
        }
    }
    Ok(lines)
}

//! Copies a folder of S3: a task, which is work that is no sampling. The work itself ([`copy_folder`]) knows nothing of
//! Croupier; the task around it is thin.
//!
//! One folder: `copy-s3-folder --s3uri-source s3://bucket/from --s3uri-target s3://bucket/to`. Many, as an array whose
//! process i reads `s3://bucket/kwargs/<i>.json`: `copy-s3-folder --s3uri-kwargs s3://bucket/kwargs`.

use std::collections::HashMap;
use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use croupier::prelude::*;
use croupier::s3::sdk::Client;
use croupier::s3::sdk::error::DisplayErrorContext;
use tokio::task::JoinSet;

/// Copies a folder of S3 to another. S3 moves the bytes itself; an object that is there already, by size and ETag, is
/// not copied again.
#[derive(Args, Serialize, Deserialize)]
struct CopyS3Folder {
    /// The folder to copy: s3://bucket/prefix
    #[arg(long, value_name = "URI")]
    s3uri_source: String,
    /// Where to: s3://bucket/prefix
    #[arg(long, value_name = "URI")]
    s3uri_target: String,
    /// How many objects are copied at a time
    #[arg(long, value_name = "N", default_value_t = 16)]
    at_once: usize,
}

impl Task for CopyS3Folder {
    type Row = Copied;

    fn validate(&self) -> Result<(), Failure> {
        let (source, target) = (
            Folder::read(&self.s3uri_source)?,
            Folder::read(&self.s3uri_target)?,
        );
        if source.bucket == target.bucket
            && (source.prefix.starts_with(&target.prefix)
                || target.prefix.starts_with(&source.prefix))
        {
            return Err(Failure::new(format!(
                "{source} and {target} lie within each other: copy to a folder beside"
            )));
        }
        if self.at_once == 0 {
            return Err(Failure::new("at_once is 0: give at least 1"));
        }
        Ok(())
    }

    async fn perform(&self) -> Result<Copied, TaskFailure> {
        // Five GiB take a while.
        let client = croupier::s3::client(Duration::from_secs(3600)).await?;
        let read =
            |uri: &str| Folder::read(uri).map_err(|why| TaskFailure::permanent(why.to_string()));
        let (source, target) = (read(&self.s3uri_source)?, read(&self.s3uri_target)?);
        match copy_folder(&client, &source, &target, self.at_once).await {
            Ok(copied) => Ok(copied),
            Err(error @ CopyError::TooLarge(_)) => Err(TaskFailure::permanent(error.to_string())),
            Err(error) => Err(error.into()),
        }
    }
}

fn main() -> ExitCode {
    croupier::app().task::<CopyS3Folder>().main()
}

/// What was done: the row of this task.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Copied {
    /// Objects in the folder.
    objects: u64,
    /// Objects that were copied.
    copied: u64,
    /// Their bytes.
    copied_bytes: u64,
    /// Objects that were there already.
    identical: u64,
}

/// What CopyObject takes at most: 5 GiB.
const MOST_BYTES: u64 = 5 << 30;

/// Copies what is in `source` and not in `target`, `at_once` objects at a time. What is in `target` alone stays.
async fn copy_folder(
    client: &Client,
    source: &Folder,
    target: &Folder,
    at_once: usize,
) -> Result<Copied, CopyError> {
    let there: HashMap<String, Object> = list(client, target).await?.into_iter().collect();
    let mut done = Copied::default();
    let mut too_large = Vec::new();
    let mut copying: JoinSet<Result<u64, CopyError>> = JoinSet::new();
    for (name, object) in list(client, source).await? {
        done.objects += 1;
        if there.get(&name).is_some_and(|there| there.is_same(&object)) {
            done.identical += 1;
            continue;
        }
        let (from, to) = (source.key(&name), target.key(&name));
        if object.bytes > MOST_BYTES {
            too_large.push(format!(
                "aws s3 cp 's3://{}/{from}' 's3://{}/{to}'",
                source.bucket, target.bucket
            ));
            continue;
        }
        if copying.len() >= at_once {
            done.add(copying.join_next().await)?;
        }
        let copy = client
            .copy_object()
            .copy_source(encoded(&format!("{}/{from}", source.bucket)))
            .bucket(&target.bucket)
            .key(&to);
        copying.spawn(async move {
            let sent = copy.send().await;
            sent.map_err(|error| CopyError::failed("copying", &to, error))?;
            Ok(object.bytes)
        });
    }
    while !copying.is_empty() {
        done.add(copying.join_next().await)?;
    }
    if too_large.is_empty() {
        Ok(done)
    } else {
        Err(CopyError::TooLarge(too_large))
    }
}

impl Copied {
    fn add(
        &mut self,
        ended: Option<Result<Result<u64, CopyError>, tokio::task::JoinError>>,
    ) -> Result<(), CopyError> {
        let Some(ended) = ended else { return Ok(()) };
        self.copied_bytes += ended.map_err(|error| CopyError::Failed(error.to_string()))??;
        self.copied += 1;
        Ok(())
    }
}

/// An object, as a listing tells of it.
#[derive(Clone, Debug)]
struct Object {
    bytes: u64,
    etag: Option<String>,
}

impl Object {
    /// Whether one is a copy of the other. The ETag of what was uploaded in parts is not kept by a copy; of what is
    /// too large to be copied here the size has to do.
    fn is_same(&self, other: &Self) -> bool {
        self.bytes == other.bytes && (self.etag == other.etag || self.bytes > MOST_BYTES)
    }
}

/// All objects of a folder, by their names in it.
async fn list(client: &Client, folder: &Folder) -> Result<Vec<(String, Object)>, CopyError> {
    let mut objects = Vec::new();
    let mut pages = client
        .list_objects_v2()
        .bucket(&folder.bucket)
        .prefix(&folder.prefix)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| CopyError::failed("listing", folder, error))?;
        for object in page.contents() {
            let name = object
                .key()
                .and_then(|key| key.strip_prefix(&folder.prefix));
            if let Some(name) = name {
                let bytes = object.size().unwrap_or_default();
                let object = Object {
                    bytes: u64::try_from(bytes).unwrap_or_default(),
                    etag: object.e_tag().map(str::to_owned),
                };
                objects.push((name.to_owned(), object));
            }
        }
    }
    Ok(objects)
}

/// A bucket, and what the keys of a folder in it begin with.
#[derive(Debug)]
struct Folder {
    bucket: String,
    /// Ends with a slash, or is empty.
    prefix: String,
}

impl Folder {
    fn read(uri: &str) -> Result<Self, Failure> {
        let parts = uri
            .strip_prefix("s3://")
            .map(|rest| rest.split_once('/').unwrap_or((rest, "")));
        match parts {
            Some((bucket, prefix)) if !bucket.is_empty() => Ok(Self {
                bucket: bucket.to_owned(),
                prefix: match prefix.trim_end_matches('/') {
                    "" => String::new(),
                    prefix => format!("{prefix}/"),
                },
            }),
            _ => Err(Failure::new(format!(
                "{uri:?} is no folder of S3: give s3://bucket/prefix"
            ))),
        }
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// A key as the header of a copy has it.
fn encoded(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    key.bytes()
        .map(|byte| match byte {
            byte if plain(byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[derive(Debug)]
enum CopyError {
    /// The lines that copy what is too large.
    TooLarge(Vec<String>),
    Failed(String),
}

impl CopyError {
    fn failed(what: &str, which: impl fmt::Display, error: impl std::error::Error) -> Self {
        Self::Failed(format!("{what} {which}: {}", DisplayErrorContext(error)))
    }
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(lines) => write!(
                f,
                "all else is copied, but S3 copies no more than 5 GiB at once; these do it, and then this again:\n{}",
                lines.join("\n")
            ),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for CopyError {}

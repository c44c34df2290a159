//! Finished nodes of the merge tree as an Arrow IPC file.
//!
//! One row a node: where it lies, how many samples it rests on, which failed, and the tally's columns
//! as serde gives them. A few single blocks come along as witnesses, for [`verify`](crate::verify) to
//! run again; they are never merged. The identity stands in the file's metadata in clear.
//!
//! A file is known by the SHA-256 of its bytes, which is part of its name, before anything in it is
//! believed. What fits its name is still read with care, since whoever can write a file
//! can name it.

mod bounds;
mod columns;
mod row;

use std::collections::HashMap;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Schema};
use arrow::error::ArrowError;
use arrow::ipc::MetadataVersion;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions};
use bytes::Bytes;
use croupier_compute::{Node, Tally};
use serde_json::Value;

use crate::{Digest, Error, Identity};

pub(crate) use columns::columns;

use bounds::File;
use columns::Columns;
use row::Row;

/// The format of partials that this release writes, and the latest it reads.
pub const FORMAT: u32 = 1;

const FORMAT_KEY: &str = "croupier.format";
const IDENTITY_KEY: &str = "croupier.identity";
const BUILD_KEY: &str = "croupier.build";
const RELEASE_KEY: &str = "croupier.release";

/// Writes and reads the partials of one run, whose tallies are of type `T`.
#[derive(Debug)]
pub struct PartialFormat<T> {
    identity: Identity,
    /// The identity as it stands in files.
    identity_text: String,
    fields: Vec<FieldRef>,
    columns: Columns,
    tally: PhantomData<fn() -> T>,
}

/// What a partial says.
#[derive(Clone, Debug, PartialEq)]
pub struct Partial<T> {
    /// The program that made it.
    pub build: String,
    /// Its nodes in block order.
    pub nodes: Vec<Node<T>>,
    /// Single blocks as they were before they were merged, in block order.
    pub witnesses: Vec<Node<T>>,
}

/// A partial as bytes.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The file.
    pub bytes: Bytes,
    /// Its digest.
    pub sha256: Digest,
    /// How many blocks its nodes cover.
    pub blocks: u64,
}

/// Why bytes are no partial of a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PartialError {
    /// They are no partial at all, or a damaged one.
    #[error("it is damaged: {0}")]
    Invalid(String),
    /// They were written by a later release.
    #[error(
        "it has format {format}, this program reads up to {FORMAT}: use Croupier {release} or later"
    )]
    Newer {
        /// Their format.
        format: u32,
        /// The release that wrote them.
        release: String,
    },
    /// They belong to another run.
    #[error("it is foreign: {}", .0.join("; "))]
    Foreign(Vec<String>),
}

impl<T: Tally> PartialFormat<T> {
    /// The format of the partials of a run that is `identity`.
    ///
    /// # Errors
    ///
    /// Where the tally's type can't be columns: it holds maps, 128-bit integers, unit types or enums.
    pub fn new(identity: &Identity) -> Result<Self, Error> {
        let fields = columns::<T>()?;
        let identity_text = serde_json::to_string(identity)
            .map_err(|error| Error::Input(format!("the identity can't be written: {error}")))?;
        Ok(Self {
            identity: identity.clone(),
            identity_text,
            columns: Columns::new(fields.clone()),
            fields,
            tally: PhantomData,
        })
    }

    /// Writes nodes and witnesses, each in block order.
    ///
    /// The bytes are a function of identity and arguments.
    ///
    /// # Errors
    ///
    /// Where a tally can't be written.
    pub fn encode(
        &self,
        build: &str,
        nodes: Vec<Node<T>>,
        witnesses: Vec<Node<T>>,
    ) -> Result<Encoded, Error> {
        let blocks = nodes.iter().map(|node| 1 << node.level).sum();
        let rows: Vec<Row<T>> = nodes
            .into_iter()
            .map(|node| Row::new(node, false))
            .chain(witnesses.into_iter().map(|node| Row::new(node, true)))
            .collect();
        let bytes: Bytes = self.write(build, &rows)?.into();
        Ok(Encoded {
            sha256: Digest::of_bytes(&bytes),
            bytes,
            blocks,
        })
    }

    /// Reads a partial whose bytes have the digest they should have.
    ///
    /// Memory: at most 16 times the file's and the identity's size and 1 MiB, whatever the file says,
    /// for tallies of numbers; for those that are lists of booleans, which are bits in a file, 40 times.
    ///
    /// # Errors
    ///
    /// Why it is none.
    pub fn decode(&self, bytes: &Bytes) -> Result<Partial<T>, PartialError> {
        let (build, rows) = self.read(bytes)?;
        let mut nodes = Vec::with_capacity(rows.len());
        let mut witnesses = Vec::new();
        for row in rows {
            let (node, is_witness) = row.into_node(self.identity.block_length)?;
            if is_witness {
                witnesses.push(node);
            } else {
                nodes.push(node);
            }
        }
        if nodes
            .windows(2)
            .any(|pair| pair[0].blocks().end > pair[1].first_block)
        {
            return Err(PartialError::Invalid(
                "its nodes overlap or are out of order".to_owned(),
            ));
        }
        Ok(Partial {
            build,
            nodes,
            witnesses,
        })
    }

    /// Writes the merged tally of a result: one row, the lowest node above its blocks.
    ///
    /// # Errors
    ///
    /// Where the tally can't be written.
    pub(crate) fn encode_merged(&self, node: Node<T>) -> Result<Bytes, Error> {
        self.write("", &[Row::new(node, false)]).map(Into::into)
    }

    /// Reads what [`encode_merged`](Self::encode_merged) wrote.
    pub(crate) fn decode_merged(&self, bytes: &Bytes) -> Result<T, PartialError> {
        let (_, rows) = self.read(bytes)?;
        let [row] = <[Row<T>; 1]>::try_from(rows)
            .map_err(|rows| PartialError::Invalid(format!("{} rows instead of one", rows.len())))?;
        Ok(row.tally)
    }

    fn write(&self, build: &str, rows: &[Row<T>]) -> Result<Vec<u8>, Error> {
        let metadata = HashMap::from([
            (FORMAT_KEY.to_owned(), FORMAT.to_string()),
            (IDENTITY_KEY.to_owned(), self.identity_text.clone()),
            (BUILD_KEY.to_owned(), build.to_owned()),
            (RELEASE_KEY.to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ]);
        let write = || -> Result<Vec<u8>, Box<dyn std::error::Error>> {
            let batch = serde_arrow::to_record_batch(&self.fields, &rows)?;
            let schema = Schema::new_with_metadata(self.fields.clone(), metadata);
            let batch = RecordBatch::try_new(Arc::new(schema), batch.columns().to_vec())?;
            let mut writer =
                FileWriter::try_new_with_options(Vec::new(), &batch.schema(), compact()?)?;
            writer.write(&batch)?;
            Ok(writer.into_inner()?)
        };
        write().map_err(|error| Error::Input(format!("a tally can't be written: {error}")))
    }

    /// The build and the rows of a file.
    fn read(&self, bytes: &Bytes) -> Result<(String, Vec<Row<T>>), PartialError> {
        let file = File::open(bytes)?;
        self.check(&file)?;
        let build = file.metadata(BUILD_KEY).unwrap_or_default().to_owned();
        // Nothing is known to panic on a file that `bounds` lets pass. It is not our code, though, and
        // what it would end is a reducer with ten thousand other partials.
        let rows = catch_unwind(AssertUnwindSafe(|| {
            let batch = file.batch(&self.columns)?;
            serde_arrow::from_record_batch(&batch)
                .map_err(|error| PartialError::Invalid(error.to_string()))
        }));
        rows.unwrap_or_else(|_| {
            Err(PartialError::Invalid(
                "Arrow's reader gave up on it".to_owned(),
            ))
        })
        .map(|rows| (build, rows))
    }

    /// Checks format, identity and columns, in that order: the first says how to read the others.
    fn check(&self, file: &File<'_>) -> Result<(), PartialError> {
        let format: u32 = file
            .metadata(FORMAT_KEY)
            .and_then(|format| format.parse().ok())
            .ok_or_else(|| PartialError::Invalid("it names no format".to_owned()))?;
        if format > FORMAT {
            return Err(PartialError::Newer {
                format,
                release: file
                    .metadata(RELEASE_KEY)
                    .unwrap_or("that wrote it")
                    .to_owned(),
            });
        }
        self.check_identity(
            file.metadata(IDENTITY_KEY)
                .ok_or_else(|| PartialError::Invalid("it names no identity".to_owned()))?,
        )?;
        match file.columns_differ(&self.columns) {
            Some(difference) => Err(PartialError::Foreign(vec![difference])),
            None => Ok(()),
        }
    }

    fn check_identity(&self, text: &str) -> Result<(), PartialError> {
        if text == self.identity_text {
            return Ok(());
        }
        // Parsing takes many times a text's size; what is so much longer is another identity anyhow.
        let ours = self.identity_text.len();
        if text.len() > 2 * ours + 4096 {
            return Err(PartialError::Foreign(vec![format!(
                "its identity is {} bytes long, expected {ours}",
                text.len()
            )]));
        }
        // Field by field, and not as an identity of ours: a later release may have fields of its own.
        let found: Value = serde_json::from_str(text)
            .map_err(|error| PartialError::Invalid(format!("its identity is no JSON: {error}")))?;
        let differences = self.identity.differences_of(&found);
        if differences.is_empty() {
            Ok(())
        } else {
            Err(PartialError::Foreign(differences))
        }
    }
}

/// Most partials have a few rows: with Arrow's usual padding to 64 bytes a column they would be padding.
fn compact() -> Result<IpcWriteOptions, ArrowError> {
    const ALIGNMENT_BYTES: usize = 8;
    IpcWriteOptions::try_new(ALIGNMENT_BYTES, false, MetadataVersion::V5)
}

//! Finished nodes of the merge tree as an Arrow IPC file.
//!
//! One row a node: where it lies, how many samples it rests on, which failed, and the tally's columns
//! as serde gives them. A few single blocks come along as witnesses, for [`verify`](crate::verify) to
//! run again; they are never merged. The identity stands in the file's metadata in clear.
//!
//! A file is known by the SHA-256 of its bytes, which is part of its name, before anything in it is
//! believed. What fits its name is still read with care ([`bounds`]), since whoever can write a file
//! can name it.

mod bounds;
mod row;

use std::collections::HashMap;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Schema};
use arrow::ipc::writer::FileWriter;
use bytes::Bytes;
use croupier_compute::{Node, Tally};
use serde_arrow::schema::{SchemaLike, TracingOptions};

use crate::{Digest, Error, Identity};

use row::Row;

/// The format of partials that this release writes, and the latest it reads.
pub const FORMAT: u32 = 1;

const FORMAT_KEY: &str = "croupier.format";
const IDENTITY_KEY: &str = "croupier.identity";
const BUILD_KEY: &str = "croupier.build";
const RELEASE_KEY: &str = "croupier.release";

/// Writes and reads partials of one type of tally.
#[derive(Debug)]
pub struct PartialFormat<T> {
    fields: Vec<FieldRef>,
    tally: PhantomData<fn() -> T>,
}

/// What a partial says.
#[derive(Clone, Debug, PartialEq)]
pub struct Partial<T> {
    /// The identity it was made for.
    pub identity: Identity,
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
    /// The format for tallies of type `T`.
    ///
    /// # Errors
    ///
    /// Where the tally's type can't be columns: it holds maps, 128-bit integers, unit types or enums
    /// with data.
    pub fn new() -> Result<Self, Error> {
        let options = TracingOptions::default()
            .enums_without_data_as_strings(true)
            .sequence_as_large_list(false)
            .strings_as_large_utf8(false);
        let fields = Vec::<FieldRef>::from_type::<Row<T>>(options).map_err(|error| {
            Error::Input(format!(
                "a tally of type {} can't be columns: {error}; it may hold numbers up to 64 bits, strings, options, lists and structs",
                std::any::type_name::<T>()
            ))
        })?;
        Ok(Self {
            fields,
            tally: PhantomData,
        })
    }

    /// Writes nodes and witnesses, each in block order.
    ///
    /// The bytes are a function of the arguments.
    ///
    /// # Errors
    ///
    /// Where a tally can't be written.
    pub fn encode(
        &self,
        identity: &Identity,
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
        let bytes = self
            .write(identity, build, &rows)
            .map_err(|error| Error::Input(format!("a tally can't be written: {error}")))?;
        Ok(Encoded {
            sha256: Digest::of_bytes(&bytes),
            bytes: bytes.into(),
            blocks,
        })
    }

    /// Reads a partial of the run `identity`, whose bytes have the digest they should have.
    ///
    /// Memory: a small multiple of the file's size, whatever it says.
    ///
    /// # Errors
    ///
    /// Why it is none.
    pub fn decode(&self, identity: &Identity, bytes: &Bytes) -> Result<Partial<T>, PartialError> {
        // What fits its digest was written by a program of ours, unless by somebody who means harm or
        // a library at fault. Arrow's reader panics on some of what they may write; it stays here.
        catch_unwind(AssertUnwindSafe(|| self.read(identity, bytes))).unwrap_or_else(|_| {
            Err(PartialError::Invalid(
                "Arrow's reader gave up on it".to_owned(),
            ))
        })
    }

    /// Writes the merged tally of a result: one row, the lowest node above its blocks.
    ///
    /// # Errors
    ///
    /// Where the tally can't be written.
    pub(crate) fn encode_merged(&self, identity: &Identity, node: Node<T>) -> Result<Bytes, Error> {
        self.write(identity, "", &[Row::new(node, false)])
            .map(Into::into)
            .map_err(|error| Error::Input(format!("the merged tally can't be written: {error}")))
    }

    /// Reads what [`encode_merged`](Self::encode_merged) wrote.
    pub(crate) fn decode_merged(
        &self,
        identity: &Identity,
        bytes: &Bytes,
    ) -> Result<T, PartialError> {
        let (_, batch) = bounds::read(bytes, |schema| self.check(identity, schema))?;
        let rows: Vec<Row<T>> = serde_arrow::from_record_batch(&batch)
            .map_err(|error| PartialError::Invalid(error.to_string()))?;
        let [row] = <[Row<T>; 1]>::try_from(rows)
            .map_err(|rows| PartialError::Invalid(format!("{} rows instead of one", rows.len())))?;
        Ok(row.tally)
    }

    fn write(
        &self,
        identity: &Identity,
        build: &str,
        rows: &[Row<T>],
    ) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        let batch = serde_arrow::to_record_batch(&self.fields, &rows)?;
        let metadata = HashMap::from([
            (FORMAT_KEY.to_owned(), FORMAT.to_string()),
            (IDENTITY_KEY.to_owned(), serde_json::to_string(identity)?),
            (BUILD_KEY.to_owned(), build.to_owned()),
            (RELEASE_KEY.to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ]);
        let schema = Schema::new_with_metadata(self.fields.clone(), metadata);
        let batch = RecordBatch::try_new(Arc::new(schema), batch.columns().to_vec())?;
        let mut writer = FileWriter::try_new(Vec::new(), &batch.schema())?;
        writer.write(&batch)?;
        Ok(writer.into_inner()?)
    }

    fn read(&self, identity: &Identity, bytes: &Bytes) -> Result<Partial<T>, PartialError> {
        let (schema, batch) = bounds::read(bytes, |schema| self.check(identity, schema))?;
        let found = identity_in(&schema)?;
        let rows: Vec<Row<T>> = serde_arrow::from_record_batch(&batch)
            .map_err(|error| PartialError::Invalid(error.to_string()))?;
        let length = identity.block_length;
        let (mut nodes, mut witnesses) = (Vec::new(), Vec::new());
        for row in rows {
            let (node, is_witness) = row.into_node(length)?;
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
            identity: found,
            build: schema.metadata.get(BUILD_KEY).cloned().unwrap_or_default(),
            nodes,
            witnesses,
        })
    }

    /// Checks format, identity and columns, in that order: the first says how to read the others.
    fn check(&self, identity: &Identity, schema: &Schema) -> Result<(), PartialError> {
        let format = schema
            .metadata
            .get(FORMAT_KEY)
            .and_then(|format| format.parse().ok())
            .ok_or_else(|| PartialError::Invalid("it names no format".to_owned()))?;
        if format > FORMAT {
            return Err(PartialError::Newer {
                format,
                release: schema
                    .metadata
                    .get(RELEASE_KEY)
                    .cloned()
                    .unwrap_or_default(),
            });
        }
        let differences = identity_in(schema)?.differences(identity);
        if !differences.is_empty() {
            return Err(PartialError::Foreign(differences));
        }
        if schema.fields.iter().ne(&self.fields) {
            return Err(PartialError::Foreign(vec![format!(
                "its columns are {:?}, this program's tally has {:?}",
                names(schema.fields.iter()),
                names(self.fields.iter())
            )]));
        }
        Ok(())
    }
}

fn identity_in(schema: &Schema) -> Result<Identity, PartialError> {
    let text = schema
        .metadata
        .get(IDENTITY_KEY)
        .ok_or_else(|| PartialError::Invalid("it names no identity".to_owned()))?;
    serde_json::from_str(text)
        .map_err(|error| PartialError::Invalid(format!("its identity can't be read: {error}")))
}

fn names<'a>(fields: impl Iterator<Item = &'a FieldRef>) -> Vec<String> {
    fields
        .map(|field| format!("{}: {}", field.name(), field.data_type()))
        .collect()
}

//! Reads an Arrow IPC file whose every number may be a lie.
//!
//! Arrow's own file reader believes lengths in the file, asks for as much memory as they say, and
//! makes a schema of whatever the file describes. Here the schema is never made: what the file says
//! of its columns is compared with the columns it must have ([`Columns`]), and each offset and length
//! with the bytes that are there. Arrow is then left to check the contents of buffers that lie inside
//! the file one after the other, so what it may ask for is bounded by the file's size.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::ipc::reader::RecordBatchDecoder;
use arrow::ipc::{Block, Endianness, Footer, Message, Schema, root_as_footer, root_as_message};
use bytes::Bytes;

use super::PartialError;
use super::columns::Columns;

const MAGIC: &[u8; 6] = b"ARROW1";
/// The magic and two bytes of padding.
const HEAD_BYTES: usize = 8;
/// The footer's length and the magic.
const TAIL_BYTES: usize = 10;
/// A message begins with this mark and the length of its metadata.
const CONTINUATION: &[u8; 4] = &[0xff; 4];
const PREFIX_BYTES: usize = 8;
/// Buffers begin at multiples of this, by Arrow's own rules.
const ALIGNMENT_BYTES: i64 = 8;

/// A file whose footer was verified.
pub(super) struct File<'a> {
    bytes: &'a Bytes,
    footer: Footer<'a>,
    schema: Schema<'a>,
}

impl<'a> File<'a> {
    pub(super) fn open(bytes: &'a Bytes) -> Result<Self, PartialError> {
        let footer = footer(bytes).ok_or_else(|| invalid("it is no Arrow file, or cut off"))?;
        let footer = root_as_footer(footer).map_err(invalid)?;
        let schema = footer.schema().ok_or_else(|| invalid("no schema"))?;
        Ok(Self {
            bytes,
            footer,
            schema,
        })
    }

    /// What its metadata says of `key`.
    pub(super) fn metadata(&self, key: &str) -> Option<&'a str> {
        let mut pairs = self.schema.custom_metadata().into_iter().flatten();
        pairs.find(|pair| pair.key() == Some(key))?.value()
    }

    /// The first way in which its columns are not `expected`.
    pub(super) fn columns_differ(&self, expected: &Columns) -> Option<String> {
        expected.difference(self.schema.fields().into_iter().flatten())
    }

    /// Its one batch, of the columns `expected`.
    pub(super) fn batch(&self, expected: &Columns) -> Result<RecordBatch, PartialError> {
        if self.schema.endianness() != Endianness::Little {
            return Err(invalid("its numbers are big-endian"));
        }
        let dictionaries = self.footer.dictionaries();
        if dictionaries.is_some_and(|blocks| !blocks.is_empty()) {
            return Err(invalid("it has dictionaries"));
        }
        let blocks = self.footer.recordBatches();
        let blocks = blocks.ok_or_else(|| invalid("no batches"))?;
        if blocks.len() != 1 {
            return Err(invalid(format!("{} batches instead of one", blocks.len())));
        }
        let (metadata, body) =
            split(self.bytes, blocks.get(0)).ok_or_else(|| invalid("a batch beyond the file"))?;
        let message = root_as_message(&metadata).map_err(invalid)?;
        check(&message, &body, &expected.buffer_widths)?;
        let batch = message
            .header_as_record_batch()
            .ok_or_else(|| invalid("a batch that is none"))?;
        RecordBatchDecoder::try_new(
            &Buffer::from(body),
            batch,
            expected.schema.clone(),
            &HashMap::new(),
            &message.version(),
        )
        .and_then(RecordBatchDecoder::read_record_batch)
        .map_err(invalid)
    }
}

fn invalid(what: impl ToString) -> PartialError {
    PartialError::Invalid(what.to_string())
}

fn footer(bytes: &[u8]) -> Option<&[u8]> {
    let (body, magic) = bytes.split_last_chunk::<6>()?;
    let (body, length) = body.split_last_chunk::<4>()?;
    let length = usize::try_from(i32::from_le_bytes(*length)).ok()?;
    let start = body.len().checked_sub(length)?;
    (magic == MAGIC && bytes.starts_with(MAGIC) && start >= HEAD_BYTES).then(|| &body[start..])
}

/// A batch's metadata, without the prefix, and its body.
fn split(bytes: &Bytes, block: &Block) -> Option<(Bytes, Bytes)> {
    let start = usize::try_from(block.offset()).ok()?;
    let middle = start.checked_add(usize::try_from(block.metaDataLength()).ok()?)?;
    let end = middle.checked_add(usize::try_from(block.bodyLength()).ok()?)?;
    let metadata = start.checked_add(PREFIX_BYTES)?;
    let fits = start >= HEAD_BYTES && metadata <= middle && end <= bytes.len() - TAIL_BYTES;
    (fits && bytes[start..].starts_with(CONTINUATION))
        .then(|| (bytes.slice(metadata..middle), bytes.slice(middle..end)))
}

/// Whether a batch's message claims no more than its body has.
fn check(message: &Message<'_>, body: &Bytes, widths: &[usize]) -> Result<(), PartialError> {
    let batch = message
        .header_as_record_batch()
        .ok_or_else(|| invalid("a batch that is none"))?;
    let body_bytes = body.len() as i64;
    if message.bodyLength() != body_bytes || batch.compression().is_some() {
        return Err(invalid("its batch has another length, or is compressed"));
    }
    // A row or a list element takes at least a bit.
    let most = body_bytes.saturating_mul(8);
    let is_count = |count: i64| (0..=most).contains(&count);
    let nodes = batch.nodes().ok_or_else(|| invalid("no nodes"))?;
    if !is_count(batch.length())
        || nodes
            .iter()
            .any(|node| !is_count(node.length()) || !is_count(node.null_count()))
    {
        return Err(invalid("more rows than bytes"));
    }
    let buffers = batch.buffers().ok_or_else(|| invalid("no buffers"))?;
    if buffers.len() != widths.len() {
        return Err(invalid("another number of buffers than its columns have"));
    }
    // One after the other: where buffers overlapped, copies of them could be larger than the file.
    let mut end = 0;
    for (buffer, width) in buffers.iter().zip(widths) {
        let (start, length) = (buffer.offset(), buffer.length());
        let is_aligned = start % ALIGNMENT_BYTES == 0 && length % *width as i64 == 0;
        if start < end || length < 0 || !is_aligned {
            return Err(invalid("buffers that overlap, or end inside an element"));
        }
        end = start.saturating_add(length);
    }
    if end > body_bytes {
        return Err(invalid("a buffer beyond its body"));
    }
    Ok(())
}

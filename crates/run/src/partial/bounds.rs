//! Reads an Arrow IPC file whose every number may be a lie.
//!
//! Arrow's own file reader believes lengths in the file and asks for as much memory as they say. Here
//! each offset and length is compared with the bytes that are there before anything is made of it;
//! batches are then read in place. What is left to Arrow is bounded by the size of the file.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::Schema;
use arrow::ipc::convert::try_fb_to_schema;
use arrow::ipc::reader::FileDecoder;
use arrow::ipc::{Block, Message, root_as_footer, root_as_message};
use bytes::Bytes;

use super::PartialError;

const MAGIC: &[u8; 6] = b"ARROW1";
/// The magic and two bytes of padding.
const HEAD_BYTES: usize = 8;
/// The footer's length and the magic.
const TAIL_BYTES: usize = 10;
/// A message's continuation mark and length, before its metadata.
const PREFIX_BYTES: usize = 8;

/// The schema and the one batch of the file `bytes`; `check` sees the schema before the batch is read.
pub(super) fn read(
    bytes: &Bytes,
    check: impl FnOnce(&Schema) -> Result<(), PartialError>,
) -> Result<(Schema, RecordBatch), PartialError> {
    let footer_bytes = footer(bytes).ok_or_else(|| invalid("it is no Arrow file, or cut off"))?;
    let footer = root_as_footer(footer_bytes).map_err(invalid)?;
    let schema =
        try_fb_to_schema(footer.schema().ok_or_else(|| invalid("no schema"))?).map_err(invalid)?;
    check(&schema)?;
    if footer
        .dictionaries()
        .is_some_and(|blocks| !blocks.is_empty())
    {
        return Err(invalid("it has dictionaries"));
    }
    let blocks = footer
        .recordBatches()
        .ok_or_else(|| invalid("no batches"))?;
    if blocks.len() != 1 {
        return Err(invalid(format!("{} batches instead of one", blocks.len())));
    }
    let block = blocks.get(0);
    let message_bytes = batch(bytes, block).ok_or_else(|| invalid("a batch beyond the file"))?;
    check_message(&message_bytes, block)?;
    let decoder = FileDecoder::new(Arc::new(schema.clone()), footer.version());
    let batch = decoder
        .read_record_batch(block, &Buffer::from(message_bytes))
        .map_err(invalid)?
        .ok_or_else(|| invalid("an empty batch"))?;
    Ok((schema, batch))
}

fn invalid(what: impl ToString) -> PartialError {
    PartialError::Invalid(what.to_string())
}

fn footer(bytes: &[u8]) -> Option<&[u8]> {
    let (body, magic) = bytes.split_at_checked(bytes.len().checked_sub(MAGIC.len())?)?;
    let (body, length) = body.split_last_chunk::<4>()?;
    let start = body
        .len()
        .checked_sub(usize::try_from(i32::from_le_bytes(*length)).ok()?)?;
    (magic == MAGIC && bytes.starts_with(MAGIC) && start >= HEAD_BYTES).then(|| &body[start..])
}

/// The bytes of a batch: prefix, metadata and body.
fn batch(bytes: &Bytes, block: &Block) -> Option<Bytes> {
    let start = usize::try_from(block.offset()).ok()?;
    let metadata = usize::try_from(block.metaDataLength()).ok()?;
    let body = usize::try_from(block.bodyLength()).ok()?;
    let end = start.checked_add(metadata)?.checked_add(body)?;
    let fits = start >= HEAD_BYTES && metadata >= PREFIX_BYTES && end <= bytes.len() - TAIL_BYTES;
    fits.then(|| bytes.slice(start..end))
}

/// Whether a batch's message claims no more than its body has.
fn check_message(bytes: &[u8], block: &Block) -> Result<(), PartialError> {
    let metadata = &bytes[PREFIX_BYTES..block.metaDataLength() as usize];
    let message: Message<'_> = root_as_message(metadata).map_err(invalid)?;
    let body = block.bodyLength();
    let batch = message
        .header_as_record_batch()
        .ok_or_else(|| invalid("a batch that is none"))?;
    if message.bodyLength() != body || batch.compression().is_some() {
        return Err(invalid("its batch has another length, or is compressed"));
    }
    // A row or a list element takes at least a bit.
    let most = body.saturating_mul(8);
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
    if buffers.iter().any(|buffer| {
        buffer.offset() < 0
            || buffer.length() < 0
            || buffer
                .offset()
                .checked_add(buffer.length())
                .is_none_or(|end| end > body)
    }) {
        return Err(invalid("a buffer beyond its body"));
    }
    Ok(())
}

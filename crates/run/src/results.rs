//! Results in a run's store: written whole, read back typed.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Schema};
use arrow::ipc::writer::FileWriter;
use croupier_compute::{Node, Tally};
use croupier_store::Store;
use serde_arrow::schema::{SchemaLike, TracingOptions};

use crate::layout::{self, PartialName};
use crate::manifest::encode;
use crate::partial::PartialFormat;
use crate::{Error, EstimateReport, Report, StoredRun, manifest};

const JSON: &str = "result.json";
const ARROW: &str = "result.arrow";
#[cfg(feature = "parquet")]
const PARQUET: &str = "result.parquet";
const TALLY: &str = "tally.arrow";
const SOURCES: &str = "sources.json";

/// A run's result, read back.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Results<T> {
    /// What it says.
    pub report: Report,
    /// The merged tally.
    pub tally: T,
}

impl<T: Tally> Results<T> {
    /// Reads the run's result: of several the one with most blocks.
    ///
    /// # Errors
    ///
    /// Where the run has no result yet, or it is of another tally.
    pub async fn read(run: &StoredRun) -> Result<Self, Error> {
        let entries = run.store.list(layout::RESULTS).await?;
        let (_, folder) = entries
            .iter()
            .filter_map(|entry| {
                let folder = entry.key.strip_suffix(JSON)?;
                Some((layout::blocks_of_result(folder)?, folder))
            })
            .max()
            .ok_or_else(|| {
                Error::Input(format!(
                    "run {} has no result yet: `reduce` makes one",
                    run.uri()
                ))
            })?;
        let report: Report = manifest::read(&*run.store, &format!("{folder}{JSON}")).await?;
        let key = format!("{folder}{TALLY}");
        let bytes = run.store.get(&key).await?;
        let tally = PartialFormat::<T>::new(&run.manifest.identity)?
            .decode_merged(&bytes)
            .map_err(|error| error.to_string())
            .and_then(|tally| match tally.fits(&tally) {
                Ok(()) => Ok(tally),
                Err(misfit) => Err(misfit.to_string()),
            })
            .map_err(|reason| Error::Malformed {
                key: format!("{}/{key}", run.uri()),
                reason,
            })?;
        Ok(Self { report, tally })
    }
}

/// Writes a result under a name that says what it is, and says where; nothing where no block was
/// merged. `result.json` comes last, so that what has one is whole.
pub(crate) async fn write<T: Tally>(
    run: &StoredRun,
    report: &Report,
    merged: Option<&Node<T>>,
    sources: &[PartialName],
) -> Result<Option<String>, Error> {
    let (Some(node), Some(digest)) = (merged, crate::Digest::from_hex(&report.digest)) else {
        return Ok(None);
    };
    let folder = layout::result(report.blocks.done, &digest);
    let tally = PartialFormat::<T>::new(&run.manifest.identity)?.encode_merged(node.clone())?;
    let table = table(&report.estimates)?;
    let put = async |name: &str, bytes: bytes::Bytes| -> Result<(), Error> {
        Ok(run.store.put(&format!("{folder}{name}"), bytes).await?)
    };
    put(SOURCES, keys_of(sources)).await?;
    put(TALLY, tally).await?;
    write_table(&*run.store, &folder, &table).await?;
    put(JSON, encode(JSON, report)?).await?;
    Ok(Some(format!(
        "{}/{}",
        run.uri(),
        folder.trim_end_matches('/')
    )))
}

/// The same for a task's row.
pub(crate) async fn write_row(
    run: &StoredRun,
    report: &Report,
    row: &serde_json::Value,
    source: &PartialName,
) -> Result<String, Error> {
    let digest = crate::Digest::from_hex(&report.digest).ok_or_else(|| unwritable("no digest"))?;
    let folder = layout::result(report.blocks.done, &digest);
    let row = match row {
        serde_json::Value::Object(fields) => fields.clone(),
        other => [("row".to_owned(), other.clone())].into_iter().collect(),
    };
    write_table(&*run.store, &folder, &crate::table::table(vec![row])?).await?;
    let put = async |name: &str, bytes: bytes::Bytes| -> Result<(), Error> {
        Ok(run.store.put(&format!("{folder}{name}"), bytes).await?)
    };
    put(SOURCES, keys_of(&[*source])).await?;
    put(JSON, encode(JSON, report)?).await?;
    Ok(format!("{}/{}", run.uri(), folder.trim_end_matches('/')))
}

/// Puts a table into the folder of a result, in the formats that this program writes.
pub(crate) async fn write_table(
    store: &dyn Store,
    folder: &str,
    table: &RecordBatch,
) -> Result<(), Error> {
    let arrow = as_arrow(table).map_err(unwritable)?;
    store.put(&format!("{folder}{ARROW}"), arrow.into()).await?;
    #[cfg(feature = "parquet")]
    {
        let parquet = as_parquet(table).map_err(unwritable)?;
        let key = format!("{folder}{PARQUET}");
        store.put(&key, parquet.into()).await?;
    }
    Ok(())
}

/// The keys of partials as a JSON list, made without holding all keys and the list at once.
fn keys_of(sources: &[PartialName]) -> bytes::Bytes {
    let length = sources.first().map_or(0, |name| name.key().len() + 4);
    let mut json = String::with_capacity(2 + sources.len() * (length + 4));
    for (at, name) in sources.iter().enumerate() {
        // Letters, digits, `/`, `-` and `.`: nothing that JSON would escape.
        json.push_str(if at == 0 { "[\n\"" } else { ",\n\"" });
        json.push_str(&name.key());
        json.push('"');
    }
    json.push_str(if sources.is_empty() { "[]" } else { "\n]" });
    json.into()
}

/// The estimates as a table: one row each.
fn table(estimates: &[EstimateReport]) -> Result<RecordBatch, Error> {
    let make = || {
        let options = TracingOptions::default().strings_as_large_utf8(false);
        let fields = Vec::<FieldRef>::from_type::<EstimateReport>(options)?;
        serde_arrow::to_record_batch(&fields, &estimates)
    };
    let batch = make().map_err(unwritable)?;
    let schema = Schema::new(batch.schema().fields.clone());
    RecordBatch::try_new(Arc::new(schema), batch.columns().to_vec()).map_err(unwritable)
}

fn as_arrow(table: &RecordBatch) -> Result<Vec<u8>, arrow::error::ArrowError> {
    let mut writer = FileWriter::try_new(Vec::new(), &table.schema())?;
    writer.write(table)?;
    writer.into_inner()
}

#[cfg(feature = "parquet")]
fn as_parquet(table: &RecordBatch) -> Result<Vec<u8>, parquet::errors::ParquetError> {
    let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), table.schema(), None)?;
    writer.write(table)?;
    writer.into_inner()
}

pub(crate) fn unwritable(error: impl std::fmt::Display) -> Error {
    Error::Input(format!("the result can't be written: {error}"))
}

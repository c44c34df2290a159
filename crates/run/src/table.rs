//! A table made of JSON objects, one row each: for rows whose columns are known only when they are there, such as
//! cases with their parameters.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Schema};
use serde_arrow::schema::{SchemaLike, TracingOptions};
use serde_json::{Map, Value};

use crate::Error;
use crate::results::unwritable;

/// The table of `rows`. A column has one type: what is a number in each row is an integer where all are, else a float;
/// what has no type that all rows share, or lists and maps, is JSON in a text. An object within a row is a struct of
/// columns made the same way. What a row does not have is null.
pub(crate) fn table(rows: Vec<Map<String, Value>>) -> Result<RecordBatch, Error> {
    let make = || -> Result<RecordBatch, serde_arrow::Error> {
        let rows = plain(rows);
        let options = TracingOptions::default()
            .strings_as_large_utf8(false)
            .allow_null_fields(true)
            .coerce_numbers(true);
        let fields = Vec::<FieldRef>::from_samples(&rows, options)?;
        serde_arrow::to_record_batch(&fields, &rows)
    };
    let batch = make().map_err(unwritable)?;
    let schema = Schema::new(batch.schema().fields.clone());
    RecordBatch::try_new(Arc::new(schema), batch.columns().to_vec()).map_err(unwritable)
}

/// The same rows, all with the same keys, and in each column values of one type.
fn plain(mut rows: Vec<Map<String, Value>>) -> Vec<Map<String, Value>> {
    let names: BTreeSet<String> = rows.iter().flat_map(|row| row.keys().cloned()).collect();
    for name in names {
        let mut column: Vec<Value> = rows
            .iter_mut()
            .map(|row| row.get_mut(&name).map_or(Value::Null, Value::take))
            .collect();
        make_plain(&mut column);
        for (row, value) in rows.iter_mut().zip(column) {
            row.insert(name.clone(), value);
        }
    }
    rows
}

fn make_plain(column: &mut Vec<Value>) {
    let is_all = |is: fn(&Value) -> bool| column.iter().all(|value| value.is_null() || is(value));
    let has_fields = |value: &Value| value.as_object().is_some_and(|fields| !fields.is_empty());
    if is_all(Value::is_boolean)
        || is_all(Value::is_string)
        || is_all(Value::is_i64)
        || is_all(Value::is_u64)
    {
        return;
    }
    if is_all(Value::is_number) {
        for value in column {
            *value = value.as_f64().map_or(Value::Null, Value::from);
        }
        return;
    }
    if column.iter().all(has_fields) {
        let objects = column.drain(..).filter_map(|value| match value {
            Value::Object(fields) => Some(fields),
            _ => None,
        });
        let objects = plain(objects.collect());
        column.extend(objects.into_iter().map(Value::Object));
        return;
    }
    for value in column.iter_mut().filter(|value| !value.is_null()) {
        *value = Value::String(value.to_string());
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{DataType, Float64Type, Int64Type};
    use serde_json::json;

    use super::*;

    fn of(rows: Value) -> RecordBatch {
        let rows = rows.as_array().unwrap().iter();
        table(rows.map(|row| row.as_object().unwrap().clone()).collect()).unwrap()
    }

    #[test]
    fn columns_have_the_one_type_that_all_rows_share() {
        let batch = of(json!([
            {"a": 1, "b": 1, "c": "x", "d": true, "e": [1], "f": {"g": 1.5}, "h": null, "j": -1},
            {"a": 2, "b": 0.5, "c": 7, "e": [], "f": {"g": 2}, "h": null, "j": 18_446_744_073_709_551_615_u64},
        ]));
        let column = |name: &str| batch.column_by_name(name).unwrap();
        assert!(matches!(
            column("a").data_type(),
            DataType::Int64 | DataType::UInt64
        ));
        assert_eq!(
            column("b").as_primitive::<Float64Type>().values(),
            &[1.0, 0.5]
        );
        assert_eq!(column("c").as_string::<i32>().value(0), "\"x\"");
        assert_eq!(column("c").as_string::<i32>().value(1), "7");
        assert!(column("d").as_boolean().value(0) && column("d").is_null(1));
        assert_eq!(column("e").as_string::<i32>().value(0), "[1]");
        let inner = column("f").as_struct().column(0);
        assert_eq!(inner.as_primitive::<Float64Type>().values(), &[1.5, 2.0]);
        assert_eq!(column("h").logical_null_count(), 2);
        assert_eq!(column("j").data_type(), &DataType::Float64);
    }

    #[test]
    fn negative_integers_stay_integers() {
        let batch = of(json!([{"a": 3}, {"a": -4}]));
        assert_eq!(
            batch.column(0).as_primitive::<Int64Type>().values(),
            &[3, -4]
        );
    }
}

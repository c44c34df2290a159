//! The columns of a tally's rows, and how those of a file differ from them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow::ipc::{self, Precision, Type};
use croupier_compute::Tally;
use serde_arrow::schema::{SchemaLike, TracingOptions};

use super::row::Row;
use crate::Error;

/// The columns of rows that hold a `T`.
///
/// # Errors
///
/// Where the tally's type can't be columns.
pub(crate) fn columns<T: Tally>() -> Result<Vec<FieldRef>, Error> {
    let options = TracingOptions::default()
        .enums_without_data_as_strings(true)
        .sequence_as_large_list(false)
        .strings_as_large_utf8(false);
    let refused = |reason: String| {
        Error::Input(format!(
            "a tally of type {} can't be columns: {reason}; it may hold numbers up to 64 bits, booleans, strings, options, lists, structs and enums without data",
            std::any::type_name::<T>()
        ))
    };
    let fields = Vec::<FieldRef>::from_type::<Row<T>>(options)
        .map_err(|error| refused(in_few_words(&error.to_string())))?;
    let fields: Vec<FieldRef> = fields.iter().map(without_dictionaries).collect();
    match fields.iter().find_map(|field| unsupported(field, "")) {
        Some(reason) => Err(refused(reason)),
        None => Ok(fields),
    }
}

/// Writes the variants of an enum as plain strings, which need no batch of their own.
fn without_dictionaries(field: &FieldRef) -> FieldRef {
    let plain = match field.data_type() {
        DataType::Dictionary(_, value) => (**value).clone(),
        DataType::List(item) => DataType::List(without_dictionaries(item)),
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(without_dictionaries).collect())
        }
        _ => return Arc::clone(field),
    };
    Arc::new(field.as_ref().clone().with_data_type(plain))
}

/// The columns that files must have, and what is known of their buffers.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) schema: SchemaRef,
    /// Of each buffer in a batch, how many bytes one of its elements takes; 1 for bits.
    pub(super) buffer_widths: Vec<usize>,
}

impl Columns {
    pub(super) fn new(fields: Vec<FieldRef>) -> Self {
        let mut buffer_widths = Vec::new();
        for field in &fields {
            add_buffer_widths(field, &mut buffer_widths);
        }
        Self {
            schema: Arc::new(Schema::new(fields)),
            buffer_widths,
        }
    }

    /// The first way in which the columns `found` in a file are others.
    pub(super) fn difference<'a>(
        &self,
        found: impl Iterator<Item = ipc::Field<'a>>,
    ) -> Option<String> {
        difference(found, self.schema.fields(), "")
    }
}

/// What serde_arrow says of a type, without its advice on options that are not an author's to set.
fn in_few_words(text: &str) -> String {
    let text = text.strip_prefix("Error: ").unwrap_or(text);
    let what = text.split(['.', '(']).next().unwrap_or(text).trim_end();
    let path = text
        .split_once("path: \"$.")
        .and_then(|(_, rest)| rest.split('"').next());
    match path {
        Some(path) => format!("{what}, at {path}"),
        None => what.to_owned(),
    }
}

/// The first way in which the columns `found` in a file are not `expected`. Names what is found in
/// few words, whatever it is.
fn difference<'a>(
    mut found: impl Iterator<Item = ipc::Field<'a>>,
    expected: &Fields,
    within: &str,
) -> Option<String> {
    for expected in expected {
        let path = below(within, expected.name());
        let Some(found) = found.next() else {
            return Some(format!("column {path} is missing"));
        };
        if found.name() != Some(expected.name()) {
            return Some(format!("a column {} instead of {path}", name(&found)));
        }
        if found.nullable() != expected.is_nullable() {
            let may = if found.nullable() { "may" } else { "can't" };
            return Some(format!("column {path} {may} be null"));
        }
        if found.dictionary().is_some() || !is_type(&found, expected.data_type()) {
            return Some(format!(
                "column {path} is {}, expected {}",
                found.type_type().variant_name().unwrap_or("unknown"),
                expected.data_type()
            ));
        }
        let children = found.children().into_iter().flatten();
        if let Some(different) = difference(children, &children_of(expected), &path) {
            return Some(different);
        }
    }
    let extra = found.next()?;
    Some(format!("a column {} too many", name(&extra)))
}

/// Whether a column has the type, whatever its children.
fn is_type(found: &ipc::Field<'_>, expected: &DataType) -> bool {
    let is_int = |bits, signed| {
        found
            .type_as_int()
            .is_some_and(|int| (int.bitWidth(), int.is_signed()) == (bits, signed))
    };
    let is_float = |precision: Precision| {
        found
            .type_as_floating_point()
            .is_some_and(|float| float.precision() == precision)
    };
    match expected {
        DataType::Boolean => found.type_type() == Type::Bool,
        DataType::Int8 => is_int(8, true),
        DataType::Int16 => is_int(16, true),
        DataType::Int32 => is_int(32, true),
        DataType::Int64 => is_int(64, true),
        DataType::UInt8 => is_int(8, false),
        DataType::UInt16 => is_int(16, false),
        DataType::UInt32 => is_int(32, false),
        DataType::UInt64 => is_int(64, false),
        DataType::Float32 => is_float(Precision::SINGLE),
        DataType::Float64 => is_float(Precision::DOUBLE),
        DataType::Utf8 => found.type_type() == Type::Utf8,
        DataType::List(_) => found.type_type() == Type::List,
        DataType::Struct(_) => found.type_type() == Type::Struct_,
        // `columns` lets no other pass.
        _ => false,
    }
}

/// The first column of a type that no file can be checked for.
fn unsupported(field: &Field, within: &str) -> Option<String> {
    let path = below(within, field.name());
    match field.data_type() {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Float32
        | DataType::Float64
        | DataType::Utf8 => None,
        DataType::List(_) | DataType::Struct(_) => children_of(field)
            .iter()
            .find_map(|child| unsupported(child, &path)),
        other => Some(format!("{path} would be a column of type {other}")),
    }
}

/// A column's buffers: what is null, then offsets or values, then those of its children.
fn add_buffer_widths(field: &Field, widths: &mut Vec<usize>) {
    const BITS: usize = 1;
    const OFFSET: usize = size_of::<i32>();
    widths.push(BITS);
    match field.data_type() {
        DataType::Utf8 => widths.extend([OFFSET, 1]),
        DataType::List(_) => widths.push(OFFSET),
        DataType::Struct(_) => {}
        scalar => widths.push(scalar.primitive_width().unwrap_or(BITS)),
    }
    for child in &children_of(field) {
        add_buffer_widths(child, widths);
    }
}

fn children_of(field: &Field) -> Fields {
    match field.data_type() {
        DataType::List(item) => [item.clone()].into_iter().collect(),
        DataType::Struct(fields) => fields.clone(),
        _ => Fields::empty(),
    }
}

fn below(within: &str, name: &str) -> String {
    if within.is_empty() {
        name.to_owned()
    } else {
        format!("{within}.{name}")
    }
}

/// A name that somebody else chose, or its beginning.
fn name(found: &ipc::Field<'_>) -> String {
    let name = found.name().unwrap_or_default();
    format!("{:?}", name.chars().take(60).collect::<String>())
}

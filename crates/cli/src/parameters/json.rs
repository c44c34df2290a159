//! The JSON text and its entries: keys in their order with repeats kept, values as they are written, and the line of
//! each. `serde_json::Value` keeps none of these.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::ParametersError;

/// No parameters are longer: 1 MiB.
pub const MOST_BYTES: u64 = 1 << 20;

/// A text that should be a JSON object, and what to call it in errors.
#[derive(Clone, Debug)]
pub struct JsonText {
    pub(super) file: String,
    text: String,
    /// Lines of the file before the text.
    lines_before: usize,
}

/// A key with its value.
pub(super) struct Entry<'t> {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) value: &'t RawValue,
}

impl JsonText {
    /// A text; `file` is what errors call it.
    ///
    /// # Errors
    /// It is longer than [`MOST_BYTES`], or is not UTF-8.
    pub fn from_bytes(file: impl Into<String>, bytes: Vec<u8>) -> Result<Self, ParametersError> {
        let file = file.into();
        if bytes.len() as u64 > MOST_BYTES {
            return Err(ParametersError::TooLarge {
                file,
                limit_bytes: MOST_BYTES,
            });
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self {
                file,
                text,
                lines_before: 0,
            }),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let line = line_of(&error.as_bytes()[..valid]);
                Err(ParametersError::NotText { file, line })
            }
        }
    }

    /// The same of one line of a file, the first being line 1.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes).
    pub fn from_line(
        file: impl Into<String>,
        line: usize,
        bytes: Vec<u8>,
    ) -> Result<Self, ParametersError> {
        let file = file.into();
        let in_line = |error| match error {
            ParametersError::NotText { file, .. } => ParametersError::NotText { file, line },
            ParametersError::TooLarge { file, limit_bytes } => ParametersError::TooLarge {
                file: format!("{file}, line {line}"),
                limit_bytes,
            },
            other => other,
        };
        let text = Self::from_bytes(file, bytes).map_err(in_line)?;
        Ok(Self {
            lines_before: line.saturating_sub(1),
            ..text
        })
    }

    /// Checks that it is an object, whatever its keys.
    ///
    /// # Errors
    /// Why it is none.
    pub fn check(&self) -> Result<(), ParametersError> {
        self.entries().map(|_| ())
    }

    /// The entries of the object, in their order.
    pub(super) fn entries(&self) -> Result<Vec<Entry<'_>>, ParametersError> {
        let mut keys = Vec::new();
        let mut parser = serde_json::Deserializer::from_str(&self.text);
        let values = Object { keys: &mut keys }
            .deserialize(&mut parser)
            .and_then(|values| parser.end().map(|()| values))
            .map_err(|source| ParametersError::Malformed {
                file: match self.lines_before {
                    0 => self.file.clone(),
                    before => format!("{}, line {}", self.file, before + 1),
                },
                near: keys
                    .last()
                    .map_or(String::new(), |key| format!(", at key `{key}`")),
                source,
            })?;
        let entries = keys.into_iter().zip(values);
        Ok(entries
            .map(|(key, value)| Entry {
                key,
                line: self.line_of(value),
                value,
            })
            .collect())
    }

    /// The line in which a value of this text begins. A raw value borrows from the text, so its address says where.
    fn line_of(&self, value: &RawValue) -> usize {
        let offset = value.get().as_ptr().addr() - self.text.as_ptr().addr();
        self.lines_before + line_of(&self.text.as_bytes()[..offset])
    }
}

fn line_of(before: &[u8]) -> usize {
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

/// Reads an object's values. The keys are written to where they can still be seen when it fails.
struct Object<'k> {
    keys: &'k mut Vec<String>,
}

impl<'t> DeserializeSeed<'t> for Object<'_> {
    type Value = Vec<&'t RawValue>;

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'t> Visitor<'t> for Object<'_> {
    type Value = Vec<&'t RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of parameters")
    }

    fn visit_map<M: MapAccess<'t>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut values = Vec::new();
        while let Some(key) = map.next_key()? {
            self.keys.push(key);
            values.push(map.next_value()?);
        }
        Ok(values)
    }
}

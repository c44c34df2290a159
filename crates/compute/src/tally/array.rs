//! Arrays of any length as columns, which serde itself has for no length that is a parameter.
//!
//! They are tuples, as serde's own arrays are: the length is the type's, and one of another length is
//! refused when it is read.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// For `#[serde(with = "array")]`.
pub(super) fn serialize<S, T, const N: usize>(
    array: &[T; N],
    serializer: S,
) -> Result<S::Ok, S::Error>
where
    S: Serializer,
    T: Serialize,
{
    serialize_all(array.iter(), N, serializer)
}

/// For `#[serde(with = "array")]`.
pub(super) fn deserialize<'de, D, T, const N: usize>(deserializer: D) -> Result<[T; N], D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Copy + Default,
{
    let mut array = [T::default(); N];
    deserializer.deserialize_tuple(N, Fill(array.iter_mut().collect()))?;
    Ok(array)
}

/// Of a symmetric matrix what lies on and below the diagonal, for `#[serde(with = "array::triangle")]`.
pub(super) mod triangle {
    use super::{Deserializer, Fill, Serializer, serialize_all};

    pub(in crate::tally) fn serialize<S: Serializer, const N: usize>(
        matrix: &[[f64; N]; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let rows = matrix.iter().enumerate();
        let all = rows.flat_map(|(at, row)| &row[..=at]);
        serialize_all(all, N * (N + 1) / 2, serializer)
    }

    pub(in crate::tally) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<[[f64; N]; N], D::Error> {
        let mut matrix = [[0.0; N]; N];
        let rows = matrix.iter_mut().enumerate();
        let all: Vec<&mut f64> = rows.flat_map(|(at, row)| &mut row[..=at]).collect();
        deserializer.deserialize_tuple(N * (N + 1) / 2, Fill(all))?;
        Ok(matrix)
    }
}

fn serialize_all<'a, S: Serializer, T: Serialize + 'a>(
    all: impl Iterator<Item = &'a T>,
    length: usize,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut tuple = serializer.serialize_tuple(length)?;
    for one in all {
        tuple.serialize_element(one)?;
    }
    tuple.end()
}

/// Reads as many elements as there are places.
struct Fill<'a, T>(Vec<&'a mut T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Fill<'_, T> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "an array of length {}", self.0.len())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        for (at, place) in self.0.into_iter().enumerate() {
            *place = elements
                .next_element()?
                .ok_or_else(|| A::Error::invalid_length(at, &"more elements"))?;
        }
        Ok(())
    }
}

//! A digest of content: of what a value says, whatever file format carries it.
//!
//! Arrow may change its bytes from release to release, so what duplicates are compared by, and what
//! results report, is SHA-256 over an encoding of our own. It is frozen: a type byte, then the value;
//! integers as 64 bits whatever their width, little-endian; floats as their bits; strings and names
//! with their length; sequences between brackets; fields with their names; maps sorted by key.

mod encoding;

use std::fmt;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use encoding::{Encoder, Sink};

/// SHA-256 of an encoding.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of some bytes as they are.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Read back from the 64 lower-case digits it is printed as.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes)).filter(|digest| digest.to_string() == text)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The digest of what `value` serialises to, under a label that says what it is a digest of.
///
/// # Errors
///
/// What the value's own serialisation reports, and integers beyond 64 bits.
pub fn content_digest<T: Serialize + ?Sized>(label: &str, value: &T) -> Result<Digest, String> {
    let mut sink = Hashing {
        hasher: Sha256::new(),
        pending: Vec::with_capacity(BUFFER_BYTES),
    };
    let mut encoder = Encoder { sink: &mut sink };
    label
        .serialize(&mut encoder)
        .and_then(|()| value.serialize(&mut encoder))
        .map_err(|error| error.0)?;
    sink.hasher.update(&sink.pending);
    Ok(Digest(sink.hasher.finalize().into()))
}

const BUFFER_BYTES: usize = 8192;

struct Hashing {
    hasher: Sha256,
    pending: Vec<u8>,
}

impl Sink for Hashing {
    fn write(&mut self, bytes: &[u8]) {
        if self.pending.len() + bytes.len() > BUFFER_BYTES {
            self.hasher.update(&self.pending);
            self.pending.clear();
        }
        if bytes.len() > BUFFER_BYTES {
            self.hasher.update(bytes);
        } else {
            self.pending.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::encoding::encoded;
    use super::*;
    use std::collections::HashMap;

    #[derive(serde::Serialize)]
    struct Sample {
        count: u32,
        mean: f64,
        worst: Option<(i8, &'static str)>,
        list: Vec<f32>,
    }

    fn sample(mean: f64) -> Sample {
        Sample {
            count: 3,
            mean,
            worst: Some((-1, "x")),
            list: vec![1.5; 5000],
        }
    }

    fn digest<T: Serialize>(value: &T) -> Digest {
        content_digest("test", value).unwrap()
    }

    #[test]
    fn pins() {
        assert_eq!(
            hex::encode(encoded(&(1u8, -1i16, "ab", None::<u8>)).unwrap()),
            concat!(
                "0b",
                "020100000000000000",
                "03ffffffffffffffff",
                "0602000000000000006162",
                "08",
                "0c"
            )
        );
        assert_eq!(digest(&sample(0.25)).to_string(), PINNED_DIGEST);
    }

    const PINNED_DIGEST: &str = "95bfcd64f79006bd85590db4a571d8fedf62e68c44312ca73119703bc8318ae1";

    #[test]
    fn sees_the_last_bit_and_no_more() {
        assert_ne!(
            digest(&sample(0.25)),
            digest(&sample(0.250_000_000_000_000_06))
        );
        assert_ne!(
            digest(&0.0),
            digest(&-0.0),
            "signed zeros are different bits"
        );
        assert_eq!(digest(&3u8), digest(&3u64), "widths are no content");
        assert_ne!(
            content_digest("a", &1).unwrap(),
            content_digest("b", &1).unwrap()
        );
        assert_ne!(
            digest(&vec![vec![1], vec![]]),
            digest(&vec![vec![], vec![1]])
        );
    }

    #[test]
    fn maps_have_no_order() {
        let one: HashMap<_, _> = (0..100).map(|key| (key, key * key)).collect();
        let other: HashMap<_, _> = (0..100).rev().map(|key| (key, key * key)).collect();
        assert_eq!(digest(&one), digest(&other));
    }
}

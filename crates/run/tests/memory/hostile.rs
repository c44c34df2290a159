//! Partials whose names fit and whose Arrow lies: an error, and no more memory than was promised.

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use croupier_compute::{
    BlockLength, Estimates, FailedSamples, Failures, Kernel, Mean, Node, Stream, Tally,
};
use croupier_run::Identity;
use croupier_run::partial::{PartialError, PartialFormat};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::counting::most_held;

/// One of each kind of column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Mixed {
    mean: Mean,
    list: Vec<f64>,
    lists: Vec<Vec<u16>>,
    pair: [f32; 2],
    maybe: Option<i64>,
    name: String,
    flag: bool,
}

impl Tally for Mixed {
    fn merge(&mut self, _: Self) {}
    fn estimates(&self, _: &mut Estimates) {}
}

#[derive(Serialize)]
struct Lies {}

impl Kernel for Lies {
    type Rng = ChaCha8Rng;
    type Tally = Mixed;

    fn tally(&self) -> Mixed {
        Mixed {
            mean: Mean::new(),
            list: vec![1.0, 2.0],
            lists: vec![vec![3], vec![]],
            pair: [4.0, 5.0],
            maybe: Some(6),
            name: "seven".to_owned(),
            flag: true,
        }
    }

    fn sample(&self, _: u64, _: &mut Stream<ChaCha8Rng>, _: &mut Mixed) {}
}

fn format() -> PartialFormat<Mixed> {
    let length = BlockLength::new(4).unwrap();
    let identity = Identity::of(&Lies {}, 7, length, BTreeMap::new()).unwrap();
    PartialFormat::new(&identity).unwrap()
}

fn honest(format: &PartialFormat<Mixed>) -> Vec<u8> {
    let failed = FailedSamples {
        first_sample: 1,
        samples: 1,
        message: "é".to_owned(),
    };
    let node = |first_block, level, listed: Vec<FailedSamples>| Node {
        first_block,
        level,
        samples: (4 << level) - listed.len() as u64,
        short: false,
        failures: Failures {
            samples: listed.len() as u64,
            listed,
        },
        tally: Lies {}.tally(),
    };
    let nodes = vec![
        node(0, 1, vec![failed]),
        node(2, 0, Vec::new()),
        node(4, 2, Vec::new()),
    ];
    let witnesses = vec![node(1, 0, Vec::new())];
    format
        .encode("build", nodes, witnesses)
        .unwrap()
        .bytes
        .to_vec()
}

/// Decodes `bytes` and checks what is promised of that.
fn decode(format: &PartialFormat<Mixed>, bytes: Vec<u8>) -> Result<(), PartialError> {
    let length = bytes.len();
    let bytes = Bytes::from(bytes);
    let (most, decoded) = most_held(|| format.decode(&bytes).map(drop));
    let bound = 16 * length + (1 << 20);
    assert!(
        most <= bound,
        "{most} bytes for a file of {length}, {decoded:?}"
    );
    decoded
}

/// Counts panics while `code` runs, those that `decode` catches too, and keeps them from stderr.
fn panics_in(code: impl FnOnce()) -> usize {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let _alone = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    PANICS.store(0, Ordering::SeqCst);
    let before = panic::take_hook();
    panic::set_hook(Box::new(|info| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        if PANICS.load(Ordering::SeqCst) < 5 {
            eprintln!("{info}");
        }
    }));
    let outcome = panic::catch_unwind(AssertUnwindSafe(code));
    panic::set_hook(before);
    if let Err(panic) = outcome {
        panic::resume_unwind(panic);
    }
    PANICS.load(Ordering::SeqCst)
}

#[test]
fn every_byte_changed_in_several_ways() {
    let format = format();
    let bytes = honest(&format);
    decode(&format, bytes.clone()).unwrap();
    let mut refused = 0;
    let panics = panics_in(|| {
        for at in 0..bytes.len() {
            for change in [0x01, 0x80, 0xff, 0x10] {
                let mut other = bytes.clone();
                other[at] ^= change;
                refused += usize::from(decode(&format, other).is_err());
            }
        }
    });
    assert_eq!(panics, 0);
    assert!(
        refused > bytes.len(),
        "only {refused} of {} were refused",
        4 * bytes.len()
    );
}

#[test]
fn all_values_of_the_bytes_that_describe_the_others() {
    let format = format();
    let bytes = honest(&format);
    // The footer, and the message of the batch, which lies where the footer says.
    let tail = bytes.len() - 10;
    let footer = tail - u32::from_le_bytes(bytes[tail..tail + 4].try_into().unwrap()) as usize;
    let mark = [0xff; 4];
    let message = (8..footer)
        .rev()
        .step_by(1)
        .find(|at| {
            bytes[*at..].starts_with(&mark) && bytes[*at + 4..].len() > 8 && *at + 8 < footer
        })
        .unwrap();
    let mut tried = 0;
    let panics = panics_in(|| {
        let describing = (footer..bytes.len())
            .step_by(5)
            .chain((8..footer).rev().step_by(7));
        for at in describing.chain(message..(message + 64).min(footer)) {
            for value in 0..=255 {
                let mut other = bytes.clone();
                if other[at] != value {
                    other[at] = value;
                    let _ = decode(&format, other);
                    tried += 1;
                }
            }
        }
    });
    assert_eq!(panics, 0);
    assert!(tried > 100_000, "{tried}");
}

#[test]
fn every_truncation() {
    let format = format();
    let bytes = honest(&format);
    let panics = panics_in(|| {
        for end in 0..bytes.len() {
            assert!(decode(&format, bytes[..end].to_vec()).is_err(), "{end}");
        }
    });
    assert_eq!(panics, 0);
}

#[test]
fn random_splices() {
    let format = format();
    let bytes = honest(&format);
    let length = bytes.len();
    // Move a piece, overwrite with numbers that are sizes and offsets elsewhere, or both.
    let splice = (0..length, 0..length, 1usize..64);
    let number = (
        0..length / 4,
        prop_oneof![
            Just(0u32),
            Just(1),
            Just(u32::MAX),
            Just(i32::MAX as u32),
            0u32..8192,
            any::<u32>(),
        ],
    );
    let strategy = (
        prop::collection::vec(splice, 0..3),
        prop::collection::vec(number, 0..4),
    );
    let config = ProptestConfig {
        cases: 20_000,
        failure_persistence: None,
        rng_seed: prop::test_runner::RngSeed::Fixed(7),
        ..Default::default()
    };
    let panics = panics_in(|| {
        let mut runner = prop::test_runner::TestRunner::new(config);
        runner
            .run(&strategy, |(splices, numbers)| {
                let mut other = bytes.clone();
                for (from, to, size) in splices {
                    let size = size.min(length - from.max(to));
                    other.copy_within(from..from + size, to);
                }
                for (at, value) in numbers {
                    other[4 * at..4 * at + 4].copy_from_slice(&value.to_le_bytes());
                }
                let _ = decode(&format, other);
                Ok(())
            })
            .unwrap();
    });
    assert_eq!(panics, 0);
}

#[test]
fn large_honest_files_keep_to_the_bound() {
    let format = format();
    let node = |first_block| Node {
        first_block,
        level: 0,
        samples: 4,
        short: false,
        failures: Failures::default(),
        tally: Lies {}.tally(),
    };
    let nodes = (0..10_000).map(node).collect();
    let bytes = format.encode("build", nodes, Vec::new()).unwrap().bytes;
    assert!(bytes.len() > 1 << 20);
    decode(&format, bytes.to_vec()).unwrap();
}

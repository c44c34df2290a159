//! A stream per sample, against moving the bare generator by hand; and drawing from a long stream.
//!
//! The kernel draws until a uniform is above 0.8, five on average, from a stream of the sample's own,
//! and counts the draws. By hand: the same loop over the same words, one thread, `set_word_pos` and
//! `set_stream` before each sample, and two plain sums for a tally.

use std::hint::black_box;

use croupier_benches::{Budget, Way, compare};
use croupier_compute::engine::run_block;
use croupier_compute::{
    BlockLength, Domain, Generator, Grid, Kernel, Mean, Stream, StreamNumber, StreamPer, Tally,
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::{ChaCha8Rng, ChaCha20Rng};

const SAMPLES: u64 = 1 << 16;
const SEED: u64 = 7;
/// SHA-256 of "croupier stream key v1" and the seed's eight bytes; see docs/STREAMS.md.
const KEY: [u8; 32] = [
    0xe7, 0x54, 0x84, 0xb9, 0xa8, 0x38, 0x18, 0x91, 0x16, 0xd8, 0x0b, 0x52, 0xbd, 0xc9, 0x9a, 0xf0,
    0x9f, 0x59, 0xdb, 0x08, 0x7d, 0x8b, 0xc7, 0x55, 0x07, 0xd3, 0x3c, 0x36, 0x3d, 0xe0, 0x6a, 0x81,
];

struct Tries<const DRAWS: u32>;

/// `DRAWS` is how many uniforms at least; the number above that is geometric.
fn tries<const DRAWS: u32>(rng: &mut impl Rng) -> f64 {
    let mut count = 0;
    while count < DRAWS || rng.random::<f64>() < 0.8 {
        if count < DRAWS {
            black_box(rng.random::<f64>());
        }
        count += 1;
    }
    f64::from(count)
}

impl<const DRAWS: u32> Kernel for Tries<DRAWS> {
    type Rng = ChaCha8Rng;
    type Tally = Mean;
    const STREAMS: StreamPer = StreamPer::Sample;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, counts: &mut Mean) {
        counts.record(tries::<DRAWS>(rng));
    }
}

fn per_sample<const DRAWS: u32>(budget: Budget, title: &str) {
    let length = BlockLength::new(SAMPLES).expect("a power of two");
    let grid = Grid::new(length, 0, SAMPLES).expect("a grid of some samples");
    let ours = || {
        run_block(&Tries::<DRAWS>, SEED, &grid, 0)
            .expect("no failures")
            .tally
    };
    let by_hand = || {
        let mut rng = ChaCha8Rng::from_seed(KEY);
        let [mut sum, mut squares] = [0.0; 2];
        for sample in 0..SAMPLES {
            rng.set_word_pos(0);
            rng.set_stream(1 << 56 | sample);
            let value = tries::<DRAWS>(&mut rng);
            sum += value;
            squares += value * value;
        }
        [sum, squares]
    };
    let mut tally = ours();
    tally.end_block().expect("finite counts");
    let [sum, _] = by_hand();
    assert_eq!(
        (tally.mean().expect("some samples") * SAMPLES as f64).round(),
        sum,
        "both draw the same words"
    );
    compare(
        budget,
        title,
        SAMPLES,
        "at most 1.10",
        Way::new("engine", || {
            black_box(ours());
        }),
        Way::new("by hand", || {
            black_box(by_hand());
        }),
    );
}

fn long_stream<R: Generator>(budget: Budget, title: &str, mut bare: impl Rng) {
    const WORDS: u64 = 1 << 20;
    let mut stream = Stream::<R>::new(SEED);
    compare(
        budget,
        title,
        WORDS,
        "at most 1.00",
        Way::new("Stream", || {
            stream.start(StreamNumber::new(Domain::Author, 0));
            black_box((0..WORDS).fold(0, |mixed, _| mixed ^ stream.next_u64()));
        }),
        Way::new("bare", || {
            black_box((0..WORDS).fold(0, |mixed, _| mixed ^ bare.next_u64()));
        }),
    );
}

fn main() {
    let budget = Budget::from_arguments();
    per_sample::<0>(budget, "a stream per sample, 5 draws on average");
    per_sample::<30>(budget, "a stream per sample, 35 draws on average");
    per_sample::<300>(budget, "a stream per sample, 305 draws on average");
    long_stream::<ChaCha8Rng>(budget, "u64 of ChaCha8", ChaCha8Rng::from_seed(KEY));
    long_stream::<ChaCha20Rng>(budget, "u64 of ChaCha20", ChaCha20Rng::from_seed(KEY));
}

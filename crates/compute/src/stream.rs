//! The random numbers of one block or sample: keyed by seed and number, never by where or when it runs.
//!
//! A [`Stream`] is what a kernel draws from. It is a [`rand::Rng`], so everything in `rand` works on
//! it. Which stream it is at is a [`StreamNumber`]: 8 bits of [`Domain`] above 56 bits of index, so
//! that no two purposes can ever meet. The recipe is frozen and written out in `docs/STREAMS.md`.
//!
//! | generator | bits | speed |
//! |---|---|---|
//! | `ChaCha8Rng`, `ChaCha12Rng`, `ChaCha20Rng` | pinned: those of `rand_chacha`, on every machine | buffered, faster than the bare generator |
//! | [`Seeded<R>`] for any other `R` | as stable as `R` itself | unbuffered, and a SHA-256 a stream |
//!
//! One ChaCha stream has 2^68 words of 32 bits; a u32 takes one word, a u64 or an f64 two, n bytes
//! take n/4 rounded up. There are 2^64 streams a seed. A trap in call order: drawing an f32 (one
//! word) between two f64 moves all that follow by one word, as it does on the bare generator.

mod antithetic;
mod buffer;
mod generator;

use std::convert::Infallible;

use rand::TryRng;

pub use antithetic::Half;
pub use generator::{Generator, Seeded};

/// The version of the recipe by which seed, domain and index become a stream. Part of a run's identity.
pub const RECIPE: u32 = 1;

/// What a stream is for. Streams of two domains never overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Domain {
    /// One stream a block; the index is the block.
    Block = 0,
    /// One stream a sample; the index is the sample.
    Sample = 1,
    /// Work of a whole shard; the index is the shard.
    Shard = 2,
    /// The reducer's resampling.
    Resampling = 3,
    /// The author's own use.
    Author = 4,
}

/// Which of a seed's 2^64 streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamNumber(u64);

impl StreamNumber {
    /// The stream of `index` in `domain`.
    ///
    /// # Panics
    ///
    /// Where `index` needs more than 56 bits; a [`Grid`](crate::Grid) refuses runs of so many blocks.
    #[inline]
    pub fn new(domain: Domain, index: u64) -> Self {
        assert!(
            index < 1 << 56,
            "stream index {index} needs more than 56 bits"
        );
        Self((domain as u64) << 56 | index)
    }

    /// The domain's 8 bits above the index's 56.
    #[inline]
    pub fn get(self) -> u64 {
        self.0
    }
}

/// The random numbers of one block, or of one sample for kernels that ask for a stream per sample.
///
/// # Example
///
/// ```
/// use croupier_compute::{Domain, Stream, StreamNumber};
/// use rand::RngExt;
/// use rand_chacha::ChaCha8Rng;
///
/// let mut stream = Stream::<ChaCha8Rng>::new(7);
/// stream.start(StreamNumber::new(Domain::Block, 3));
/// let first: f64 = stream.random();
/// stream.start(StreamNumber::new(Domain::Block, 3));
/// assert_eq!(first, stream.random());
/// ```
pub struct Stream<R: Generator> {
    words: R::Words,
    /// Where [`antithetic`](Self::antithetic) draws the second half from, once it was called.
    spare: Option<R::Words>,
}

impl<R: Generator> Stream<R> {
    /// The stream of block 0 of the run seeded by `seed`.
    pub fn new(seed: u64) -> Self {
        let mut words = R::keyed(seed);
        R::start(&mut words, StreamNumber::new(Domain::Block, 0));
        Self { words, spare: None }
    }

    /// Goes to the first word of another stream of the same seed.
    #[inline]
    pub fn start(&mut self, number: StreamNumber) {
        R::start(&mut self.words, number);
    }
}

impl<R: Generator> Clone for Stream<R> {
    fn clone(&self) -> Self {
        Self {
            words: self.words.clone(),
            spare: None,
        }
    }

    fn clone_from(&mut self, source: &Self) {
        self.words.clone_from(&source.words);
    }
}

impl<R: Generator> std::fmt::Debug for Stream<R> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Stream")
            .field("generator", &R::name())
            .finish_non_exhaustive()
    }
}

impl<R: Generator> TryRng for Stream<R> {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.words.try_next_u32()
    }

    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.words.try_next_u64()
    }

    #[inline]
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.words.try_fill_bytes(bytes)
    }
}

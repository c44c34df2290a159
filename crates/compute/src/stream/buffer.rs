//! A word buffer over ChaCha: the bare generator's bits, handed out faster.
//!
//! The bare generator looks at its buffer's end every 64 words, and this one at longer stretches once
//! a stream has shown that it is long: a fill is an eighth of what the stream has had, so that no more
//! than that is made in vain where a stream ends, which is what a stream per sample does all the time.
//! Words are kept as little-endian bytes at the buffer's end, so that taking eight of them is one load
//! and the end is a constant.

use std::convert::Infallible;

use rand::{Rng, TryRng};

/// The shortest fill, and what all are multiples of: what the bare generator makes at once.
const SHORTEST_FILL_BYTES: usize = 256;
/// The longest fill; more is no faster and leaves the first-level cache to the kernel.
const CAPACITY_BYTES: usize = 4096;

/// The words of `source` in order.
pub struct Buffered<R> {
    source: R,
    bytes: Box<[u8; CAPACITY_BYTES]>,
    /// Where the next word begins; at the capacity nothing is left.
    next: usize,
    /// How much this stream was filled with so far.
    filled_bytes: usize,
}

impl<R: Rng> Buffered<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            bytes: Box::new([0; CAPACITY_BYTES]),
            next: CAPACITY_BYTES,
            filled_bytes: 0,
        }
    }

    /// Drops what is buffered and lets `seek` move the source.
    #[inline]
    pub(super) fn restart(&mut self, seek: impl FnOnce(&mut R)) {
        seek(&mut self.source);
        self.next = CAPACITY_BYTES;
        self.filled_bytes = 0;
    }

    #[inline]
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let taken = self.bytes.get(self.next..)?.first_chunk::<N>().copied()?;
        self.next += N;
        Some(taken)
    }

    #[cold]
    #[inline(never)]
    fn refill(&mut self) {
        let eighth = self.filled_bytes / 8 / SHORTEST_FILL_BYTES * SHORTEST_FILL_BYTES;
        let fill_bytes = eighth.clamp(SHORTEST_FILL_BYTES, CAPACITY_BYTES);
        self.next = CAPACITY_BYTES - fill_bytes;
        self.source.fill_bytes(&mut self.bytes[self.next..]);
        self.filled_bytes = self.filled_bytes.saturating_add(fill_bytes);
    }

    #[cold]
    #[inline(never)]
    fn next_u64_over_the_end(&mut self) -> u64 {
        let low = self.next_u32();
        let high = self.next_u32();
        u64::from(high) << 32 | u64::from(low)
    }
}

impl<R: Clone> Clone for Buffered<R> {
    fn clone(&self) -> Self {
        Self {
            source: self.source.clone(),
            bytes: self.bytes.clone(),
            ..*self
        }
    }

    /// Copies what is left to hand out, and allocates nothing.
    fn clone_from(&mut self, source: &Self) {
        self.source.clone_from(&source.source);
        self.bytes[source.next..].copy_from_slice(&source.bytes[source.next..]);
        self.next = source.next;
        self.filled_bytes = source.filled_bytes;
    }
}

impl<R: Rng> TryRng for Buffered<R> {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        loop {
            if let Some(bytes) = self.take() {
                return Ok(u32::from_le_bytes(bytes));
            }
            self.refill();
        }
    }

    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        match self.take() {
            Some(bytes) => Ok(u64::from_le_bytes(bytes)),
            None => Ok(self.next_u64_over_the_end()),
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        let mut wanted = bytes;
        while !wanted.is_empty() {
            if self.next == CAPACITY_BYTES {
                self.refill();
            }
            let count = wanted.len().min(CAPACITY_BYTES - self.next);
            let (now, later) = wanted.split_at_mut(count);
            now.copy_from_slice(&self.bytes[self.next..self.next + count]);
            // What is left of a word that was partly used is dropped, as the bare generator does.
            self.next += count.next_multiple_of(4);
            wanted = later;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[derive(Clone, Debug)]
    enum Draw {
        U32,
        U64,
        Bytes(usize),
        Pair,
        Range(u32),
    }

    fn draw(rng: &mut impl Rng, what: &Draw) -> Vec<u8> {
        match what {
            Draw::U32 => rng.next_u32().to_le_bytes().to_vec(),
            Draw::U64 => rng.next_u64().to_le_bytes().to_vec(),
            Draw::Bytes(count) => {
                let mut bytes = vec![0; *count];
                rng.fill_bytes(&mut bytes);
                bytes
            }
            Draw::Pair => {
                let pair: [f64; 2] = rng.random();
                pair.iter().flat_map(|x| x.to_le_bytes()).collect()
            }
            Draw::Range(end) => rng.random_range(0..=*end).to_le_bytes().to_vec(),
        }
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn has_the_bare_generators_bits(
            seed: [u8; 32],
            draws in prop::collection::vec(
                prop_oneof![
                    Just(Draw::U32),
                    Just(Draw::U64),
                    (0usize..700).prop_map(Draw::Bytes),
                    Just(Draw::Pair),
                    any::<u32>().prop_map(Draw::Range),
                ],
                1..3000,
            )
        ) {
            let mut bare = ChaCha8Rng::from_seed(seed);
            let mut buffered = Buffered::new(ChaCha8Rng::from_seed(seed));
            for what in &draws {
                prop_assert_eq!(draw(&mut bare, what), draw(&mut buffered, what));
            }
        }
    }

    #[test]
    fn copies_and_restarts_stand_where_they_should() {
        for words in [0, 1, 63, 64, 65, 500, 5000] {
            let mut original = Buffered::new(ChaCha8Rng::from_seed([3; 32]));
            let mut copy = Buffered::new(ChaCha8Rng::from_seed([4; 32]));
            for _ in 0..words {
                original.next_u32();
            }
            for _ in 0..5000 - words {
                copy.next_u32();
            }
            copy.clone_from(&original);
            let mut fresh = original.clone();
            for _ in 0..3000 {
                let word = original.next_u64();
                assert_eq!((copy.next_u64(), fresh.next_u64()), (word, word));
            }
            copy.restart(|source| *source = ChaCha8Rng::from_seed([5; 32]));
            let mut bare = ChaCha8Rng::from_seed([5; 32]);
            for _ in 0..3000 {
                assert_eq!(copy.next_u64(), bare.next_u64());
            }
        }
    }

    #[test]
    fn little_is_made_in_vain() {
        let mut buffered = Buffered::new(ChaCha8Rng::from_seed([3; 32]));
        for drawn_bytes in (8..300_000usize).step_by(8) {
            buffered.next_u64();
            let most = (drawn_bytes + drawn_bytes / 8).next_multiple_of(SHORTEST_FILL_BYTES);
            assert!(
                buffered.filled_bytes <= most,
                "{} bytes made for {drawn_bytes}",
                buffered.filled_bytes
            );
        }
        assert_eq!(buffered.filled_bytes % SHORTEST_FILL_BYTES, 0);
        assert!(buffered.filled_bytes >= 300_000 - 8);
    }
}

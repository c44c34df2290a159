//! A word buffer over ChaCha: the bare generator's bits, handed out faster.
//!
//! The bare generator looks at its buffer's end every 64 words. This one fills longer stretches at
//! once, beginning with 64 words so that a stream per sample pays for no more than it draws, and
//! doubling from one fill to the next. Words are kept as little-endian bytes at the buffer's end, so
//! that taking eight of them is one load and the end is a constant.

use std::convert::Infallible;

use rand::{Rng, TryRng};

/// The first fill: what the bare generator makes at once.
const FIRST_FILL_BYTES: usize = 256;
/// The longest fill; more is no faster and leaves the first-level cache to the kernel.
const CAPACITY_BYTES: usize = 4096;

/// The words of `source` in order.
pub struct Buffered<R> {
    source: R,
    bytes: Box<[u8; CAPACITY_BYTES]>,
    /// Where the next word begins; at the capacity nothing is left.
    next: usize,
    next_fill_bytes: usize,
}

impl<R: Rng> Buffered<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            bytes: Box::new([0; CAPACITY_BYTES]),
            next: CAPACITY_BYTES,
            next_fill_bytes: FIRST_FILL_BYTES,
        }
    }

    /// Drops what is buffered and lets `seek` move the source.
    #[inline]
    pub(super) fn restart(&mut self, seek: impl FnOnce(&mut R)) {
        seek(&mut self.source);
        self.next = CAPACITY_BYTES;
        self.next_fill_bytes = FIRST_FILL_BYTES;
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
        self.next = CAPACITY_BYTES - self.next_fill_bytes;
        self.source.fill_bytes(&mut self.bytes[self.next..]);
        self.next_fill_bytes = (2 * self.next_fill_bytes).min(CAPACITY_BYTES);
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
        self.next_fill_bytes = source.next_fill_bytes;
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
}

//! Antithetic pairs: the same draws twice, the second time mirrored.
//!
//! Every word is drawn a second time with all its bits flipped. For the samplers of
//! [`pinned`](crate::pinned) that is the mirror, to the last bit:
//!
//! | sampler | first half | second half |
//! |---|---|---|
//! | `pinned::uniform`, `rng.random::<f64>()` | u | 1 - 2^-53 - u |
//! | `pinned::uniform_positive` | u | 1 - u |
//! | `pinned::normal` | z | -z |
//! | `pinned::exponential` | -ln u | -ln(1 - u) |
//! | `rng.random::<bool>()` | b | not b |
//!
//! Samplers that reject or take from a table (`rand_distr`, `random_range`) draw what flipped words
//! give them: the right distribution still, though not the mirrored variate.

use std::convert::Infallible;

use rand::{Rng, TryRng};

use super::{Generator, Stream};

/// One half of an antithetic pair: the stream's words as they are, or all with their bits flipped.
pub struct Half<'a, R: Generator> {
    words: &'a mut R::Words,
    flip: u64,
    /// How many words of 32 bits were drawn.
    drawn: u64,
}

impl<R: Generator> Stream<R> {
    /// Runs `half` twice from here, the second time with mirrored random numbers, and gives what came
    /// of both: two results with the same distribution. Where a result is monotone in what it draws, they
    /// are negatively correlated, and their mean has a smaller variance than that of two independent ones.
    ///
    /// **A pair is one sample**: its halves depend on each other, so record their mean once. Recorded
    /// one by one they would give a wrong standard error, usually one too large.
    ///
    /// The stream goes on after the half that drew more, so what follows is independent of both.
    ///
    /// # Example
    ///
    /// ```
    /// use croupier_compute::{Mean, Stream, pinned};
    /// use rand_chacha::ChaCha8Rng;
    ///
    /// let mut stream = Stream::<ChaCha8Rng>::new(7);
    /// let mut price = Mean::new();
    /// for _ in 0..100 {
    ///     let [up, down] = stream.antithetic(|rng| pinned::exp(0.2 * pinned::normal(rng)));
    ///     price.record(0.5 * (up + down));
    /// }
    /// assert_eq!(price.count(), 100);
    /// ```
    pub fn antithetic<T>(&mut self, mut half: impl FnMut(&mut Half<'_, R>) -> T) -> [T; 2] {
        let words = &mut self.words;
        let spare = match &mut self.spare {
            Some(spare) => {
                spare.clone_from(words);
                spare
            }
            none => none.insert(words.clone()),
        };
        let mut first = Half::new(words, 0);
        let one = half(&mut first);
        let first_drawn = first.drawn;
        let mut second = Half::new(spare, u64::MAX);
        let other = half(&mut second);
        if second.drawn > first_drawn {
            std::mem::swap(words, spare);
        }
        [one, other]
    }
}

impl<'a, R: Generator> Half<'a, R> {
    fn new(words: &'a mut R::Words, flip: u64) -> Self {
        Self {
            words,
            flip,
            drawn: 0,
        }
    }

    /// Whether this is the second half, which is mirrored.
    pub fn is_mirrored(&self) -> bool {
        self.flip != 0
    }
}

impl<R: Generator> std::fmt::Debug for Half<'_, R> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Half")
            .field("generator", &R::name())
            .field("is_mirrored", &self.is_mirrored())
            .finish_non_exhaustive()
    }
}

impl<R: Generator> TryRng for Half<'_, R> {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.drawn += 1;
        Ok(self.words.next_u32() ^ self.flip as u32)
    }

    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.drawn += 2;
        Ok(self.words.next_u64() ^ self.flip)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.drawn += bytes.len().div_ceil(4) as u64;
        self.words.fill_bytes(bytes);
        for byte in bytes {
            *byte ^= self.flip as u8;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pinned::{exponential, ln, normal, uniform, uniform_positive};
    use crate::{Domain, Mean, Seeded, StreamNumber, Tally};
    use rand::RngExt;
    use rand_chacha::ChaCha8Rng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn stream<R: Generator>() -> Stream<R> {
        let mut stream = Stream::new(3);
        stream.start(StreamNumber::new(Domain::Author, 1));
        stream
    }

    fn mirrors<R: Generator>() {
        let mut stream = stream::<R>();
        for _ in 0..10_000 {
            let [u, v] = stream.antithetic(|rng| uniform(rng));
            assert_eq!(u + v, 1.0 - f64::EPSILON / 2.0);
            let [u, v] = stream.antithetic(|rng| uniform_positive(rng));
            assert_eq!(v, 1.0 - u);
            let [x, y] =
                stream.antithetic(|rng| [uniform_positive(rng), exponential(rng), normal(rng)]);
            assert_eq!((y[0], y[2]), (1.0 - x[0], -x[2]));
            let [u, v] = [x[1], y[1]].map(|x| crate::pinned::exp(-x));
            assert!((u + v - 1.0).abs() < 1e-15, "{u} {v}");
            assert!(ln(u) <= 0.0);
            let [a, b] = stream.antithetic(|rng| rng.random::<bool>());
            assert_ne!(a, b);
            let [x, y]: [[u8; 7]; 2] = stream.antithetic(|rng| rng.random());
            assert_eq!(x.map(|byte| !byte), y);
        }
    }

    #[test]
    fn every_draw_is_mirrored() {
        mirrors::<ChaCha8Rng>();
        mirrors::<Seeded<Xoshiro256PlusPlus>>();
    }

    /// The first half draws what the stream would have given, and what follows a pair was not in it.
    #[test]
    fn the_stream_goes_on_after_the_longer_half() {
        for [first, second] in [[0, 0], [3, 3], [2, 40], [700, 5], [5, 3000]] {
            let mut bare = stream::<ChaCha8Rng>();
            let words: Vec<u64> = (0..8000).map(|_| bare.random()).collect();
            let mut stream = stream::<ChaCha8Rng>();
            let mut next = 0;
            for _ in 0..2 {
                let [one, other]: [Vec<u64>; 2] = stream.antithetic(|rng| {
                    let draws = if rng.is_mirrored() { second } else { first };
                    (0..draws).map(|_| rng.random()).collect()
                });
                assert_eq!(one, words[next..next + first]);
                let flipped: Vec<u64> = other.iter().map(|word| !word).collect();
                assert_eq!(flipped, words[next..next + second]);
                next += first.max(second);
            }
            assert_eq!(stream.random::<u64>(), words[next]);
        }
    }

    /// exp(z / 2): the mean of a pair has the variance that theory gives, and its error is that of pairs.
    #[test]
    fn the_error_is_that_of_pairs() {
        const PAIRS: u64 = 100_000;
        let mut stream = stream::<ChaCha8Rng>();
        let mut pairs = Mean::new();
        for _ in 0..PAIRS {
            let [up, down] = stream.antithetic(|rng| crate::pinned::exp(0.5 * normal(rng)));
            pairs.record(0.5 * (up + down));
        }
        pairs.end_block().unwrap();
        let answer = 0.125f64.exp();
        // Var e^(z/2) = e^(1/4) (e^(1/4) - 1), the covariance of both halves is 1 - e^(1/4).
        let quarter = 0.25f64.exp();
        let variance = 0.5 * (quarter * (quarter - 1.0) + 1.0 - quarter);
        let found = pairs.variance().unwrap();
        assert!((found / variance - 1.0).abs() < 0.05, "{found} {variance}");
        let error = pairs.std_error().unwrap();
        assert!((pairs.mean().unwrap() - answer).abs() < 4.0 * error);
    }
}

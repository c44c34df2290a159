//! What a kernel may name as its generator.

use std::borrow::Cow;
use std::convert::Infallible;
use std::marker::PhantomData;

use rand::{Rng, SeedableRng, TryRng};
use rand_chacha::{ChaCha8Rng, ChaCha12Rng, ChaCha20Rng};
use sha2::{Digest, Sha256};

use super::buffer::Buffered;
use super::{Domain, StreamNumber};

const KEY_LABEL: &[u8] = b"croupier stream key v1";
const SEEDED_LABEL: &[u8] = b"croupier seeded stream v1";

/// A kind of generator that can be set to the first word of any [`StreamNumber`] of a seed.
///
/// Given for the ChaCha generators of `rand_chacha` and, by [`Seeded`], for every other generator
/// that can be seeded.
pub trait Generator: 'static {
    /// What words are drawn from.
    type Words: Rng + Clone + Send;

    /// The generator's name in a run's identity.
    fn name() -> Cow<'static, str>;

    /// The generator keyed by a run's seed, at no particular stream yet.
    fn keyed(seed: u64) -> Self::Words;

    /// Goes to the first word of stream `number`.
    fn start(words: &mut Self::Words, number: StreamNumber);
}

macro_rules! chacha {
    ($($generator:ident, $name:literal;)*) => {$(
        impl Generator for $generator {
            type Words = Buffered<$generator>;

            fn name() -> Cow<'static, str> {
                Cow::Borrowed($name)
            }

            fn keyed(seed: u64) -> Self::Words {
                Buffered::new($generator::from_seed(chacha_key(seed)))
            }

            #[inline]
            fn start(words: &mut Self::Words, number: StreamNumber) {
                words.restart(|generator| {
                    // The position first, so that moving to the stream finds nothing buffered to redo;
                    // then the stream. `set_stream` keeps the position it finds.
                    generator.set_word_pos(0);
                    generator.set_stream(number.get());
                });
            }
        }
    )*};
}

chacha! {
    ChaCha8Rng, "chacha8";
    ChaCha12Rng, "chacha12";
    ChaCha20Rng, "chacha20";
}

/// SHA-256 of the label and the seed's eight little-endian bytes.
fn chacha_key(seed: u64) -> [u8; 32] {
    Sha256::new()
        .chain_update(KEY_LABEL)
        .chain_update(seed.to_le_bytes())
        .finalize()
        .into()
}

/// Any generator of `rand` that can be seeded, as a kernel's generator: `type Rng = Seeded<Xoshiro256PlusPlus>`.
///
/// Every stream is seeded anew, by SHA-256 of label, seed, domain, index and a counter (where the
/// seed is longer than 32 bytes), so streams are independent even for generators that can't jump.
/// The name in the identity is the last part of the type's path.
pub struct Seeded<R>(PhantomData<R>);

impl<R: SeedableRng + Rng + Clone + Send + 'static> Generator for Seeded<R> {
    type Words = SeededWords<R>;

    fn name() -> Cow<'static, str> {
        let path = std::any::type_name::<R>();
        let generic = path.find('<').unwrap_or(path.len());
        let start = path[..generic].rfind("::").map_or(0, |at| at + 2);
        Cow::Owned(format!("seeded {}", &path[start..]))
    }

    fn keyed(seed: u64) -> Self::Words {
        SeededWords {
            seed,
            generator: seeded(seed, StreamNumber::new(Domain::Block, 0)),
        }
    }

    fn start(words: &mut Self::Words, number: StreamNumber) {
        words.generator = seeded(words.seed, number);
    }
}

fn seeded<R: SeedableRng>(seed: u64, number: StreamNumber) -> R {
    let mut key = R::Seed::default();
    for (counter, part) in key.as_mut().chunks_mut(32).enumerate() {
        let digest = Sha256::new()
            .chain_update(SEEDED_LABEL)
            .chain_update(seed.to_le_bytes())
            .chain_update(number.get().to_le_bytes())
            .chain_update((counter as u64).to_le_bytes())
            .finalize();
        part.copy_from_slice(&digest[..part.len()]);
    }
    R::from_seed(key)
}

/// The words of a [`Seeded`] generator.
#[derive(Clone)]
pub struct SeededWords<R> {
    seed: u64,
    generator: R,
}

impl<R: Rng> TryRng for SeededWords<R> {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.generator.next_u32())
    }

    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.generator.next_u64())
    }

    #[inline]
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.generator.fill_bytes(bytes);
        Ok(())
    }
}

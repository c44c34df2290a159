//! What an author writes.

use std::ops::Range;

use crate::{Failure, Generator, Inputs, Stream, Tally};

/// One loop over independent samples: what a sample draws, and what it records.
///
/// An author implements [`tally`](Self::tally) and one of [`sample`](Self::sample),
/// [`try_sample`](Self::try_sample) (a sample may fail) or [`block`](Self::block) (an inner loop of
/// one's own). The parameters are the fields of the type.
///
/// A kernel must be a function of its parameters, inputs, the sample's number and the stream it is
/// given: no clock, no other randomness, no state kept from sample to sample. `verify` checks it.
///
/// # Example
///
/// ```
/// use croupier_compute::{Kernel, Mean, Stream};
/// use rand::RngExt;
/// use rand_chacha::ChaCha8Rng;
///
/// struct Pi {}
///
/// impl Kernel for Pi {
///     type Rng = ChaCha8Rng;
///     type Tally = Mean;
///
///     fn tally(&self) -> Mean {
///         Mean::new()
///     }
///
///     fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, hits: &mut Mean) {
///         let [x, y]: [f64; 2] = rng.random();
///         hits.record(if x * x + y * y < 1.0 { 4.0 } else { 0.0 });
///     }
/// }
/// ```
pub trait Kernel: Sized + Send + Sync + 'static {
    /// The generator: `ChaCha8Rng` unless there is a reason; see [`Stream`].
    type Rng: Generator;
    /// What samples are recorded into.
    type Tally: Tally;

    /// The kernel's name in runs and on the command line: lower case, digits and hyphens. By default
    /// the type's name, `EuropeanOption` becoming `european-option`.
    const NAME: Option<&'static str> = None;
    /// To be raised whenever the kernel's results change; partials of different versions never merge.
    const VERSION: u32 = 1;
    /// Samples in a block, a power of two. A block should take between 1 ms and 1 s: keep the default
    /// for samples of nanoseconds, say 1 for samples of seconds. Overridable when a run is planned.
    const BLOCK: u64 = 1 << 18;
    /// Whether all samples of a block draw from one stream or each from its own.
    const STREAMS: StreamPer = StreamPer::Block;
    /// The names of the inputs that [`prepare`](Self::prepare) needs.
    const INPUTS: &'static [&'static str] = &[];

    /// The empty tally. Shapes, such as a histogram's edges, come from the parameters.
    fn tally(&self) -> Self::Tally;

    /// Draws sample number `sample` of the run and records what came out.
    fn sample(&self, sample: u64, rng: &mut Stream<Self::Rng>, tally: &mut Self::Tally) {
        let _ = (sample, rng, tally);
        std::panic::panic_any(NotImplemented);
    }

    /// As [`sample`](Self::sample), for samples that may fail. A failed sample is dropped from the
    /// tally, whatever it had recorded by then.
    ///
    /// # Errors
    ///
    /// Where the sample has no result.
    fn try_sample(
        &self,
        sample: u64,
        rng: &mut Stream<Self::Rng>,
        tally: &mut Self::Tally,
    ) -> Result<(), Failure> {
        self.sample(sample, rng, tally);
        Ok(())
    }

    /// Draws the samples `samples`, all in one block and from its one stream, in order. Not called
    /// where [`STREAMS`](Self::STREAMS) asks for a stream per sample.
    ///
    /// Where a kernel has both this and a method for one sample, they must draw the same.
    ///
    /// # Errors
    ///
    /// Where a sample failed. If the kernel has no method for one sample, all samples of the block
    /// count as failed.
    fn block(
        &self,
        samples: Range<u64>,
        rng: &mut Stream<Self::Rng>,
        tally: &mut Self::Tally,
    ) -> Result<(), Failure> {
        for sample in samples {
            self.try_sample(sample, rng, tally)?;
        }
        Ok(())
    }

    /// How many samples there are, where the parameters say so (the pixels of an image, the rows of a
    /// table). Such a run is planned without a number of samples, and can't be extended.
    fn domain(&self) -> Option<u64> {
        None
    }

    /// Sets up what all samples share (a scene, a table, data from [`Inputs`]), once per process and
    /// after [`validate`](Self::validate). Keep it in fields that are skipped as parameters.
    ///
    /// # Errors
    ///
    /// Where an input can't be used.
    fn prepare(&mut self, inputs: &Inputs) -> Result<(), Failure> {
        let _ = inputs;
        Ok(())
    }

    /// Checks the parameters together, after each way they may have been loaded.
    ///
    /// # Errors
    ///
    /// What is wrong with them, and what to do.
    fn validate(&self) -> Result<(), Failure> {
        Ok(())
    }
}

/// How far one stream reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamPer {
    /// The samples of a block draw from one stream, one after the other: the fastest.
    Block,
    /// Every sample draws from a stream of its own, so that it can be replayed alone and does not
    /// depend on how much its neighbours draw.
    Sample,
}

impl StreamPer {
    /// The name in a run's identity.
    pub fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Sample => "sample",
        }
    }
}

/// The panic payload by which the engine knows that a kernel has no method for one sample.
pub(crate) struct NotImplemented;

/// The kernel's name: [`Kernel::NAME`], or the type's name in lower case with hyphens.
pub fn kernel_name<K: Kernel>() -> String {
    K::NAME.map_or_else(|| hyphenated(std::any::type_name::<K>()), str::to_owned)
}

fn hyphenated(path: &str) -> String {
    let generic = path.find('<').unwrap_or(path.len());
    let name = path[..generic].rsplit("::").next().unwrap_or(path);
    let mut words = String::new();
    for (at, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && at > 0 {
            words.push('-');
        }
        words.push(if letter == '_' {
            '-'
        } else {
            letter.to_ascii_lowercase()
        });
    }
    words
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_hyphenated() {
        for (path, name) in [
            ("pi::Pi", "pi"),
            ("a::b::EuropeanOption", "european-option"),
            ("x::Grid<f64>", "grid"),
            ("x::CopyS3Folder", "copy-s3-folder"),
        ] {
            assert_eq!(super::hyphenated(path), name);
        }
    }
}

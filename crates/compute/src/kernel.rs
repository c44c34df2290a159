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

    /// The kernel's name in runs and on the command line: lower-case letters, digits and hyphens. By
    /// default the type's name, `EuropeanOption` becoming `european-option`; with the names of its
    /// type arguments, `Walk<Cubic, 3>` becoming `walk-cubic-3`. Where types of one name in several
    /// modules are arguments, say which is which here.
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
    K::NAME.map_or_else(type_name::<K>, str::to_owned)
}

/// A type's name as kernels and tasks are called by: `CopyS3Folder` is `copy-s3-folder`.
pub fn type_name<T>() -> String {
    hyphenated(std::any::type_name::<T>())
}

/// Whether `name` is made of what a kernel's name may have. One of at most 64 letters leaves room
/// for what a run's default name has besides.
///
/// # Errors
///
/// Which rule it breaks.
pub fn check_kernel_name(name: &str) -> Result<(), &'static str> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if name.len() > 64 {
        Err("it has more than 64 letters")
    } else if !name.bytes().all(|byte| is_plain(byte) || byte == b'-') {
        Err("it has something other than lower-case letters, digits and hyphens")
    } else if !name.bytes().next().is_some_and(is_plain) {
        Err("it does not begin with a letter or a digit")
    } else {
        Ok(())
    }
}

/// A type's name and those of its arguments, each without the way to it.
fn hyphenated(path: &str) -> String {
    let (own, arguments) = match opening_of_arguments(path) {
        Some(open) => (&path[..open], &path[open..]),
        None => (path, ""),
    };
    let mut names = vec![last_of(own)];
    let is_of_name = |letter: char| letter.is_alphanumeric() || "_:{}#".contains(letter);
    let mut rest = arguments;
    while let Some(start) = rest.find(is_of_name) {
        let (between, name) = rest.split_at(start);
        let end = name.find(|letter| !is_of_name(letter));
        let (name, after) = name.split_at(end.unwrap_or(name.len()));
        if between.ends_with('-') {
            names.push("minus".to_owned());
        }
        names.push(last_of(name));
        rest = after;
    }
    names.join("-")
}

/// Where the arguments of the type itself begin: what opens the bracket that closes the path.
fn opening_of_arguments(path: &str) -> Option<usize> {
    if !path.ends_with('>') {
        return None;
    }
    let mut depth = 0;
    let mut brackets = path.rmatch_indices(['<', '>']);
    let opening = brackets.find(|(at, bracket)| {
        match *bracket {
            "<" => depth -= 1,
            // The arrow of a function's type.
            _ if path[..*at].ends_with('-') => {}
            _ => depth += 1,
        }
        depth == 0
    });
    opening.map(|(at, _)| at)
}

/// The last segment of a path, in lower case with hyphens.
fn last_of(path: &str) -> String {
    let name = path.rsplit("::").next().unwrap_or(path);
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
            ("x::CopyS3Folder", "copy-s3-folder"),
            ("x::main::{{closure}}::Local", "local"),
            ("x::<impl x::Make for x::Maker<f64>>::make::Local", "local"),
        ] {
            assert_eq!(super::hyphenated(path), name);
        }
    }

    #[test]
    fn arguments_are_part_of_the_name() {
        for (path, name) in [
            ("x::Grid<f64>", "grid-f64"),
            ("x::Sim<x::models::FastModel>", "sim-fast-model"),
            ("x::Sim<alloc::vec::Vec<f64>, x::B>", "sim-vec-f64-b"),
            ("x::Sim<(f64, [u8; 3])>", "sim-f64-u8-3"),
            ("x::Sim<-3>", "sim-minus-3"),
            ("x::Sim<fn(f64) -> f32>", "sim-fn-f64-f32"),
            ("x::Sim<&str>", "sim-str"),
        ] {
            assert_eq!(super::hyphenated(path), name);
            assert_eq!(super::check_kernel_name(name), Ok(()));
        }
        struct Sim<A, const N: i8>(std::marker::PhantomData<A>);
        struct A;
        let path = std::any::type_name::<Sim<A, -1>>();
        assert_eq!(super::hyphenated(path), "sim-a-minus-1", "{path}");
    }

    #[test]
    fn names_that_files_and_people_can_not_bear_are_refused() {
        for name in ["", "-foo", "Foo", "a b", "a_b", "a.b", "é", &"x".repeat(65)] {
            assert!(super::check_kernel_name(name).is_err(), "{name:?}");
        }
        for name in ["pi", "7", "copy-s3-folder", "a-"] {
            assert_eq!(super::check_kernel_name(name), Ok(()));
        }
    }
}

//! The compute layer of Croupier: grid, streams, tree, engine and tallies.
//!
//! A run's samples are numbered, and lie in blocks ([`Grid`]). A block's random numbers are a
//! [`Stream`] keyed by the seed and the block's number, so it can run anywhere. A [`Kernel`] draws a
//! block's samples in order and records them into a [`Tally`]. The [`engine`] runs blocks on all
//! threads and merges their tallies along the canonical tree ([`tree`]), so that the merged tally is
//! a function of the seed and the set of blocks, and of nothing else. [`Estimates`] are what a tally
//! says in the end; [`sequential`] has the intervals for runs that stop when they are precise enough. What a kernel may call without losing that promise on another type of CPU is in
//! [`pinned`].
//!
//! invariant: no I/O, no clock, no environment, no async.
//! invariant: only [`engine`] knows rayon.

mod enough;
mod estimate;
mod failure;
mod grid;
mod inputs;
mod interval;
mod kernel;
#[cfg(test)]
mod property;
mod stream;
mod tally;

pub mod engine;
pub mod pinned;
pub mod sequential;
pub mod tree;

pub use engine::KernelFailure;
pub use enough::{ENOUGH_EVENTS, ENOUGH_SAMPLES, TooFew};
pub use estimate::{Estimate, Estimates};
pub use failure::{FailedSamples, Failure, Failures, LISTED_FAILURES};
pub use grid::{BlockLength, Grid, GridError, MAX_BLOCKS};
pub use inputs::Inputs;
pub use kernel::{Kernel, StreamPer, check_kernel_name, kernel_name, type_name};
pub use stream::Half;
pub use stream::{Domain, Generator, RECIPE, Seeded, Stream, StreamNumber};
pub use tally::{Autocorrelated, Chain};
pub use tally::{Bin, EdgesError, Histogram, Scale};
pub use tally::{ByName, NamesError};
pub use tally::{Extreme, Extremes, Mean, NotFinite, Proportion, Tally};
pub use tally::{Misfit, Quantiles, QuantilesError, Resolution};
pub use tree::{Frontier, Node, Trunk};

//! Monte Carlo and other embarrassingly parallel work: the same bits however it was dealt.
//!
//! Write one sample of your simulation as a [`Kernel`]. Croupier deals the samples to every core of
//! every machine, collects what comes back, and gives the same bits for any number of threads,
//! shards, retries and any order of arrival.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use croupier::prelude::*;
//!
//! /// Estimates pi by throwing darts at the unit square.
//! #[derive(Args, Serialize, Deserialize)]
//! struct Pi {}
//!
//! impl Kernel for Pi {
//!     type Rng = ChaCha8Rng;
//!     type Tally = Mean;
//!
//!     fn tally(&self) -> Mean {
//!         Mean::new()
//!     }
//!
//!     fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, hits: &mut Mean) {
//!         let [x, y]: [f64; 2] = rng.random();
//!         hits.record(if x * x + y * y < 1.0 { 4.0 } else { 0.0 });
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     croupier::main::<Pi>()
//! }
//! ```
//!
//! That is a whole program: `run` on a laptop, `shard` as one child of an array, `reduce` over
//! whatever came back. From code, [`Run`] does the same and prints nothing, and [`Results`] reads a
//! result back.
//!
//! | to | see |
//! |---|---|
//! | write a kernel | [`Kernel`], [`Stream`], [`pinned`] |
//! | choose what to record | [`Mean`], [`Proportion`], [`Extremes`], `#[derive(Tally)]`, [`Tally`] |
//! | see a distribution | [`Histogram`], [`Quantiles`] |
//! | run Markov chains | [`Autocorrelated`] |
//! | record many points in one run | arrays, vectors, [`ByName`] |
//! | draw antithetic pairs | [`Stream::antithetic`] |
//! | run it from code | [`Run`], [`Results`] |
//! | run it from the command line | [`main`] |
//! | do once what is no sampling: copy, measure, run another program | [`Task`] |
//! | use S3 in a task | `s3::client` |
//! | have several kernels and tasks in one program | [`app`] |

mod results;
mod run;
mod runtime;
#[cfg(feature = "s3")]
pub mod s3;

/// What a kernel's source usually needs.
pub mod prelude {
    pub use crate::{Autocorrelated, ByName, Histogram, Misfit, Quantiles};
    pub use crate::{
        ChaCha8Rng, ChaCha12Rng, ChaCha20Rng, Estimates, Extremes, Failure, Inputs, Kernel, Mean,
        NotFinite, Proportion, Run, Seeded, Stream, StreamPer, Tally, Task, TaskFailure, pinned,
    };
    // `#[derive(Args)]` writes `clap::`, which a crate that names no clap of its own finds here.
    pub use clap::{self, Args};
    pub use rand::{Rng, RngExt};
    pub use serde::{Deserialize, Serialize};
}

pub use croupier_cli::{App, app, main};
pub use croupier_compute::{
    Autocorrelated, Bin, ByName, Chain, EdgesError, Half, Histogram, Misfit, NamesError, Quantiles,
    QuantilesError, Resolution, Scale,
};
pub use croupier_compute::{
    Domain, Estimate, Estimates, Extreme, Extremes, Failure, Generator, Inputs, Kernel, Mean,
    NotFinite, Proportion, Seeded, Stream, StreamNumber, StreamPer, Tally, pinned,
};
pub use croupier_derive::Tally;
pub use croupier_run::{Error, EstimateReport, Policy, Report, Task, TaskFailure};
pub use rand_chacha::{ChaCha8Rng, ChaCha12Rng, ChaCha20Rng};
pub use results::Results;
pub use run::Run;

pub use clap;
pub use rand;
pub use serde;

/// The README's Rust, so that `cargo test` compiles it.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

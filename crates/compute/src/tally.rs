//! Mergeable state that a kernel records into.
//!
//! A tally of one's own is about fifteen lines: a struct with `merge` and `estimates`. A struct whose
//! fields are all tallies gets them by `#[derive(Tally)]`. Merging need be neither associative nor
//! commutative to give the same bits: the engine always merges along the canonical tree.

mod array;
mod autocorrelated;
mod by_name;
mod centre;
mod containers;
mod control_variate;
mod covariance;
mod extremes;
mod histogram;
mod jackknife;
mod mean;
mod moments;
mod proportion;
mod quantiles;
mod ratio;
mod shape;
mod weighted;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Estimates;

pub use autocorrelated::{Autocorrelated, Chain};
pub use by_name::{ByName, NamesError};
pub use control_variate::ControlVariate;
pub use covariance::Covariance;
pub use extremes::{Extreme, Extremes};
pub use histogram::{Bin, EdgesError, Histogram, Scale};
pub use jackknife::{Jackknife, Jackknifed};
pub use mean::Mean;
pub use moments::Moments;
pub use proportion::Proportion;
pub use quantiles::{Quantiles, QuantilesError, Resolution};
pub use ratio::Ratio;
pub use weighted::{WeightedMean, WeightedMoments};

/// State that samples are recorded into, that merges, and that estimates come from.
///
/// The serialised form is the columns of a partial and what digests are taken of. It may hold
/// integers up to 64 bits, floats, strings, options, lists and structs; no maps, no 128-bit integers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tally",
    label = "record into a `Mean`, a `Proportion` or another tally, or derive `Tally` for a struct of tallies"
)]
pub trait Tally: Clone + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// Opens a block: called on an empty tally, before the first sample of block number `block` is
    /// recorded. For tallies that keep groups of blocks apart, such as a jackknife; a tally that
    /// holds tallies passes it on.
    fn begin_block(&mut self, block: u64) {
        let _ = block;
    }

    /// Adds the state of the samples to the right (later) of those in `self`.
    fn merge(&mut self, right: Self);

    /// Closes a block: brings the state into the form that merges, and refuses what is not finite.
    ///
    /// # Errors
    ///
    /// Where something recorded, or a sum of it, is NaN or infinite.
    fn end_block(&mut self) -> Result<(), NotFinite> {
        Ok(())
    }

    /// Whether `right` can be merged into this: it has the same shape (edges, length, names), and its
    /// parts agree with each other. Whatever was read from a file is asked before it is merged; what
    /// the type says needs no asking.
    ///
    /// # Errors
    ///
    /// How they differ, or what is wrong with `right`.
    fn fits(&self, right: &Self) -> Result<(), Misfit> {
        let _ = right;
        Ok(())
    }

    /// Says what the state estimates, each with its standard error.
    fn estimates(&self, estimates: &mut Estimates);
}

/// A tally refuses a block because of a NaN or an infinity, or of what it can't hold for another
/// reason, such as a negative weight.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("recorded what is {why}{}: {what}", if path.is_empty() { String::new() } else { format!(" in {path}") })]
pub struct NotFinite {
    why: &'static str,
    path: String,
    what: String,
}

impl NotFinite {
    /// Says what was not finite, such as `NaN` or `the sum of squares is infinite`.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            why: "not finite",
            path: String::new(),
            what: what.into(),
        }
    }

    /// Says what is finite and refused all the same, such as `a negative weight`.
    pub fn refused(what: impl Into<String>) -> Self {
        Self {
            why: "refused",
            ..Self::new(what)
        }
    }

    /// The same, found inside the field `field`.
    #[must_use]
    pub fn within(mut self, field: &str) -> Self {
        self.path = if self.path.is_empty() {
            field.to_owned()
        } else {
            format!("{field}.{}", self.path)
        };
        self
    }
}

/// Two tallies can't be merged: they were made with other shapes, or one is damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{what}", if path.is_empty() { String::new() } else { format!("{path}: ") })]
pub struct Misfit {
    path: String,
    what: String,
}

impl Misfit {
    /// Says how they differ, such as `a histogram of 20 bins, expected 10`.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            what: what.into(),
        }
    }

    /// The same, found inside the field `field`.
    #[must_use]
    pub fn within(mut self, field: &str) -> Self {
        self.path = if self.path.is_empty() {
            field.to_owned()
        } else {
            format!("{field}.{}", self.path)
        };
        self
    }
}

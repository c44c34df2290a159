//! A tally for each point of a grid, by name.

use std::collections::BTreeSet;
use std::ops::{Index, IndexMut};

use serde::{Deserialize, Serialize};

use crate::{Estimates, Misfit, NotFinite, Tally};

/// Tallies of one kind under names that the kernel gives them: the points of a grid in one run.
///
/// Estimates are named by them: `price.strike=90`, `price.strike=100`. A kernel records by position,
/// which is as fast as a vector.
///
/// # Example
///
/// ```
/// use croupier_compute::{ByName, Mean};
///
/// let strikes = [90.0, 100.0, 110.0];
/// let mut prices = ByName::new(strikes.map(|strike| (format!("strike={strike}"), Mean::new())));
/// for (at, strike) in strikes.into_iter().enumerate() {
///     prices[at].record(f64::max(105.0 - strike, 0.0));
/// }
/// assert_eq!(prices.get("strike=100").and_then(Mean::mean), Some(5.0));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ByName<T> {
    names: Vec<String>,
    tallies: Vec<T>,
}

/// Names that can't be told apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} names {what}; give each tally a name of its own")]
pub struct NamesError {
    name: String,
    what: &'static str,
}

impl<T> ByName<T> {
    /// The tallies in this order, each under its name.
    ///
    /// # Panics
    ///
    /// Where [`try_new`](Self::try_new) refuses.
    pub fn new<N: Into<String>>(named: impl IntoIterator<Item = (N, T)>) -> Self {
        match Self::try_new(named) {
            Ok(by_name) => by_name,
            Err(error) => panic!("{error}"),
        }
    }

    /// As [`new`](Self::new).
    ///
    /// # Errors
    ///
    /// Where a name is empty, or two are the same.
    pub fn try_new<N: Into<String>>(
        named: impl IntoIterator<Item = (N, T)>,
    ) -> Result<Self, NamesError> {
        let (names, tallies): (Vec<String>, Vec<T>) = named
            .into_iter()
            .map(|(name, tally)| (name.into(), tally))
            .unzip();
        check(&names)?;
        Ok(Self { names, tallies })
    }

    /// How many tallies there are.
    pub fn len(&self) -> usize {
        self.tallies.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tallies.is_empty()
    }

    /// The tally called `name`.
    pub fn get(&self, name: &str) -> Option<&T> {
        let at = self.names.iter().position(|other| other == name)?;
        self.tallies.get(at)
    }

    /// Names and tallies in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.names.iter().map(String::as_str).zip(&self.tallies)
    }

    /// The tallies in order, to record into.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.tallies.iter_mut()
    }
}

impl<T> Index<usize> for ByName<T> {
    type Output = T;

    fn index(&self, at: usize) -> &T {
        &self.tallies[at]
    }
}

impl<T> IndexMut<usize> for ByName<T> {
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.tallies[at]
    }
}

fn check(names: &[String]) -> Result<(), NamesError> {
    let mut seen = BTreeSet::new();
    let refuse = |name: &String, what| {
        Err(NamesError {
            name: name.clone(),
            what,
        })
    };
    for name in names {
        if name.is_empty() {
            return refuse(name, "nothing");
        }
        if !seen.insert(name) {
            return refuse(name, "two tallies");
        }
    }
    Ok(())
}

impl<T: Tally> Tally for ByName<T> {
    fn begin_block(&mut self, block: u64) {
        self.tallies.begin_block(block);
    }

    /// # Panics
    ///
    /// Where the names differ, which [`fits`](Tally::fits) refuses.
    fn merge(&mut self, right: Self) {
        assert_eq!(self.names, right.names, "tallies of other names");
        self.tallies.merge(right.tallies);
    }

    fn end_block(&mut self) -> Result<(), NotFinite> {
        for (name, tally) in self.names.iter().zip(&mut self.tallies) {
            tally
                .end_block()
                .map_err(|not_finite| not_finite.within(name))?;
        }
        Ok(())
    }

    fn fits(&self, right: &Self) -> Result<(), Misfit> {
        if right.names.len() != right.tallies.len() {
            return Err(Misfit::new(format!(
                "{} names for {} tallies",
                right.names.len(),
                right.tallies.len()
            )));
        }
        check(&right.names).map_err(|error| Misfit::new(error.to_string()))?;
        if self.names.len() != right.names.len() {
            return Err(Misfit::new(format!(
                "{} tallies, expected {}",
                right.names.len(),
                self.names.len()
            )));
        }
        for ((name, other), (left, right)) in self
            .names
            .iter()
            .zip(&right.names)
            .zip(self.tallies.iter().zip(&right.tallies))
        {
            if name != other {
                return Err(Misfit::new(format!(
                    "a tally called {other:?}, expected {name:?}"
                )));
            }
            left.fits(right).map_err(|misfit| misfit.within(name))?;
        }
        Ok(())
    }

    fn estimates(&self, estimates: &mut Estimates) {
        for (name, tally) in self.iter() {
            estimates.within(name, |estimates| tally.estimates(estimates));
        }
    }
}

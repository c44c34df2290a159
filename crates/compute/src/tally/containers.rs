//! Many tallies of one kind side by side: arrays and vectors.
//!
//! Their estimates are named by position: `price.0`, `price.1`. An array's length is part of its type,
//! up to the 32 that serde knows, and its columns lie side by side in a partial. A vector has any
//! length, which the kernel chooses in [`Kernel::tally`](crate::Kernel::tally), and is one list.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Estimates, Misfit, NotFinite, Tally};

impl<T: Tally, const N: usize> Tally for [T; N]
where
    [T; N]: Serialize + DeserializeOwned,
{
    fn begin_block(&mut self, block: u64) {
        begin_block(self, block);
    }

    fn merge(&mut self, right: Self) {
        merge(self, right);
    }

    fn end_block(&mut self) -> Result<(), NotFinite> {
        end_block(self)
    }

    fn fits(&self, right: &Self) -> Result<(), Misfit> {
        fits(self, right)
    }

    fn estimates(&self, estimates: &mut Estimates) {
        list(self, estimates);
    }
}

/// # Panics
///
/// [`merge`](Tally::merge), where the lengths differ, which [`fits`](Tally::fits) refuses.
impl<T: Tally> Tally for Vec<T> {
    fn begin_block(&mut self, block: u64) {
        begin_block(self, block);
    }

    fn merge(&mut self, right: Self) {
        assert_eq!(self.len(), right.len(), "tallies of two lengths");
        merge(self, right);
    }

    fn end_block(&mut self) -> Result<(), NotFinite> {
        end_block(self)
    }

    fn fits(&self, right: &Self) -> Result<(), Misfit> {
        fits(self, right)
    }

    fn estimates(&self, estimates: &mut Estimates) {
        list(self, estimates);
    }
}

fn begin_block<T: Tally>(tallies: &mut [T], block: u64) {
    for tally in tallies {
        tally.begin_block(block);
    }
}

fn merge<T: Tally>(left: &mut [T], right: impl IntoIterator<Item = T>) {
    for (left, right) in left.iter_mut().zip(right) {
        left.merge(right);
    }
}

fn end_block<T: Tally>(tallies: &mut [T]) -> Result<(), NotFinite> {
    for (at, tally) in tallies.iter_mut().enumerate() {
        tally
            .end_block()
            .map_err(|not_finite| not_finite.within(&at.to_string()))?;
    }
    Ok(())
}

fn fits<T: Tally>(left: &[T], right: &[T]) -> Result<(), Misfit> {
    if left.len() != right.len() {
        return Err(Misfit::new(format!(
            "{} tallies, expected {}",
            right.len(),
            left.len()
        )));
    }
    for (at, (left, right)) in left.iter().zip(right).enumerate() {
        left.fits(right)
            .map_err(|misfit| misfit.within(&at.to_string()))?;
    }
    Ok(())
}

fn list<T: Tally>(tallies: &[T], estimates: &mut Estimates) {
    for (at, tally) in tallies.iter().enumerate() {
        estimates.within(&at.to_string(), |estimates| tally.estimates(estimates));
    }
}

//! Means of groups of blocks.

use serde::{Deserialize, Serialize};

use super::Jackknifed;
use crate::tally::array;
use crate::{Misfit, NotFinite};

/// How many groups there are: block b is in group b mod 64.
const GROUPS: u64 = 64;

/// Means of `D` outputs, by group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::tally) struct Groups<const D: usize> {
    /// Those that have samples, from the lowest.
    groups: Vec<Group<D>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Group<const D: usize> {
    number: u8,
    count: u64,
    #[serde(with = "array")]
    means: [f64; D],
}

impl<const D: usize> Group<D> {
    /// This one and `right`.
    fn and(self, right: &Self) -> Self {
        let count = self.count + right.count;
        let share = right.count as f64 / count as f64;
        Self {
            count,
            means: std::array::from_fn(|i| {
                self.means[i] + (right.means[i] - self.means[i]) * share
            }),
            ..self
        }
    }
}

impl<const D: usize> Groups<D> {
    pub(in crate::tally) fn new() -> Self {
        Self { groups: Vec::new() }
    }

    pub(in crate::tally) fn count(&self) -> u64 {
        self.groups.iter().map(|group| group.count).sum()
    }

    /// Adds the means of `count` samples of a block.
    pub(in crate::tally) fn add(&mut self, block: u64, count: u64, means: [f64; D]) {
        let number = (block % GROUPS) as u8;
        let block = Group {
            number,
            count,
            means,
        };
        self.merge(Self {
            groups: vec![block],
        });
    }

    pub(in crate::tally) fn merge(&mut self, right: Self) {
        if self.groups.is_empty() {
            *self = right;
            return;
        }
        for group in &right.groups {
            match self
                .groups
                .binary_search_by_key(&group.number, |group| group.number)
            {
                Ok(at) => self.groups[at] = self.groups[at].and(group),
                Err(at) => self.groups.insert(at, *group),
            }
        }
    }

    pub(in crate::tally) fn check_finite(&self) -> Result<(), NotFinite> {
        let mut means = self.groups.iter().flat_map(|group| group.means);
        if means.all(f64::is_finite) {
            Ok(())
        } else {
            Err(NotFinite::new(
                "NaN, an infinity, or a sum that is infinite",
            ))
        }
    }

    /// Whether groups that were read from a file are what could have been written.
    pub(in crate::tally) fn check_whole(&self) -> Result<(), Misfit> {
        let do_ascend = self
            .groups
            .windows(2)
            .all(|pair| pair[0].number < pair[1].number);
        let is_group = |group: &Group<D>| u64::from(group.number) < GROUPS && group.count > 0;
        if do_ascend && self.groups.iter().all(is_group) {
            Ok(())
        } else {
            Err(Misfit::new(
                "a damaged jackknife: its groups are out of order, not among 64, or without samples",
            ))
        }
    }

    pub(in crate::tally) fn means(&self) -> Option<[f64; D]> {
        let all = self.groups.iter().copied();
        let all = all.reduce(|left, right| left.and(&right))?;
        Some(all.means)
    }

    /// A function of the means, with the error that it shows when groups are left out one by one.
    pub(in crate::tally) fn estimate(
        &self,
        function: impl Fn(&[f64; D]) -> f64,
    ) -> Option<Jackknifed> {
        let means = self.means()?;
        let value = function(&means);
        let samples = self.count();
        let mut changes = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let rest = (samples - group.count) as f64;
            let without = std::array::from_fn(|i| {
                means[i] + (means[i] - group.means[i]) * (group.count as f64 / rest)
            });
            // Of a single group nothing is left, and there is no error.
            if rest > 0.0 {
                changes.push((rest / group.count as f64, function(&without) - value));
            }
        }
        // The paper's h - 1 is the first of the two, and its 1 - n_group / n is (h - 1) / h.
        let bias: f64 = changes
            .iter()
            .map(|(odds, change)| odds / (odds + 1.0) * change)
            .sum();
        let squares: f64 = changes
            .iter()
            .map(|(odds, change)| (bias - odds * change).powi(2) / odds)
            .sum();
        let groups = self.groups.len() as u64;
        Some(Jackknifed {
            value,
            bias_corrected: value - bias,
            std_error: (groups > 1).then(|| (squares / groups as f64).sqrt()),
            groups,
            samples,
        })
    }
}

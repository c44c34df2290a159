//! Errors of functions of means, from what they vary by without a part of the blocks.

mod groups;

use serde::{Deserialize, Serialize};

use crate::interval::student_quantile;
use crate::{Estimate, Estimates, Misfit, NotFinite, Tally};

pub(super) use groups::Groups;

/// With fewer groups than this, an error is known to little better than a sixth of itself.
const ENOUGH_GROUPS: u64 = 20;

/// Means of `D` outputs of a sample, apart for 64 groups of blocks, so that any smooth function of the
/// means can be estimated with an error, also one that is thought of later.
///
/// Block b is in group b mod 64, whatever shard it is run in. Leaving out one group after the other shows
/// how far the function depends on which samples there are: M. H. Quenouille (1949) and J. W. Tukey
/// (1958), and for groups that are not of one size F. M. T. A. Busing, E. Meijer and R. van der Leeden,
/// "Delete-m Jackknife for Unequal m", Statistics and Computing 9 (1999), 3-8. An error is known to about
/// 1 / sqrt(2 (groups - 1)) of itself, 9 % with all 64 groups, which Student's t makes up for in
/// intervals.
///
/// A run of fewer than 64 blocks has as many groups as blocks. Plan with a `--block` that gives at least
/// 64; with fewer than 20 a note says that the error is a rough one, and with one there is none.
///
/// As a tally it lists the means, `mean.0`, `mean.1`, and so on. A tally of one's own that holds it says
/// more:
///
/// # Example
///
/// ```
/// use croupier_compute::{Estimates, Jackknife, NotFinite, Tally};
/// use serde::{Deserialize, Serialize};
///
/// /// The relative spread of an output: its deviation over its mean.
/// #[derive(Clone, Serialize, Deserialize)]
/// struct RelativeSpread {
///     powers: Jackknife<2>,
/// }
///
/// impl Tally for RelativeSpread {
///     fn begin_block(&mut self, block: u64) {
///         self.powers.begin_block(block);
///     }
///     fn merge(&mut self, right: Self) {
///         self.powers.merge(right.powers);
///     }
///     fn end_block(&mut self) -> Result<(), NotFinite> {
///         self.powers.end_block()
///     }
///     fn estimates(&self, estimates: &mut Estimates) {
///         let spread = |[x, square]: &[f64; 2]| (square - x * x).sqrt() / x;
///         self.powers.push(estimates, spread);
///     }
/// }
/// # let mut tally = RelativeSpread { powers: Jackknife::new() };
/// # for block in 0..64 {
/// #     let mut one = RelativeSpread { powers: Jackknife::new() };
/// #     one.begin_block(block);
/// #     for x in [1.0, 3.0] { one.powers.record([x, x * x]); }
/// #     one.end_block().unwrap();
/// #     tally.merge(one);
/// # }
/// # let mut estimates = Estimates::new("x", 0.95);
/// # tally.estimates(&mut estimates);
/// # assert_eq!(estimates.get("x").unwrap().value, Some(0.5));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Jackknife<const D: usize> {
    groups: Groups<D>,
    #[serde(skip)]
    open: Open<D>,
}

/// The block being recorded: sums about its first values.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Open<const D: usize> {
    block: Option<u64>,
    count: u64,
    centre: [f64; D],
    sums: [f64; D],
}

impl<const D: usize> Default for Open<D> {
    fn default() -> Self {
        Self {
            block: None,
            count: 0,
            centre: [0.0; D],
            sums: [0.0; D],
        }
    }
}

/// What a jackknife says of a function of means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jackknifed {
    /// The function of the means. Its bias is O(1 / samples).
    pub value: f64,
    /// The same less the bias that the groups show, which leaves O(1 / samples^2).
    pub bias_corrected: f64,
    /// The standard error of both; none of one group.
    pub std_error: Option<f64>,
    /// How many groups there are, at most 64.
    pub groups: u64,
    /// How many samples it rests on.
    pub samples: u64,
}

impl<const D: usize> Default for Jackknife<D> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const D: usize> Jackknife<D> {
    /// Nothing recorded yet.
    pub fn new() -> Self {
        Self {
            groups: Groups::new(),
            open: Open::default(),
        }
    }

    /// Records the outputs of one sample.
    #[inline]
    pub fn record(&mut self, values: [f64; D]) {
        let open = &mut self.open;
        if open.count == 0 {
            open.centre = values;
        }
        open.count += 1;
        for ((sum, value), centre) in open.sums.iter_mut().zip(values).zip(open.centre) {
            *sum += value - centre;
        }
    }

    /// How many samples were recorded.
    pub fn count(&self) -> u64 {
        self.groups.count() + self.open.count
    }

    /// The mean of each output; none of no samples.
    pub fn means(&self) -> Option<[f64; D]> {
        self.closed().means()
    }

    /// A function of the means with its error; none of no samples. It should be smooth where the means
    /// are, within a few of their errors.
    pub fn estimate(&self, function: impl Fn(&[f64; D]) -> f64) -> Option<Jackknifed> {
        self.closed().estimate(function)
    }

    /// Adds a function of the means to `estimates`, under the name that was come to, and below it the
    /// same as `bias_corrected`.
    pub fn push(&self, estimates: &mut Estimates, function: impl Fn(&[f64; D]) -> f64) {
        let found = self.estimate(function);
        note_what_is_missing(found, estimates);
        estimates.push(estimate_of(
            found,
            found.map(|it| it.value),
            estimates.level(),
        ));
        estimates.within("bias_corrected", |estimates| {
            let value = found.map(|it| it.bias_corrected);
            estimates.push(estimate_of(found, value, estimates.level()));
        });
    }

    fn closed(&self) -> Groups<D> {
        let mut closed = self.clone();
        closed.close();
        closed.groups
    }

    fn close(&mut self) {
        let open = std::mem::take(&mut self.open);
        if open.count > 0 {
            let n = open.count as f64;
            let means = std::array::from_fn(|i| open.centre[i] + open.sums[i] / n);
            self.groups.add(open.block.unwrap_or(0), open.count, means);
        }
    }
}

impl<const D: usize> Tally for Jackknife<D> {
    fn begin_block(&mut self, block: u64) {
        self.open.block = Some(block);
    }

    fn merge(&mut self, mut right: Self) {
        self.close();
        right.close();
        self.groups.merge(right.groups);
    }

    fn end_block(&mut self) -> Result<(), NotFinite> {
        let is_begun = self.open.block.is_some();
        let is_empty = self.open.count == 0;
        self.close();
        check_begun(is_begun || is_empty)?;
        self.groups.check_finite()
    }

    fn fits(&self, right: &Self) -> Result<(), Misfit> {
        right.groups.check_whole()
    }

    fn estimates(&self, estimates: &mut Estimates) {
        let closed = self.closed();
        note_what_is_missing(closed.estimate(|_| 0.0), estimates);
        for i in 0..D {
            let found = closed.estimate(|means| means[i]);
            let mean = estimate_of(found, found.map(|it| it.value), estimates.level());
            estimates.within(&format!("mean.{i}"), |estimates| estimates.push(mean));
        }
    }
}

/// Refuses a block that does not know its number.
pub(super) fn check_begun(is_begun: bool) -> Result<(), NotFinite> {
    if is_begun {
        Ok(())
    } else {
        Err(NotFinite::refused(
            "values of a block that was not begun: a tally that holds others must pass `begin_block` on to them",
        ))
    }
}

/// Says why there is no error, or none that is worth much.
pub(super) fn note_what_is_missing(found: Option<Jackknifed>, estimates: &mut Estimates) {
    let Some(Jackknifed {
        value,
        std_error,
        groups,
        ..
    }) = found
    else {
        return estimates.note("has no samples: nothing can be estimated");
    };
    if !value.is_finite() || std_error.is_some_and(|error| !error.is_finite()) {
        estimates.note("is a function that is not finite where the means are, or near there");
    } else if groups == 1 {
        estimates.note("has samples of one group of blocks: a jackknife error needs two; plan with a smaller --block");
    } else if groups < ENOUGH_GROUPS {
        estimates.note(&format!(
            "has samples of {groups} groups of blocks, so that its jackknife error is a rough one; plan with a smaller --block, for 64 blocks or more"
        ));
    }
}

/// With Student's t interval for the groups there are; what is not finite is left out.
pub(super) fn estimate_of(found: Option<Jackknifed>, value: Option<f64>, level: f64) -> Estimate {
    let finite = |what: Option<f64>| what.filter(|what| what.is_finite());
    let value = finite(value);
    let std_error = finite(found.and_then(|it| it.std_error));
    let half = found
        .zip(std_error)
        .map(|(it, error)| error * student_quantile(0.5 + 0.5 * level, it.groups as f64 - 1.0));
    Estimate {
        value,
        std_error,
        interval: value
            .zip(half)
            .map(|(value, half)| [value - half, value + half]),
        samples: found.map_or(0, |it| it.samples),
    }
}

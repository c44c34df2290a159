//! How often values lie between edges.

mod edges;

use serde::{Deserialize, Serialize};

use crate::{Estimates, Misfit, NotFinite, Proportion, Tally};

use edges::Edges;

pub use edges::{EdgesError, Scale};

/// As many bins as a result lists, each with its own estimate.
const LISTED_BINS: usize = 64;

/// Counts of values in bins, and of those below the first edge and from the last edge on.
///
/// Bin i holds the values from edge i up to, but without, edge i+1: exactly, whatever the scale. All
/// counts are integers, so merged histograms are the same in any order.
///
/// Estimates are proportions of all recorded values with Wilson's interval, as of
/// [`Proportion`]: `below`, `above`, and `bin.0`, `bin.1`, ... if there are at most 64 bins. More are
/// in the tally ([`bins`](Self::bins), and `tally.arrow` of a result) and not among the estimates. Each
/// interval is for its bin alone, not for all of them at once.
///
/// The edges come from the kernel's parameters. What can't be told apart by doubles, or does not
/// ascend, is refused: check parameters by the `try_` twins in [`Kernel::validate`](crate::Kernel::validate).
///
/// # Example
///
/// ```
/// use croupier_compute::Histogram;
///
/// let mut waits = Histogram::logarithmic(0.01, 100.0, 4);
/// for wait in [0.0, 0.1, 5.0, 7.0, 1e6] {
///     waits.record(wait);
/// }
/// let counts: Vec<u64> = waits.bins().map(|bin| bin.count).collect();
/// assert_eq!((waits.below(), counts, waits.above()), (1, vec![0, 1, 2, 0], 1));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Columns", into = "Columns")]
pub struct Histogram {
    /// Those below, in each bin, and above.
    counts: Vec<u64>,
    edges: Edges,
    /// The first value of the block that was NaN or infinite.
    refused: Option<f64>,
    /// Why it can't be used, if it was read from a file and can't.
    damage: Option<EdgesError>,
}

/// One bin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// The smallest value that it holds.
    pub low: f64,
    /// The first value that is beyond it.
    pub high: f64,
    /// How many values it holds.
    pub count: u64,
}

/// A histogram in the columns of a partial.
#[derive(Clone, Serialize, Deserialize)]
struct Columns {
    scale: Scale,
    /// The outer edges, or all where they were given.
    edges: Vec<f64>,
    below: u64,
    counts: Vec<u64>,
    above: u64,
}

impl Histogram {
    /// `bins` bins of equal width from `low` to `high`: edge i is `low + (high - low) * i / bins`.
    ///
    /// # Panics
    ///
    /// Where [`try_uniform`](Self::try_uniform) refuses.
    pub fn uniform(low: f64, high: f64, bins: usize) -> Self {
        accepted(Self::try_uniform(low, high, bins))
    }

    /// `bins` bins of equal ratio from `low` to `high`: edge i lies i/bins of the way on the scale of
    /// logarithms.
    ///
    /// # Panics
    ///
    /// Where [`try_logarithmic`](Self::try_logarithmic) refuses.
    pub fn logarithmic(low: f64, high: f64, bins: usize) -> Self {
        accepted(Self::try_logarithmic(low, high, bins))
    }

    /// Bins between the given edges. A table finds a value's bin, with as many as eight entries a bin; where edges lie so
    /// unevenly that it has no use, finding takes log2 of their number steps.
    ///
    /// # Panics
    ///
    /// Where [`try_with_edges`](Self::try_with_edges) refuses.
    pub fn with_edges(edges: impl Into<Vec<f64>>) -> Self {
        accepted(Self::try_with_edges(edges))
    }

    /// As [`uniform`](Self::uniform).
    ///
    /// # Errors
    ///
    /// Where the edges are not finite or do not ascend, or there are no bins or more than 2^24.
    pub fn try_uniform(low: f64, high: f64, bins: usize) -> Result<Self, EdgesError> {
        Edges::new(Scale::Uniform, &[low, high], bins).map(Self::of)
    }

    /// As [`logarithmic`](Self::logarithmic).
    ///
    /// # Errors
    ///
    /// As of [`try_uniform`](Self::try_uniform), and where `low` is not above 0.
    pub fn try_logarithmic(low: f64, high: f64, bins: usize) -> Result<Self, EdgesError> {
        Edges::new(Scale::Logarithmic, &[low, high], bins).map(Self::of)
    }

    /// As [`with_edges`](Self::with_edges).
    ///
    /// # Errors
    ///
    /// As of [`try_uniform`](Self::try_uniform).
    pub fn try_with_edges(edges: impl Into<Vec<f64>>) -> Result<Self, EdgesError> {
        let edges = edges.into();
        let bins = edges.len().saturating_sub(1);
        Edges::new(Scale::Given, &edges, bins).map(Self::of)
    }

    fn of(edges: Edges) -> Self {
        Self {
            counts: vec![0; edges.all().len() + 1],
            edges,
            refused: None,
            damage: None,
        }
    }

    /// Records one value.
    #[inline]
    pub fn record(&mut self, value: f64) {
        let place = self.edges.place(value);
        // The first place and the last are outside; NaN is in the last.
        if (place == 0 || place + 1 == self.counts.len()) && !value.is_finite() {
            self.refused.get_or_insert(value);
        }
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many were below the first edge.
    pub fn below(&self) -> u64 {
        self.counts.first().copied().unwrap_or(0)
    }

    /// How many were at the last edge or above.
    pub fn above(&self) -> u64 {
        self.counts.last().copied().unwrap_or(0)
    }

    /// The bins in ascending order.
    pub fn bins(&self) -> impl ExactSizeIterator<Item = Bin> + '_ {
        let edges = self.edges();
        edges
            .windows(2)
            .zip(self.counts.get(1..).unwrap_or_default())
            .map(|(ends, count)| Bin {
                low: ends[0],
                high: ends[1],
                count: *count,
            })
    }

    /// The edges in ascending order, one more than there are bins.
    pub fn edges(&self) -> &[f64] {
        self.edges.all()
    }

    /// How the edges lie.
    pub fn scale(&self) -> Scale {
        self.edges.scale()
    }
}

fn accepted(histogram: Result<Histogram, EdgesError>) -> Histogram {
    match histogram {
        Ok(histogram) => histogram,
        Err(error) => panic!("{error}"),
    }
}

impl Tally for Histogram {
    /// # Panics
    ///
    /// Where [`fits`](Tally::fits) refuses: adding up bins of different edges makes nothing.
    fn merge(&mut self, right: Self) {
        if let Err(misfit) = self.fits(&right) {
            panic!("{misfit}");
        }
        for (left, right) in self.counts.iter_mut().zip(right.counts) {
            *left += right;
        }
        self.refused = self.refused.or(right.refused);
    }

    fn end_block(&mut self) -> Result<(), NotFinite> {
        self.refused
            .map_or(Ok(()), |value| Err(NotFinite::new(value.to_string())))
    }

    fn fits(&self, right: &Self) -> Result<(), Misfit> {
        let damage = |error: &EdgesError| Misfit::new(format!("a damaged histogram: {error}"));
        if let Some(error) = self.damage.as_ref().or(right.damage.as_ref()) {
            return Err(damage(error));
        }
        if self.edges.are(&right.edges) {
            Ok(())
        } else {
            Err(Misfit::new(format!(
                "a histogram of {}, expected {}",
                right.edges, self.edges
            )))
        }
    }

    fn estimates(&self, estimates: &mut Estimates) {
        let count = self.count();
        let mut listed = vec![("below".to_owned(), self.below())];
        if self.bins().len() <= LISTED_BINS {
            let bins = self.bins().enumerate();
            listed.extend(bins.map(|(at, bin)| (format!("bin.{at}"), bin.count)));
        }
        listed.push(("above".to_owned(), self.above()));
        if count == 0 {
            estimates.note("has no samples: nothing can be estimated");
        } else if listed.iter().any(|(_, hits)| [0, count].contains(hits)) {
            estimates.note(
                "has bins that hold none or all of the values: their standard errors can't be estimated, their intervals can",
            );
        }
        for (name, hits) in listed {
            estimates.within(&name, |estimates| {
                estimates.push(Proportion::of(hits, count).estimate(estimates.level()));
            });
        }
    }
}

impl From<Histogram> for Columns {
    fn from(histogram: Histogram) -> Self {
        let inner = 1..histogram.counts.len().saturating_sub(1).max(1);
        Self {
            scale: histogram.scale(),
            edges: histogram.edges.saying(),
            below: histogram.below(),
            counts: histogram.counts.get(inner).unwrap_or_default().to_vec(),
            above: histogram.above(),
        }
    }
}

impl From<Columns> for Histogram {
    fn from(columns: Columns) -> Self {
        let edges = Edges::new(columns.scale, &columns.edges, columns.counts.len());
        let mut counts = columns.counts;
        counts.insert(0, columns.below);
        counts.push(columns.above);
        match edges {
            Ok(edges) => Self {
                counts,
                edges,
                refused: None,
                damage: None,
            },
            Err(error) => Self {
                damage: Some(error),
                ..Self::of(Edges::none())
            },
        }
    }
}

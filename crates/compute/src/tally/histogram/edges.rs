//! Where bins begin and end, and which one a value lies in.
//!
//! Each scale has a fast guess, good to one bin, that is put right by comparing with the edges
//! themselves. So what a bin holds is what its edges say, to the last bit.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::pinned::{log10, powf};

/// How the edges of a histogram lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scale {
    /// At equal distances.
    Uniform,
    /// At equal ratios.
    Logarithmic,
    /// Where they were given.
    Given,
}

/// Edges that no histogram can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EdgesError(String);

const MOST_BINS: usize = 1 << 24;
/// Added to a distance in bins, it leaves the nearest integer in the lower bits.
const TO_INTEGER: f64 = (1u64 << 52) as f64;
/// Bits of a double's mantissa.
const MANTISSA_BITS: u32 = 52;
/// More are slower to go through than to bisect.
const MOST_EDGES_A_CELL: usize = 8;

/// Edges in ascending order, and a way to find between which of them a value lies.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Edges {
    scale: Scale,
    edges: Vec<f64>,
    low: f64,
    high: f64,
    guess: Guess,
}

/// Comes to the right bin, or to one of its neighbours as said.
#[derive(Clone, Debug, PartialEq)]
enum Guess {
    /// The distance from the first edge, in bins: rounded it is the nearest edge, which the bin begins or ends at.
    Linear { bins_per_unit: f64 },
    /// A table over the upper bits of a positive double, which grow with it. No two edges lie within
    /// one entry, so the bin of the entry's first value is right or the one before.
    Bits {
        shift: u32,
        first: u64,
        bins: Vec<u32>,
    },
    /// A table over cells of one width, which the distance from the first edge is rounded to. It has how many edges lie in
    /// the cells before: what is left are the cell's own few edges.
    Cells {
        cells_per_unit: f64,
        edges_before: Vec<u32>,
    },
    /// By bisection.
    Search,
}

impl Edges {
    /// `bins` bins from the outer edges `saying`, or between all of them if they are given.
    pub(super) fn new(scale: Scale, saying: &[f64], bins: usize) -> Result<Self, EdgesError> {
        let refuse = |what: String| Err(EdgesError(what));
        if bins == 0 || bins > MOST_BINS {
            return refuse(format!("{bins} bins, expected 1 to {MOST_BINS}"));
        }
        if let Some(odd) = saying.iter().find(|edge| !edge.is_finite()) {
            return refuse(format!("an edge at {odd}, expected finite ones"));
        }
        let edges = match (scale, saying) {
            (Scale::Given, all) if all.len() == bins + 1 => all.to_vec(),
            (Scale::Uniform, [low, high]) => uniform(*low, *high, bins),
            (Scale::Logarithmic, [low, _]) if *low < f64::MIN_POSITIVE => {
                return refuse(format!(
                    "a logarithmic scale from {low}, expected a first edge above 0"
                ));
            }
            (Scale::Logarithmic, [low, high]) => logarithmic(*low, *high, bins),
            _ => return refuse(format!("{} edges for {bins} bins", saying.len())),
        };
        if let Some(pair) = edges.windows(2).find(|pair| pair[0] >= pair[1]) {
            return refuse(format!(
                "an edge at {} after one at {}: edges must ascend, by steps that doubles can tell apart",
                pair[1], pair[0]
            ));
        }
        let [low, high] = [edges[0], edges[bins]];
        if (high - low).is_infinite() || (bins as f64 / (high - low)).is_infinite() {
            return refuse(format!(
                "edges from {low} to {high}: their distance, or one over it, is infinite"
            ));
        }
        let guess = match scale {
            Scale::Uniform => Guess::Linear {
                bins_per_unit: bins as f64 / (high - low),
            },
            Scale::Logarithmic => table(&edges).unwrap_or(Guess::Search),
            Scale::Given => cells(&edges, 1)
                .or_else(|| table(&edges).filter(|_| low > 0.0))
                .or_else(|| cells(&edges, MOST_EDGES_A_CELL))
                .unwrap_or(Guess::Search),
        };
        Ok(Self {
            scale,
            edges,
            low,
            high,
            guess,
        })
    }

    /// No edges and no bins: what stands for those that can't be.
    pub(super) fn none() -> Self {
        Self {
            scale: Scale::Given,
            edges: Vec::new(),
            low: f64::INFINITY,
            high: f64::INFINITY,
            guess: Guess::Search,
        }
    }

    /// 0 below the first edge, 1 + i in bin i, and one more than there are bins above; of NaN too.
    #[inline]
    pub(super) fn place(&self, value: f64) -> usize {
        if value < self.low {
            return 0;
        }
        let is_inside = value < self.high;
        if !is_inside {
            return self.edges.len();
        }
        match &self.guess {
            Guess::Linear { bins_per_unit } => {
                let distance = (value - self.low) * bins_per_unit;
                let nearest = (distance + TO_INTEGER).to_bits() as u32 as usize;
                1 + nearest - usize::from(value < self.edges[nearest])
            }
            Guess::Bits { shift, first, bins } => {
                let guess = bins[((value.to_bits() >> shift) - first) as usize] as usize;
                1 + guess + usize::from(value >= self.edges[guess + 1])
            }
            Guess::Cells {
                cells_per_unit,
                edges_before,
            } => {
                let cell = cell_of(value - self.low, *cells_per_unit);
                let mut place = edges_before[cell] as usize;
                // The first by counting, since nothing predicts it; others are rare.
                place += usize::from(value >= self.edges[place]);
                while value >= self.edges[place] {
                    place += 1;
                }
                place
            }
            Guess::Search => self.edges.partition_point(|edge| *edge <= value),
        }
    }

    pub(super) fn all(&self) -> &[f64] {
        &self.edges
    }

    /// The edges that say where all are.
    pub(super) fn saying(&self) -> Vec<f64> {
        match self.scale {
            Scale::Given => self.edges.clone(),
            Scale::Uniform | Scale::Logarithmic => vec![self.low, self.high],
        }
    }

    pub(super) fn scale(&self) -> Scale {
        self.scale
    }

    /// Whether `other` are the same edges.
    pub(super) fn are(&self, other: &Self) -> bool {
        self.scale == other.scale && self.edges == other.edges
    }
}

impl fmt::Display for Edges {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = (self.low, self.high);
        let bins = self.edges.len().saturating_sub(1);
        let scale = match self.scale {
            Scale::Uniform => "uniform",
            Scale::Logarithmic => "logarithmic",
            Scale::Given => "given",
        };
        write!(formatter, "{bins} {scale} bins from {low} to {high}")
    }
}

fn uniform(low: f64, high: f64, bins: usize) -> Vec<f64> {
    between(low, high, bins, |at| {
        low + (high - low) * at as f64 / bins as f64
    })
}

/// Over decimal logarithms, so that decades lie at powers of ten.
fn logarithmic(low: f64, high: f64, bins: usize) -> Vec<f64> {
    let [from, to] = [low, high].map(log10);
    between(low, high, bins, |at| {
        powf(10.0, from + (to - from) * at as f64 / bins as f64)
    })
}

fn between(low: f64, high: f64, bins: usize, inner: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut edges = Vec::with_capacity(bins + 1);
    edges.push(low);
    edges.extend((1..bins).map(inner));
    edges.push(high);
    edges
}

/// The coarsest table no entry of which holds two edges; none where it would be larger than finding
/// bins is worth.
fn table(edges: &[f64]) -> Option<Guess> {
    let largest = 64 + 8 * edges.len() as u64;
    let [low, high] = [edges[0], edges[edges.len() - 1]].map(f64::to_bits);
    let is_apart = |shift: u32| {
        edges
            .windows(2)
            .all(|pair| pair[0].to_bits() >> shift < pair[1].to_bits() >> shift)
    };
    let shift = (0..=MANTISSA_BITS).rev().find(|shift| is_apart(*shift))?;
    let first = low >> shift;
    let entries = (high >> shift) - first + 1;
    if entries > largest {
        return None;
    }
    let bins = (0..entries).map(|entry| {
        let begins = f64::from_bits((first + entry) << shift);
        let at_or_below = edges.partition_point(|edge| *edge <= begins);
        at_or_below.saturating_sub(1).min(edges.len() - 2) as u32
    });
    Some(Guess::Bits {
        shift,
        first,
        bins: bins.collect(),
    })
}

/// Rises with the distance, rounding and all: a value in a later cell than an edge is beyond it.
#[inline]
fn cell_of(distance: f64, cells_per_unit: f64) -> usize {
    (distance * cells_per_unit + TO_INTEGER).to_bits() as u32 as usize
}

/// The fewest cells that have one edge each, or the most there may be if `most` edges each will do; none where they would
/// be more than finding bins is worth.
fn cells(edges: &[f64], most: usize) -> Option<Guess> {
    let (low, high) = (edges[0], edges[edges.len() - 1]);
    let largest = 64 + 8 * edges.len();
    let mut count = edges.len() - 1;
    while most > 1 && 2 * count <= largest {
        count *= 2;
    }
    while count <= largest {
        let cells_per_unit = count as f64 / (high - low);
        if cells_per_unit.is_infinite() {
            return None;
        }
        let cell = |edge: f64| cell_of(edge - low, cells_per_unit);
        if edges
            .windows(most + 1)
            .all(|some| cell(some[0]) < cell(some[most]))
        {
            let edges_before =
                (0..=cell(high)).map(|at| edges.partition_point(|edge| cell(*edge) < at) as u32);
            return Some(Guess::Cells {
                cells_per_unit,
                edges_before: edges_before.collect(),
            });
        }
        count *= 2;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn by_definition(edges: &[f64], value: f64) -> usize {
        edges.iter().filter(|edge| **edge <= value).count()
    }

    /// Every edge, its neighbours among the doubles, and what lies between.
    fn hard_values(edges: &[f64]) -> Vec<f64> {
        let near = |edge: &f64| [edge.next_down(), *edge, edge.next_up()];
        let middles = edges.windows(2).map(|pair| 0.5 * pair[0] + 0.5 * pair[1]);
        let outside = [f64::MIN, -1.0, -0.0, 0.0, 5e-324, 1.0, f64::MAX];
        let outside = outside
            .into_iter()
            .chain([f64::INFINITY, f64::NEG_INFINITY]);
        edges
            .iter()
            .flat_map(near)
            .chain(middles)
            .chain(outside)
            .collect()
    }

    fn check(edges: &Edges) -> Result<(), TestCaseError> {
        for value in hard_values(edges.all()) {
            let expected = by_definition(edges.all(), value);
            prop_assert_eq!(edges.place(value), expected, "{} in {}", value, edges);
        }
        prop_assert_eq!(edges.place(f64::NAN), edges.all().len());
        Ok(())
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn uniform_bins_hold_what_their_edges_say(
            low in prop_oneof![-1e3f64..1e3, -1e-300f64..1e300, Just(0.1), Just(-1e16)],
            width in prop_oneof![1e-3f64..1e3, 1e-290f64..1e300],
            bins in 1usize..300,
        ) {
            if let Ok(edges) = Edges::new(Scale::Uniform, &[low, low + width], bins) {
                check(&edges)?;
            }
        }

        #[test]
        fn logarithmic_bins_hold_what_their_edges_say(
            low in -300f64..300.0,
            decades in prop_oneof![1e-9f64..1.0, 1f64..600.0],
            bins in 1usize..300,
        ) {
            let [low, high] = [low, low + decades].map(|x| powf(10.0, x));
            if let Ok(edges) = Edges::new(Scale::Logarithmic, &[low, high], bins) {
                let has_table = matches!(edges.guess, Guess::Bits { .. });
                prop_assert!(has_table || decades > 1.2 * bins as f64, "{} has no table", edges);
                check(&edges)?;
            }
        }

        #[test]
        fn given_bins_hold_what_their_edges_say(
            edges in prop::collection::btree_set(-100i32..100, 2..40),
            power in prop_oneof![Just(1), Just(3), Just(9), Just(61)],
        ) {
            let edges = edges.into_iter().map(|edge| (f64::from(edge) / 7.0).powi(power));
            let edges: Vec<f64> = edges.collect();
            check(&Edges::new(Scale::Given, &edges, edges.len() - 1).unwrap())?;
        }
    }

    #[test]
    fn given_edges_are_found_in_each_way_there_is() {
        let of = |edge: fn(f64) -> f64| (0..=100).map(|at| edge(f64::from(at))).collect();
        let ways: [(&str, Vec<f64>); 5] = [
            ("Cells", of(|at| 0.1 * at)),
            ("Cells", of(|at| at.sqrt())),
            ("Bits", of(|at| 1.1f64.powf(at))),
            ("Cells", of(|at| (at - 50.0) * (at - 50.0).abs())),
            ("Search", of(|at| (at - 50.0).powi(15))),
        ];
        for (way, all) in ways {
            let edges = Edges::new(Scale::Given, &all, 100).unwrap();
            let found = format!("{:?}", edges.guess);
            assert!(found.starts_with(way), "{way}: {found}");
            check(&edges).unwrap();
        }
    }

    #[test]
    fn decades_lie_at_powers_of_ten() {
        let edges = Edges::new(Scale::Logarithmic, &[1e-3, 1e3], 6).unwrap();
        assert_eq!(edges.all(), [1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1e3]);
        let edges = Edges::new(Scale::Uniform, &[0.0, 1.0], 10).unwrap();
        assert_eq!(edges.all()[3], 0.3);
    }

    #[test]
    fn what_can_not_be_edges_is_refused() {
        let infinity = f64::INFINITY;
        for (scale, saying, bins, expected) in [
            (Scale::Uniform, &[0.0, 1.0][..], 0, "0 bins"),
            (Scale::Uniform, &[0.0, 1.0], MOST_BINS + 1, "16777217 bins"),
            (Scale::Uniform, &[1.0, 1.0], 1, "must ascend"),
            (Scale::Uniform, &[1.0, 0.0], 3, "must ascend"),
            (Scale::Uniform, &[1e16, 1e16 + 4.0], 10, "tell apart"),
            (Scale::Uniform, &[0.0, infinity], 1, "finite"),
            (Scale::Uniform, &[0.0, f64::NAN], 1, "finite"),
            (Scale::Uniform, &[-1.7e308, 1.7e308], 1, "is infinite"),
            (Scale::Uniform, &[0.0, 1e-310], 3, "one over it"),
            (Scale::Uniform, &[0.0], 1, "1 edges for 1 bins"),
            (Scale::Logarithmic, &[0.0, 1.0], 4, "above 0"),
            (Scale::Logarithmic, &[-1.0, 1.0], 4, "above 0"),
            (Scale::Given, &[0.0, 2.0, 1.0], 2, "must ascend"),
            (Scale::Given, &[0.0, 2.0, 3.0], 1, "3 edges for 1 bins"),
        ] {
            let error = Edges::new(scale, saying, bins).unwrap_err().to_string();
            assert!(error.contains(expected), "{saying:?} {bins}: {error}");
        }
    }
}

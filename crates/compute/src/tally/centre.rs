//! Sums of powers about a centre: what tallies of moments share.
//!
//! Values are summed in stretches, each about a centre of its own: the first about its first value,
//! every other about the mean of all before it. A stretch is never longer than what came before it,
//! so a centre that turns out to be far from the stretch's values is as far from those before it, and
//! what that costs in digits is in proportion to what it adds to the moments. Only in the first
//! stretch, which is short, the centre may lie far out alone.

/// Values in a block's first stretch.
const SHORTEST: u64 = 16;
/// Values in a stretch at most: rounding in a sum grows with its length.
const LONGEST: u64 = 1024;

/// How many values the stretch has that begins after `count` values.
#[inline]
pub(super) fn stretch_after(count: u64) -> u64 {
    count.clamp(SHORTEST, LONGEST)
}

/// A mean in two parts, so that where values have a common offset the distance between two means is
/// right to its own last digits, and not only to those of the means.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Centre {
    pub(super) value: f64,
    /// What `value` lacks, less than half of its last digit.
    pub(super) rest: f64,
}

impl Centre {
    /// Exactly `value`.
    #[inline]
    pub(super) fn at(value: f64) -> Self {
        Self { value, rest: 0.0 }
    }

    /// How far `value` is from here.
    #[inline]
    pub(super) fn distance_of(self, value: f64) -> f64 {
        (value - self.value) - self.rest
    }

    /// How far `other` is from here.
    #[inline]
    pub(super) fn distance_to(self, other: Self) -> f64 {
        (other.value - self.value) + (other.rest - self.rest)
    }

    /// Moved by `distance`. The sum and its rounding error by D. E. Knuth's "TwoSum", The Art of
    /// Computer Programming 2, 4.2.2.
    #[inline]
    pub(super) fn moved_by(self, distance: f64) -> Self {
        let distance = self.rest + distance;
        let value = self.value + distance;
        let there = value - self.value;
        let rest = (self.value - (value - there)) + (distance - there);
        Self { value, rest }
    }
}

/// Sums of distances to the powers 0, 1, ... N - 1, after every distance has grown by `by`.
///
/// Multiplies out (d + by)^p by Pascal's triangle. Used for both parts of a merge, it gives the
/// formulas of T. B. Terriberry (2007) and P. Pébay, "Formulas for Robust, One-Pass Parallel
/// Computation of Covariances and Arbitrary-Order Statistical Moments", SAND2008-6212 (2008).
#[inline]
pub(super) fn shifted<const N: usize>(mut sums: [f64; N], by: f64) -> [f64; N] {
    for lowest in 1..N {
        // All powers, so that the count is a constant and both loops are unrolled.
        for power in (1..N).rev() {
            if power >= lowest {
                sums[power] += by * sums[power - 1];
            }
        }
    }
    sums
}

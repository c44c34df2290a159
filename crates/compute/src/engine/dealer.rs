//! Deals blocks from the lowest up.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Hands every block of some ranges to one caller each, in order.
#[derive(Debug)]
pub(super) struct Dealer<'a> {
    ranges: &'a [Range<u64>],
    /// How many blocks the ranges up to and including each one have.
    ends: Vec<u64>,
    next: AtomicU64,
}

impl<'a> Dealer<'a> {
    pub(super) fn new(ranges: &'a [Range<u64>]) -> Self {
        let ends = ranges
            .iter()
            .scan(0, |total, range| {
                *total += range.end - range.start;
                Some(*total)
            })
            .collect();
        Self {
            ranges,
            ends,
            next: AtomicU64::new(0),
        }
    }

    /// The next block; none when all were dealt.
    pub(super) fn next(&self) -> Option<u64> {
        self.at(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether a block to the left of `block` is yet to be dealt.
    pub(super) fn has_before(&self, block: u64) -> bool {
        self.at(self.next.load(Ordering::Relaxed))
            .is_some_and(|next| next < block)
    }

    fn at(&self, turn: u64) -> Option<u64> {
        let at = self.ends.partition_point(|end| *end <= turn);
        let range = self.ranges.get(at)?;
        Some(range.end - (self.ends[at] - turn))
    }
}

#[cfg(test)]
mod tests {
    use super::Dealer;

    #[test]
    fn deals_every_block_once_in_order() {
        let dealer = Dealer::new(&[2..5, 7..7, 9..11]);
        assert!(dealer.has_before(3) && !dealer.has_before(2));
        let dealt: Vec<u64> = std::iter::from_fn(|| dealer.next()).collect();
        assert_eq!(dealt, [2, 3, 4, 9, 10]);
        assert!(!dealer.has_before(u64::MAX));
        assert_eq!(dealer.next(), None);
    }
}

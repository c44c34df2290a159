//! Which failed sample is one too many, whatever order blocks finish in.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::block::BlockFailure;

/// Failed samples by block, and the lowest block at which there are too many.
///
/// Blocks finish in any order, so the block that first brings the count over the limit is not always
/// the one to name. The ledger counts from the left: as earlier blocks come in, the verdict moves to
/// the left and rests when all of them are in.
#[derive(Debug)]
pub(super) struct Ledger {
    allowed: u64,
    entries: Mutex<Entries>,
    verdict: AtomicU64,
}

#[derive(Debug, Default)]
struct Entries {
    by_block: BTreeMap<u64, u64>,
    /// Of all that are in `by_block`.
    total: u64,
    /// The lowest block that can't be kept at any limit.
    refused: Option<(u64, BlockFailure)>,
}

/// Where a run ends.
#[derive(Debug)]
pub(super) struct Verdict {
    /// The lowest block with a sample too many.
    pub(super) block: u64,
    /// How many failed samples were still allowed in it.
    pub(super) allowed_here: u64,
    /// Why it can't be kept at any limit, if that is so.
    pub(super) refused: Option<BlockFailure>,
}

/// No verdict yet: above every block.
const NONE: u64 = u64::MAX;
/// A block that can't be kept at any limit.
const REFUSED: u64 = u64::MAX;

impl Ledger {
    pub(super) fn new(allowed: u64, before: &[(u64, u64)]) -> Self {
        let ledger = Self {
            allowed,
            entries: Mutex::new(Entries::default()),
            verdict: AtomicU64::new(NONE),
        };
        for (block, failed) in before {
            ledger.allows(*block, *failed);
        }
        ledger
    }

    /// Whether `block` is to the right of the verdict so far.
    pub(super) fn is_behind(&self, block: u64) -> bool {
        block > self.verdict.load(Ordering::Relaxed)
    }

    /// Enters a block's failed samples; whether it is to the left of every verdict.
    pub(super) fn allows(&self, block: u64, failed: u64) -> bool {
        let mut entries = self.lock();
        if self.is_behind(block) {
            return false;
        }
        entries.by_block.insert(block, failed);
        entries.total = entries.total.saturating_add(failed);
        if entries.total > self.allowed || failed == REFUSED {
            self.judge(&mut entries);
        }
        block < self.verdict.load(Ordering::Relaxed)
    }

    /// Enters a block that can't be kept.
    pub(super) fn refuse(&self, block: u64, why: BlockFailure) {
        let mut entries = self.lock();
        if entries
            .refused
            .as_ref()
            .is_none_or(|(lowest, _)| block < *lowest)
        {
            entries.refused = Some((block, why));
        }
        drop(entries);
        self.allows(block, REFUSED);
    }

    /// What is to be said in the end.
    pub(super) fn into_verdict(self) -> Option<Verdict> {
        let block = self.verdict.into_inner();
        if block == NONE {
            return None;
        }
        let entries = self
            .entries
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let before: u64 = entries
            .by_block
            .range(..block)
            .map(|(_, failed)| failed)
            .sum();
        Some(Verdict {
            block,
            allowed_here: self.allowed - before,
            refused: entries
                .refused
                .filter(|(refused, _)| *refused == block)
                .map(|(_, why)| why),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds the lowest block that is too much and forgets those to the right of it, which no
    /// verdict will ask for again. So this is slow once, and then as rare as earlier blocks come in.
    fn judge(&self, entries: &mut Entries) {
        let mut total = 0u64;
        let found = entries.by_block.iter().find_map(|(block, failed)| {
            total = total.saturating_add(*failed);
            (total > self.allowed || *failed == REFUSED).then_some(*block)
        });
        if let Some(block) = found {
            self.verdict.store(block, Ordering::Relaxed);
            entries.by_block.split_off(&(block + 1));
            entries.total = total;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(ledger: Ledger) -> Option<(u64, u64)> {
        let verdict = ledger.into_verdict()?;
        Some((verdict.block, verdict.allowed_here))
    }

    fn why(message: &str) -> BlockFailure {
        BlockFailure {
            message: message.to_owned(),
        }
    }

    #[test]
    fn names_the_same_block_in_any_order() {
        let failed = [(3, 1), (5, 2), (9, 1), (12, 4)];
        for rotation in 0..failed.len() {
            let mut order = failed;
            order.rotate_left(rotation);
            let ledger = Ledger::new(3, &[]);
            for (block, samples) in order {
                if !ledger.is_behind(block) {
                    ledger.allows(block, samples);
                }
            }
            assert_eq!(verdict(ledger), Some((9, 0)), "rotated by {rotation}");
        }
    }

    #[test]
    fn counts_what_failed_before() {
        let ledger = Ledger::new(3, &[(0, 2)]);
        assert!(ledger.allows(5, 1));
        assert!(!ledger.is_behind(u64::MAX - 1));
        assert!(!ledger.allows(7, 1));
        assert!(ledger.is_behind(8) && !ledger.is_behind(7));
        ledger.refuse(2, why("broken"));
        assert_eq!(verdict(ledger), Some((2, 1)));
        assert_eq!(verdict(Ledger::new(3, &[(0, 3)])), None);
    }

    #[test]
    fn what_failed_before_can_be_too_much_alone() {
        let ledger = Ledger::new(3, &[(8, 2), (0, 1), (4, 1)]);
        assert!(ledger.is_behind(9) && !ledger.is_behind(7));
        assert_eq!(verdict(ledger), Some((8, 1)));
    }

    #[test]
    fn a_block_that_cannot_be_kept_is_refused_at_any_limit() {
        let ledger = Ledger::new(u64::MAX, &[]);
        assert!(ledger.allows(1, u64::MAX - 1));
        ledger.refuse(5, why("the later"));
        ledger.refuse(4, why("the earlier"));
        ledger.refuse(6, why("the last"));
        assert!(!ledger.allows(5, 1));
        let verdict = ledger.into_verdict().unwrap();
        assert_eq!((verdict.block, verdict.allowed_here), (4, 1));
        assert_eq!(verdict.refused.unwrap().message, "the earlier");
    }

    #[test]
    fn a_sample_too_many_is_named_before_a_block_refused_later() {
        let ledger = Ledger::new(0, &[]);
        ledger.refuse(5, why("broken"));
        ledger.allows(4, 1);
        let verdict = ledger.into_verdict().unwrap();
        assert_eq!((verdict.block, verdict.refused.is_none()), (4, true));
    }
}

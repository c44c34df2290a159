//! A tree node as a row of columns.

use std::ops::Range;

use croupier_compute::{BlockLength, FailedSamples, Failures, LISTED_FAILURES, MAX_BLOCKS, Node};
use serde::{Deserialize, Serialize};

use super::PartialError;

/// One node, or a witness. The columns of a partial, in this order.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row<T> {
    first_block: u64,
    level: u8,
    /// Samples in the tally.
    samples: u64,
    /// Samples left out because they failed.
    failed_samples: u64,
    failed: Vec<FailedSamples>,
    witness: bool,
    pub(super) tally: T,
}

impl<T> Row<T> {
    pub(super) fn new(node: Node<T>, witness: bool) -> Self {
        Self {
            first_block: node.first_block,
            level: node.level,
            samples: node.samples,
            failed_samples: node.failures.samples,
            failed: node.failures.listed,
            witness,
            tally: node.tally,
        }
    }

    /// The node and whether it is a witness; refused where the numbers can't be.
    pub(super) fn into_node(self, length: BlockLength) -> Result<(Node<T>, bool), PartialError> {
        let invalid = |what: &str| {
            PartialError::Invalid(format!(
                "the node at block {} of level {} {what}",
                self.first_block, self.level
            ))
        };
        if self.level >= 56 || self.first_block >= MAX_BLOCKS {
            return Err(invalid("is beyond the last block"));
        }
        let blocks = 1u64 << self.level;
        if !self.first_block.is_multiple_of(blocks) {
            return Err(invalid("is not aligned"));
        }
        let samples = u128::from(self.samples) + u128::from(self.failed_samples);
        let whole = u128::from(length.samples()) * u128::from(blocks);
        let short = samples < whole;
        if samples > whole || samples == 0 || short && self.level > 0 {
            return Err(invalid(&format!(
                "has {samples} samples where a whole one has {whole}"
            )));
        }
        let samples_of_node = {
            let first = u128::from(length.samples()) * u128::from(self.first_block);
            first..first + samples
        };
        if !is_list_of(&self.failed, self.failed_samples, samples_of_node) {
            return Err(invalid("lists failed samples that can't be its own"));
        }
        Ok((
            Node {
                first_block: self.first_block,
                level: self.level,
                samples: self.samples,
                short,
                failures: Failures {
                    samples: self.failed_samples,
                    listed: self.failed,
                },
                tally: self.tally,
            },
            self.witness,
        ))
    }
}

/// Whether `listed` can be the beginning of a list of `failed` samples out of `samples`.
fn is_list_of(listed: &[FailedSamples], failed: u64, samples: Range<u128>) -> bool {
    let mut next = samples.start;
    let mut total = 0;
    for entry in listed {
        let first = u128::from(entry.first_sample);
        if first < next || entry.samples == 0 {
            return false;
        }
        next = first + u128::from(entry.samples);
        total += u128::from(entry.samples);
    }
    let is_all = listed.len() < LISTED_FAILURES;
    let failed = u128::from(failed);
    next <= samples.end && (total == failed || !is_all && total < failed)
}

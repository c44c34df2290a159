//! How samples lie in blocks and blocks in shards: integer arithmetic only, so that every process
//! that is told the same numbers deals the same ranges.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// The largest number of blocks a run may have: stream numbers keep 56 bits for the index.
pub const MAX_BLOCKS: u64 = 1 << 56;

/// How many consecutive samples share one block: a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct BlockLength(u32);

impl BlockLength {
    /// The block length of `samples` samples.
    ///
    /// # Errors
    ///
    /// Where `samples` is not a power of two.
    pub fn new(samples: u64) -> Result<Self, GridError> {
        if samples.is_power_of_two() {
            Ok(Self(samples.trailing_zeros()))
        } else {
            Err(GridError::BlockLength { samples })
        }
    }

    /// Samples in a whole block.
    #[inline]
    pub fn samples(self) -> u64 {
        1 << self.0
    }

    /// The block that holds `sample`.
    #[inline]
    pub fn block_of(self, sample: u64) -> u64 {
        sample >> self.0
    }

    /// How many blocks hold the samples `0..samples`; the last may be short.
    pub fn blocks_for(self, samples: u64) -> u64 {
        samples.div_ceil(self.samples())
    }
}

impl TryFrom<u64> for BlockLength {
    type Error = GridError;

    fn try_from(samples: u64) -> Result<Self, GridError> {
        Self::new(samples)
    }
}

impl From<BlockLength> for u64 {
    fn from(length: BlockLength) -> u64 {
        length.samples()
    }
}

/// The blocks of one segment: from a block boundary to a sample that need not be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    /// Samples in a whole block.
    pub block_length: BlockLength,
    /// The segment's first block.
    pub first_block: u64,
    /// One past the segment's last sample, counted over the whole run.
    pub end_sample: u64,
}

impl Grid {
    /// The grid of the samples from the start of `first_block` up to `end_sample`.
    ///
    /// # Errors
    ///
    /// Where it would hold no sample, or more than [`MAX_BLOCKS`] blocks.
    pub fn new(
        block_length: BlockLength,
        first_block: u64,
        end_sample: u64,
    ) -> Result<Self, GridError> {
        let end_block = block_length.blocks_for(end_sample);
        if end_block <= first_block {
            return Err(GridError::NoSamples);
        }
        if end_block > MAX_BLOCKS {
            return Err(GridError::TooManyBlocks { blocks: end_block });
        }
        Ok(Self {
            block_length,
            first_block,
            end_sample,
        })
    }

    /// The segment's blocks.
    pub fn blocks(&self) -> Range<u64> {
        self.first_block..self.block_length.blocks_for(self.end_sample)
    }

    /// How many blocks the segment has.
    pub fn block_count(&self) -> u64 {
        let blocks = self.blocks();
        blocks.end - blocks.start
    }

    /// How many samples the segment has.
    pub fn sample_count(&self) -> u64 {
        self.end_sample - self.first_block * self.block_length.samples()
    }

    /// The samples of `block`, numbered over the whole run; fewer in a short last block.
    pub fn samples_of(&self, block: u64) -> Range<u64> {
        let length = self.block_length.samples();
        let first = block * length;
        first..first.saturating_add(length).min(self.end_sample)
    }

    /// How many samples the blocks `blocks` hold.
    pub fn samples_in(&self, blocks: Range<u64>) -> u64 {
        if blocks.is_empty() {
            return 0;
        }
        self.samples_of(blocks.end - 1).end - blocks.start * self.block_length.samples()
    }

    /// Whether `block` has all its samples.
    pub fn is_whole(&self, block: u64) -> bool {
        let samples = self.samples_of(block);
        samples.end - samples.start == self.block_length.samples()
    }

    /// The blocks of shard `shard` of `shards`: `[s*B/S, (s+1)*B/S)` of the segment's B blocks.
    ///
    /// Shards cover every block once, and their sizes differ by one block at most.
    ///
    /// # Panics
    ///
    /// Where `shard >= shards`.
    pub fn shard(&self, shard: u32, shards: u32) -> Range<u64> {
        assert!(shard < shards, "shard {shard} of {shards}");
        let blocks = u128::from(self.block_count());
        let cut = |s: u32| self.first_block + (u128::from(s) * blocks / u128::from(shards)) as u64;
        cut(shard)..cut(shard + 1)
    }
}

/// What can't be dealt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GridError {
    /// A block length that is no power of two.
    #[error(
        "a block of {samples} samples: the block length must be a power of two, such as {}",
        samples.clamp(&1, &(1 << 62)).next_power_of_two()
    )]
    BlockLength {
        /// The length asked for.
        samples: u64,
    },
    /// Nothing to do.
    #[error("no samples: a segment needs at least one")]
    NoSamples,
    /// More blocks than stream numbers.
    #[error("{blocks} blocks: a run has at most 2^56; ask for longer blocks")]
    TooManyBlocks {
        /// The blocks asked for.
        blocks: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grid(length: u64, first_block: u64, end_sample: u64) -> Grid {
        Grid::new(BlockLength::new(length).unwrap(), first_block, end_sample).unwrap()
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn shards_cover_every_block_once(
            log_length in 0u32..20, samples in 1u64..1 << 40, shards in 1u32..5000
        ) {
            let grid = grid(1 << log_length, 0, samples);
            let mut next = 0;
            let mut counted = 0;
            for shard in 0..shards {
                let blocks = grid.shard(shard, shards);
                prop_assert_eq!(blocks.start, next);
                let size = blocks.end - blocks.start;
                let even = grid.block_count() / u64::from(shards);
                prop_assert!(size == even || size == even + 1);
                counted += grid.samples_in(blocks.clone());
                next = blocks.end;
            }
            prop_assert_eq!(next, grid.block_count());
            prop_assert_eq!(counted, samples);
        }
    }

    #[test]
    fn pins() {
        let grid = grid(65_536, 0, 1_000_000_000);
        assert_eq!(grid.block_count(), 15_259);
        assert_eq!(grid.shard(0, 16), 0..953);
        assert_eq!(grid.shard(15, 16), 14_305..15_259);
        assert_eq!(grid.samples_of(15_258), 999_948_288..1_000_000_000);
        assert!(!grid.is_whole(15_258));
    }

    #[test]
    fn a_later_segment_starts_with_the_short_block() {
        let grid = grid(64, 15, 2000);
        assert_eq!(grid.blocks(), 15..32);
        assert_eq!(grid.sample_count(), 2000 - 15 * 64);
        assert_eq!(grid.samples_of(15), 960..1024);
    }

    #[test]
    fn the_largest_grid_does_not_overflow() {
        let grid = grid(256, 0, u64::MAX);
        assert_eq!(grid.block_count(), 1 << 56);
        assert_eq!(grid.samples_of((1 << 56) - 1).end, u64::MAX);
        assert_eq!(
            grid.shard(u32::MAX - 1, u32::MAX).end,
            1 << 56,
            "the product is taken in 128 bits"
        );
    }

    #[test]
    fn what_cannot_be_dealt_is_said() {
        assert_eq!(
            BlockLength::new(1000).unwrap_err().to_string(),
            "a block of 1000 samples: the block length must be a power of two, such as 1024"
        );
        assert!(BlockLength::new(0).is_err());
        let length = BlockLength::new(1).unwrap();
        assert_eq!(Grid::new(length, 0, 0), Err(GridError::NoSamples));
        assert!(matches!(
            Grid::new(length, 0, u64::MAX),
            Err(GridError::TooManyBlocks { .. })
        ));
    }
}

//! Asks a run for more samples.

use croupier_compute::Grid;
use croupier_store::{Placed, Store};

use crate::manifest::{FORMAT, Segment, encode};
use crate::{Error, StoredRun, layout};

impl StoredRun {
    /// Asks for more: a new segment goes on where the last one ends, dealt to `shards`, or to as many as
    /// that has. Only new blocks run, and a short last block again; the result is that of one run.
    /// Repeating the call is harmless: a run that has so many samples is left as it is.
    ///
    /// # Errors
    ///
    /// Where the run has more samples than that, or its parameters fix their number; where there would
    /// be more shards than blocks; what the store reports.
    pub async fn extend(&self, samples: u64, shards: Option<u32>) -> Result<Self, Error> {
        let identity = &self.manifest.identity;
        if self.case.is_some() {
            return Err(Error::Input(format!(
                "run {} is one of several cases, which all keep the shards they were planned with: plan another run with more samples",
                self.name()
            )));
        }
        if let Some(domain) = identity.domain {
            return Err(Error::Input(format!(
                "run {} can't be extended: its parameters fix the number of samples at {domain}",
                self.name()
            )));
        }
        if samples == self.samples() {
            return Ok(self.clone());
        }
        if samples < self.samples() {
            return Err(Error::Input(format!(
                "{samples} samples: run {} has {} already, and none are taken away",
                self.name(),
                self.samples()
            )));
        }
        let length = identity.block_length;
        if self.manifest.at_most_once && !self.samples().is_multiple_of(length.samples()) {
            return Err(Error::Input(format!(
                "run {} is planned with --at-most-once, and ends inside a block of {} samples, which would be drawn again",
                self.name(),
                length.samples()
            )));
        }
        let first_block = self.samples() / length.samples();
        let blocks = Grid::new(length, first_block, samples)?.block_count();
        let like_last = self.segments.last().map_or(1, |segment| segment.shards);
        let shards = match shards {
            Some(0) => return Err(Error::Input("no shards: at least one is needed".to_owned())),
            Some(shards) if u64::from(shards) > blocks => {
                return Err(Error::Input(format!(
                    "{shards} shards for {blocks} new blocks: ask for at most {blocks} shards"
                )));
            }
            Some(shards) => shards,
            None => u32::try_from(blocks).map_or(like_last, |blocks| blocks.min(like_last)),
        };
        if self.shards().checked_add(shards).is_none() {
            return Err(Error::Input("too many shards in all".to_owned()));
        }
        let segment = Segment {
            format: FORMAT,
            croupier: env!("CARGO_PKG_VERSION").to_owned(),
            first_block,
            end_sample: samples,
            first_shard: self.shards(),
            shards,
        };
        let key = layout::segment(self.segments.len() as u32);
        let placed = self
            .store
            .put_if_absent(&key, encode(&key, &segment)?)
            .await?;
        if let Placed::Different(_) = placed {
            return Err(Error::Input(format!(
                "run {} was extended by somebody else just now: look at it with `status`, and extend it from there",
                self.name()
            )));
        }
        let mut extended = self.clone();
        extended.segments.push(segment);
        Ok(extended)
    }
}

//! Looks as they are kept in the store: what was seen, and what was decided.

use croupier_store::{Placed, Store};
use serde::{Deserialize, Serialize};

use crate::manifest::{encode, parse, read};
use crate::{Error, Report, StoredRun, layout};

/// One look at the merged result of all segments so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// The format of this object.
    pub format: u32,
    /// The release of Croupier that wrote it.
    pub croupier: String,
    /// The last segment that it saw.
    pub segment: u32,
    /// Samples that were merged.
    pub samples: u64,
    /// The digest of the result.
    pub digest: String,
    /// Seconds since the run was planned.
    pub seconds: f64,
    /// The estimates that must be precise.
    pub estimates: Vec<LookedAt>,
    /// How many samples the run is to have by the next look; none where this is the last one.
    pub goes_on_to: Option<u64>,
    /// Why it is the last one.
    pub ended: Option<Ending>,
}

/// An estimate as a look saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LookedAt {
    /// Its name.
    pub name: String,
    /// The estimate.
    pub value: Option<f64>,
    /// Its standard error.
    pub std_error: Option<f64>,
    /// The interval that decides: one of a sequence that holds at all looks.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// How many samples it rests on.
    pub samples: u64,
}

/// Why a run grows no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It is precise enough.
    Met,
    /// It has as many samples as it may have.
    MaxSamples,
    /// At the speed so far, a larger one would take longer than it may.
    MaxTime,
    /// It has no maximum, and after a thousand times its first samples nothing tells how many it takes.
    Unpredictable,
}

impl StoredRun {
    /// The looks that are recorded, in order.
    ///
    /// # Errors
    ///
    /// What can't be read; what the store reports.
    pub async fn looks(&self) -> Result<Vec<Look>, Error> {
        let mut looks = Vec::new();
        for entry in self.store.list(layout::LOOKS).await? {
            if layout::look_number(&entry.key).is_some() {
                looks.push(read::<Look>(&*self.store, &entry.key).await?);
            }
        }
        looks.sort_by_key(|look| look.segment);
        Ok(looks)
    }

    /// Whether it is to grow no more: its number of samples is fixed, or its last look was taken.
    ///
    /// # Errors
    ///
    /// What can't be read; what the store reports.
    pub async fn is_over(&self) -> Result<bool, Error> {
        if self.manifest.until.is_none() {
            return Ok(true);
        }
        let looks = self.looks().await?;
        let last = looks.last();
        Ok(last.is_some_and(|last| {
            last.segment as usize + 1 == self.segments.len() && last.ended.is_some()
        }))
    }

    /// Records the look that `report` has taken, and grows the run by a segment where that decides so: whether it
    /// did, or somebody else has meanwhile. Does nothing where the run is not planned to be precise, its policy
    /// refuses the result, or its last look was taken.
    ///
    /// Whoever records a look first decides; a driver that is killed in between is taken up by the next.
    ///
    /// # Errors
    ///
    /// What can't be read; what the store reports.
    pub async fn go_on(&mut self, report: &Report) -> Result<bool, Error> {
        let Some(until) = &report.until else {
            return Ok(false);
        };
        let planned = self.segments.len();
        let Some(look) = until.looks.last().filter(|_| until.is_decided) else {
            return Ok(false);
        };
        let key = layout::look(look.segment);
        let look = match self.store.put_if_absent(&key, encode(&key, look)?).await? {
            Placed::Written | Placed::Identical => look.clone(),
            Placed::Different(there) => parse(&format!("{}/{key}", self.uri()), &there)?,
        };
        self.refresh().await?;
        if self.stop_order().await?.is_some() {
            return Ok(false);
        }
        if let Some(samples) = look.goes_on_to
            && samples > self.samples()
        {
            let length = self.manifest.identity.block_length;
            let blocks = length.blocks_for(samples) - self.samples() / length.samples();
            let shards = self.segments.first().map_or(1, |first| first.shards);
            let shards = u32::try_from(blocks).map_or(shards, |blocks| blocks.min(shards));
            match self.extend(samples, Some(shards)).await {
                Ok(extended) => *self = extended,
                Err(error) => {
                    // Somebody else was first.
                    self.refresh().await?;
                    if self.segments.len() == planned {
                        return Err(error);
                    }
                }
            }
        }
        Ok(self.segments.len() > planned)
    }
}

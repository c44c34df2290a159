//! The kernel of the golden files. Never to change: what it gave once is what must be read for ever.

use croupier_compute::{
    Estimates, Extremes, Failure, Kernel, Mean, NotFinite, Proportion, Stream, Tally, pinned,
};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
pub(crate) struct Golden {
    pub(crate) height: f64,
    pub(crate) name: String,
}

pub(crate) fn kernel() -> Golden {
    Golden {
        height: 0.1,
        name: "gültig".to_owned(),
    }
}

pub(crate) const SEED: u64 = 18_446_744_073_709_551_557;
pub(crate) const SAMPLES: u64 = 16 * 21 + 5;
pub(crate) const SHARDS: u32 = 3;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Heights {
    pub(crate) height: Mean,
    pub(crate) extremes: Extremes,
    pub(crate) above: Proportion,
    pub(crate) first: Option<f64>,
    pub(crate) odd: Vec<u32>,
}

impl Tally for Heights {
    fn merge(&mut self, right: Self) {
        self.height.merge(right.height);
        self.extremes.merge(right.extremes);
        self.above.merge(right.above);
        self.first = self.first.or(right.first);
        self.odd.extend(right.odd);
        self.odd.truncate(3);
    }

    fn end_block(&mut self) -> Result<(), NotFinite> {
        self.height.end_block()
    }

    fn estimates(&self, estimates: &mut Estimates) {
        estimates.within("height", |estimates| self.height.estimates(estimates));
        estimates.within("extremes", |estimates| self.extremes.estimates(estimates));
        estimates.within("above", |estimates| self.above.estimates(estimates));
    }
}

impl Kernel for Golden {
    type Rng = ChaCha8Rng;
    type Tally = Heights;
    const VERSION: u32 = 3;
    const BLOCK: u64 = 16;

    fn tally(&self) -> Heights {
        Heights {
            height: Mean::new(),
            extremes: Extremes::new(),
            above: Proportion::new(),
            first: None,
            odd: Vec::new(),
        }
    }

    fn try_sample(
        &self,
        sample: u64,
        rng: &mut Stream<ChaCha8Rng>,
        tally: &mut Heights,
    ) -> Result<(), Failure> {
        let height = self.height + pinned::normal(rng);
        if sample % 100 == 99 {
            return Err(Failure::new("as ordered"));
        }
        tally.height.record(height);
        tally.extremes.record(height, sample);
        tally.above.record(height > self.height);
        tally.first.get_or_insert(height);
        if height > 2.0 {
            tally.odd.push(sample as u32);
        }
        Ok(())
    }
}

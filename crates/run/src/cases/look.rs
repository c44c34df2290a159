//! How the cases stand: one list tells which of them are done and which were not begun, and only the others are looked
//! at one by one.

use std::collections::BTreeMap;

use croupier_store::{Entry, Store};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::StoredCases;
use crate::{Error, Inventory, ShardState, ShardSurvey, Standing, StoredRun, Survey, layout};

const AT_ONCE: usize = 32;

/// What a list says of one case.
#[derive(Default)]
struct Listed {
    is_planned: bool,
    has_attempts: bool,
    partials: Vec<Entry>,
}

impl StoredCases {
    /// Looks at every shard of every case, as [`StoredRun::survey`] does; shards are numbered over all cases. One of a
    /// case that is not planned yet has no blocks.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn survey(&mut self) -> Result<Survey, Error> {
        let mut listed = self.list().await?;
        self.open_planned(&listed).await?;
        let cases: Vec<(u32, Listed)> = self
            .manifest
            .numbers()
            .map(|case| (case, listed.remove(&case).unwrap_or_default()))
            .collect();
        let looks = stream::iter(cases)
            .map(|(case, listed)| self.survey_case(case, listed))
            .buffered(AT_ONCE);
        let shards: Vec<Vec<ShardSurvey>> = looks.try_collect().await?;
        Ok(Survey {
            shards: shards.into_iter().flatten().collect(),
            stop_order: self.stop_order().await?,
            rounds: self.rounds().await?,
        })
    }

    /// The cases that are planned, by number.
    ///
    /// # Errors
    ///
    /// What can't be read of one; what the store reports.
    pub async fn planned(&mut self) -> Result<&BTreeMap<u32, StoredRun>, Error> {
        let listed = self.list().await?;
        self.open_planned(&listed).await?;
        Ok(&self.runs)
    }

    async fn list(&self) -> Result<BTreeMap<u32, Listed>, Error> {
        let mut cases: BTreeMap<u32, Listed> = BTreeMap::new();
        for entry in self
            .store
            .list(&format!("{}/", layout::CASE_FOLDER))
            .await?
        {
            let Some((case, key)) = layout::in_case(&entry.key) else {
                continue;
            };
            let listed = cases.entry(case).or_default();
            if key == layout::segment(0) {
                listed.is_planned = true;
            } else if key.starts_with(layout::ATTEMPTS) {
                listed.has_attempts = true;
            } else if key.starts_with(layout::PARTIALS) {
                listed.partials.push(Entry {
                    key: key.to_owned(),
                    bytes: entry.bytes,
                });
            }
        }
        Ok(cases)
    }

    /// Opens those that were planned since the last look; what is planned stays as it is.
    async fn open_planned(&mut self, listed: &BTreeMap<u32, Listed>) -> Result<(), Error> {
        let is_new = |case: &u32| {
            !self.runs.contains_key(case) && listed.get(case).is_some_and(|case| case.is_planned)
        };
        let new: Vec<u32> = self.manifest.numbers().filter(is_new).collect();
        let this = &*self;
        let opened: Vec<(u32, Option<StoredRun>)> = stream::iter(new)
            .map(async |case| Ok::<_, Error>((case, this.case_run(case).await?)))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        let opened = opened.into_iter();
        self.runs
            .extend(opened.filter_map(|(case, run)| Some((case, run?))));
        Ok(())
    }

    async fn survey_case(&self, case: u32, listed: Listed) -> Result<Vec<ShardSurvey>, Error> {
        let first_shard = self.first_shard(case);
        let planned = match self.runs.get(&case) {
            None => (0..self.manifest.shards())
                .map(|shard| (shard, 0))
                .collect(),
            Some(run) => run.blocks_by_shard()?,
        };
        let has_attempts = listed.has_attempts;
        let inventory = Inventory::from_entries(listed.partials);
        let is_done =
            |(shard, blocks): &(u32, u64)| inventory.state(*shard, *blocks) == ShardState::Done;
        let all_done = self.runs.contains_key(&case) && planned.iter().all(is_done);
        let shards = match self.runs.get(&case) {
            Some(run) if !all_done && (has_attempts || inventory.len() > 0) => {
                run.survey_shards().await?
            }
            _ => planned
                .into_iter()
                .map(|(shard, blocks)| ShardSurvey {
                    shard,
                    standing: if all_done {
                        Standing::Done
                    } else {
                        Standing::Waiting
                    },
                    blocks,
                    blocks_done: if all_done { blocks } else { 0 },
                    attempts: 0,
                    last: None,
                })
                .collect(),
        };
        Ok(shards
            .into_iter()
            .map(|shard| ShardSurvey {
                shard: first_shard + shard.shard,
                ..shard
            })
            .collect())
    }
}

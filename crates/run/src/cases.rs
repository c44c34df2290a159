//! A run of cases: the same kernel or task with many sets of parameters, each a run of its own in a folder of its own.
//!
//! So all that holds for a run holds for a case. What belongs to all of them, the order to stop and the rounds of a
//! retry, is in the folder above. Shards are numbered over all cases: shard s of case c is c times the shards of a case
//! plus s, so that a scheduler's index means one of them.

mod look;
mod manifest;
mod reduce;

use std::collections::BTreeMap;
use std::sync::Arc;

use croupier_store::{Placed, Prefixed, Store};

use crate::manifest::{encode, parse, read};
use crate::open::open_in;
use crate::plan::{plan_in, probed};
use crate::rounds::{begin_round_in, round_in, rounds_in};
use crate::stopped::{resume_in, stop_in, stop_order_in};
use crate::{Error, Plan, Planned, Round, StopOrder, StoredRun, check_name, layout};

pub use manifest::{CaseRange, CaseSource, CasesManifest, CasesWanted, CommonFlags};
pub use reduce::{CaseReport, CasesReport, FailedCase};

/// What a case knows of the run that it is of.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The folder of all cases' run.
    pub(crate) folder: Arc<dyn Store>,
    pub(crate) number: u32,
    /// The number of its first shard, over all cases.
    pub(crate) first_shard: u32,
}

/// A run of cases in a store.
#[derive(Clone, Debug)]
pub struct StoredCases {
    root: Arc<dyn Store>,
    store: Arc<Prefixed<Arc<dyn Store>>>,
    /// What it is.
    pub manifest: CasesManifest,
    /// Those that were planned and looked at, by number.
    runs: BTreeMap<u32, StoredRun>,
}

impl StoredCases {
    /// The run of cases `name` in `store`; none where there is none of that name.
    ///
    /// # Errors
    ///
    /// What can't be read of it; what the store reports.
    pub async fn open(store: &Arc<dyn Store>, name: &str) -> Result<Option<Self>, Error> {
        check_name(name)?;
        let folder = Arc::new(Prefixed::new(Arc::clone(store), name)?);
        let manifest: CasesManifest = match read(&*folder, layout::CASES).await {
            Err(Error::Store(croupier_store::Error::NotFound { .. })) => return Ok(None),
            read => read?,
        };
        manifest.check(&format!("{}/{}", folder.uri(), layout::CASES))?;
        Ok(Some(Self {
            root: Arc::clone(store),
            store: folder,
            manifest,
            runs: BTreeMap::new(),
        }))
    }

    /// Plans the run of cases `name`, which is not there yet, unless somebody else does at this moment. Says whether the
    /// store keeps its word on conditional puts.
    ///
    /// # Errors
    ///
    /// [`Error::Taken`] where somebody else planned another one; what is wrong with the cases; what the store reports.
    pub async fn plan(
        store: &Arc<dyn Store>,
        name: &str,
        wanted: &CasesWanted,
        cases: Vec<CaseRange>,
        seed: u64,
    ) -> Result<(Self, bool), Error> {
        check_name(name)?;
        let folder = Arc::new(Prefixed::new(Arc::clone(store), name)?);
        match read::<serde::de::IgnoredAny>(&*folder, layout::MANIFEST).await {
            Err(Error::Store(croupier_store::Error::NotFound { .. })) => {}
            Err(error) => return Err(error),
            Ok(_) => {
                return Err(Error::Taken {
                    name: name.to_owned(),
                    differences: vec!["it is one run, expected a run of cases".to_owned()],
                });
            }
        }
        let honoured = probed(&*folder, wanted.at_most_once).await?;
        let manifest = wanted.manifest(name, cases, seed);
        let key = format!("{}/{}", folder.uri(), layout::CASES);
        manifest.check(&key)?;
        let bytes = encode(layout::CASES, &manifest)?;
        let manifest = match folder.put_if_absent(layout::CASES, bytes).await? {
            Placed::Written | Placed::Identical => manifest,
            Placed::Different(there) => parse(&key, &there)?,
        };
        let placed = Self {
            root: Arc::clone(store),
            store: folder,
            manifest,
            runs: BTreeMap::new(),
        };
        placed.refuse_others(wanted)?;
        Ok((placed, honoured))
    }

    /// Refuses what is wanted where this is another run.
    ///
    /// # Errors
    ///
    /// [`Error::Taken`] with the differences.
    pub fn refuse_others(&self, wanted: &CasesWanted) -> Result<(), Error> {
        let differences = self.manifest.differences(wanted);
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::Taken {
            name: self.name().to_owned(),
            differences,
        })
    }

    /// What a person can paste back as `--run`.
    pub fn uri(&self) -> String {
        self.store.uri()
    }

    /// The same of one case.
    pub fn uri_of(&self, case: u32) -> String {
        format!("{}/{}/{case}", self.uri(), layout::CASE_FOLDER)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.manifest.run
    }

    /// The case and its shard that the shard `shard` of all is.
    ///
    /// # Errors
    ///
    /// Where there is no such case.
    pub fn locate(&self, shard: u32) -> Result<(u32, u32), Error> {
        let shards = self.manifest.shards();
        let case = shard / shards;
        if self.manifest.has(case) {
            return Ok((case, shard % shards));
        }
        Err(Error::Input(format!(
            "shard {shard} does not exist: run {} has {} of {shards} shards each, so it would be of case {case}",
            self.name(),
            self.manifest.said(),
        )))
    }

    /// The number of the first shard of `case`, over all cases.
    pub fn first_shard(&self, case: u32) -> u32 {
        case * self.manifest.shards()
    }

    /// Plans `case`, or finds it planned in the same way.
    ///
    /// # Errors
    ///
    /// [`Error::Taken`] where it was planned with other parameters; what is wrong with the plan; what the store reports.
    pub async fn plan_case(&self, case: u32, plan: &Plan) -> Result<Planned, Error> {
        let (folder, name) = (self.folder_of(case)?, self.name_of(case));
        plan_in(folder, &name, plan, Some(self.case(case))).await
    }

    /// The run that is `case`; none where it is not planned yet.
    ///
    /// # Errors
    ///
    /// What can't be read of it; what the store reports.
    pub async fn case_run(&self, case: u32) -> Result<Option<StoredRun>, Error> {
        if let Some(run) = self.runs.get(&case) {
            return Ok(Some(run.clone()));
        }
        let (folder, name) = (self.folder_of(case)?, self.name_of(case));
        open_in(folder, &name, Some(self.case(case))).await
    }

    fn name_of(&self, case: u32) -> String {
        format!("{}/{}/{case}", self.name(), layout::CASE_FOLDER)
    }

    fn folder_of(&self, case: u32) -> Result<Arc<Prefixed<Arc<dyn Store>>>, Error> {
        if !self.manifest.has(case) {
            return Err(Error::Input(format!(
                "run {} has no case {case}: it has {}",
                self.name(),
                self.manifest.said()
            )));
        }
        let root = Arc::clone(&self.root);
        Ok(Arc::new(Prefixed::new(root, &self.name_of(case))?))
    }

    fn case(&self, case: u32) -> Case {
        Case {
            folder: Arc::clone(&self.store) as _,
            number: case,
            first_shard: self.first_shard(case),
        }
    }

    /// The rounds so far, in order.
    ///
    /// # Errors
    ///
    /// What can't be read; what the store reports.
    pub async fn rounds(&self) -> Result<Vec<Round>, Error> {
        rounds_in(&*self.store).await
    }

    /// The round `number`.
    ///
    /// # Errors
    ///
    /// Where there is none; what the store reports.
    pub async fn round(&self, number: u32) -> Result<Round, Error> {
        round_in(&*self.store, number).await
    }

    /// Begins round `number` with `shards`, numbered over all cases. Where somebody else began it, theirs is the round.
    ///
    /// # Errors
    ///
    /// Where a shard does not exist or there is none; what the store reports.
    pub async fn begin_round(&self, number: u32, shards: Vec<u32>) -> Result<Round, Error> {
        for shard in &shards {
            self.locate(*shard)?;
        }
        begin_round_in(&*self.store, number, shards).await
    }

    /// Stops all cases for all their workers. Where they are stopped already, the first order stands.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn stop(&self, shard: Option<u32>, reason: String) -> Result<StopOrder, Error> {
        stop_in(&*self.store, shard, reason).await
    }

    /// The order that stopped them; none where they go on.
    ///
    /// # Errors
    ///
    /// What can't be read; what the store reports.
    pub async fn stop_order(&self) -> Result<Option<StopOrder>, Error> {
        stop_order_in(&*self.store).await
    }

    /// Takes the order back, so that workers may start again.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn resume(&self) -> Result<(), Error> {
        resume_in(&*self.store).await
    }

    /// The shards that were started, where none may be started twice, numbered over all cases.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn started(&self) -> Result<std::collections::BTreeSet<u32>, Error> {
        let entries = self.store.list(layout::CASE_FOLDER).await?;
        let shards = entries.iter().filter_map(|entry| {
            let (case, key) = layout::in_case(&entry.key)?;
            Some(self.first_shard(case) + layout::started_shard(key)?)
        });
        Ok(shards.collect())
    }
}

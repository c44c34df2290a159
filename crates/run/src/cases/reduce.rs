//! The results of all cases in one table. Nothing is merged across cases.

use croupier_store::Store;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::StoredCases;
use crate::manifest::{FORMAT, encode};
use crate::results::{unwritable, write_table};
use crate::{
    BlockCounts, Digest, Error, EstimateReport, Policy, Report, SampleCounts, ShardCounts,
    StoredRun, Usage, content_digest, layout,
};

/// The results of all cases.
#[derive(Clone, Debug, Serialize)]
pub struct CasesReport {
    /// The format of this object.
    pub format: u32,
    /// The release of Croupier that wrote it.
    pub croupier: String,
    /// The run, as `--run` takes it.
    pub run: String,
    /// The kernel's or task's name.
    pub kernel: String,
    /// Its declared version.
    pub version: u32,
    /// The seed of all cases, in decimal.
    pub seed: String,
    /// Whether the policy takes what there is, over all cases.
    pub accepted: bool,
    /// Why it doesn't.
    pub refused: Option<String>,
    /// The policy that was applied.
    pub policy: Policy,
    /// How many cases there are.
    pub planned_cases: usize,
    /// Of how many all is there.
    pub done_cases: usize,
    /// Blocks of all cases. Of a case that was never planned, as many as the largest has.
    pub blocks: BlockCounts,
    /// Shards of all cases, numbered over all of them.
    pub shards: ShardCounts,
    /// The cases that there is something of, by number.
    pub cases: Vec<CaseReport>,
    /// The cases that have no result for another reason than that nothing is there. The policy takes none of them.
    pub failed: Vec<FailedCase>,
    /// SHA-256 of the cases' numbers and digests, in hexadecimal.
    pub digest: String,
    /// What was used in all.
    pub usage: Usage,
    /// What the reader must know.
    pub warnings: Vec<String>,
}

/// The result of one case, in short; the whole one is in the case's own folder.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CaseReport {
    /// Its number.
    pub case: u32,
    /// Its parameters, those that all cases share among them.
    pub parameters: Value,
    /// Whether the policy would take it alone.
    pub accepted: bool,
    /// Its samples.
    pub samples: SampleCounts,
    /// What its tally says.
    pub estimates: Vec<EstimateReport>,
    /// What the task returned; none of a kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<Value>,
    /// Its result's digest.
    pub digest: String,
    /// What the reader of it must know.
    pub warnings: Vec<String>,
}

/// A case whose partials disagree, or are another run's, or whose kernel fails.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct FailedCase {
    /// Its number.
    pub case: u32,
    /// Why there is no result of it.
    pub reason: String,
    /// Its blocks, none of which counts as done.
    #[serde(skip)]
    blocks: u64,
}

impl FailedCase {
    /// The case `case`, whose run is `run`.
    #[must_use]
    pub fn new(case: u32, run: &StoredRun, reason: String) -> Self {
        Self {
            case,
            reason,
            blocks: run.manifest.identity.block_length.blocks_for(run.samples()),
        }
    }
}

impl CasesReport {
    /// Puts together the results of the cases in `reports`, applies the policy to all of them, and writes the result.
    /// Those in `failed` have none. Both are in the order of their numbers.
    /// Gives it with where it was written; nowhere, where no case has anything.
    ///
    /// # Errors
    ///
    /// Where the table can't be made; what the store reports.
    pub async fn write(
        cases: &StoredCases,
        reports: &[(u32, Report)],
        failed: Vec<FailedCase>,
        policy: Option<Policy>,
    ) -> Result<(Self, Option<String>), Error> {
        let report = Self::of(cases, reports, failed, policy)?;
        if report.blocks.done == 0 {
            return Ok((report, None));
        }
        let digest = Digest::from_hex(&report.digest).ok_or_else(|| unwritable("no digest"))?;
        let folder = layout::result(report.blocks.done, &digest);
        write_table(&*cases.store, &folder, &crate::table::table(report.rows())?).await?;
        let key = format!("{folder}result.json");
        cases.store.put(&key, encode(&key, &report)?).await?;
        let uri = format!("{}/{}", cases.uri(), folder.trim_end_matches('/'));
        Ok((report, Some(uri)))
    }

    fn of(
        cases: &StoredCases,
        reports: &[(u32, Report)],
        failed: Vec<FailedCase>,
        policy: Option<Policy>,
    ) -> Result<Self, Error> {
        let manifest = &cases.manifest;
        let policy = policy.unwrap_or(manifest.wanted.policy);
        let (mut blocks, mut shards) = (BlockCounts::default(), ShardCounts::default());
        let (mut usage, mut warnings) = (Usage::default(), Vec::new());
        let most = reports
            .iter()
            .map(|(_, report)| report.blocks.planned)
            .max();
        let (mut done_cases, mut never_planned) = (0, 0);
        for case in manifest.numbers() {
            let first = cases.first_shard(case);
            shards.planned += manifest.shards();
            let Ok(at) = reports.binary_search_by_key(&case, |(case, _)| *case) else {
                match failed.iter().find(|failed| failed.case == case) {
                    Some(failed) => blocks.planned += failed.blocks,
                    None => {
                        never_planned += 1;
                        blocks.planned += most.unwrap_or(1);
                    }
                }
                shards.missing.extend(first..first + manifest.shards());
                continue;
            };
            let report = &reports[at].1;
            blocks.planned += report.blocks.planned;
            blocks.done += report.blocks.done;
            shards.done += report.shards.done;
            let missing = report.shards.missing.iter();
            shards.missing.extend(missing.map(|shard| first + shard));
            usage.cpu_hours += report.usage.cpu_hours;
            usage.wall_hours += report.usage.wall_hours;
            usage.attempts += report.usage.attempts;
            done_cases += usize::from(report.shards.missing.is_empty());
            let of_case = report.warnings.iter();
            warnings.extend(of_case.map(|warning| format!("case {case}: {warning}")));
        }
        if never_planned > 0 {
            warnings.push(format!(
                "{never_planned} cases were never begun, so it is not known how many blocks they have: they count as the largest of the others"
            ));
        }
        let (unfinished, missing) = (shards.missing.len(), blocks.planned - blocks.done);
        let accepted =
            failed.is_empty() && policy.accepts(unfinished as u64, missing, blocks.planned);
        let digests: Vec<(u32, &str)> = reports
            .iter()
            .map(|(case, report)| (*case, report.digest.as_str()))
            .collect();
        let digest = content_digest("croupier cases v1", &digests)
            .map_err(|reason| Error::Input(format!("the cases can't be digested: {reason}")))?;
        Ok(Self {
            format: FORMAT,
            croupier: env!("CARGO_PKG_VERSION").to_owned(),
            run: cases.uri(),
            kernel: manifest.wanted.kernel.clone(),
            version: manifest.wanted.version,
            seed: manifest.seed.clone(),
            accepted,
            refused: (!accepted).then(|| match failed.as_slice() {
                [] => format!(
                    "{missing} of {} blocks are missing, in {unfinished} of {} shards; the policy is {policy}",
                    blocks.planned, shards.planned
                ),
                [first, ..] => format!(
                    "{} cases have no result that counts, the first of them case {}: {}",
                    failed.len(),
                    first.case,
                    first.reason
                ),
            }),
            policy,
            planned_cases: manifest.count(),
            done_cases,
            blocks,
            shards,
            cases: reports
                .iter()
                .filter(|(_, report)| report.blocks.done > 0)
                .map(|(case, report)| CaseReport::of(*case, report))
                .collect(),
            failed,
            digest: digest.to_string(),
            usage,
            warnings,
        })
    }

    /// The table: a row for each estimate of each case, or for each case of a task.
    fn rows(&self) -> Vec<Map<String, Value>> {
        let mut rows = Vec::new();
        for case in &self.cases {
            let mut row = Map::new();
            row.insert("case".to_owned(), case.case.into());
            row.insert("parameters".to_owned(), case.parameters.clone());
            match &case.row {
                Some(content) => {
                    row.insert("row".to_owned(), content.clone());
                    rows.push(row);
                }
                None => rows.extend(case.estimates.iter().map(|estimate| {
                    let mut row = row.clone();
                    if let Value::Object(fields) = json!(estimate) {
                        row.extend(fields);
                    }
                    row
                })),
            }
        }
        rows
    }
}

impl CaseReport {
    fn of(case: u32, report: &Report) -> Self {
        Self {
            case,
            parameters: report.identity.parameters.clone(),
            accepted: report.accepted,
            samples: report.samples,
            estimates: report.estimates.clone(),
            row: report.row.clone(),
            digest: report.digest.clone(),
            warnings: report.warnings.clone(),
        }
    }
}

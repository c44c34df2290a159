//! `status`: how far a run is, and why shards are missing. No partial is read.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use croupier_fleet::engine::Reason;
use croupier_fleet::tracker::State;
use croupier_run::{Cause, Found, ShardSurvey, Standing, StoredCases, StoredRun, Survey};
use serde::Serialize;

use crate::engines::EngineFlags;
use crate::exit::Exit;
use crate::flags::{RunFlags, ShowFlags, TrackerFlags};
use crate::number::format_count;
use crate::{CliError, run_uri, show, tracking};

// What `status` is asked.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct StatusVerb {
    #[command(flatten)]
    run: RunFlags,
    /// Show it again and again until the run is done or stands still
    #[arg(long, conflicts_with = "json")]
    watch: bool,
    #[command(flatten)]
    engine: EngineFlags,
    #[command(flatten)]
    tracker: TrackerFlags,
    #[command(flatten)]
    show: ShowFlags,
}

#[derive(Serialize)]
struct StatusReport {
    run: String,
    kernel: String,
    seed: String,
    policy: String,
    samples: u64,
    /// Null of a run that is none of cases.
    cases: Option<Counts<usize>>,
    blocks: Counts<u64>,
    shards: Counts<u32>,
    /// How many shards stand how, but for those that are done.
    standing: Vec<(Standing, usize)>,
    /// Shards with a part of their blocks.
    unfinished: Vec<u32>,
    /// Shards with nothing.
    missing: Vec<u32>,
    rounds: usize,
    /// Why the run was stopped, if it was.
    stopped: Option<String>,
    /// Why shards are not done, the most frequent first.
    causes: Vec<Cause>,
    /// What the tracker says: a state, with the class of a failure, and how many shards; null where none was asked.
    tracked: Option<BTreeMap<String, usize>>,
    /// What the scheduler says of shards that ended badly; null where no engine was named that can be asked.
    reasons: Option<Vec<ReasonReport>>,
    /// What it says beside them, a line each; null likewise.
    overview: Option<Vec<String>>,
}

/// What a scheduler says.
pub(super) struct Said {
    pub(super) reasons: Vec<ReasonReport>,
    overview: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct ReasonReport {
    pub(super) shard: u32,
    job: String,
    state: String,
    reason: String,
    logs: Option<String>,
}

#[derive(Serialize)]
struct Counts<N> {
    planned: N,
    done: N,
}

/// So many of a scheduler's reasons are for people.
const MOST_REASONS: usize = 10;
const WATCH_EVERY: Duration = Duration::from_secs(2);

pub(crate) async fn status(flags: &StatusVerb) -> Result<Exit, CliError> {
    let mut found = run_uri::find(&flags.run).await?;
    loop {
        let survey = found.survey().await?;
        let said = said(&flags.engine, &found).await?;
        let (what, tracked) = match &mut found {
            Found::Run(run) => (What::of(run), tracked(flags, run).await?),
            Found::Cases(_) if flags.tracker.tracker.is_some() => {
                return Err(CliError::Usage(
                    "--tracker: cases are tracked each by itself; look at one, as --run RUN/cases/0".to_owned(),
                ));
            }
            Found::Cases(cases) => (What::of_cases(cases, &survey).await?, None),
        };
        let report = report(what, &survey, tracked, said);
        show::print(flags.show.json, &report, text)?;
        let goes_on = !survey.is_done()
            && survey.count(Standing::Running) + survey.count(Standing::Waiting) > 0;
        if !flags.watch || !goes_on {
            return Ok(Exit::Done);
        }
        tokio::time::sleep(WATCH_EVERY).await;
    }
}

/// What the engine says, where one is named that can be asked.
pub(super) async fn said(flags: &EngineFlags, run: &Found) -> Result<Option<Said>, CliError> {
    let Some(mut engine) = flags.asked(run).await? else {
        return Ok(None);
    };
    let reasons = engine.reasons().await?;
    let report = |reason: Reason| ReasonReport {
        shard: reason.shard,
        job: reason.job,
        state: reason.state,
        reason: reason.reason,
        logs: reason.logs,
    };
    Ok(Some(Said {
        reasons: reasons.into_iter().map(report).collect(),
        overview: engine.overview().await?,
    }))
}

/// What the tracker says, where one is asked for.
async fn tracked(
    flags: &StatusVerb,
    run: &StoredRun,
) -> Result<Option<BTreeMap<String, usize>>, CliError> {
    let Some(tracker) = tracking::open(&flags.tracker, run).await? else {
        return Ok(None);
    };
    let mut counts = BTreeMap::new();
    let states = match tracker.states().await {
        Ok(states) => states,
        Err(error) if error.is_retryable() => {
            eprintln!("warning: {error}");
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    for shard in states {
        let state = match (shard.state, shard.class) {
            (State::Running, _) => "running".to_owned(),
            (State::Done, _) => "done".to_owned(),
            (State::Failed, Some(class)) => format!("failed: {}", class.name()),
            (State::Failed, None) => "failed".to_owned(),
        };
        *counts.entry(state).or_default() += 1;
    }
    Ok(Some(counts))
}

/// What a run is, as it was planned.
struct What {
    run: String,
    kernel: String,
    seed: String,
    policy: String,
    samples: u64,
    blocks: u64,
    shards: u32,
    cases: Option<Counts<usize>>,
}

impl What {
    fn of(run: &StoredRun) -> Self {
        let identity = &run.manifest.identity;
        Self {
            run: run.uri(),
            kernel: identity.kernel.clone(),
            seed: identity.seed.to_string(),
            policy: run.manifest.policy.to_string(),
            samples: run.samples(),
            blocks: identity.block_length.blocks_for(run.samples()),
            shards: run.shards(),
            cases: None,
        }
    }

    /// Of cases that are not planned yet it is not known how many samples and blocks they have.
    async fn of_cases(cases: &mut StoredCases, survey: &Survey) -> Result<Self, CliError> {
        let samples = cases
            .planned()
            .await?
            .values()
            .map(StoredRun::samples)
            .fold(0, u64::saturating_add);
        let manifest = &cases.manifest;
        let per_case = survey.shards.chunks(manifest.shards() as usize);
        let is_done = |shards: &&[ShardSurvey]| {
            let mut shards = shards.iter();
            shards.all(|shard| shard.standing == Standing::Done)
        };
        Ok(Self {
            run: cases.uri(),
            kernel: manifest.wanted.kernel.clone(),
            seed: manifest.seed.clone(),
            policy: manifest.wanted.policy.to_string(),
            samples,
            blocks: survey.shards.iter().map(|shard| shard.blocks).sum(),
            shards: survey.shards.len() as u32,
            cases: Some(Counts {
                planned: manifest.count(),
                done: per_case.filter(is_done).count(),
            }),
        })
    }
}

fn report(
    what: What,
    survey: &Survey,
    tracked: Option<BTreeMap<String, usize>>,
    said: Option<Said>,
) -> StatusReport {
    let (reasons, overview) = said.map(|said| (said.reasons, said.overview)).unzip();
    let is_without = |with_blocks: bool| {
        let shards = survey.shards.iter().filter(move |shard| {
            shard.standing != Standing::Done && (shard.blocks_done > 0) == with_blocks
        });
        shards.map(|shard| shard.shard).collect()
    };
    const NOT_DONE: [Standing; 7] = [
        Standing::Running,
        Standing::Waiting,
        Standing::Stopped,
        Standing::Lost,
        Standing::Died,
        Standing::Failed,
        Standing::Kernel,
    ];
    StatusReport {
        run: what.run,
        kernel: what.kernel,
        seed: what.seed,
        policy: what.policy,
        samples: what.samples,
        cases: what.cases,
        blocks: Counts {
            planned: what.blocks,
            done: survey.shards.iter().map(|shard| shard.blocks_done).sum(),
        },
        shards: Counts {
            planned: what.shards,
            done: survey.count(Standing::Done) as u32,
        },
        standing: NOT_DONE
            .into_iter()
            .map(|standing| (standing, survey.count(standing)))
            .filter(|(_, count)| *count > 0)
            .collect(),
        unfinished: is_without(true),
        missing: is_without(false),
        rounds: survey.rounds.len(),
        stopped: survey.stop_order.as_ref().map(|order| order.reason.clone()),
        causes: survey.causes(),
        tracked,
        reasons,
        overview,
    }
}

fn text(report: &StatusReport) -> String {
    let mut text = format!(
        "run     {}\nkernel  {}, seed {}\npolicy  {}{}{}\nshards  {} of {} done\nblocks  {} of {} done",
        report.run,
        report.kernel,
        report.seed,
        report.policy,
        match report.rounds {
            0 => String::new(),
            rounds => format!(", {rounds} rounds begun"),
        },
        report
            .cases
            .as_ref()
            .map_or_else(String::new, |cases| format!(
                "\ncases   {} of {} done",
                cases.done, cases.planned
            )),
        report.shards.done,
        report.shards.planned,
        format_count(report.blocks.done),
        format_count(report.blocks.planned)
    );
    for (standing, count) in &report.standing {
        text.push_str(&format!("\n        {count} {}", words(*standing)));
    }
    for (what, shards) in [
        ("unfinished", &report.unfinished),
        ("missing", &report.missing),
    ] {
        if !shards.is_empty() {
            text.push_str(&format!("\n{what} {}", show::shards(shards)));
        }
    }
    for cause in &report.causes {
        text.push_str(&format!(
            "\n{} {}: {} (`logs {}`)",
            cause.shards,
            if cause.shards == 1 { "shard" } else { "shards" },
            cause.cause,
            cause.first
        ));
    }
    for (state, shards) in report.tracked.iter().flatten() {
        text.push_str(&format!("\ntracker {shards} {state}"));
    }
    let reasons = report.reasons.as_deref().unwrap_or_default();
    for reason in reasons.iter().take(MOST_REASONS) {
        text.push_str(&format!("\n{}", reason_text(reason)));
    }
    if reasons.len() > MOST_REASONS {
        text.push_str(&format!(
            "\nand {} more: --json has them all",
            reasons.len() - MOST_REASONS
        ));
    }
    for line in report.overview.iter().flatten() {
        text.push_str(&format!("\n{line}"));
    }
    if let Some(reason) = &report.stopped {
        text.push_str(&format!("\nstopped {reason}"));
    }
    text
}

pub(super) fn reason_text(reason: &ReasonReport) -> String {
    let mut text = format!(
        "shard {} ({}) {}: {}",
        reason.shard, reason.job, reason.state, reason.reason
    );
    if let Some(logs) = &reason.logs {
        text.push_str(&format!("\n        {logs}"));
    }
    text
}

fn words(standing: Standing) -> &'static str {
    match standing {
        Standing::Kernel => "failed on a sample, and will again",
        Standing::Died => "died",
        Standing::Failed => "failed",
        Standing::Lost => "lost: they said they run, and are silent",
        Standing::Stopped => "stopped in time",
        Standing::Waiting => "not started",
        Standing::Running => "running",
        Standing::Done => "done",
    }
}

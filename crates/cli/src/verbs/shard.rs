//! `shard`: one array child's share.

use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args};
use croupier_fleet::{Explicit, index};
use croupier_run::{Found, StoredRun};
use rand::TryRng;
use rand::rngs::SysRng;
use serde::Serialize;

use crate::cases::CaseReader;
use crate::exit::Exit;
use crate::flags::{ClaimFlags, PlanFlags, ShowFlags, StoreFlags, WorkFlags};
use crate::kind::Kind;
use crate::number::format_count;
use crate::setup::{from_flags, from_run};
use crate::tracking::Tracking;
use crate::verbs::plan::place;
use crate::worker::{Worker, advise, scheduler};
use crate::{CliError, cases, environment, run_uri, show};

// What `shard` is asked.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct ShardVerb {
    /// Which shard; the scheduler's array index if left out
    #[arg(long, value_name = "N", help_heading = "Shard")]
    pub(crate) shard: Option<u32>,
    /// The array index, instead of the scheduler's variable
    #[arg(
        long,
        value_name = "N",
        help_heading = "Shard",
        allow_hyphen_values = true
    )]
    pub(crate) index: Option<String>,
    /// Which scheduler's variable to believe where several are set
    #[arg(long, value_name = "SCHEDULER", help_heading = "Shard")]
    pub(crate) index_from: Option<String>,
    /// Added to the index, for arrays that a scheduler's limit has cut in pieces
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Shard")]
    pub(crate) index_offset: u32,
    /// Take the index as one of this round's, which `retry` began
    #[arg(long, value_name = "N", help_heading = "Shard")]
    pub(crate) round: Option<u32>,
    /// A run that is planned: its name in --store, or its path or URI. Plans one by the flags below if left out
    #[arg(long, value_name = "RUN", help_heading = "Shard")]
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) plan: PlanFlags,
    #[command(flatten)]
    pub(crate) work: WorkFlags,
    #[command(flatten)]
    pub(crate) claim: ClaimFlags,
    #[command(flatten)]
    pub(crate) store: StoreFlags,
    #[command(flatten)]
    pub(crate) show: ShowFlags,
}

#[derive(Serialize)]
struct ShardReport {
    run: String,
    shard: u32,
    chosen_by: String,
    partial: String,
    blocks: u64,
    blocks_before: u64,
    failed_samples: u64,
    seconds: f64,
    threads: usize,
    threads_source: String,
}

pub(crate) async fn shard(
    kind: &dyn Kind,
    matches: &ArgMatches,
    flags: &ShardVerb,
) -> Result<Exit, CliError> {
    let (chosen, chosen_by) = which(matches, flags)?;
    let worker = Worker::new(&flags.work, scheduler())?;
    if let Chosen::Index(index) = chosen {
        let store = flags.run.as_deref().filter(|run| run.contains('/'));
        spread_out(index, store.unwrap_or(&flags.store.store)).await;
    }
    let options = run_uri::options(&flags.store);
    let source = match &flags.run {
        Some(_) => None,
        None => cases::source(&flags.plan, true)?,
    };
    let (run, kernel, shard) = match (&flags.run, source) {
        (Some(run), _) => {
            refuse_parameters(kind, matches)?;
            let found = run_uri::find_named(run, &flags.store).await?;
            let number = chosen.of(&found, flags).await?;
            let (run, shard) = match found {
                Found::Run(run) => (*run, number),
                Found::Cases(cases) => {
                    let (case, shard) = cases.locate(number)?;
                    match cases.case_run(case).await? {
                        Some(run) => (run, shard),
                        None => {
                            let kind = cases::check(kind, &cases)?;
                            let wanted = &cases.manifest.wanted;
                            let inputs = &flags.plan.input;
                            let reader = CaseReader::new(kind, wanted, inputs, &options).await?;
                            (reader.place(&cases, case).await?.0, shard)
                        }
                    }
                }
            };
            let kernel = from_run(kind, &run, &flags.plan.input, &options).await?;
            (run, kernel, shard)
        }
        (None, Some(source)) => {
            let name = cases::name_of_array(kind, matches, flags)?;
            let wanted = cases::wanted(kind, matches, &flags.plan, source)?;
            let placed = cases::place(kind, &wanted, &name, &flags.store).await?;
            let found = Found::Cases(Box::new(placed.cases.clone()));
            let number = chosen.of(&found, flags).await?;
            let (case, shard) = placed.cases.locate(number)?;
            let reader = CaseReader::new(kind, &wanted, &[], &options).await?;
            let (run, kernel) = reader.place(&placed.cases, case).await?;
            (run, kernel, shard)
        }
        (None, None) => {
            if flags.plan.name.is_none() || (flags.plan.shards.is_none() && !kind.is_task()) {
                return Err(CliError::Usage(
                    "a shard needs to know its run: give --run RUN, or plan here with --name NAME and --shards N, the same for all shards".to_owned(),
                ));
            }
            if flags.plan.seed.is_none() && !kind.is_task() {
                return Err(CliError::Usage(
                    "shards that plan need one --seed, the same for all of them".to_owned(),
                ));
            }
            let planned = from_flags(kind, matches, &flags.plan, &flags.store).await?;
            let (run, _) = place(&planned, &flags.store).await?;
            let found = Found::Run(Box::new(run.clone()));
            let shard = chosen.of(&found, flags).await?;
            (run, planned.kernel, shard)
        }
    };
    worker.say_threads();
    let is_stopped = || worker.is_stopped();
    let tracking = Tracking::begin(&flags.claim, &run, shard, worker.attempt(), is_stopped).await?;
    let outcome = worker
        .work_on(&run, &*kernel, shard, flags.plan.failed_samples)
        .await
        .map_err(|error| advise(error, &run));
    if let Some(tracking) = tracking {
        tracking.end(&outcome).await;
    }
    let worked = outcome?;
    let report = ShardReport {
        run: run.uri(),
        shard,
        chosen_by,
        partial: worked.partial,
        blocks: worked.blocks,
        blocks_before: worked.blocks_before,
        failed_samples: worked.failed_samples,
        seconds: worked.kernel_seconds,
        threads: worker.threads.count,
        threads_source: worker.threads.source,
    };
    show::print(flags.show.json, &report, |report| {
        let done = match report.blocks_before {
            0 => format!(
                "{} blocks in {}",
                format_count(report.blocks),
                show::seconds(report.seconds)
            ),
            before if before == report.blocks => "was done already".to_owned(),
            before => format!(
                "{} blocks in {}, {} were there",
                format_count(report.blocks - before),
                show::seconds(report.seconds),
                format_count(before)
            ),
        };
        format!("shard {} of {}: {done}", report.shard, report.run)
    })?;
    Ok(Exit::Done)
}

/// What a worker was told to work on.
#[derive(Clone, Copy)]
enum Chosen {
    Shard(u32),
    /// A scheduler's number, which a round may map.
    Index(u64),
}

impl Chosen {
    /// The shard it means in a run, which has it; over all cases where it has cases.
    async fn of(self, found: &Found, flags: &ShardVerb) -> Result<u32, CliError> {
        let shard = match self {
            Self::Shard(shard) => shard,
            Self::Index(index) => {
                let index = index.saturating_add(flags.index_offset.into());
                match flags.round {
                    Some(round) => found.round(round).await?.shard(index)?,
                    None => u32::try_from(index).map_err(|_| {
                        CliError::Usage(format!("index {index}: no run has so many shards"))
                    })?,
                }
            }
        };
        match found {
            Found::Run(run) => run.segment_of(shard).map(|_| ())?,
            Found::Cases(cases) => cases.locate(shard).map(|_| ())?,
        }
        Ok(shard)
    }
}

/// Which shard or index, and what said so. What is on the command line goes before the environment.
fn which(matches: &ArgMatches, flags: &ShardVerb) -> Result<(Chosen, String), CliError> {
    let has_index = on_command_line(matches, "index");
    let has_shard = on_command_line(matches, "shard");
    if let Some(shard) = flags.shard
        && (has_shard || !has_index)
    {
        let source = if has_shard {
            "--shard"
        } else {
            "CROUPIER_SHARD"
        };
        return Ok((Chosen::Shard(shard), format!("{source} {shard}")));
    }
    // Clap has filled --index from CROUPIER_INDEX too, which has its own place in the order.
    let explicit = Explicit {
        index: flags.index.clone().filter(|_| has_index),
        from: flags.index_from.clone(),
    };
    let found = index::find(&environment::variable, &explicit)?;
    Ok((Chosen::Index(found.index), found.source))
}

/// The run and the shard that a call of `shard` is about, where the run is there already.
pub(crate) async fn target(
    kind: &dyn Kind,
    matches: &ArgMatches,
    flags: &ShardVerb,
) -> Result<(StoredRun, u32), CliError> {
    let name = match &flags.run {
        Some(run) => run.clone(),
        None => cases::name_of_array(kind, matches, flags)?,
    };
    let found = run_uri::find_named(&name, &flags.store).await?;
    let shard = which(matches, flags)?.0.of(&found, flags).await?;
    match found {
        Found::Run(run) => Ok((*run, shard)),
        Found::Cases(cases) => {
            let (case, shard) = cases.locate(shard)?;
            let run = cases.case_run(case).await?;
            let run = run.ok_or_else(|| CliError::Usage(format!("case {case} was not planned")))?;
            Ok((run, shard))
        }
    }
}

fn on_command_line(matches: &ArgMatches, id: &str) -> bool {
    matches.value_source(id) == Some(ValueSource::CommandLine)
}

/// With `--run` everything about the run comes from there, and a flag that says otherwise is a mistake.
pub(super) fn refuse_parameters(kind: &dyn Kind, matches: &ArgMatches) -> Result<(), CliError> {
    let kernel = kind.augment(clap::Command::new("kernel"));
    let parameters = kernel
        .get_arguments()
        .map(|argument| argument.get_id().as_str());
    let plan = [
        "samples",
        "seed",
        "shards",
        "block",
        "name",
        "policy",
        "at_most_once",
        "until",
        "max_samples",
        "max_time",
        "bounds",
        "kwargs",
        "cases",
    ];
    let given: Vec<String> = parameters
        .chain(plan)
        .filter(|id| on_command_line(matches, id))
        .map(|id| format!("--{}", id.replace('_', "-")))
        .collect();
    if given.is_empty() {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "with --run, the parameters and the plan are the run's: leave out {}",
        given.join(", ")
    )))
}

/// Ten thousand children that start in one moment would ask for the same objects in one moment, and
/// be told to slow down. So they go one after the other by their index, with jitter, at a pace that
/// one prefix of a bucket takes; the last of ten thousand waits two seconds. An index that is none of
/// this run's may be huge, and is found out about after ten seconds at most. A directory needs none.
async fn spread_out(index: u64, store: &str) {
    const STARTS_PER_SECOND: f64 = 5000.0;
    const AT_ONCE: u64 = 50_000;
    if store.starts_with("s3://") {
        let drawn = SysRng.try_next_u32().unwrap_or_else(|_| std::process::id());
        let jitter = f64::from(drawn) / f64::from(u32::MAX);
        let wait = ((index % AT_ONCE) as f64 + jitter) / STARTS_PER_SECOND;
        tokio::time::sleep(Duration::from_secs_f64(wait)).await;
    }
}

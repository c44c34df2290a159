//! `plan`: makes a run for shards to work on.

use std::time::Duration;

use clap::{ArgMatches, Args};
use croupier_run::{CaseSource, StoredRun};
use serde::Serialize;

use crate::cases::CaseReader;
use crate::exit::Exit;
use crate::flags::{ForecastFlags, PlanFlags, ShowFlags, StoreFlags};
use crate::kind::Kind;
use crate::number::format_count;
use crate::pilot::Wanted;
use crate::setup::{Planned, from_flags};
use crate::{CliError, cases, pilot, run_uri, show};

// What `plan` is asked.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct PlanVerb {
    /// Plan nothing: run a few blocks here, and say how many shards it should be and what they take
    #[arg(long, help_heading = "Forecast")]
    pilot: bool,
    #[command(flatten)]
    forecast: ForecastFlags,
    /// How many threads a shard will have, for a forecast [default: those of this machine]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Forecast")]
    threads: Option<u64>,
    #[command(flatten)]
    plan: PlanFlags,
    #[command(flatten)]
    store: StoreFlags,
    #[command(flatten)]
    show: ShowFlags,
}

/// How often shards publish, where they are not told otherwise.
const CHECKPOINT: Duration = Duration::from_secs(60);

#[derive(Serialize)]
struct PlanReport {
    run: String,
    is_new: bool,
    seed: String,
    samples: u64,
    blocks: u64,
    block_length: u64,
    shards: u32,
}

pub(crate) async fn plan(
    kind: &dyn Kind,
    matches: &ArgMatches,
    flags: &PlanVerb,
) -> Result<Exit, CliError> {
    if let Some(source) = cases::source(&flags.plan, false)? {
        if flags.pilot {
            return Err(pilot::no_cases("--pilot"));
        }
        return plan_cases(kind, matches, flags, source).await;
    }
    let planned = from_flags(kind, matches, &flags.plan, &flags.store).await?;
    if flags.pilot {
        let wanted = Wanted {
            shards: flags.plan.shards,
            shard_time: flags.forecast.shard_time,
            threads: flags.threads,
            checkpoint: CHECKPOINT,
            price_per_vcpu_hour: flags.forecast.price_per_vcpu_hour,
        };
        let forecast = pilot::forecast(&planned, &wanted)?;
        show::print(flags.show.json, &forecast, pilot::text)?;
        return Ok(Exit::Done);
    }
    let (run, is_new) = place(&planned, &flags.store).await?;
    let length = run.manifest.identity.block_length;
    let report = PlanReport {
        run: run.uri(),
        is_new,
        seed: run.manifest.identity.seed.to_string(),
        samples: run.samples(),
        blocks: length.blocks_for(run.samples()),
        block_length: length.samples(),
        shards: run.shards(),
    };
    show::print(flags.show.json, &report, |report| {
        format!(
            "run     {}\nseed    {}\nsamples {} in {} blocks of {}\nshards  {}, 0 to {}{}",
            report.run,
            report.seed,
            format_count(report.samples),
            format_count(report.blocks),
            format_count(report.block_length),
            report.shards,
            report.shards - 1,
            if report.is_new {
                ""
            } else {
                "\nit was there already, and is the same"
            }
        )
    })?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct CasesPlanReport {
    run: String,
    is_new: bool,
    seed: String,
    cases: usize,
    /// Of all cases together.
    shards: u32,
}

async fn plan_cases(
    kind: &dyn Kind,
    matches: &ArgMatches,
    flags: &PlanVerb,
    source: CaseSource,
) -> Result<Exit, CliError> {
    let placed = place_cases(kind, matches, &flags.plan, &flags.store, source).await?;
    let cases = placed.cases;
    let count = cases.manifest.count();
    let report = CasesPlanReport {
        run: cases.uri(),
        is_new: placed.is_new,
        seed: cases.manifest.seed.clone(),
        cases: count,
        shards: count as u32 * cases.manifest.shards(),
    };
    show::print(flags.show.json, &report, |report| {
        format!(
            "run     {}\nseed    {}\n{} of {} shards each: {} shards{}",
            report.run,
            report.seed,
            cases.manifest.said(),
            cases.manifest.shards(),
            report.shards,
            if report.is_new {
                ""
            } else {
                "\nit was there already, and is the same"
            }
        )
    })?;
    Ok(Exit::Done)
}

/// Plans every case.
pub(super) async fn place_cases(
    kind: &dyn Kind,
    matches: &ArgMatches,
    flags: &PlanFlags,
    store: &StoreFlags,
    source: CaseSource,
) -> Result<cases::Placed, CliError> {
    let name = cases::name(kind, flags)?;
    let wanted = cases::wanted(kind, matches, flags, source)?;
    let options = run_uri::options(store);
    let reader = CaseReader::new(kind, &wanted, &[], &options).await?;
    reader.check(&options).await?;
    let placed = cases::place(kind, &wanted, &name, store).await?;
    reader.place_all(&placed.cases).await?;
    Ok(placed)
}

/// Puts the plan into its store, or finds it there. Says what must be said about the store.
pub(crate) async fn place(
    planned: &Planned,
    flags: &StoreFlags,
) -> Result<(StoredRun, bool), CliError> {
    let store = run_uri::open_store(flags).await?;
    let placed = croupier_run::plan(&store, &planned.name, &planned.plan).await?;
    if placed.honours_put_if_absent == Some(false) {
        eprintln!(
            "warning: {} ignores conditional writes (If-None-Match): two plans of one name at the same time would not notice each other; plan once, before the shards start",
            store.uri()
        );
    }
    let there = placed.run.manifest.policy;
    if planned.policy_was_given && there != planned.plan.policy {
        eprintln!(
            "warning: run {} is planned with the policy {there}, and keeps it; `reduce --policy` overrides it for one result",
            placed.run.uri()
        );
    }
    Ok((placed.run, placed.is_new))
}

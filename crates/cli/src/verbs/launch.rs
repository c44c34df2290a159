//! `launch`: plans, starts the shards where they are to run, leaves a driver there, and returns.

use clap::{ArgMatches, Args};
use croupier_fleet::engine::Engine;
use croupier_run::{Found, Standing};
use serde::Serialize;

use crate::engines::{
    EngineFlags, EngineName, KubernetesFlags, StepFunctionsFlags, driver_arguments,
    print_manifests, worker_call,
};
use crate::exit::Exit;
use crate::flags::{ClaimFlags, ForecastFlags, PlanFlags, ShowFlags, StoreFlags, WorkFlags};
use crate::kind::Kind;
use crate::pilot::Wanted;
use crate::setup::from_flags;
use crate::verbs::plan::{place, place_cases};
use crate::verbs::reduce::check_found;
use crate::verbs::shard::refuse_parameters;
use crate::{CliError, cases, environment, pilot, run_uri, show};

// What `launch` is asked.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct LaunchVerb {
    /// A run that is planned: its name in --store, or its path or URI. Plans one by the flags below if left out
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Leave no driver: what fails is not repeated, and nothing is reduced, until `drive` is called
    #[arg(long)]
    no_driver: bool,
    /// Plan and start nothing: run a few blocks here, and say what all of it takes
    #[arg(long, conflicts_with = "run", help_heading = "Forecast")]
    dry_run: bool,
    #[command(flatten)]
    forecast: ForecastFlags,
    #[command(flatten)]
    engine: EngineFlags,
    #[command(flatten)]
    plan: PlanFlags,
    #[command(flatten)]
    work: WorkFlags,
    #[command(flatten)]
    claim: ClaimFlags,
    #[command(flatten)]
    store: StoreFlags,
    #[command(flatten)]
    show: ShowFlags,
}

#[derive(Serialize)]
struct Launched {
    run: String,
    engine: &'static str,
    /// The shards that were started by this call; a driver starts the others.
    started: Vec<u32>,
    /// The shards that are at work.
    at_work: usize,
    /// What the driver is called where it runs.
    driver: Option<String>,
    /// What applies the policy where no driver was left.
    drive: String,
}

pub(crate) async fn launch(
    kind: &dyn Kind,
    matches: &ArgMatches,
    flags: &LaunchVerb,
) -> Result<Exit, CliError> {
    flags.engine.check()?;
    if flags.dry_run {
        if cases::source(&flags.plan, false)?.is_some() {
            return Err(pilot::no_cases("--dry-run"));
        }
        let planned = from_flags(kind, matches, &flags.plan, &flags.store).await?;
        let wanted = Wanted {
            shards: flags.plan.shards,
            shard_time: flags.forecast.shard_time,
            threads: flags.work.threads.or(flags.engine.threads()),
            checkpoint: flags.work.checkpoint,
            price_per_vcpu_hour: flags.forecast.price_per_vcpu_hour,
        };
        let forecast = pilot::forecast(&planned, &wanted)?;
        show::print(flags.show.json, &forecast, pilot::text)?;
        return Ok(Exit::Done);
    }
    if flags.engine.name() == EngineName::Local && flags.no_driver {
        return Err(CliError::Usage(
            "--no-driver: with --on local only a driver starts shards; use `drive`".to_owned(),
        ));
    }
    let has_jobs_alone = flags.engine.name() == EngineName::Kubernetes && !flags.no_driver;
    // Said before anything is planned: who is refused will plan something else under the name.
    if has_jobs_alone && flags.plan.until.are_given() {
        return Err(KubernetesFlags::further_segments());
    }
    let mut run = open_or_plan(kind, matches, flags).await?;
    if has_jobs_alone && !run.is_over().await? {
        return Err(KubernetesFlags::further_segments());
    }
    let call = worker_call(&run, &flags.work, &flags.claim, &flags.store)?;
    if flags.engine.name() == EngineName::Kubernetes {
        run.resume().await?;
        let (engine, has_last) = (&flags.engine.kubernetes, !flags.no_driver);
        print_manifests(
            engine,
            &mut run,
            &call,
            &flags.store,
            has_last,
            flags.show.json,
        )
        .await?;
        return Ok(Exit::Done);
    }
    if flags.engine.name() == EngineName::StepFunctions && !flags.no_driver {
        StepFunctionsFlags::check_last_job(&flags.engine.batch, &run).await?;
    }
    let mut engine = flags.engine.open(&run, call).await?;
    let driver_arguments = driver_arguments(&run, matches);
    run.resume().await?;
    let begun = begin(&mut *engine, &mut run, &driver_arguments, flags.no_driver).await;
    let begun = begun.inspect_err(|_| {
        eprintln!(
            "run {uri} is planned, and what was started stays: `launch --run {uri}`, with the same flags of the engine, starts the rest",
            uri = run.uri()
        );
    })?;
    let report = Launched {
        run: run.uri(),
        engine: flags.engine.name().name(),
        at_work: begun.at_work,
        started: begun.started,
        driver: begun.driver,
        drive: format!("{} {}", environment::program(), driver_arguments.join(" ")),
    };
    show::print(flags.show.json, &report, text)?;
    Ok(Exit::Done)
}

/// What a call started, and what is at work by then.
struct Begun {
    started: Vec<u32>,
    driver: Option<String>,
    at_work: usize,
}

/// Starts the shards that nobody has started, and a driver.
async fn begin(
    engine: &mut dyn Engine,
    run: &mut Found,
    driver_arguments: &[String],
    no_driver: bool,
) -> Result<Begun, CliError> {
    let mut started = Vec::new();
    if !engine.needs_driver() {
        started = waiting(run).await?;
        let at_work = engine.at_work().await?;
        started.retain(|shard| !at_work.contains(shard));
        if !started.is_empty() {
            engine.start(&started, None).await?;
        }
    }
    let driver = match no_driver {
        true => None,
        false => Some(engine.start_driver(driver_arguments).await?),
    };
    let at_work = engine.at_work().await?.len();
    Ok(Begun {
        started,
        driver,
        at_work,
    })
}

/// The run that `--run` names, or the one that the flags plan.
async fn open_or_plan(
    kind: &dyn Kind,
    matches: &ArgMatches,
    flags: &LaunchVerb,
) -> Result<Found, CliError> {
    if let Some(run) = &flags.run {
        refuse_parameters(kind, matches)?;
        let run = run_uri::find_named(run, &flags.store).await?;
        check_found(kind, &run)?;
        return Ok(run);
    }
    if let Some(source) = cases::source(&flags.plan, false)? {
        let placed = place_cases(kind, matches, &flags.plan, &flags.store, source).await?;
        if placed.seed_was_drawn {
            eprintln!("seed {}", placed.cases.manifest.seed);
        }
        return Ok(Found::Cases(Box::new(placed.cases)));
    }
    let planned = from_flags(kind, matches, &flags.plan, &flags.store).await?;
    let (run, _) = place(&planned, &flags.store).await?;
    if planned.seed_was_drawn {
        eprintln!("seed {}", planned.plan.identity.seed);
    }
    Ok(Found::Run(Box::new(run)))
}

/// The shards that nobody has started.
async fn waiting(run: &mut Found) -> Result<Vec<u32>, CliError> {
    let survey = run.survey().await?;
    let waiting = survey.shards.iter();
    let waiting = waiting.filter(|shard| shard.standing == Standing::Waiting);
    Ok(waiting.map(|shard| shard.shard).collect())
}

fn text(report: &Launched) -> String {
    let program = environment::program();
    let uri = &report.run;
    let mut text = format!("run     {uri}\nengine  {}\n", report.engine);
    if report.at_work > 0 {
        text.push_str(&format!("at work {} shards\n", report.at_work));
    }
    text.push_str(&match &report.driver {
        Some(driver) => format!("driver  {driver}\n"),
        None => format!(
            "no driver: nothing repeats what fails, nor reduces, until you call\n  {}\n",
            report.drive
        ),
    });
    text.push_str(&format!(
        "look at it, or wait for its result:\n  {program} status --run {uri}\n  {program} wait --run {uri}"
    ));
    text
}

//! `run`: plans, executes, reduces and prints, on this machine.

use std::ffi::OsString;
use std::time::Duration;

use clap::{ArgMatches, Args};
use croupier_fleet::index;
use croupier_run::{CaseSource, Found, ReduceOptions, StoredRun};

use crate::cases::CaseReader;
use crate::engines::{EngineFlags, worker_call};
use crate::exit::Exit;
use crate::flags::{ClaimFlags, PlanFlags, ShowFlags, StoreFlags, WorkFlags};
use crate::kind::Kind;
use crate::setup::{Planned, from_flags};
use crate::until::go_on;
use crate::verbs::drive::drive_on;
use crate::verbs::plan::place;
use crate::verbs::reduce::reduced;
use crate::worker::Worker;
use crate::{CliError, cases, environment, run_uri};

// What `run` is asked.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct RunVerb {
    #[command(flatten)]
    plan: PlanFlags,
    #[command(flatten)]
    work: WorkFlags,
    #[command(flatten)]
    engine: EngineFlags,
    #[command(flatten)]
    claim: ClaimFlags,
    #[command(flatten)]
    store: StoreFlags,
    /// Run all of it here although an array index is present
    #[arg(long)]
    alone: bool,
    #[command(flatten)]
    show: ShowFlags,
}

/// How often a run on an engine is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

pub(crate) async fn run(
    kind: &dyn Kind,
    matches: &ArgMatches,
    flags: &RunVerb,
    arguments: &[OsString],
) -> Result<Exit, CliError> {
    if !flags.alone
        && let Some(present) = index::is_present(&environment::variable)
    {
        return Err(CliError::Usage(format!(
            "{} is set, so this is one of an array's children, and each would run all of it. As an array:\n  {}\nTo run all of it here all the same, add --alone",
            present.source,
            shard_line(arguments)
        )));
    }
    if flags.engine.on.is_some() {
        flags.engine.check()?;
    }
    if let Some(source) = cases::source(&flags.plan, false)? {
        return run_cases(kind, matches, flags, source).await;
    }
    let planned = from_flags(kind, matches, &flags.plan, &flags.store).await?;
    if flags.engine.on.is_some() {
        let run = placed(&planned, flags).await?;
        return run_on_engine(kind, flags, Found::Run(Box::new(run))).await;
    }
    let worker = Worker::new(&flags.work, None)?;
    let mut run = placed(&planned, flags).await?;
    worker.say_threads();
    let options = ReduceOptions {
        failed_samples: flags.plan.failed_samples,
        ..ReduceOptions::default()
    };
    let mut first = 0;
    loop {
        let failures = worker
            .work_on_all(&run, &*planned.kernel, first, flags.plan.failed_samples)
            .await
            .inspect_err(|error| {
                if error.exit() == Exit::Stopped {
                    let program = environment::program();
                    eprintln!("to go on with it:\n  {program} drive --run {}", run.uri());
                }
            })?;
        first = run.shards();
        for failure in &failures {
            eprintln!("error: {failure}");
        }
        let mut found = Found::Run(Box::new(run));
        let result = reduced(kind, &mut found, &options).await?;
        if !go_on(&mut found, &result).await? {
            return Ok(exit_of(result.print(flags.show.json)?, &failures));
        }
        let Found::Run(grown) = found else {
            unreachable!("a run does not become cases");
        };
        run = *grown;
    }
}

/// The run as it is in its store; says what the call did not.
async fn placed(planned: &Planned, flags: &RunVerb) -> Result<StoredRun, CliError> {
    let (run, is_new) = place(planned, &flags.store).await?;
    if planned.seed_was_drawn {
        eprintln!("seed {}", planned.plan.identity.seed);
    }
    if !is_new {
        eprintln!("run {} is there already: going on with it", run.uri());
    }
    Ok(run)
}

/// Drives what is planned on the engine that the flags name.
async fn run_on_engine(
    kind: &dyn Kind,
    flags: &RunVerb,
    mut found: Found,
) -> Result<Exit, CliError> {
    let call = worker_call(&found, &flags.work, &flags.claim, &flags.store)?;
    let mut engine = flags.engine.open(&found, call).await?;
    let engine = &mut *engine;
    drive_on(kind, &mut found, engine, None, LOOK_EVERY, flags.show.json).await
}

/// The reason that a result is refused is the failure.
fn exit_of(exit: Exit, failures: &[CliError]) -> Exit {
    match exit {
        Exit::NotAccepted => failures.first().map_or(Exit::NotAccepted, CliError::exit),
        exit => exit,
    }
}

/// Runs all cases, one after the other. Where the kernel fails in one, the others go on, unless the policy is to fail
/// fast.
async fn run_cases(
    kind: &dyn Kind,
    matches: &ArgMatches,
    flags: &RunVerb,
    source: CaseSource,
) -> Result<Exit, CliError> {
    let name = cases::name(kind, &flags.plan)?;
    let wanted = cases::wanted(kind, matches, &flags.plan, source)?;
    let options = run_uri::options(&flags.store);
    let reader = CaseReader::new(kind, &wanted, &[], &options).await?;
    reader.check(&options).await?;
    let placed = cases::place(kind, &wanted, &name, &flags.store).await?;
    let cases = placed.cases;
    if placed.seed_was_drawn {
        eprintln!("seed {}", cases.manifest.seed);
    }
    if !placed.is_new {
        eprintln!("run {} is there already: going on with it", cases.uri());
    }
    if flags.engine.on.is_some() {
        reader.place_all(&cases).await?;
        return run_on_engine(kind, flags, Found::Cases(Box::new(cases))).await;
    }
    let worker = Worker::new(&flags.work, None)?;
    worker.say_threads();
    let mut failures = Vec::new();
    for case in cases.manifest.numbers() {
        let (run, kernel) = reader.place(&cases, case).await?;
        match worker
            .work_on_all(&run, &*kernel, 0, flags.plan.failed_samples)
            .await
        {
            Ok(of_case) => failures.extend(of_case),
            Err(error) if may_go_on(&error) && !run.manifest.policy.fail_fast => {
                failures.push(error);
            }
            Err(error) => return Err(error),
        }
    }
    for failure in &failures {
        eprintln!("error: {failure}");
    }
    let options = ReduceOptions {
        failed_samples: flags.plan.failed_samples,
        ..ReduceOptions::default()
    };
    let mut found = Found::Cases(Box::new(cases));
    let result = reduced(kind, &mut found, &options).await?;
    Ok(exit_of(result.print(flags.show.json)?, &failures))
}

/// Whether a failure is of one case: what else fails here, such as the store, fails for the next one too.
fn may_go_on(error: &CliError) -> bool {
    matches!(error, CliError::Run(croupier_run::Error::Task { .. }))
        || error.exit() == Exit::KernelFailed
}

/// The same call as an array's child.
fn shard_line(arguments: &[OsString]) -> String {
    let mut words: Vec<String> = arguments
        .iter()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    match words.get_mut(1) {
        Some(verb) if verb == "run" => *verb = "shard".to_owned(),
        _ => words.insert(1, "shard".to_owned()),
    }
    let missing = [
        ("--seed", "<seed>"),
        ("--shards", "<size of the array>"),
        ("--name", "<name>"),
    ];
    for (flag, value) in missing {
        if !words
            .iter()
            .any(|word| word == flag || word.starts_with(&format!("{flag}=")))
        {
            words.push(format!("{flag} {value}"));
        }
    }
    words.join(" ")
}

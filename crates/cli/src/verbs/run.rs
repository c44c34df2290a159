//! `run`: plans, executes, reduces and prints, on this machine.

use std::ffi::OsString;
use std::time::Duration;

use clap::ArgMatches;
use croupier_fleet::index;
use croupier_run::ReduceOptions;

use crate::engines::worker_call;
use crate::exit::Exit;
use crate::flags::RunVerb;
use crate::kind::Kind;
use crate::setup::from_flags;
use crate::until::go_on;
use crate::verbs::drive::drive_on;
use crate::verbs::plan::place;
use crate::verbs::reduce::print_summary;
use crate::worker::Worker;
use crate::{CliError, environment};

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
    let planned = from_flags(kind, matches, &flags.plan, &flags.store).await?;
    let worker = Worker::new(&flags.work, None)?;
    let (mut run, is_new) = place(&planned, &flags.store).await?;
    if planned.seed_was_drawn {
        eprintln!("seed {}", planned.plan.identity.seed);
    }
    if !is_new {
        eprintln!("run {} is there already: going on with it", run.uri());
    }
    if flags.engine.on.is_some() {
        let call = worker_call(&run, &flags.work, &flags.claim, &flags.store)?;
        let mut engine = flags.engine.open(&run, call).await?;
        return drive_on(
            kind,
            &mut run,
            &mut *engine,
            None,
            LOOK_EVERY,
            flags.show.json,
        )
        .await;
    }
    worker.say_threads();
    let options = ReduceOptions {
        policy: flags.plan.policy,
        failed_samples: flags.plan.failed_samples,
        ..ReduceOptions::default()
    };
    let mut first = 0;
    loop {
        let failures = worker
            .work_on_all(&run, &*planned.kernel, first, flags.plan.failed_samples)
            .await?;
        first = run.shards();
        for failure in &failures {
            eprintln!("error: {failure}");
        }
        let reduced = kind.reduce(&run, &options).await?;
        if go_on(&mut run, &reduced).await? {
            continue;
        }
        return match print_summary(&reduced, &run, flags.show.json)? {
            // The reason that it is refused is the failure.
            Exit::NotAccepted => Ok(failures.first().map_or(Exit::NotAccepted, CliError::exit)),
            exit => Ok(exit),
        };
    }
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

//! A whole program around its kernels and tasks.

use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgMatches, Command, FromArgMatches};
use croupier_compute::engine;
use croupier_run::StoredRun;
use croupier_store::Options;

use crate::app::{Call, app};
use crate::exit::Exit;
use crate::flags::ClaimFlags;
use crate::grammar::{check_names, command};
use crate::kind::{Kind, Program, Several};
use crate::parameters::{
    JsonFlags, JsonText, MOST_BYTES, ParametersError, leaf_of, parse, peek, set_environment_names,
};
use crate::supervise::supervise;
use crate::verbs::{
    CancelVerb, CleanVerb, DriveVerb, ExtendVerb, LaunchVerb, LogsVerb, LsVerb, PlanVerb,
    ReduceVerb, ReplayVerb, RetryVerb, RmVerb, RunVerb, ShardVerb, StatusVerb, UploadVerb,
    VerifyVerb, WaitVerb,
};
use crate::{CliError, environment, show, target, verbs};

/// The `main` of a program with the kernel `K`: every verb of the command line.
pub fn main<K: Program>() -> ExitCode {
    app().kernel::<K>().main()
}

pub(crate) fn run_to_exit(kinds: &[Box<dyn Kind>]) -> ExitCode {
    let any = Several(kinds);
    let words = environment::arguments();
    let call = match Call::read(kinds, &any, words.clone()) {
        Ok(call) => call,
        Err(error) => return failed(&error).into(),
    };
    if let Some(code) = supervise(&call, &words) {
        return code;
    }
    engine::note_kernel_panics();
    let exit = match make(&call) {
        Ok(exit) => exit,
        // Help and version are no errors; clap knows where each of its texts goes.
        Err(CliError::Parameters(ParametersError::CommandLine(error))) => {
            let printed = show::printed(error.print());
            if error.use_stderr() {
                Exit::BadInput
            } else {
                printed.map_or_else(|error| failed(&error), |()| Exit::Done)
            }
        }
        Err(error) => failed(&error),
    };
    exit.into()
}

fn failed(error: &CliError) -> Exit {
    eprintln!("error: {error}");
    error.exit()
}

fn make(call: &Call<'_>) -> Result<Exit, CliError> {
    check_names(call.kind)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| CliError::System {
            what: "no threads for input and output",
            error,
        })?;
    let exit = runtime.block_on(dispatch(call));
    // A block in hand of a worker that was stopped is dropped, not waited for.
    runtime.shutdown_background();
    exit
}

async fn dispatch(call: &Call<'_>) -> Result<Exit, CliError> {
    let (kind, arguments) = (call.kind, call.arguments.as_slice());
    let matches = parsed(call).await?;
    let (verb, leaf) = leaf_of(&matches);
    match verb.as_slice() {
        ["run"] => verbs::run(kind, leaf, &flags::<RunVerb>(leaf)?, arguments).await,
        ["plan"] => verbs::plan(kind, leaf, &flags::<PlanVerb>(leaf)?).await,
        ["shard"] => verbs::shard(kind, leaf, &flags::<ShardVerb>(leaf)?).await,
        ["launch"] => verbs::launch(kind, leaf, &flags::<LaunchVerb>(leaf)?).await,
        ["reduce"] => verbs::reduce(kind, &flags::<ReduceVerb>(leaf)?).await,
        ["status"] => verbs::status(&flags::<StatusVerb>(leaf)?).await,
        ["drive"] => verbs::drive(kind, leaf, &flags::<DriveVerb>(leaf)?).await,
        ["wait"] => verbs::wait(kind, &flags::<WaitVerb>(leaf)?).await,
        ["retry"] => verbs::retry(&flags::<RetryVerb>(leaf)?).await,
        ["extend"] => verbs::extend(&flags::<ExtendVerb>(leaf)?).await,
        ["cancel"] => verbs::cancel(&flags::<CancelVerb>(leaf)?).await,
        ["clean"] => verbs::clean(kind, &flags::<CleanVerb>(leaf)?).await,
        ["logs"] => verbs::logs(&flags::<LogsVerb>(leaf)?).await,
        ["ls"] => verbs::ls(&flags::<LsVerb>(leaf)?).await,
        ["rm"] => verbs::rm(&flags::<RmVerb>(leaf)?).await,
        ["iam"] => verbs::iam(&flags::<verbs::IamVerb>(leaf)?),
        ["verify"] => verbs::verify(kind, &flags::<VerifyVerb>(leaf)?).await,
        ["cases", "upload"] => verbs::upload(kind, &flags::<UploadVerb>(leaf)?).await,
        ["replay"] => verbs::replay(kind, &flags::<ReplayVerb>(leaf)?).await,
        other => unreachable!("clap let the verb {other:?} through"),
    }
}

/// The run and the shard that a call of `shard` was about, and its tracker.
pub(crate) async fn shard_target(
    call: &Call<'_>,
) -> Result<(StoredRun, u32, ClaimFlags), CliError> {
    let matches = parsed(call).await?;
    let (_, leaf) = leaf_of(&matches);
    let flags = flags::<ShardVerb>(leaf)?;
    let (run, shard) = verbs::target(call.kind, leaf, &flags).await?;
    Ok((run, shard, flags.claim))
}

/// The command line with what `--kwargs` adds to it.
async fn parsed(call: &Call<'_>) -> Result<ArgMatches, CliError> {
    let (kind, arguments) = (call.kind, call.arguments.as_slice());
    let command = set_environment_names(command(call));
    let seen = peek(&command, arguments)?;
    let (_, leaf) = leaf_of(&seen);
    let named = leaf.try_get_one::<String>("target").ok().flatten();
    let (command, seen) = match named {
        Some(target) => {
            let command = target::apply(command, kind, target)?;
            let seen = peek(&command, arguments)?;
            (command, seen)
        }
        None => (command, seen),
    };
    let (verbs, leaf) = leaf_of(&seen);
    // Where each case has its own, they are read once it is known which.
    let takes_kwargs =
        matches!(verbs.as_slice(), ["run" | "plan" | "shard" | "launch"]) && !call.plans_cases();
    let uri = if takes_kwargs {
        leaf.get_one::<String>("kwargs")
    } else {
        None
    };
    let json = match uri {
        None => JsonFlags::default(),
        Some(uri) => {
            let text = JsonText::from_bytes(uri.clone(), kwargs(uri, leaf).await?)?;
            JsonFlags::read(&kind.augment(Command::new("kernel")), &text)?
        }
    };
    Ok(parse(&command, arguments, &json)?)
}

/// What `--kwargs` names, read with as much patience as `--store-timeout` has, and no further than parameters may go.
async fn kwargs(uri: &str, leaf: &ArgMatches) -> Result<Vec<u8>, CliError> {
    let mut options = Options::default();
    // Where it makes no sense, it is refused once everything is parsed.
    if let Ok(Some(timeout)) = leaf.try_get_one::<Duration>("store_timeout") {
        options.timeout = *timeout;
    }
    match croupier_store::read_at_most(uri, MOST_BYTES, &options).await {
        Ok(bytes) => Ok(bytes.to_vec()),
        Err(croupier_store::Error::TooLarge { limit_bytes, .. }) => {
            Err(CliError::Parameters(ParametersError::TooLarge {
                file: uri.to_owned(),
                limit_bytes,
            }))
        }
        Err(error) => Err(error.into()),
    }
}

fn flags<F: FromArgMatches>(leaf: &ArgMatches) -> Result<F, CliError> {
    F::from_arg_matches(leaf).map_err(|error| CliError::Parameters(error.into()))
}

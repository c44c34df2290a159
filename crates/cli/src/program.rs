//! A whole program around one kernel.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use croupier_compute::{check_kernel_name, engine};
use croupier_run::StoredRun;
use croupier_store::Options;

use crate::exit::Exit;
use crate::flags::{
    CancelVerb, CleanVerb, DriveVerb, ExtendVerb, LogsVerb, LsVerb, PlanVerb, ReduceVerb,
    ReplayVerb, RetryVerb, RmVerb, RunVerb, ShardVerb, StatusVerb, TrackerFlags, VerifyVerb,
    WaitVerb,
};
use crate::kind::{Kind, KindOf, Program};
use crate::parameters::{
    JsonFlags, JsonText, MOST_BYTES, ParametersError, find_collisions, leaf_of, parse, peek,
    set_environment_names,
};
use crate::supervise::supervise;
use crate::{CliError, environment, show, verbs};

/// The `main` of a program with the kernel `K`: every verb of the command line.
pub fn main<K: Program>() -> ExitCode {
    run_to_exit(&KindOf::<K>::new())
}

fn run_to_exit(kind: &dyn Kind) -> ExitCode {
    let arguments = environment::arguments();
    if let Some(code) = supervise(kind, &arguments) {
        return code;
    }
    engine::note_kernel_panics();
    let exit = match call(kind, arguments) {
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

fn call(kind: &dyn Kind, mut arguments: Vec<OsString>) -> Result<Exit, CliError> {
    let is_verb = |argument: &OsString| {
        let is_flag = argument.as_encoded_bytes().starts_with(b"-");
        !is_flag || ["-h", "--help", "-V", "--version"].contains(&argument.to_str().unwrap_or(""))
    };
    if !arguments.get(1).is_some_and(is_verb) {
        let at = arguments.len().min(1);
        arguments.insert(at, OsString::from("run"));
    }
    check_names(kind)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| CliError::System {
            what: "no threads for input and output",
            error,
        })?;
    let exit = runtime.block_on(dispatch(kind, &arguments));
    // A block in hand of a worker that was stopped is dropped, not waited for.
    runtime.shutdown_background();
    exit
}

async fn dispatch(kind: &dyn Kind, arguments: &[OsString]) -> Result<Exit, CliError> {
    let name = program_name(kind, arguments.first().map(OsString::as_os_str));
    let matches = parsed(kind, &name, arguments).await?;
    let (verb, leaf) = leaf_of(&matches);
    match verb.as_slice() {
        ["run"] => verbs::run(kind, leaf, &flags::<RunVerb>(leaf)?, arguments).await,
        ["plan"] => verbs::plan(kind, leaf, &flags::<PlanVerb>(leaf)?).await,
        ["shard"] => verbs::shard(kind, leaf, &flags::<ShardVerb>(leaf)?).await,
        ["reduce"] => verbs::reduce(kind, &flags::<ReduceVerb>(leaf)?).await,
        ["status"] => verbs::status(&flags::<StatusVerb>(leaf)?).await,
        ["drive"] => verbs::drive(kind, &flags::<DriveVerb>(leaf)?).await,
        ["wait"] => verbs::wait(kind, &flags::<WaitVerb>(leaf)?).await,
        ["retry"] => verbs::retry(&flags::<RetryVerb>(leaf)?).await,
        ["extend"] => verbs::extend(&flags::<ExtendVerb>(leaf)?).await,
        ["cancel"] => verbs::cancel(&flags::<CancelVerb>(leaf)?).await,
        ["clean"] => verbs::clean(kind, &flags::<CleanVerb>(leaf)?).await,
        ["logs"] => verbs::logs(&flags::<LogsVerb>(leaf)?).await,
        ["ls"] => verbs::ls(&flags::<LsVerb>(leaf)?).await,
        ["rm"] => verbs::rm(&flags::<RmVerb>(leaf)?).await,
        ["verify"] => verbs::verify(kind, &flags::<VerifyVerb>(leaf)?).await,
        ["replay"] => verbs::replay(kind, &flags::<ReplayVerb>(leaf)?).await,
        other => unreachable!("clap let the verb {other:?} through"),
    }
}

/// The run and the shard that a call of `shard` was about, and its tracker.
pub(crate) async fn shard_target(
    kind: &dyn Kind,
    arguments: &[OsString],
) -> Result<(StoredRun, u32, TrackerFlags), CliError> {
    let name = program_name(kind, arguments.first().map(OsString::as_os_str));
    let matches = parsed(kind, &name, arguments).await?;
    let (_, leaf) = leaf_of(&matches);
    let flags = flags::<ShardVerb>(leaf)?;
    let (run, shard) = verbs::target(leaf, &flags).await?;
    Ok((run, shard, flags.tracker))
}

/// The command line with what `--kwargs` adds to it.
async fn parsed(
    kind: &dyn Kind,
    name: &str,
    arguments: &[OsString],
) -> Result<ArgMatches, CliError> {
    let command = set_environment_names(command(kind, name, arguments));
    let seen = peek(&command, arguments)?;
    let (verbs, leaf) = leaf_of(&seen);
    let takes_kwargs = matches!(verbs.as_slice(), ["run" | "plan" | "shard"]);
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

/// The command line's grammar. A `shard` of a run that is planned takes the parameters from the run,
/// so none is required there.
fn command(kind: &dyn Kind, name: &str, arguments: &[OsString]) -> Command {
    let has_run = environment::variable("CROUPIER_RUN").is_some()
        || arguments.iter().any(|argument| {
            argument == "--run" || argument.as_encoded_bytes().starts_with(b"--run=")
        });
    let parameters = |command: Command| kind.augment(command.next_help_heading("Parameters"));
    let shard = parameters(ShardVerb::augment_args(Command::new("shard")));
    let shard = if has_run {
        let kernel = kind.augment(Command::new("kernel"));
        let names: Vec<clap::Id> = kernel
            .get_arguments()
            .map(|argument| argument.get_id().clone())
            .collect();
        shard.mut_args(|argument| {
            let is_parameter = names.contains(argument.get_id());
            if is_parameter {
                argument.required(false)
            } else {
                argument
            }
        })
    } else {
        shard
    };
    let verbs = [
        (
            parameters(RunVerb::augment_args(Command::new("run"))),
            "Plan, execute, reduce and print, on this machine (the verb may be left out)",
        ),
        (
            parameters(PlanVerb::augment_args(Command::new("plan"))),
            "Make a run for shards to work on",
        ),
        (
            shard,
            "Run one shard: what a scheduler's array starts. Plans the run, if it is not there yet",
        ),
        (
            ReduceVerb::augment_args(Command::new("reduce")),
            "Merge whatever shards succeeded into a result",
        ),
        (
            StatusVerb::augment_args(Command::new("status")),
            "Show how far a run is, and why shards are missing",
        ),
        (
            LogsVerb::augment_args(Command::new("logs")),
            "Show every start of one shard, and the last that it said",
        ),
        (
            DriveVerb::augment_args(Command::new("drive")),
            "Apply the run's policy on this machine until it is done: start shards, retry, stop, reduce",
        ),
        (
            WaitVerb::augment_args(Command::new("wait")),
            "Wait until a run is done or stands still, then reduce it",
        ),
        (
            RetryVerb::augment_args(Command::new("retry")),
            "Begin a round of the shards that have holes, and say how to start it",
        ),
        (
            ExtendVerb::augment_args(Command::new("extend")),
            "Ask a run for more samples; only the new ones are drawn",
        ),
        (
            CancelVerb::augment_args(Command::new("cancel")),
            "Stop a run for all its workers; what they have is kept",
        ),
        (
            CleanVerb::augment_args(Command::new("clean")),
            "Remove partials that a complete one of their shard supersedes",
        ),
        (
            LsVerb::augment_args(Command::new("ls")),
            "List the runs of a store",
        ),
        (RmVerb::augment_args(Command::new("rm")), "Remove a run"),
        (
            VerifyVerb::augment_args(Command::new("verify")),
            "Run a part of a run again on one thread, and compare bits",
        ),
        (
            ReplayVerb::augment_args(Command::new("replay")),
            "Run one block or one sample again, and show what it gives",
        ),
    ];
    // The kernel's own documentation is the program's.
    let about = kind
        .augment(Command::new("kernel"))
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    Command::new(name.to_owned())
        .about(about)
        .version(format!(
            "{} {} (croupier {})",
            kind.name(),
            kind.version(),
            env!("CARGO_PKG_VERSION")
        ))
        .subcommand_required(true)
        // The groups of flags bring no help of their own, but a kernel's documentation comes with it.
        .subcommands(verbs.map(|(verb, about)| verb.about(about).long_about(None)))
}

/// Refuses a kernel that can't be called what it is called, and parameters that are named like our flags. Asked at
/// every start: clap would merge the two.
fn check_names(kind: &dyn Kind) -> Result<(), CliError> {
    let name = kind.name();
    check_kernel_name(&name).map_err(|reason| {
        CliError::Program(format!(
            "a kernel can't be called {name:?}: {reason}; give it another `const NAME`"
        ))
    })?;
    let ours = ShardVerb::augment_args(RunVerb::augment_args(Command::new("ours")));
    let ours = set_environment_names(ours);
    let kernels = set_environment_names(kind.augment(Command::new("kernel")));
    let collisions = find_collisions(&ours, &kernels);
    if collisions.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = collisions.iter().map(ToString::to_string).collect();
    Err(CliError::Program(lines.join("\n")))
}

fn program_name(kind: &dyn Kind, argument: Option<&OsStr>) -> String {
    argument
        .and_then(|path| std::path::Path::new(path).file_name())
        .map_or_else(|| kind.name(), |name| name.to_string_lossy().into_owned())
}

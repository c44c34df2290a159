//! The verbs and their flags, as clap takes them.

use std::ffi::{OsStr, OsString};

use clap::{Args, Command};
use croupier_compute::check_kernel_name;

use crate::flags::{
    CancelVerb, CleanVerb, DriveVerb, ExtendVerb, LaunchVerb, LogsVerb, LsVerb, PlanVerb,
    ReduceVerb, ReplayVerb, RetryVerb, RmVerb, RunVerb, ShardVerb, StatusVerb, VerifyVerb,
    WaitVerb,
};
use crate::kind::Kind;
use crate::parameters::{find_collisions, set_environment_names};
use crate::{CliError, environment, target};

/// The command line's grammar. A `shard` of a run that is planned takes the parameters from the run,
/// so none is required there.
pub(crate) fn command(kind: &dyn Kind, name: &str, arguments: &[OsString]) -> Command {
    let has_run = environment::variable("CROUPIER_RUN").is_some()
        || arguments.iter().any(|argument| {
            argument == "--run" || argument.as_encoded_bytes().starts_with(b"--run=")
        });
    let parameters = |command: Command| kind.augment(command.next_help_heading("Parameters"));
    let shard = parameters(ShardVerb::augment_args(Command::new("shard")));
    let launch = parameters(LaunchVerb::augment_args(Command::new("launch")));
    // Where a run is named, its parameters are known.
    let optional = |command: Command| {
        if !has_run {
            return command;
        }
        let kernel = kind.augment(Command::new("kernel"));
        let names: Vec<clap::Id> = kernel
            .get_arguments()
            .map(|argument| argument.get_id().clone())
            .collect();
        command.mut_args(|argument| match names.contains(argument.get_id()) {
            true => argument.required(false),
            false => argument,
        })
    };
    let verbs = [
        (
            parameters(run_verb()),
            "Plan, execute, reduce and print, on this machine (the verb may be left out)",
        ),
        (
            parameters(PlanVerb::augment_args(Command::new("plan"))),
            "Make a run for shards to work on",
        ),
        (
            optional(shard),
            "Run one shard: what a scheduler's array starts. Plans the run, if it is not there yet",
        ),
        (
            optional(launch).visible_alias("submit"),
            "Plan, start the shards where they are to run, leave a driver there, and return",
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
        .subcommands(
            verbs.map(|(verb, about)| verb.arg(target::argument()).about(about).long_about(None)),
        )
}

/// `run` with an engine is for those who know it: `launch --help` shows what engines take.
fn run_verb() -> Command {
    let of_engines = ["Engine", "Tracker"];
    RunVerb::augment_args(Command::new("run")).mut_args(|argument| {
        let is_of_engines = argument
            .get_help_heading()
            .is_some_and(|heading| of_engines.contains(&heading));
        argument.hide(is_of_engines)
    })
}

/// Refuses a kernel that can't be called what it is called, and parameters that are named like our flags. Asked at
/// every start: clap would merge the two.
pub(crate) fn check_names(kind: &dyn Kind) -> Result<(), CliError> {
    let name = kind.name();
    check_kernel_name(&name).map_err(|reason| {
        CliError::Program(format!(
            "a kernel can't be called {name:?}: {reason}; give it another `const NAME`"
        ))
    })?;
    let ours = LaunchVerb::augment_args(Command::new("ours").arg(target::argument()));
    let ours = ShardVerb::augment_args(RunVerb::augment_args(ours));
    let ours = set_environment_names(ours);
    let kernels = set_environment_names(kind.augment(Command::new("kernel")));
    let collisions = find_collisions(&ours, &kernels);
    if collisions.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = collisions.iter().map(ToString::to_string).collect();
    Err(CliError::Program(lines.join("\n")))
}

/// What the program is called: its file's name.
pub(crate) fn program_name(kind: &dyn Kind, argument: Option<&OsStr>) -> String {
    argument
        .and_then(|path| std::path::Path::new(path).file_name())
        .map_or_else(|| kind.name(), |name| name.to_string_lossy().into_owned())
}

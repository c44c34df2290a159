//! The verbs and their flags, as clap takes them.

use clap::{Arg, Args, Command};
use croupier_compute::check_kernel_name;

use crate::app::Call;
use crate::kind::Kind;
use crate::parameters::{find_collisions, set_environment_names};
use crate::verbs::{
    CancelVerb, CleanVerb, DriveVerb, ExtendVerb, IamVerb, LaunchVerb, LogsVerb, LsVerb, PlanVerb,
    ReduceVerb, ReplayVerb, RetryVerb, RmVerb, RunVerb, ShardVerb, StatusVerb, UploadVerb,
    VerifyVerb, WaitVerb,
};
use crate::{CliError, environment, target};

/// What every program can do, so that nothing in it can be called so.
pub(crate) const VERBS: &[&str] = &[
    "run", "plan", "shard", "launch", "reduce", "status", "logs", "drive", "wait", "retry",
    "extend", "cancel", "clean", "ls", "rm", "verify", "replay", "cases", "iam", "submit", "help",
];

/// Verbs that plan, and so need to know the kernel.
const PLANNING: [&str; 2] = ["run", "plan"];

/// The command line's grammar. A `shard` of a run that is planned takes the parameters from the run,
/// so none is required there.
pub(crate) fn command(call: &Call<'_>) -> Command {
    let (kind, arguments) = (call.kind, call.arguments.as_slice());
    let has_run = environment::variable("CROUPIER_RUN").is_some()
        || arguments.iter().any(|argument| {
            argument == "--run" || argument.as_encoded_bytes().starts_with(b"--run=")
        });
    let parameters = |command: Command| kind.augment(command.next_help_heading("Parameters"));
    // Nor is one where each case has its own.
    let plans_cases = call.plans_cases();
    let planning = |command: Command| match plans_cases {
        true => without_requirements(kind, parameters(command)),
        false => parameters(command),
    };
    let optional = |command: Command| match has_run {
        true => without_requirements(kind, command),
        false => command,
    };
    let shard = optional(planning(ShardVerb::augment_args(Command::new("shard"))));
    let launch = optional(planning(LaunchVerb::augment_args(Command::new("launch"))));
    let verbs = [
        (
            planning(run_verb()),
            "Plan, execute, reduce and print, on this machine (the verb may be left out)",
        ),
        (
            planning(PlanVerb::augment_args(Command::new("plan"))),
            "Make a run for shards to work on",
        ),
        (
            shard,
            "Run one shard: what a scheduler's array starts. Plans the run, if it is not there yet",
        ),
        (
            launch.visible_alias("submit"),
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
            "Apply the run's policy until it is done: start shards, here or --on an engine, retry, stop, reduce",
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
            IamVerb::augment_args(Command::new("iam")),
            "Print the AWS policy that a role needs for a run, and no more",
        ),
        (
            VerifyVerb::augment_args(Command::new("verify")),
            "Run a part of a run again on one thread, and compare bits",
        ),
        (
            ReplayVerb::augment_args(Command::new("replay")),
            "Run one block or one sample again, and show what it gives",
        ),
        (
            Command::new("cases").subcommand_required(true).subcommand(
                UploadVerb::augment_args(Command::new("upload"))
                    .about("Put a folder of cases where an array's processes find them: i.json for line i of a file"),
            ),
            "Make a folder of cases, which are sets of parameters",
        ),
    ];
    let verbs = verbs.into_iter().map(|(verb, about)| {
        // The groups of flags bring no help of their own, but a kernel's documentation comes with it.
        let verb = verb
            .arg(target::argument())
            .mut_args(takes_negative_numbers)
            .about(about)
            .long_about(None);
        if kind.is_task() {
            without_samples(verb)
        } else {
            verb
        }
    });
    let whole = Command::new(call.name()).subcommand_required(true);
    if call.is_of_any {
        let verbs = verbs.filter(|verb| !PLANNING.contains(&verb.get_name()));
        return whole
            .about(about_all(call))
            .version(concat!("croupier ", env!("CARGO_PKG_VERSION")))
            .subcommands(verbs);
    }
    // The kernel's own documentation is the program's.
    whole
        .bin_name(call.name())
        .about(about(kind))
        .version(format!(
            "{} {} (croupier {})",
            kind.name(),
            kind.version(),
            env!("CARGO_PKG_VERSION")
        ))
        .subcommands(verbs)
}

/// What is wrong with a negative number is for the flag's own parser to say: clap would take it for an unknown flag.
fn takes_negative_numbers(argument: Arg) -> Arg {
    match argument.get_action().takes_values() {
        true => argument.allow_negative_numbers(true),
        false => argument,
    }
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

/// The same command, in which no parameter must be given.
fn without_requirements(kind: &dyn Kind, command: Command) -> Command {
    let kernel = kind.augment(Command::new("kernel"));
    let names: Vec<clap::Id> = kernel
        .get_arguments()
        .map(|argument| argument.get_id().clone())
        .collect();
    command.mut_args(|argument| {
        if names.contains(argument.get_id()) {
            argument.required(false)
        } else {
            argument
        }
    })
}

/// A task draws no samples, so what is about them is not shown. Where it is given, it is refused.
fn without_samples(command: Command) -> Command {
    command.mut_args(|arg| {
        let is_of_samples = SAMPLE_FLAGS.contains(&arg.get_id().as_str());
        if is_of_samples { arg.hide(true) } else { arg }
    })
}

/// The flags that a task has no use for.
pub(crate) const SAMPLE_FLAGS: [&str; 5] = ["samples", "seed", "shards", "block", "failed_samples"];

/// What a program of several says of itself: their names, and how to call them.
fn about_all(call: &Call<'_>) -> String {
    let width = call.kinds.iter().map(|kind| kind.name().len()).max();
    let mut text = "Holds these, each called by its name:\n".to_owned();
    for kind in call.kinds {
        let (name, about) = (kind.name(), about(&**kind));
        let about = about.lines().next().unwrap_or_default();
        text.push_str(&format!(
            "\n  {name:width$}  {about}",
            width = width.unwrap_or(0)
        ));
    }
    let first = call.kinds.first().map(|kind| kind.name());
    text.push_str(&format!(
        "\n\n`{} {} --help` says more. The commands below are about runs of any of them.",
        call.name(),
        first.unwrap_or_default()
    ));
    text
}

/// What a kernel's or task's author says of it.
fn about(kind: &dyn Kind) -> String {
    let command = kind.augment(Command::new("kernel"));
    command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// Refuses a kernel that can't be called what it is called, and parameters that are named like our flags. Asked at
/// every start: clap would merge the two.
pub(crate) fn check_names(kind: &dyn Kind) -> Result<(), CliError> {
    let name = kind.name();
    if kind.named(&name).is_none() {
        // All of a program's at once.
        return Ok(());
    }
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

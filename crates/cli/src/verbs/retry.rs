//! `retry`: begins a round of the shards that have holes, and says how to start it.

use clap::Args;
use croupier_run::{Executable, Found, Standing, Survey};
use serde::Serialize;

use crate::exit::Exit;
use crate::flags::{RunFlags, ShowFlags};
use crate::{CliError, environment, run_uri, show};

// What `retry` is asked.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct RetryVerb {
    #[command(flatten)]
    run: RunFlags,
    /// Also shards whose kernel failed in this very program
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    show: ShowFlags,
}

#[derive(Serialize)]
struct Retry {
    run: String,
    /// None where there is nothing to retry.
    round: Option<u32>,
    /// By the index of the array that repeats them.
    shards: Vec<u32>,
    running: usize,
    /// Shards whose kernel failed in this very program.
    hopeless: Vec<u32>,
    /// What starts the round by hand.
    commands: Vec<String>,
}

pub(crate) async fn retry(flags: &RetryVerb) -> Result<Exit, CliError> {
    let mut run = run_uri::find(&flags.run).await?;
    let build = this_build()?;
    let survey = run.survey().await?;
    let mut shards = survey.retriable(if flags.all { "" } else { &build });
    if run.at_most_once() {
        let started = run.started().await?;
        shards.retain(|shard| !started.contains(shard));
        if shards.is_empty() {
            return Err(all_started(&run));
        }
    }
    run.resume().await?;
    let hopeless = hopeless(&survey, &build);
    let round = match shards.is_empty() {
        true => None,
        false => {
            let next = survey.rounds.last().map_or(1, |round| round.round + 1);
            Some(run.begin_round(next, shards).await?)
        }
    };
    let report = Retry {
        run: run.uri(),
        round: round.as_ref().map(|round| round.round),
        commands: round
            .as_ref()
            .map_or_else(Vec::new, |round| commands(&run, round.round, &round.shards)),
        shards: round.map_or_else(Vec::new, |round| round.shards),
        running: survey.count(Standing::Running),
        hopeless: if flags.all { Vec::new() } else { hopeless },
    };
    show::print(flags.show.json, &report, |report| {
        let mut text = match report.round {
            Some(round) => format!(
                "round {round} of {}: {}\nstart it, {}:\n  {}",
                report.run,
                show::shards(&report.shards),
                match report.shards.len() {
                    1 => "as a job of its own".to_owned(),
                    count => format!("as an array of {count} with indexes from 0"),
                },
                report.commands.join("\n  ")
            ),
            None => format!("nothing to retry in {}", report.run),
        };
        if report.running > 0 {
            text.push_str(&format!(
                "\n{} shards are at work and left alone",
                report.running
            ));
        }
        if !report.hopeless.is_empty() {
            text.push_str(&format!(
                "\nnot {}: the kernel failed there in this very program, and will again (--all insists)",
                show::shards(&report.hopeless)
            ));
        }
        text
    })?;
    Ok(Exit::Done)
}

fn all_started(run: &Found) -> CliError {
    CliError::Usage(format!(
        "run {} is planned with --at-most-once, and every shard that is missing was started: none is started again; plan a new run for what is missing",
        run.name()
    ))
}

pub(crate) fn this_build() -> Result<String, CliError> {
    let executable = Executable::current().map_err(|error| CliError::System {
        what: "this program's own file can't be read",
        error,
    })?;
    Ok(executable.name())
}

fn hopeless(survey: &Survey, build: &str) -> Vec<u32> {
    let is_hopeless = |shard: &&croupier_run::ShardSurvey| shard.is_hopeless(build);
    let hopeless = survey.shards.iter().filter(is_hopeless);
    hopeless.map(|shard| shard.shard).collect()
}

/// The lines that start a round: one shard is a plain job, several are an array.
fn commands(run: &Found, round: u32, shards: &[u32]) -> Vec<String> {
    let program = environment::program();
    let uri = run.uri();
    match shards {
        [shard] => vec![format!("{program} shard --run {uri} --shard {shard}")],
        _ => vec![format!("{program} shard --run {uri} --round {round}")],
    }
}

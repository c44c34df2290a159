//! `logs`: what is known of every start of one shard, the last that it said, and what its scheduler says of it.

use clap::Args;
use croupier_run::{Attempt, AttemptState, Found};
use serde::Serialize;

use crate::engines::EngineFlags;
use crate::exit::Exit;
use crate::flags::{RunFlags, ShowFlags};
use crate::verbs::status::{ReasonReport, reason_text, said};
use crate::{CliError, run_uri, show};

// What `logs` is asked.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct LogsVerb {
    /// The shard
    #[arg(value_name = "SHARD")]
    shard: u32,
    #[command(flatten)]
    run: RunFlags,
    #[command(flatten)]
    engine: EngineFlags,
    #[command(flatten)]
    show: ShowFlags,
}

#[derive(Serialize)]
struct Logs {
    run: String,
    shard: u32,
    attempts: Vec<Attempt>,
    /// What the scheduler says of it where it ended badly; null where no engine was named.
    reasons: Option<Vec<ReasonReport>>,
}

pub(crate) async fn logs(flags: &LogsVerb) -> Result<Exit, CliError> {
    let found = run_uri::find(&flags.run).await?;
    let reasons = said(&flags.engine, &found).await?.map(|said| {
        let reasons = said.reasons.into_iter();
        reasons
            .filter(|reason| reason.shard == flags.shard)
            .collect()
    });
    let (run, shard) = match found {
        Found::Run(run) => (*run, flags.shard),
        Found::Cases(cases) => {
            let (case, shard) = cases.locate(flags.shard)?;
            let run = cases.case_run(case).await?.ok_or_else(|| {
                CliError::Usage(format!(
                    "case {case} of run {} was not begun, so there is nothing to show of shard {}",
                    cases.name(),
                    flags.shard
                ))
            })?;
            (run, shard)
        }
    };
    run.segment_of(shard)?;
    let report = Logs {
        run: run.uri(),
        shard,
        attempts: run.attempts_at(shard).await?,
        reasons,
    };
    show::print(flags.show.json, &report, |report| {
        let mut texts: Vec<String> = report.attempts.iter().map(text).collect();
        if texts.is_empty() {
            texts.push(format!(
                "shard {} of {} was not started yet",
                report.shard, report.run
            ));
        }
        texts.extend(report.reasons.iter().flatten().map(reason_text));
        texts.join("\n\n")
    })?;
    Ok(Exit::Done)
}

fn text(attempt: &Attempt) -> String {
    let state = match attempt.state {
        AttemptState::Running => "running, or gone without a word",
        AttemptState::Done => "done",
        AttemptState::Failed => "failed",
        AttemptState::Kernel => "failed on a sample",
        AttemptState::Stopped => "stopped in time",
        AttemptState::Died => "died",
    };
    let mut text = format!(
        "attempt {} of shard {}: {state}\nstarted {}, {} of {} blocks in {}, {} threads on {}",
        attempt.id,
        attempt.shard,
        attempt.started,
        attempt.blocks_before + attempt.blocks_done,
        attempt.blocks,
        show::seconds(attempt.seconds),
        attempt.threads,
        attempt.host.as_deref().unwrap_or("an unknown host"),
    );
    if let Some(scheduler) = &attempt.scheduler {
        text.push_str(&format!(
            "\n{} job {}",
            scheduler.name,
            scheduler.job.as_deref().unwrap_or("unknown")
        ));
    }
    if let Some(bytes) = attempt.memory_peak_bytes {
        text.push_str(&format!("\nmemory peak {} MiB", bytes >> 20));
    }
    if let Some(error) = &attempt.error {
        text.push_str(&format!("\n{error}"));
    }
    if let Some(death) = &attempt.death {
        match (death.signal, death.exit_code) {
            (Some(signal), _) => text.push_str(&format!("\nkilled by signal {signal}")),
            (None, Some(code)) => text.push_str(&format!("\nexit code {code}")),
            (None, None) => {}
        }
        if death.out_of_memory == Some(true) {
            text.push_str(": out of memory");
        }
        if !death.stderr.is_empty() {
            text.push_str(&format!("\nthe last it said:\n{}", death.stderr.trim_end()));
        }
    }
    text
}

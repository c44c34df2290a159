//! `replay`: runs one block or one sample again, and shows what it gives.

use clap::Args;
use croupier_compute::engine::ReplayError;
use croupier_compute::{Estimates, Grid};
use croupier_run::EstimateReport;
use serde::Serialize;

use crate::exit::Exit;
use crate::flags::{RunFlags, ShowFlags};
use crate::kind::Kind;
use crate::setup::from_run;
use crate::{CliError, run_uri, show};

// What `replay` is asked.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct ReplayVerb {
    #[command(flatten)]
    run: RunFlags,
    /// The block to run again
    #[arg(
        long,
        value_name = "N",
        hide_env = true,
        required_unless_present = "sample",
        conflicts_with = "sample"
    )]
    block: Option<u64>,
    /// The sample to run again
    #[arg(long, value_name = "N", hide_env = true)]
    sample: Option<u64>,
    #[command(flatten)]
    show: ShowFlags,
}

#[derive(Serialize)]
struct ReplayReport {
    run: String,
    block: u64,
    sample: Option<u64>,
    /// Why it failed, if it did.
    failed: Vec<String>,
    estimates: Vec<EstimateReport>,
    notes: Vec<String>,
}

pub(crate) async fn replay(kind: &dyn Kind, flags: &ReplayVerb) -> Result<Exit, CliError> {
    let run = run_uri::open_run(&flags.run).await?;
    let kernel = from_run(kind, &run, &[], &run_uri::options(&flags.run.store)).await?;
    let identity = &run.manifest.identity;
    if identity.is_task() {
        return Err(CliError::Usage(format!(
            "run {} is a task's: there are no samples to run again",
            run.name()
        )));
    }
    let length = identity.block_length;
    let grid = Grid::new(length, 0, run.samples()).map_err(croupier_run::Error::from)?;
    let block = match (flags.block, flags.sample) {
        (Some(block), _) => block,
        (None, Some(sample)) => length.block_of(sample),
        (None, None) => unreachable!("clap asks for one of the two"),
    };
    let is_there = flags.sample.is_none_or(|sample| sample < run.samples());
    if !grid.blocks().contains(&block) || !is_there {
        return Err(CliError::Usage(format!(
            "run {} has blocks 0 to {} with samples 0 to {}",
            run.name(),
            grid.blocks().end - 1,
            run.samples() - 1
        )));
    }
    let seed = identity.seed;
    let mut failed = Vec::new();
    let mut estimates = Estimates::new(identity.kernel.clone(), 0.95);
    match flags.sample {
        Some(sample) => match kernel.replay_sample(seed, &grid, sample, &mut estimates) {
            Ok(()) => {}
            Err(error @ ReplayError::NoSampleMethod { .. }) => {
                return Err(CliError::Usage(format!("--sample {sample}: {error}")));
            }
            Err(failure) => failed.push(format!("sample {sample} (block {block}): {failure}")),
        },
        None => match kernel.replay_block(seed, &grid, block, &mut estimates) {
            Ok(samples) => failed.extend(samples.iter().map(|one| {
                format!(
                    "sample {} (block {block}): {}",
                    one.first_sample, one.message
                )
            })),
            Err(failure) => failed.push(failure.to_string()),
        },
    }
    let report = ReplayReport {
        run: run.uri(),
        block,
        sample: flags.sample,
        failed,
        estimates: EstimateReport::all(&estimates),
        notes: estimates.notes().to_vec(),
    };
    show::print(flags.show.json, &report, |report| {
        format!("{}{}", show::tally(&estimates), report.failed.join("\n"))
    })?;
    Ok(if report.failed.is_empty() {
        Exit::Done
    } else {
        Exit::KernelFailed
    })
}

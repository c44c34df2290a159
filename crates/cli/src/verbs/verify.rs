//! `verify`: runs a part of a run again on one thread, and compares bits.

use clap::Args;
use croupier_run::{Depth, Found, StoredRun, Verified};
use serde::Serialize;

use crate::exit::Exit;
use crate::flags::{RunFlags, ShowFlags};
use crate::kind::Kind;
use crate::number::format_count;
use crate::setup::from_run;
use crate::{CliError, run_uri, show};

// What `verify` is asked.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct VerifyVerb {
    #[command(flatten)]
    run: RunFlags,
    /// Run every row of every partial again, which is all of the work
    #[arg(long)]
    deep: bool,
    #[command(flatten)]
    show: ShowFlags,
}

#[derive(Serialize)]
struct VerifyReport {
    run: String,
    shards: u64,
    rows: u64,
    blocks: u64,
    /// Shards of which a block is in no valid partial.
    missing: u64,
    /// Damaged partials.
    invalid: u64,
}

pub(crate) async fn verify(kind: &dyn Kind, flags: &VerifyVerb) -> Result<Exit, CliError> {
    let found = run_uri::find(&flags.run).await?;
    let uri = found.uri();
    let depth = if flags.deep {
        Depth::Rows
    } else {
        Depth::Witnesses
    };
    let runs: Vec<StoredRun> = match found {
        Found::Run(run) => vec![*run],
        Found::Cases(mut cases) => cases.planned().await?.values().cloned().collect(),
    };
    let mut verified = Verified::default();
    for run in &runs {
        let kernel = from_run(kind, run, &[], &run_uri::options(&flags.run.store)).await?;
        verified.add(&kernel.verify(run, depth).await?);
    }
    let shards: u64 = runs.iter().map(|run| u64::from(run.shards())).sum();
    if verified.rows == 0 {
        let why = match (verified.invalid_partials, depth) {
            (0, Depth::Witnesses) if verified.missing_shards < shards => {
                "its partials keep no single block: pass --deep".to_owned()
            }
            (0, _) => "it has no partials yet".to_owned(),
            (invalid, _) => {
                format!("its partials are damaged ({invalid} of them): `reduce` names them")
            }
        };
        return Err(CliError::Usage(format!(
            "of run {uri} nothing could be verified: {why}"
        )));
    }
    let report = VerifyReport {
        run: uri,
        shards: verified.shards,
        rows: verified.rows,
        blocks: verified.blocks,
        missing: verified.missing_shards,
        invalid: verified.invalid_partials,
    };
    show::print(flags.show.json, &report, |report| {
        let mut text = format!(
            "the same bits: {} blocks of {} shards, run again on one thread",
            format_count(report.blocks),
            report.shards
        );
        if report.missing > 0 {
            text.push_str(&format!(
                "\nincomplete: {} of {} shards, of which blocks are missing",
                report.missing, shards
            ));
        }
        if report.invalid > 0 {
            text.push_str(&format!(
                "\nNOT COMPARED: {} damaged partials, which `reduce` names",
                report.invalid
            ));
        }
        text
    })?;
    Ok(Exit::Done)
}

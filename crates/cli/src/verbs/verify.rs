//! `verify`: runs a part of a run again on one thread, and compares bits.

use croupier_run::Depth;
use serde::Serialize;

use crate::exit::Exit;
use crate::flags::VerifyVerb;
use crate::kind::Kind;
use crate::number::format_count;
use crate::setup::from_run;
use crate::{CliError, run_uri, show};

#[derive(Serialize)]
struct VerifyReport {
    run: String,
    shards: u64,
    rows: u64,
    blocks: u64,
}

pub(crate) async fn verify(kind: &dyn Kind, flags: &VerifyVerb) -> Result<Exit, CliError> {
    let run = run_uri::open_run(&flags.run).await?;
    let kernel = from_run(kind, &run, &[], &run_uri::options(&flags.run.store)).await?;
    let depth = if flags.deep {
        Depth::Rows
    } else {
        Depth::Witnesses
    };
    let verified = kernel.verify(&run, depth).await?;
    if verified.rows == 0 {
        return Err(CliError::Usage(format!(
            "run {} has no partials yet: there is nothing to verify",
            run.uri()
        )));
    }
    let report = VerifyReport {
        run: run.uri(),
        shards: verified.shards,
        rows: verified.rows,
        blocks: verified.blocks,
    };
    show::print(flags.show.json, &report, |report| {
        format!(
            "the same bits: {} blocks of {} shards, run again on one thread",
            format_count(report.blocks),
            report.shards
        )
    });
    Ok(Exit::Done)
}

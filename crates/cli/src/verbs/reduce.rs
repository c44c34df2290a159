//! `reduce`: merges whatever shards succeeded.

use croupier_run::{ReduceOptions, StoredRun, Verdict};

use crate::exit::Exit;
use crate::flags::ReduceVerb;
use crate::setup::check_run;
use crate::{CliError, Program, run_uri, show};

pub(crate) async fn reduce<K: Program>(flags: &ReduceVerb) -> Result<Exit, CliError> {
    let run = run_uri::open_run(&flags.run).await?;
    check_run::<K>(&run)?;
    let options = ReduceOptions {
        policy: flags.policy,
        failed_samples: flags.failed_samples,
        skip_foreign: flags.skip_foreign,
        level: flags.level,
        ..ReduceOptions::default()
    };
    print_reduced::<K>(&run, &options, flags.show.json).await
}

/// Reduces and prints.
pub(crate) async fn print_reduced<K: Program>(
    run: &StoredRun,
    options: &ReduceOptions,
    json: bool,
) -> Result<Exit, CliError> {
    let reduced = croupier_run::reduce::<K>(run, options).await?;
    show::print(json, &reduced.report, |report| {
        show::report(report, reduced.uri.as_deref())
    });
    show::warn(&reduced.report.warnings);
    Ok(match reduced.verdict {
        Verdict::Accepted => Exit::Done,
        Verdict::Refused => Exit::NotAccepted,
        Verdict::TooManyFailed => Exit::KernelFailed,
    })
}

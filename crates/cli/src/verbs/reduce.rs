//! `reduce`: merges whatever shards succeeded.

use croupier_run::{ReduceOptions, StoredRun, Verdict};

use crate::exit::Exit;
use crate::flags::ReduceVerb;
use crate::kind::{Kind, Summary};
use crate::setup::check_run;
use crate::{CliError, environment, run_uri, show};

pub(crate) async fn reduce(kind: &dyn Kind, flags: &ReduceVerb) -> Result<Exit, CliError> {
    let run = run_uri::open_run(&flags.run).await?;
    check_run(kind, &run)?;
    let options = ReduceOptions {
        policy: flags.policy,
        failed_samples: flags.failed_samples,
        skip_foreign: flags.skip_foreign,
        level: flags.level,
        ..ReduceOptions::default()
    };
    print_reduced(kind, &run, &options, flags.show.json).await
}

/// Reduces and prints.
pub(crate) async fn print_reduced(
    kind: &dyn Kind,
    run: &StoredRun,
    options: &ReduceOptions,
    json: bool,
) -> Result<Exit, CliError> {
    print_summary(&kind.reduce(run, options).await?, run, json)
}

/// Prints a result; how the verb ends by it.
pub(crate) fn print_summary(
    reduced: &Summary,
    run: &StoredRun,
    json: bool,
) -> Result<Exit, CliError> {
    show::print(json, &reduced.report, |report| {
        show::report(report, reduced.uri.as_deref())
    })?;
    show::warn(&reduced.report.warnings);
    if reduced.verdict == Verdict::Refused && !run.manifest.at_most_once {
        eprintln!(
            "to run what is missing again:\n  {} retry --run {}",
            environment::program(),
            run.uri()
        );
    }
    Ok(match reduced.verdict {
        Verdict::Accepted => Exit::Done,
        Verdict::Refused | Verdict::Imprecise => Exit::NotAccepted,
        Verdict::TooManyFailed => Exit::KernelFailed,
    })
}

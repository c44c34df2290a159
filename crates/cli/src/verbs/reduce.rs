//! `reduce`: merges whatever shards succeeded.

use croupier_run::{ReduceOptions, StoredRun, Verdict};

use crate::exit::Exit;
use crate::flags::ReduceVerb;
use crate::kind::Kind;
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
    let reduced = kind.reduce(run, options).await?;
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
        Verdict::Refused => Exit::NotAccepted,
        Verdict::TooManyFailed => Exit::KernelFailed,
    })
}

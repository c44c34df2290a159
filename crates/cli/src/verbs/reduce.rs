//! `reduce`: merges whatever shards succeeded, of a run or of each of its cases.

use clap::Args;
use croupier_run::{
    CasesReport, Error, FailedCase, FailedSamplesLimit, Found, Policy, ReduceOptions, Report,
    StoredCases, StoredRun, Verdict,
};
use futures_util::{StreamExt, stream};

use crate::exit::Exit;
use crate::flags::{RunFlags, ShowFlags, failed_samples, policy};
use crate::kind::{Kind, Summary};
use crate::setup::check_run;
use crate::{CliError, cases, environment, run_uri, show};

// What `reduce` is asked.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct ReduceVerb {
    #[command(flatten)]
    run: RunFlags,
    /// What may be missing, instead of what was planned
    #[arg(long, value_name = "POLICY", value_parser = policy)]
    policy: Option<Policy>,
    /// How many samples may fail, instead of what was planned
    #[arg(long, value_name = "N|P%", value_parser = failed_samples)]
    failed_samples: Option<FailedSamplesLimit>,
    /// Leave out partials of other runs instead of stopping at them
    #[arg(long)]
    skip_foreign: bool,
    /// The confidence level of intervals
    #[arg(long, default_value_t = 0.95, value_parser = level)]
    level: f64,
    #[command(flatten)]
    show: ShowFlags,
}

pub(crate) async fn reduce(kind: &dyn Kind, flags: &ReduceVerb) -> Result<Exit, CliError> {
    let mut found = run_uri::find(&flags.run).await?;
    check_found(kind, &found)?;
    let options = ReduceOptions {
        policy: flags.policy,
        failed_samples: flags.failed_samples,
        skip_foreign: flags.skip_foreign,
        level: flags.level,
        ..ReduceOptions::default()
    };
    reduced(kind, &mut found, &options)
        .await?
        .print(flags.show.json)
}

/// Checks that a run is of this program, as far as that matters for reducing it.
pub(crate) fn check_found(kind: &dyn Kind, found: &Found) -> Result<(), CliError> {
    match found {
        Found::Run(run) => check_run(kind, run),
        Found::Cases(cases) => cases::check(kind, cases).map(|_| ()),
    }
}

/// A result, of a run or of cases.
pub(crate) struct Reduced {
    made: Made,
    at_most_once: bool,
}

enum Made {
    One(Box<Summary>),
    All {
        report: Box<CasesReport>,
        uri: Option<String>,
        /// Cases that could not be reduced, and why.
        failures: Vec<(u32, Error)>,
        too_many_failed: bool,
    },
}

/// Reduces what was found.
pub(crate) async fn reduced(
    kind: &dyn Kind,
    found: &mut Found,
    options: &ReduceOptions,
) -> Result<Reduced, CliError> {
    Ok(Reduced {
        at_most_once: found.at_most_once(),
        made: match found {
            Found::Run(run) => Made::One(Box::new(kind.reduce(run, options).await?)),
            Found::Cases(cases) => reduce_cases(kind, cases, options).await?,
        },
    })
}

/// Reduces each case, some at a time. One whose partials disagree or are foreign has no result, and keeps no other from
/// having one.
async fn reduce_cases(
    kind: &dyn Kind,
    cases: &mut StoredCases,
    options: &ReduceOptions,
) -> Result<Made, CliError> {
    const AT_ONCE: usize = 8;
    let runs: Vec<(u32, StoredRun)> = {
        let planned = cases.planned().await?.iter();
        planned.map(|(case, run)| (*case, run.clone())).collect()
    };
    let mut reducing = stream::iter(&runs)
        .map(|(case, run)| async { (*case, kind.reduce(run, options).await) })
        .buffered(AT_ONCE);
    let mut reports: Vec<(u32, Report)> = Vec::with_capacity(runs.len());
    let mut failures = Vec::new();
    let mut too_many_failed = false;
    while let Some((case, outcome)) = reducing.next().await {
        match outcome {
            Ok(summary) => {
                too_many_failed |= summary.verdict == Verdict::TooManyFailed;
                reports.push((case, summary.report));
            }
            Err(error @ (Error::Differ { .. } | Error::Foreign { .. } | Error::Kernel(_))) => {
                failures.push((case, error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let failed = failures.iter().map(|(case, error)| {
        let run = runs.iter().find(|(planned, _)| planned == case);
        run.map(|(case, run)| FailedCase::new(*case, run, error.to_string()))
    });
    let failed = failed.flatten().collect();
    let (report, uri) = CasesReport::write(cases, &reports, failed, options.policy).await?;
    Ok(Made::All {
        report: Box::new(report),
        uri,
        failures,
        too_many_failed,
    })
}

impl Reduced {
    /// The result of a run; none of cases.
    pub(crate) fn of_run(&self) -> Option<&Summary> {
        match &self.made {
            Made::One(summary) => Some(summary),
            Made::All { .. } => None,
        }
    }

    /// The shards of which something is missing.
    pub(crate) fn missing(&self) -> &[u32] {
        match &self.made {
            Made::One(summary) => &summary.report.shards.missing,
            Made::All { report, .. } => &report.shards.missing,
        }
    }

    /// Prints it; how the verb ends by it.
    pub(crate) fn print(&self, json: bool) -> Result<Exit, CliError> {
        let (warnings, run, exit) = match &self.made {
            Made::One(summary) => {
                show::print(json, &summary.report, |report| {
                    show::report(report, summary.uri.as_deref())
                })?;
                let exit = match summary.verdict {
                    Verdict::Accepted => Exit::Done,
                    Verdict::Refused | Verdict::Imprecise => Exit::NotAccepted,
                    Verdict::TooManyFailed => Exit::KernelFailed,
                };
                (&summary.report.warnings, &summary.report.run, exit)
            }
            Made::All {
                report,
                uri,
                failures,
                too_many_failed,
            } => {
                show::print(json, report, |report| show::cases(report, uri.as_deref()))?;
                for (case, error) in failures {
                    eprintln!("error: case {case}: {error}");
                }
                let has = |exit: Exit| {
                    let mut exits = failures
                        .iter()
                        .map(|(_, error)| crate::error::exit_of(error));
                    exits.any(|found| found == exit)
                };
                let exit = match [Exit::BitsDiffer, Exit::Foreign]
                    .into_iter()
                    .find(|exit| has(*exit))
                {
                    Some(exit) => exit,
                    None if *too_many_failed || has(Exit::KernelFailed) => Exit::KernelFailed,
                    None if !report.accepted => Exit::NotAccepted,
                    None => Exit::Done,
                };
                (&report.warnings, &report.run, exit)
            }
        };
        show::warn(warnings);
        // More rounds make nothing more precise.
        let is_refused = self
            .of_run()
            .is_none_or(|summary| summary.verdict == Verdict::Refused);
        if exit == Exit::NotAccepted && is_refused && !self.at_most_once {
            eprintln!(
                "to run what is missing again:\n  {} retry --run {run}",
                environment::program(),
            );
        }
        Ok(exit)
    }
}

fn level(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|level| (0.5..1.0).contains(level))
        .ok_or_else(|| "expected a level from 0.5 up to and without 1, such as 0.95".to_owned())
}

//! `--until` and what goes with it: when a run is precise enough, and what it may cost.

use std::time::Duration;

use clap::Args;
use croupier_run::{Aim, Bounds, Found, Until, UntilReport, Verdict};

use crate::CliError;
use crate::kind::Instance;
use crate::number::{self, format_count};
use crate::verbs::Reduced;

// When a run is precise enough.
#[derive(Args, Clone, Debug, Default)]
#[group(skip)]
pub(crate) struct UntilFlags {
    /// Go on until an estimate is precise enough: rel=R (half its interval over its value) or abs=A (half its interval), as in rel=1e-3, or price:rel=1e-3 where there are several. May be given for each of them
    #[arg(long, value_name = "[ESTIMATE:]PRECISION", value_parser = aim, help_heading = "Until")]
    pub(crate) until: Vec<Aim>,
    /// With --until: the most samples the run may have
    #[arg(long, value_name = "N", value_parser = number::count, requires = "until", help_heading = "Until")]
    pub(crate) max_samples: Option<u64>,
    /// With --until: the longest it may take from when it is planned; what would take longer is not begun
    #[arg(long, value_name = "TIME", value_parser = crate::flags::duration, requires = "until", help_heading = "Until")]
    pub(crate) max_time: Option<Duration>,
    /// With --until: what every sample of an estimate lies between, which makes its interval right for any number of samples
    #[arg(long, value_name = "[ESTIMATE:]LOW,HIGH", value_parser = bounds, allow_hyphen_values = true, requires = "until", help_heading = "Until")]
    pub(crate) bounds: Vec<Bounds>,
}

impl UntilFlags {
    /// Whether they were given.
    pub(crate) fn are_given(&self) -> bool {
        !self.until.is_empty()
    }

    /// What they ask for of `kernel`; none where they were not given.
    pub(crate) fn of(&self, kernel: &dyn Instance) -> Result<Option<Until>, CliError> {
        if !self.are_given() {
            return Ok(None);
        }
        let mut until = Until::new(self.until.clone()).with_max_time(self.max_time);
        until.max_samples = self.max_samples;
        until.bounds = self.bounds.clone();
        let names = kernel
            .estimate_names()
            .map_err(|failure| CliError::Kernel {
                what: "the empty tally does not say what it estimates",
                failure,
            })?;
        Ok(Some(until.named(&names)?))
    }
}

/// Grows a run that is not precise enough yet, and says so: whether there is more to do.
pub(crate) async fn go_on(found: &mut Found, reduced: &Reduced) -> Result<bool, CliError> {
    // Cases have the samples that they were planned with.
    let (Found::Run(run), Some(reduced)) = (found, reduced.of_run()) else {
        return Ok(false);
    };
    if !run.go_on(&reduced.report).await? {
        return Ok(false);
    }
    if reduced.verdict == Verdict::Imprecise
        && let Some(refused) = &reduced.report.refused
    {
        let reason = refused.split("; it is not over").next().unwrap_or(refused);
        eprintln!(
            "{reason}: going on to {} samples",
            format_count(run.samples())
        );
    }
    Ok(true)
}

/// How precise a result was to be, and what came of it, in lines that begin with a line's end.
pub(crate) fn described(until: &UntilReport) -> String {
    let met = if until.met { "met" } else { "not met" };
    let looks: Vec<String> = until
        .looks
        .iter()
        .map(|look| format_count(look.samples))
        .collect();
    let mut text = format!(
        "\nuntil   {}: {met}, looked at after {} samples",
        until.asked,
        looks.join(", ")
    );
    for interval in &until.intervals {
        let Some((method, assumes)) = interval.method.as_ref().zip(interval.assumes.as_ref())
        else {
            continue;
        };
        text.push_str(&format!(
            "\n        {}: {method}, which holds at every look; assumes {assumes}",
            interval.name
        ));
        let half_widths = interval.half_width.zip(interval.relative_half_width);
        if let Some((half_width, relative)) = half_widths {
            text.push_str(&format!(
                "; half of it {half_width:.2e}, rel {relative:.2e}"
            ));
        }
    }
    text
}

fn aim(text: &str) -> Result<Aim, String> {
    text.parse()
        .map_err(|error: croupier_run::Error| error.to_string())
}

fn bounds(text: &str) -> Result<Bounds, String> {
    text.parse()
        .map_err(|error: croupier_run::Error| error.to_string())
}

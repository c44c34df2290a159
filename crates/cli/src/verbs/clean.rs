//! `clean`: removes partials that a complete one of their shard makes superfluous.

use clap::Args;
use croupier_run::Found;
use serde::Serialize;

use crate::exit::Exit;
use crate::flags::{RunFlags, ShowFlags};
use crate::kind::Kind;
use crate::number::format_count;
use crate::setup::check_run;
use crate::{CliError, cases, run_uri, show};

// What `clean` is asked.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct CleanVerb {
    #[command(flatten)]
    run: RunFlags,
    /// Remove them; without this, only say what would be removed
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    show: ShowFlags,
}

#[derive(Serialize)]
struct Cleaned {
    run: String,
    partials: Vec<String>,
    removed: bool,
}

pub(crate) async fn clean(kind: &dyn Kind, flags: &CleanVerb) -> Result<Exit, CliError> {
    let run = run_uri::find(&flags.run).await?;
    let uri = run.uri();
    let mut partials = Vec::new();
    match run {
        Found::Run(run) => {
            check_run(kind, &run)?;
            partials = kind.clean(&run, flags.yes).await?;
        }
        Found::Cases(mut cases) => {
            let kind = cases::check(kind, &cases)?;
            for (case, run) in cases.planned().await? {
                let of_case = kind.clean(run, flags.yes).await?;
                partials.extend(of_case.iter().map(|key| format!("cases/{case}/{key}")));
            }
        }
    }
    let report = Cleaned {
        run: uri,
        partials,
        removed: flags.yes,
    };
    show::print(flags.show.json, &report, |report| {
        let count = format_count(report.partials.len() as u64);
        if report.removed {
            format!("removed {count} superseded partials of {}", report.run)
        } else {
            let mut text = format!("would remove {count} superseded partials of {}", report.run);
            for partial in &report.partials {
                text.push_str(&format!("\n  {partial}"));
            }
            if !report.partials.is_empty() {
                text.push_str("\nrepeat it with --yes");
            }
            text
        }
    })?;
    Ok(Exit::Done)
}

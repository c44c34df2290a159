//! `cases upload`: makes a folder of cases from a file with one in each line.

use clap::{Args, Command};
use croupier_store::{Placed, Store};
use futures_util::{StreamExt, stream};
use serde::Serialize;

use crate::cases::{AT_ONCE, numbered};
use crate::exit::Exit;
use crate::flags::{ShowFlags, StoreFlags};
use crate::kind::Kind;
use crate::number::format_count;
use crate::parameters::{JsonFlags, JsonText, parse_file};
use crate::{CliError, cases, run_uri, show};

// What `cases upload` is asked.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct UploadVerb {
    /// The file, with a JSON object in each line: a path or s3://bucket/key
    #[arg(value_name = "FILE")]
    file: String,
    /// Where to put 0.json, 1.json and so on: a path or s3://bucket/prefix
    #[arg(value_name = "URI")]
    uri: String,
    #[command(flatten)]
    store: StoreFlags,
    #[command(flatten)]
    show: ShowFlags,
}

#[derive(Serialize)]
struct Uploaded {
    uri: String,
    cases: usize,
    /// How many of them were not there before.
    new: usize,
}

pub(crate) async fn upload(kind: &dyn Kind, flags: &UploadVerb) -> Result<Exit, CliError> {
    let options = run_uri::options(&flags.store);
    let lines = cases::lines(&flags.file, &options).await?;
    check(kind, &flags.file, &lines)?;
    let folder = croupier_store::open(&flags.uri, &options).await?;
    let there = numbered(&*folder).await?;
    if let Some(other) = there.iter().find(|number| **number as usize >= lines.len()) {
        return Err(CliError::Usage(format!(
            "{} has {other}.json, and {} has {} lines: upload to a folder of its own",
            folder.uri(),
            flags.file,
            lines.len()
        )));
    }
    let count = lines.len();
    let mut new = 0;
    let mut putting = stream::iter(lines.into_iter().enumerate())
        .map(|(at, line)| put(&*folder, at, line))
        .buffered(AT_ONCE);
    while let Some(is_new) = putting.next().await {
        new += usize::from(is_new?);
    }
    let report = Uploaded {
        uri: folder.uri(),
        cases: count,
        new,
    };
    show::print(flags.show.json, &report, |report| {
        format!(
            "{} cases in {}, {} of them new",
            format_count(report.cases as u64),
            report.uri,
            format_count(report.new as u64)
        )
    })?;
    Ok(Exit::Done)
}

/// Writes a line as the case `at`; whether it was not there.
async fn put(folder: &dyn Store, at: usize, mut line: Vec<u8>) -> Result<bool, CliError> {
    line.push(b'\n');
    let key = format!("{at}.json");
    match folder.put_if_absent(&key, line.into()).await? {
        Placed::Written => Ok(true),
        Placed::Identical => Ok(false),
        Placed::Different(_) => Err(CliError::Usage(format!(
            "{}/{key} is there and says something else: upload to a folder of its own",
            folder.uri()
        ))),
    }
}

/// Refuses lines that are no parameters, before anything is written. What is missing in them may be given to all.
fn check(kind: &dyn Kind, file: &str, lines: &[Vec<u8>]) -> Result<(), CliError> {
    let is_known = kind.named(&kind.name()).is_some();
    let command = kind
        .augment(Command::new("case"))
        .mut_args(|arg| arg.required(false));
    for (at, line) in lines.iter().enumerate() {
        let text = JsonText::from_line(file, at + 1, line.clone())?;
        if is_known {
            let own = JsonFlags::read(&command, &text)?;
            let none = JsonFlags::default();
            parse_file(&command, &none, &own, &none)?;
        } else {
            text.check()?;
        }
    }
    Ok(())
}

//! All kernels and tasks of a program at once: for verbs that go by a run, whose manifest says which of them it is of.

use async_trait::async_trait;
use clap::error::ErrorKind;
use clap::{ArgMatches, Command};
use croupier_run::{Error, ReduceOptions, StoredRun};
use serde::de::Error as _;
use serde_json::Value;

use super::{Instance, Kind, Summary};

/// The kinds of a program, of which none was named.
pub(crate) struct Several<'k>(pub(crate) &'k [Box<dyn Kind>]);

impl Several<'_> {
    fn of(&self, run: &StoredRun) -> Result<&dyn Kind, Error> {
        let kernel = &run.manifest.identity.kernel;
        self.named(kernel).ok_or_else(|| Error::Foreign {
            what: format!("run {}", run.name()),
            differences: vec![format!(
                "kernel is {kernel:?}, this program has {}",
                self.name()
            )],
            advice: "use the program that planned it",
        })
    }
}

#[async_trait]
impl Kind for Several<'_> {
    fn name(&self) -> String {
        let names: Vec<String> = self.0.iter().map(|kind| kind.name()).collect();
        names.join(", ")
    }

    fn named(&self, kernel: &str) -> Option<&dyn Kind> {
        let mut kinds = self.0.iter();
        let kind = kinds.find(|kind| kind.name() == kernel)?;
        Some(&**kind)
    }

    fn version(&self) -> u32 {
        0
    }

    fn block(&self) -> u64 {
        1
    }

    fn inputs(&self) -> &'static [&'static str] {
        &[]
    }

    fn augment(&self, command: Command) -> Command {
        command
    }

    fn read_flags(&self, _matches: &ArgMatches) -> Result<Box<dyn Instance>, clap::Error> {
        let what = format!(
            "which one? To plan a run, say its name first: {}",
            self.name()
        );
        Err(clap::Error::raw(
            ErrorKind::MissingSubcommand,
            format!("{what}\n"),
        ))
    }

    fn read_parameters(&self, _: &Value) -> Result<Box<dyn Instance>, serde_json::Error> {
        Err(serde_json::Error::custom("they are those of one kernel"))
    }

    async fn reduce(&self, run: &StoredRun, options: &ReduceOptions) -> Result<Summary, Error> {
        self.of(run)?.reduce(run, options).await
    }

    async fn clean(&self, run: &StoredRun, is_meant: bool) -> Result<Vec<String>, Error> {
        self.of(run)?.clean(run, is_meant).await
    }
}

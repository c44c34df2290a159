//! Several kernels and tasks in one program, and which of them a call is about.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use croupier_fleet::index;

use crate::cases::names_one;
use crate::grammar::VERBS;
use crate::kind::{Kind, KindOf, KindOfTask, Program, Several, TaskProgram};
use crate::{CliError, environment, program};

/// A program of one or more kernels and tasks.
#[must_use = "a program does nothing until `main` is called"]
pub struct App {
    kinds: Vec<Box<dyn Kind>>,
}

/// A program that holds nothing yet.
///
/// With several, each is called by its name: `prog pi run …`, `prog copy-s3-folder …`. With one alone the name may be
/// left out. Verbs that go by a run (`status`, `reduce`, `shard --run` and the like) are at the top too, and find out
/// from the run whose it is.
pub fn app() -> App {
    App { kinds: Vec::new() }
}

impl App {
    /// Adds a kernel.
    pub fn kernel<K: Program>(mut self) -> Self {
        self.kinds.push(Box::new(KindOf::<K>::new()));
        self
    }

    /// Adds a task.
    pub fn task<T: TaskProgram>(mut self) -> Self {
        self.kinds.push(Box::new(KindOfTask::<T>::new()));
        self
    }

    /// The program's `main`: reads the command line, and does what it says.
    pub fn main(self) -> ExitCode {
        program::run_to_exit(&self.kinds)
    }
}

/// What a command line is about.
pub(crate) struct Call<'k> {
    pub(crate) kind: &'k dyn Kind,
    /// All of the program's.
    pub(crate) kinds: &'k [Box<dyn Kind>],
    /// Whether the verbs are those that go by a run, since no kernel was named.
    pub(crate) is_of_any: bool,
    /// The program, and behind it the verb and what belongs to it.
    pub(crate) arguments: Vec<OsString>,
}

impl<'k> Call<'k> {
    /// Reads `arguments`, of which the first is the program. `any` stands for all of `kinds`.
    pub(crate) fn read(
        kinds: &'k [Box<dyn Kind>],
        any: &'k Several<'k>,
        mut arguments: Vec<OsString>,
    ) -> Result<Self, CliError> {
        check(kinds)?;
        let first = arguments.get(1).and_then(|argument| argument.to_str());
        let named = first.and_then(|first| any.named(first));
        let (kind, is_of_any) = match (named, kinds) {
            (Some(kind), _) => {
                let name = arguments.remove(1);
                if let ([_, _, ..], Some(program)) = (kinds, arguments.first_mut()) {
                    program.push(" ");
                    program.push(name);
                }
                (kind, false)
            }
            (None, [only]) => (&**only, false),
            (None, _) => (any as &dyn Kind, true),
        };
        let at = arguments.len().min(1);
        let verb = arguments.get(1).map(OsString::as_os_str);
        if !is_of_any {
            if !verb.is_some_and(is_verb) {
                arguments.insert(at, OsString::from("run"));
            }
            if is_case_of_an_array(&arguments) {
                arguments[1] = OsString::from("shard");
            }
        } else if verb.is_none() {
            arguments.insert(at, OsString::from("--help"));
        } else if !verb.is_some_and(is_verb) {
            return Err(CliError::Usage(format!(
                "which one? Say its name first: {}",
                kinds
                    .iter()
                    .map(|kind| format!("`{} {} …`", called(&arguments), kind.name()))
                    .collect::<Vec<_>>()
                    .join(", ")
            )));
        }
        Ok(Self {
            kind,
            kinds,
            is_of_any,
            arguments,
        })
    }

    /// Whether it plans a run of cases, so that no parameter need be on the command line.
    pub(crate) fn plans_cases(&self) -> bool {
        let is_shard = self.is_worker();
        let is_folder = || value_of(&self.arguments, &KWARGS).is_some_and(|uri| !names_one(&uri));
        value_of(&self.arguments, &CASES).is_some() || (is_shard && is_folder())
    }

    /// Whether it is a scheduler's call for one shard.
    pub(crate) fn is_worker(&self) -> bool {
        self.arguments.get(1).is_some_and(|verb| verb == "shard")
    }

    /// What the program is called: its file's name, with the kernel's behind it where that was said.
    pub(crate) fn name(&self) -> String {
        called(&self.arguments)
    }
}

/// The flags that say where parameters are, with their variables.
const KWARGS: [&str; 3] = ["--kwargs", "--s3uri-kwargs", "CROUPIER_KWARGS"];
const CASES: [&str; 2] = ["--cases", "CROUPIER_CASES"];

/// Whether `run` was called as one process of an array, each of which runs a case of its own.
fn is_case_of_an_array(arguments: &[OsString]) -> bool {
    arguments.get(1).is_some_and(|verb| verb == "run")
        && value_of(arguments, &KWARGS).is_some_and(|uri| !names_one(&uri))
        && !arguments.iter().any(|argument| argument == "--alone")
        && environment::variable("CROUPIER_ALONE").is_none()
        && index::is_present(&environment::variable).is_some()
}

/// What follows the first of some flags, or is in their variable, before the command line is parsed.
fn value_of(arguments: &[OsString], names: &[&str]) -> Option<String> {
    let words: Vec<_> = arguments
        .iter()
        .map(|word| word.to_string_lossy())
        .collect();
    let after = |name: &&str| {
        let at = words.iter().position(|word| word == name);
        let assigned = || {
            words.iter().find_map(|word| {
                let value = word.strip_prefix(*name)?.strip_prefix('=')?;
                Some(value.to_owned())
            })
        };
        at.and_then(|at| words.get(at + 1))
            .map(ToString::to_string)
            .or_else(assigned)
    };
    let (flags, variables): (Vec<&str>, Vec<&str>) =
        names.iter().partition(|name| name.starts_with("--"));
    flags.iter().find_map(after).or_else(|| {
        variables
            .iter()
            .find_map(|name| environment::variable(name))
    })
}

fn called(arguments: &[OsString]) -> String {
    let file = arguments
        .first()
        .and_then(|path| Path::new(path).file_name());
    file.map_or_else(
        || "program".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

fn is_verb(argument: &OsStr) -> bool {
    let is_flag = argument.as_encoded_bytes().starts_with(b"-");
    !is_flag || ["-h", "--help", "-V", "--version"].contains(&argument.to_str().unwrap_or(""))
}

/// Refuses a program whose kernels and tasks can't be told apart, from each other or from verbs.
fn check(kinds: &[Box<dyn Kind>]) -> Result<(), CliError> {
    if kinds.is_empty() {
        return Err(CliError::Program(
            "this program has no kernel and no task: add one with `app().kernel::<K>()`".to_owned(),
        ));
    }
    for (at, kind) in kinds.iter().enumerate() {
        let name = kind.name();
        if kinds[..at].iter().any(|other| other.name() == name) {
            return Err(CliError::Program(format!(
                "two kernels or tasks of this program are called {name:?}: give one another `const NAME`"
            )));
        }
        if VERBS.contains(&name.as_str()) {
            return Err(CliError::Program(format!(
                "{name:?} is a verb of every program, and no kernel or task can be called so: give it another `const NAME`"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Args;
    use croupier_run::{Task, TaskFailure};
    use serde::{Deserialize, Serialize};

    use super::*;

    macro_rules! task {
        ($type:ident, $name:expr) => {
            #[derive(Args, Serialize, Deserialize)]
            struct $type {}

            impl Task for $type {
                type Row = ();

                const NAME: Option<&'static str> = $name;

                async fn perform(&self) -> Result<(), TaskFailure> {
                    Ok(())
                }
            }
        };
    }
    task!(CopyAll, None);
    task!(Other, Some("copy-all"));
    task!(Verb, Some("status"));

    fn refusal(app: App) -> String {
        check(&app.kinds).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn names_that_could_mean_two_things_are_refused() {
        assert_eq!(refusal(app().task::<CopyAll>()), "");
        let twice = refusal(app().task::<CopyAll>().task::<Other>());
        assert!(twice.contains("\"copy-all\""), "{twice}");
        let verb = refusal(app().task::<CopyAll>().task::<Verb>());
        assert!(verb.contains("\"status\" is a verb"), "{verb}");
        assert!(refusal(app()).contains("no kernel"));
    }

    #[test]
    fn one_alone_needs_no_name_and_several_do() {
        let called = |app: App, words: &[&str]| {
            let any = Several(&app.kinds);
            let words = words.iter().map(OsString::from).collect();
            Call::read(&app.kinds, &any, words)
                .map(|call| (call.kind.name(), call.arguments))
                .ok()
        };
        let one = || app().task::<CopyAll>();
        let expected = |words: &[&str]| {
            let words = words.iter().map(OsString::from).collect();
            Some(("copy-all".to_owned(), words))
        };
        for words in [&["prog"][..], &["prog", "run"], &["prog", "copy-all"]] {
            assert_eq!(
                called(one(), words),
                expected(&["prog", "run"]),
                "{words:?}"
            );
        }
        task!(Third, None);
        let two = || app().task::<CopyAll>().task::<Third>();
        assert_eq!(
            called(two(), &["prog", "copy-all", "--x"]),
            expected(&["prog copy-all", "run", "--x"])
        );
        assert_eq!(called(two(), &["prog", "--x"]), None);
        let status = called(two(), &["prog", "status"]).expect("a call");
        assert_eq!(status.0, "copy-all, third");
    }
}

//! `--target`: where runs go, written down once in `croupier.toml`.
//!
//! ```toml
//! [target.prod]
//! store = "s3://bucket/runs"
//! engine = "aws-batch"
//! job-queue = "spot"
//! vcpus = 4
//! policy = "retry=3,tolerate=1%"
//! ```
//!
//! A key is the name of a flag, without its hyphens in front (`engine` is `--on`); a verb takes the keys that are flags
//! of its own, and passes over the others. What is written there comes after the command line, JSON and the
//! environment, in place of a flag's default.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Arg, Command};
use toml::{Table, Value};

use crate::CliError;
use crate::kind::Kind;

/// The file, in the directory that a program is called in.
const FILE: &str = "croupier.toml";
/// Flags that say what is called or asked now, not where it goes.
const NOT_A_TARGET: [&str; 7] = ["target", "run", "name", "json", "kwargs", "help", "version"];

/// The flag that names a target.
pub(crate) fn argument() -> Arg {
    Arg::new("target")
        .long("target")
        .value_name("NAME")
        .help("Take flags that are not given from [target.NAME] of ./croupier.toml")
        .help_heading("Store")
}

/// The grammar with the defaults of target `name`.
///
/// # Errors
///
/// Where the file can't be read or has no such target, or a key is no flag.
pub(crate) fn apply(command: Command, kind: &dyn Kind, name: &str) -> Result<Command, CliError> {
    let text = std::fs::read_to_string(FILE).map_err(|error| {
        CliError::Usage(format!(
            "--target {name}: {FILE} can't be read in the current directory: {error}"
        ))
    })?;
    let defaults = read(&text, name, &known(&command, kind)).map_err(CliError::Usage)?;
    Ok(command.mut_subcommands(|verb| {
        verb.mut_args(|argument| {
            let values = argument.get_long().and_then(|long| defaults.get(long));
            match values {
                Some(values) => argument.default_values(values.clone()),
                None => argument,
            }
        })
    }))
}

/// The flags that a target may set.
fn known(command: &Command, kind: &dyn Kind) -> BTreeSet<String> {
    let longs = |command: &Command| -> BTreeSet<String> {
        let longs = command.get_arguments().filter_map(Arg::get_long);
        longs.map(str::to_owned).collect()
    };
    let parameters = longs(&kind.augment(Command::new("kernel")));
    let of_verbs = command.get_subcommands().flat_map(longs);
    of_verbs
        .filter(|long| !parameters.contains(long) && !NOT_A_TARGET.contains(&long.as_str()))
        .collect()
}

/// Where a file's text is wrong, and what is.
fn said(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    match before {
        Some(before) => format!(":{}: {}", before.matches('\n').count() + 1, error.message()),
        None => format!(": {}", error.message()),
    }
}

/// The values that each flag has in `[target.<name>]`.
fn read(
    text: &str,
    name: &str,
    known: &BTreeSet<String>,
) -> Result<BTreeMap<String, Vec<String>>, String> {
    let file: Table = text
        .parse()
        .map_err(|error: toml::de::Error| format!("{FILE}{}", said(text, &error)))?;
    let targets = file.get("target").and_then(Value::as_table);
    let Some(target) = targets.and_then(|targets| targets.get(name)?.as_table()) else {
        let names: Vec<&str> = targets
            .into_iter()
            .flat_map(|targets| targets.keys().map(String::as_str))
            .collect();
        return Err(match names.as_slice() {
            [] => format!("{FILE} has no [target.{name}], nor any other target"),
            names => format!("{FILE} has no [target.{name}], but {}", names.join(", ")),
        });
    };
    let mut defaults = BTreeMap::new();
    for (key, value) in target {
        let flag = match key.as_str() {
            "engine" => "on",
            key => key,
        };
        if !known.contains(flag) {
            return Err(format!(
                "{FILE}: [target.{name}] {key}: no flag that a target may set is called --{flag}"
            ));
        }
        let values = values(value)
            .ok_or_else(|| format!("{FILE}: [target.{name}] {key}: expected a text, a number, true or false, or a list of them"))?;
        defaults.insert(flag.to_owned(), values);
    }
    Ok(defaults)
}

fn values(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => Some(vec![value.to_string()]),
        Value::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(values).collect();
            items.map(|items| items.concat())
        }
        Value::Datetime(_) | Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_with(text: &str, name: &str) -> Result<BTreeMap<String, Vec<String>>, String> {
        let known = ["on", "store", "vcpus", "tags", "no-driver"].map(str::to_owned);
        read(text, name, &known.into())
    }

    #[test]
    fn keys_are_flags_and_values_are_what_they_take() {
        let text = "[target.prod]\nengine = \"aws-batch\"\nvcpus = 4\nno-driver = true\ntags = [\"a=1\", \"b=2\"]\n[target.test]\n";
        let read = read_with(text, "prod").unwrap();
        let values_of = |flag: &str| read[flag].join(" ");
        assert_eq!(values_of("on"), "aws-batch");
        assert_eq!(values_of("vcpus"), "4");
        assert_eq!(values_of("no-driver"), "true");
        assert_eq!(values_of("tags"), "a=1 b=2");
        assert!(read_with(text, "test").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, words) in [
            ("", "no [target.prod], nor any"),
            ("[target.test]", "no [target.prod], but test"),
            ("[target.prod]\nspeed = 1", "speed: no flag"),
            ("[target.prod]\nvcpus = {a = 1}", "vcpus: expected a text"),
            ("\n[target.prod\n", "croupier.toml:2: unclosed table"),
        ] {
            let error = read_with(text, "prod").unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}

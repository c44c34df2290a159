//! A kernel's parameters, by one path: flags, a JSON object and the environment all end in the same clap parser, so
//! that a value is good or bad whatever it came by.
//!
//! The command line goes before JSON, JSON before the environment, the environment before the default. JSON becomes
//! flags ([`JsonFlags::read`]) that [`parse`] puts right after the verb, without those that the command line gives
//! itself. The environment is clap's affair: [`set_environment_names`] names a variable for every flag.
//!
//! What serde would let through is refused here: unknown keys, a key in two spellings, `null`. What clap lets through
//! is refused here too: two arguments of one name, which a release build merges without a word ([`find_collisions`]),
//! and floats that are not finite, which JSON cannot carry (`croupier_run::first_not_finite`).
//!
//! ```
//! use clap::{Arg, Command, value_parser};
//! use croupier_cli::parameters::{JsonFlags, JsonText, leaf_of, parse};
//!
//! let spot = Arg::new("spot_price").long("spot-price").value_parser(value_parser!(f64));
//! let kernel = Command::new("option").arg(spot.clone());
//! let program = Command::new("option").subcommand(Command::new("run").arg(spot));
//!
//! let json = JsonText::from_bytes("p.json", br#"{"spot_price": 100.5}"#.to_vec())?;
//! let flags = JsonFlags::read(&kernel, &json)?;
//! let matches = parse(&program, &["option".into(), "run".into()], &flags)?;
//! let (_, run) = leaf_of(&matches);
//! assert_eq!(run.get_one::<f64>("spot_price"), Some(&100.5));
//! # Ok::<(), croupier_cli::parameters::ParametersError>(())
//! ```

mod error;
mod flags;
mod json;
mod names;
mod nearest;

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

pub use error::{KeyProblem, ParametersError};

pub use flags::{JsonFlag, JsonFlags};
pub use json::{JsonText, MOST_BYTES};
pub use names::{Collision, find_collisions, set_environment_names};

/// Parses a command line (the program's name first) together with the flags that JSON gave.
///
/// # Errors
/// What clap refuses: as clap's own error where it is about the command line, and with file, line and key where it is
/// about a flag that came from JSON. `--help` and `--version` are such an error of clap's too.
pub fn parse(
    command: &Command,
    arguments: &[OsString],
    json: &JsonFlags,
) -> Result<ArgMatches, ParametersError> {
    let seen = peek(command, arguments)?;
    let (verbs, leaf) = leaf_of(&seen);
    let verb = verbs
        .iter()
        .try_fold(command, |command, verb| command.find_subcommand(verb));
    let is_known = |flag: &JsonFlag| {
        verb.is_some_and(|verb| {
            verb.get_arguments()
                .any(|arg| arg.get_id() == flag.id.as_str())
        })
    };
    if !json.flags.iter().all(is_known) {
        // Another verb than meant, or none: what is wrong with the command line alone comes first.
        command.clone().try_get_matches_from(arguments)?;
    }
    let is_given = |flag: &JsonFlag| {
        is_known(flag) && leaf.value_source(&flag.id) == Some(ValueSource::CommandLine)
    };
    let flags: Vec<&JsonFlag> = json.flags.iter().filter(|flag| !is_given(flag)).collect();

    let (front, rest) = arguments.split_at(end_of_verbs(command, arguments, verbs.len()));
    let from_json = flags.iter().flat_map(|flag| &flag.arguments);
    let whole: Vec<&OsString> = front.iter().chain(from_json).chain(rest).collect();
    silence(command.clone(), &verbs, &flags)
        .try_get_matches_from(whole)
        .map_err(|error| blame(error, &json.file, &flags))
}

/// Parses parameters that come from a file alone: `common` goes before what the file says, and `defaults` behind it.
/// The environment is not asked.
///
/// # Errors
/// What clap refuses, with the file.
pub fn parse_file(
    command: &Command,
    common: &JsonFlags,
    own: &JsonFlags,
    defaults: &JsonFlags,
) -> Result<ArgMatches, ParametersError> {
    let command = command
        .clone()
        .mut_args(|arg| arg.env(clap::builder::Resettable::Reset));
    let has = |flags: &JsonFlags, id: &str| flags.flags.iter().any(|flag| flag.id == id);
    let defaults = defaults
        .flags
        .iter()
        .filter(|flag| !has(own, &flag.id) && !has(common, &flag.id));
    let given = common.flags.iter().chain(defaults);
    let arguments: Vec<OsString> = std::iter::once(OsString::from("case"))
        .chain(given.flat_map(|flag| flag.arguments.clone()))
        .collect();
    // What all share goes before a case's own, also where that is what no flag says: `false`, an empty list.
    let own = JsonFlags {
        file: own.file.clone(),
        flags: own
            .flags
            .iter()
            .filter(|flag| !has(common, &flag.id))
            .cloned()
            .collect(),
    };
    parse(&command, &arguments, &own).map_err(|error| match error {
        ParametersError::CommandLine(error)
            if error.kind() == clap::error::ErrorKind::MissingRequiredArgument =>
        {
            ParametersError::Missing {
                file: own.file.clone(),
                missing: match error.get(ContextKind::InvalidArg) {
                    Some(ContextValue::Strings(missing)) => missing.clone(),
                    _ => vec![first_line(&error)],
                },
            }
        }
        other => other,
    })
}

/// What clap makes of a command line, passing over what is wrong or missing: enough to find a flag by which the rest is
/// read, such as the name of the JSON file.
///
/// # Errors
/// `--help` and `--version`.
pub fn peek(command: &Command, arguments: &[OsString]) -> Result<ArgMatches, ParametersError> {
    // A flag given twice would otherwise look as if it were not given at all.
    let lenient = command.clone().ignore_errors(true).args_override_self(true);
    Ok(lenient.try_get_matches_from(arguments)?)
}

/// The verbs on the command line, outermost first, and the matches of the last one.
#[must_use]
pub fn leaf_of(matches: &ArgMatches) -> (Vec<&str>, &ArgMatches) {
    let mut verbs = Vec::new();
    let mut leaf = matches;
    while let Some((verb, inner)) = leaf.subcommand() {
        verbs.push(verb);
        leaf = inner;
    }
    (verbs, leaf)
}

/// How many of the arguments it takes until all verbs are said. Asked of clap itself, for only clap knows that the
/// `run` of `--name run` is no verb.
fn end_of_verbs(command: &Command, arguments: &[OsString], verbs: usize) -> usize {
    let is_enough = |count: &usize| {
        peek(command, &arguments[..*count]).is_ok_and(|seen| leaf_of(&seen).0.len() >= verbs)
    };
    (arguments.len().min(1)..=arguments.len())
        .find(is_enough)
        .unwrap_or(arguments.len())
}

/// Takes the environment from flags that JSON set to what no flag can say: `false`, or an empty list.
fn silence(command: Command, verbs: &[&str], flags: &[&JsonFlag]) -> Command {
    let Some((verb, inner)) = verbs.split_first() else {
        return command.mut_args(|arg| {
            let is_silent =
                |flag: &&JsonFlag| flag.arguments.is_empty() && arg.get_id() == flag.id.as_str();
            if flags.iter().any(is_silent) {
                arg.env(clap::builder::Resettable::Reset)
            } else {
                arg
            }
        });
    };
    command.mut_subcommands(|subcommand| {
        if subcommand.get_name() == *verb {
            silence(subcommand, inner, flags)
        } else {
            subcommand
        }
    })
}

/// Says file, line and key where clap refuses a flag that came from JSON.
fn blame(error: clap::Error, file: &str, flags: &[&JsonFlag]) -> ParametersError {
    let Some(ContextValue::String(refused)) = error.get(ContextKind::InvalidArg) else {
        return error.into();
    };
    // clap names an argument with its values: `--spot <SPOT>`, `--spot=<SPOT>`, `--spot[=<SPOT>]`.
    let name = refused.split([' ', '=', '[']).next().unwrap_or_default();
    match flags.iter().find(|flag| flag.name == name) {
        None => error.into(),
        Some(flag) => ParametersError::Refused {
            file: file.to_owned(),
            line: flag.line,
            key: flag.key.clone(),
            problem: first_line(&error),
            source: error,
        },
    }
}

/// The part of clap's text that says what is wrong: the first line, without the `error: ` in front.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests;

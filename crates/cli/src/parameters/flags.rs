//! From the entries of a JSON object to the flags they stand for.

use std::collections::HashMap;
use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};
use serde_json::value::RawValue;

use super::json::Entry;
use super::nearest::nearest;
use super::{JsonText, KeyProblem, ParametersError};

/// The flags that a JSON object stands for.
#[derive(Clone, Debug, Default)]
pub struct JsonFlags {
    /// What the object is called in errors.
    pub file: String,
    /// In the order of the keys.
    pub flags: Vec<JsonFlag>,
}

/// A key that became a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonFlag {
    /// clap's id of the argument.
    pub id: String,
    /// The flag: `--spot-price`.
    pub name: String,
    /// The key as it is spelt in the object.
    pub key: String,
    /// Where the value begins, from 1.
    pub line: usize,
    /// What stands for it on a command line; nothing for `false` and for an empty list.
    pub arguments: Vec<OsString>,
}

impl JsonFlags {
    /// Turns an object into flags of `command`, whose arguments are all that its keys may name: by the flag, an alias
    /// or the id, where `_` and `-` are the same.
    ///
    /// `true` and `false` are switches. Numbers go on as they are written, digit for digit. An array is for arguments
    /// that take several values.
    ///
    /// # Errors
    /// The text is no object, or keys are unknown, repeated, `null` or of the wrong type: all of these at once.
    pub fn read(command: &Command, json: &JsonText) -> Result<Self, ParametersError> {
        let mut flags: Vec<JsonFlag> = Vec::new();
        let mut problems = Vec::new();
        let mut seen: HashMap<String, (String, usize)> = HashMap::new();
        for Entry { key, line, value } in json.entries()? {
            match flag(command, &key, line, value, &mut seen) {
                Ok(flag) => flags.push(flag),
                Err(problem) => problems.push((line, key, problem)),
            }
        }
        let file = json.file.clone();
        if problems.is_empty() {
            Ok(Self { file, flags })
        } else {
            Err(ParametersError::BadKeys { file, problems })
        }
    }
}

fn flag(
    command: &Command,
    key: &str,
    line: usize,
    value: &RawValue,
    seen: &mut HashMap<String, (String, usize)>,
) -> Result<JsonFlag, KeyProblem> {
    let arg = find(command, key)?;
    let id = arg.get_id().to_string();
    if let Some((first, first_line)) = seen.insert(id.clone(), (key.to_owned(), line)) {
        return Err(KeyProblem::Twice { first, first_line });
    }
    let name = match (arg.get_long(), arg.get_short()) {
        (Some(long), _) => format!("--{long}"),
        (None, Some(short)) => format!("-{short}"),
        (None, None) => return Err(KeyProblem::Positional),
    };
    Ok(JsonFlag {
        arguments: arguments(arg, &name, value)?,
        id,
        name,
        key: key.to_owned(),
        line,
    })
}

fn find<'c>(command: &'c Command, key: &str) -> Result<&'c Arg, KeyProblem> {
    let dashed = |name: &str| name.replace('_', "-");
    let is_shown = |arg: &&Arg| {
        use ArgAction::{Help, HelpLong, HelpShort, Version};
        !matches!(arg.get_action(), Help | HelpLong | HelpShort | Version)
    };
    let names = |arg: &Arg| {
        let aliases = arg.get_all_aliases().unwrap_or_default();
        let spellings = aliases.into_iter().chain(arg.get_long());
        let spellings = spellings.chain([arg.get_id().as_str()]);
        spellings.map(dashed).collect::<Vec<_>>()
    };
    let args = || command.get_arguments().filter(is_shown);
    let key = dashed(key);
    if let Some(arg) = args().find(|arg| names(arg).contains(&key)) {
        return Ok(arg);
    }
    Err(match nearest(&key, args().flat_map(names)) {
        Some(nearest) => KeyProblem::Misspelt { nearest },
        None => KeyProblem::Unknown {
            known: args()
                .map(|arg| dashed(arg.get_long().unwrap_or(arg.get_id().as_str())))
                .collect(),
        },
    })
}

/// What stands for `value` on a command line.
fn arguments(arg: &Arg, name: &str, value: &RawValue) -> Result<Vec<OsString>, KeyProblem> {
    let value = Value::read(value)?;
    match arg.get_action() {
        ArgAction::SetTrue | ArgAction::SetFalse => match value {
            Value::Bool(true) => Ok(vec![name.into()]),
            Value::Bool(false) => Ok(vec![]),
            other => Err(other.is_not("true or false")),
        },
        ArgAction::Count => match &value {
            Value::Number(text) => match text.parse::<u8>() {
                Ok(count) => Ok(vec![name.into(); count.into()]),
                Err(_) => Err(value.is_not("a whole number from 0 to 255")),
            },
            other => Err(other.is_not("a whole number from 0 to 255")),
        },
        ArgAction::Append => match value {
            Value::Array(values) => list(arg, values, |texts| {
                texts.iter().map(|text| assign(name, text)).collect()
            }),
            scalar => Ok(vec![assign(
                name,
                &scalar.into_text("a value or a list of values")?,
            )]),
        },
        ArgAction::Set => match value {
            Value::Array(values) if takes_several(arg) => {
                list(arg, values, |texts| match arg.get_value_delimiter() {
                    Some(delimiter) if !texts.iter().any(|text| text.contains(delimiter)) => {
                        vec![assign(name, &texts.join(&delimiter.to_string()))]
                    }
                    Some(_) | None => {
                        let name = OsString::from(name);
                        [name]
                            .into_iter()
                            .chain(texts.iter().map(OsString::from))
                            .collect()
                    }
                })
            }
            // A flag whose value may be left out: `--colour`, `--colour=always`.
            Value::Bool(true) if takes_none(arg) => Ok(vec![name.into()]),
            scalar if takes_several(arg) => Ok(vec![assign(
                name,
                &scalar.into_text("a value or a list of values")?,
            )]),
            scalar => Ok(vec![assign(name, &scalar.into_text("a single value")?)]),
        },
        // clap's actions are an open set; the others take no value.
        _ => Err(value.is_not("no such key, for its flag takes no value")),
    }
}

/// `--flag=value`, which is one argument whatever the value begins with.
fn assign(name: &str, value: &str) -> OsString {
    format!("{name}={value}").into()
}

fn list(
    arg: &Arg,
    values: Vec<&RawValue>,
    arguments: impl FnOnce(&[String]) -> Vec<OsString>,
) -> Result<Vec<OsString>, KeyProblem> {
    if values.is_empty() {
        let defaults = arg.get_default_values();
        if defaults.is_empty() {
            return Ok(vec![]);
        }
        let defaults: Vec<_> = defaults
            .iter()
            .map(|value| value.to_string_lossy())
            .collect();
        return Err(KeyProblem::EmptyList {
            default: defaults.join(", "),
        });
    }
    let texts: Result<Vec<String>, KeyProblem> = values
        .into_iter()
        .map(|value| Value::read(value)?.into_text("a list of single values"))
        .collect();
    Ok(arguments(&texts?))
}

fn takes_several(arg: &Arg) -> bool {
    let most = arg.get_num_args().map_or(1, |range| range.max_values());
    most > 1 || arg.get_value_delimiter().is_some()
}

fn takes_none(arg: &Arg) -> bool {
    arg.get_num_args()
        .is_some_and(|range| range.min_values() == 0)
}

/// A JSON value, one level deep. Numbers stay as they are written.
enum Value<'t> {
    Bool(bool),
    Number(&'t str),
    Text(String),
    Array(Vec<&'t RawValue>),
    Object,
}

impl<'t> Value<'t> {
    fn read(value: &'t RawValue) -> Result<Self, KeyProblem> {
        let text = value.get();
        let bad_text = |error: serde_json::Error| KeyProblem::BadText {
            problem: error.to_string(),
        };
        match text.as_bytes().first() {
            Some(b'n') => Err(KeyProblem::Null),
            Some(b't') => Ok(Self::Bool(true)),
            Some(b'f') => Ok(Self::Bool(false)),
            Some(b'"') => serde_json::from_str(text).map(Self::Text).map_err(bad_text),
            Some(b'[') => serde_json::from_str(text)
                .map(Self::Array)
                .map_err(bad_text),
            Some(b'{') => Ok(Self::Object),
            // What is left of valid JSON.
            Some(_) | None => Ok(Self::Number(text)),
        }
    }

    fn into_text(self, expected: &'static str) -> Result<String, KeyProblem> {
        match self {
            Self::Bool(value) => Ok(value.to_string()),
            Self::Number(text) => Ok(text.to_owned()),
            Self::Text(text) => Ok(text),
            Self::Array(_) | Self::Object => Err(self.is_not(expected)),
        }
    }

    fn is_not(&self, expected: &'static str) -> KeyProblem {
        let found = match self {
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::Array(_) => "a list",
            Self::Object => "an object",
        };
        KeyProblem::WrongType { expected, found }
    }
}

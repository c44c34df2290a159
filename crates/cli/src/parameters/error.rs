//! What can be wrong with parameters.

use thiserror::Error;

/// Why parameters were refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ParametersError {
    /// The file is longer than parameters are.
    #[error(
        "{file} is longer than {limit_bytes} bytes: what is that large is an input, not a parameter"
    )]
    TooLarge {
        /// The file.
        file: String,
        /// The limit.
        limit_bytes: u64,
    },
    /// The file is not UTF-8.
    #[error("{file}, line {line}: not UTF-8, which JSON is written in")]
    NotText {
        /// The file.
        file: String,
        /// Where, from 1.
        line: usize,
    },
    /// The text is no JSON object.
    #[error("{file}{near}: {source}")]
    Malformed {
        /// The file.
        file: String,
        /// The last key read, as `, at key `spot``; empty before the first.
        near: String,
        /// Why, with line and column.
        source: serde_json::Error,
    },
    /// Keys that cannot become flags: all of them, a line each.
    #[error("{}", join(file, problems))]
    BadKeys {
        /// The file.
        file: String,
        /// Line, key and problem.
        problems: Vec<(usize, String, KeyProblem)>,
    },
    /// clap refuses a flag that came from JSON.
    #[error("{file}, line {line}: `{key}`: {problem}")]
    Refused {
        /// The file.
        file: String,
        /// Where the value begins, from 1.
        line: usize,
        /// The key as it is spelt there.
        key: String,
        /// What is wrong with it.
        problem: String,
        /// clap's own error.
        source: clap::Error,
    },
    /// An object of parameters does not have all that it needs.
    #[error("{file}: missing: {}", missing.join(", "))]
    Missing {
        /// The file.
        file: String,
        /// The flags that its keys would be.
        missing: Vec<String>,
    },
    /// clap refuses the command line, or shows help or the version.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
}

/// Why a key of a JSON object cannot become a flag.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyProblem {
    /// No flag is called so, but one nearly is.
    #[error("unknown parameter: did you mean `{nearest}`?")]
    Misspelt {
        /// A flag of a similar name.
        nearest: String,
    },
    /// No flag is called so, or nearly.
    #[error("unknown parameter: expected one of {}", list(known))]
    Unknown {
        /// All that are known.
        known: Vec<String>,
    },
    /// The key was there before, perhaps spelt otherwise.
    #[error("given twice, first as `{first}` in line {first_line}: keep one")]
    Twice {
        /// As it was spelt first.
        first: String,
        /// Where, from 1.
        first_line: usize,
    },
    /// `null`.
    #[error("null is no value: leave the key out to have the default")]
    Null,
    /// A value of the wrong type.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// What the flag takes.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// An empty list where leaving the flag out means something else.
    #[error("an empty list would give the default, {default}: leave the key out if that is meant")]
    EmptyList {
        /// The default.
        default: String,
    },
    /// A text with escapes that stand for no text.
    #[error("not a text: {problem}")]
    BadText {
        /// What the JSON parser says.
        problem: String,
    },
    /// A positional argument.
    #[error("has no flag: give it on the command line, by its position")]
    Positional,
}

fn join(file: &str, problems: &[(usize, String, KeyProblem)]) -> String {
    let lines = problems
        .iter()
        .map(|(line, key, problem)| format!("{file}, line {line}: `{key}`: {problem}"));
    lines.collect::<Vec<_>>().join("\n")
}

fn list(known: &[String]) -> String {
    if known.is_empty() {
        return "none, for there are no parameters".into();
    }
    let quoted: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

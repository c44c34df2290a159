//! What AWS refuses, in the words that it uses where they are known.

use serde_json::Value;

/// An error as the wire has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// The caller's mistake.
pub(super) fn client(message: impl Into<String>) -> Refusal {
    Refusal {
        status: 400,
        code: "ClientException",
        message: message.into(),
    }
}

const PAYLOAD_BYTES: usize = 30 << 10;
const DEFINITION_BYTES: usize = 24 << 10;

/// Refuses a SubmitJob that AWS refuses whatever its definition says.
pub(super) fn submission(body: &Value) -> Result<(), Refusal> {
    if body.to_string().len() > PAYLOAD_BYTES {
        return Err(client("SubmitJob payload is larger than 30 KiB"));
    }
    name(body["jobName"].as_str().unwrap_or_default())?;
    if body["jobQueue"].as_str().unwrap_or_default().is_empty() {
        return Err(client("Job queue is required"));
    }
    if let Some(size) = body["arrayProperties"].get("size")
        && !size
            .as_u64()
            .is_some_and(|size| (2..=10_000).contains(&size))
    {
        return Err(client("Array size must be between 2 and 10000"));
    }
    if !body["nodeOverrides"].is_null() {
        return Err(client("multi-node jobs are not simulated"));
    }
    let dependencies = body["dependsOn"].as_array().map_or(0, Vec::len);
    if dependencies > 20 {
        return Err(client("A job can depend upon a maximum of 20 jobs"));
    }
    strategy(&body["retryStrategy"])?;
    if let Some(seconds) = body["timeout"].get("attemptDurationSeconds")
        && seconds.as_u64().is_none_or(|seconds| seconds < 60)
    {
        return Err(client("Timeout must be at least 60 seconds"));
    }
    tags(&body["tags"])?;
    environments(body)
}

/// Refuses a definition that AWS refuses.
pub(super) fn definition(body: &Value) -> Result<(), Refusal> {
    if body.to_string().len() > DEFINITION_BYTES {
        return Err(client("the job definition is larger than 24 KiB"));
    }
    name(body["jobDefinitionName"].as_str().unwrap_or_default())?;
    let kinds = ["containerProperties", "ecsProperties", "eksProperties"];
    let given = kinds.iter().filter(|kind| !body[**kind].is_null()).count();
    if given != 1 {
        return Err(client(
            "one of containerProperties, ecsProperties and eksProperties",
        ));
    }
    strategy(&body["retryStrategy"])?;
    environments(body)
}

fn name(name: &str) -> Result<(), Refusal> {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    let is_one = !name.is_empty()
        && name.len() <= 128
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(is_letter);
    match is_one {
        true => Ok(()),
        false => Err(client(format!(
            "Job name should match valid pattern: {name:?}"
        ))),
    }
}

fn strategy(strategy: &Value) -> Result<(), Refusal> {
    if let Some(attempts) = strategy.get("attempts")
        && !attempts
            .as_u64()
            .is_some_and(|attempts| (1..=10).contains(&attempts))
    {
        return Err(client("Retry attempts must be between 1 and 10"));
    }
    let rules = strategy["evaluateOnExit"].as_array();
    for rule in rules.into_iter().flatten() {
        let conditions = ["onStatusReason", "onReason", "onExitCode"];
        if conditions
            .iter()
            .all(|condition| rule[*condition].is_null())
        {
            return Err(client("a rule of evaluateOnExit needs a condition"));
        }
        let action = rule["action"].as_str().unwrap_or_default();
        if !["RETRY", "EXIT"].contains(&action.to_ascii_uppercase().as_str()) {
            return Err(client("a rule of evaluateOnExit needs an action"));
        }
    }
    if rules.map_or(0, Vec::len) > 5 {
        return Err(client("at most 5 rules of evaluateOnExit"));
    }
    Ok(())
}

fn tags(tags: &Value) -> Result<(), Refusal> {
    let Some(tags) = tags.as_object() else {
        return Ok(());
    };
    if tags.len() > 50 {
        return Err(client("at most 50 tags"));
    }
    for (key, value) in tags {
        let value = value.as_str().unwrap_or_default();
        let is_letter = |letter: char| letter.is_alphanumeric() || " +-=._:/@".contains(letter);
        let is_fine = (1..=128).contains(&key.len())
            && value.len() <= 256
            && key.chars().chain(value.chars()).all(is_letter)
            && !key.starts_with("aws:");
        if !is_fine {
            return Err(client(format!("tag {key:?}={value:?} is not valid")));
        }
    }
    Ok(())
}

/// Variables of which Batch has its own, wherever they are.
fn environments(value: &Value) -> Result<(), Refusal> {
    match value {
        Value::Array(items) => items.iter().try_for_each(environments),
        Value::Object(fields) => {
            for (field, value) in fields {
                if matches!(field.as_str(), "environment" | "env") {
                    variables(value)?;
                }
                if field == "command" && is_in(value, "") {
                    return Err(client("command can't contain an empty string"));
                }
                environments(value)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn variables(list: &Value) -> Result<(), Refusal> {
    for variable in list.as_array().into_iter().flatten() {
        let name = variable["name"].as_str().unwrap_or_default();
        if name.is_empty() || name.starts_with("AWS_BATCH") {
            return Err(client(format!(
                "Environment variables cannot start with AWS_BATCH: {name:?}"
            )));
        }
    }
    Ok(())
}

fn is_in(list: &Value, text: &str) -> bool {
    let mut items = list.as_array().into_iter().flatten();
    items.any(|item| item.as_str() == Some(text))
}

//! Whether an attempt that ended badly is followed by another.

use std::time::Duration;

use serde_json::Value;

/// How an attempt ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) exit_code: Option<i32>,
    /// Of the job.
    pub(super) status_reason: String,
    /// Of the container.
    pub(super) reason: Option<String>,
    /// It was told to end, or ran out of time: no other attempt, whatever the rules say.
    pub(super) is_final: bool,
}

/// A job's strategy and its timeout.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    pub(super) attempts: u32,
    rules: Vec<Value>,
    pub(super) timeout: Option<Duration>,
}

impl Terms {
    pub(super) fn new(strategy: &Value, timeout: &Value, second: Duration) -> Self {
        let number = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
        Self {
            attempts: number(&strategy["attempts"]).unwrap_or(1),
            rules: strategy["evaluateOnExit"]
                .as_array()
                .cloned()
                .unwrap_or_default(),
            timeout: number(&timeout["attemptDurationSeconds"]).map(|seconds| second * seconds),
        }
    }

    /// Whether another follows after `made` attempts, the last of which ended so. Where no rule matches, one does.
    pub(super) fn goes_on(&self, made: u32, ending: &Ending) -> bool {
        if ending.is_final || made >= self.attempts {
            return false;
        }
        let code = ending.exit_code.map(|code| code.to_string());
        let seen = [
            ("onStatusReason", Some(ending.status_reason.as_str())),
            ("onReason", ending.reason.as_deref()),
            ("onExitCode", code.as_deref()),
        ];
        let rule = self.rules.iter().find(|rule| {
            seen.iter()
                .all(|(condition, seen)| matches(&rule[*condition], *seen))
        });
        rule.is_none_or(|rule| {
            rule["action"]
                .as_str()
                .unwrap_or_default()
                .eq_ignore_ascii_case("RETRY")
        })
    }
}

/// A condition that is left out is met. A star at the end stands for any end.
fn matches(pattern: &Value, seen: Option<&str>) -> bool {
    let Some(pattern) = pattern.as_str() else {
        return true;
    };
    match (pattern.strip_suffix('*'), seen) {
        (Some(""), _) => true,
        (Some(start), Some(seen)) => seen.starts_with(start),
        (None, Some(seen)) => seen == pattern,
        (_, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ended(code: Option<i32>, status_reason: &str) -> Ending {
        Ending {
            exit_code: code,
            status_reason: status_reason.to_owned(),
            ..Ending::default()
        }
    }

    fn terms(strategy: Value) -> Terms {
        Terms::new(&strategy, &Value::Null, Duration::from_secs(1))
    }

    #[test]
    fn the_first_rule_that_matches_decides_and_none_is_another_attempt() {
        let spot = ended(None, "Host EC2 (instance i-1) terminated.");
        let failed = ended(Some(1), "Essential container in task exited");
        let no_rule = terms(json!({ "attempts": 3 }));
        assert!(no_rule.goes_on(2, &failed) && !no_rule.goes_on(3, &failed));
        assert!(!terms(json!({})).goes_on(1, &failed));
        let rules = terms(json!({ "attempts": 3, "evaluateOnExit": [
            { "onStatusReason": "Host EC2*", "action": "retry" },
            { "onExitCode": "75", "action": "RETRY" },
            { "onReason": "*", "action": "EXIT" },
        ]}));
        assert!(rules.goes_on(1, &spot) && rules.goes_on(1, &ended(Some(75), "x")));
        assert!(!rules.goes_on(1, &failed));
        let last_is_missing = terms(json!({ "attempts": 3, "evaluateOnExit": [
            { "onExitCode": "75", "action": "RETRY" },
        ]}));
        assert!(last_is_missing.goes_on(1, &failed));
        let told = Ending {
            is_final: true,
            ..spot
        };
        assert!(!rules.goes_on(1, &told));
    }
}

//! A Map's items, and how they and executions end.

use serde_json::{Value, json};

/// How an item or a last job ends.
#[derive(Clone, Debug)]
pub enum End {
    /// Its job exits with 0.
    Succeeds,
    /// It fails with this error and cause.
    Fails(&'static str, String),
    /// It takes too long.
    TimesOut,
}

/// How something stands, in the words of AWS.
pub(super) const RUNNING: &str = "RUNNING";
pub(super) const SUCCEEDED: &str = "SUCCEEDED";
pub(super) const FAILED: &str = "FAILED";
pub(super) const TIMED_OUT: &str = "TIMED_OUT";
pub(super) const ABORTED: &str = "ABORTED";

#[derive(Debug)]
pub(super) struct Map {
    pub(super) items: Vec<Item>,
    pub(super) tolerated_percentage: f64,
    pub(super) status: &'static str,
}

#[derive(Debug)]
pub(super) struct Item {
    pub(super) index: u32,
    pub(super) input: String,
    pub(super) state: State,
}

#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) status: &'static str,
    pub(super) error: Option<String>,
    pub(super) cause: Option<String>,
}

impl State {
    pub(super) fn of(status: &'static str) -> Self {
        Self {
            status,
            error: None,
            cause: None,
        }
    }

    pub(super) fn at(end: End) -> Self {
        let failed = |error: &str, cause| Self {
            status: FAILED,
            error: Some(error.to_owned()),
            cause: Some(cause),
        };
        match end {
            End::Succeeds => Self::of(SUCCEEDED),
            End::Fails(error, cause) => failed(error, cause),
            End::TimesOut => Self {
                error: Some("States.Timeout".to_owned()),
                ..Self::of(TIMED_OUT)
            },
        }
    }
}

impl Map {
    pub(super) fn of(input: &Value) -> Self {
        let indexes = input["items"].as_array().expect("a list of items");
        let item = |index: &Value| Item {
            index: index
                .as_u64()
                .and_then(|index| index.try_into().ok())
                .expect("an index"),
            // As the definition's ItemSelector says.
            input:
                json!({ "index": index, "command": input["command"], "jobName": input["jobName"] })
                    .to_string(),
            state: State::of(RUNNING),
        };
        Self {
            items: indexes.iter().map(item).collect(),
            tolerated_percentage: input["toleratedFailurePercentage"]
                .as_f64()
                .unwrap_or(100.0),
            status: RUNNING,
        }
    }

    pub(super) fn count(&self, status: &str) -> usize {
        let items = self.items.iter();
        items.filter(|item| item.state.status == status).count()
    }

    /// Ends it where all items have ended, or too many of them badly.
    pub(super) fn settle(&mut self) {
        let failed = self.count(FAILED) + self.count(TIMED_OUT);
        if failed as f64 * 100.0 > self.tolerated_percentage * self.items.len() as f64 {
            self.abort();
            self.status = FAILED;
        } else if self.count(RUNNING) == 0 {
            self.status = SUCCEEDED;
        }
    }

    pub(super) fn abort(&mut self) {
        for item in &mut self.items {
            if item.state.status == RUNNING {
                item.state = State::of(ABORTED);
            }
        }
    }
}

pub(super) fn with_state(mut told: Value, state: &State) -> Value {
    told["status"] = json!(state.status);
    for (field, value) in [("error", &state.error), ("cause", &state.cause)] {
        if let Some(value) = value {
            told[field] = json!(value);
        }
    }
    told
}

//! Executions: how they are started, listed, described and stopped.

use serde_json::{Value, json};

use super::items::{
    ABORTED, End, FAILED, Item, Map, RUNNING, SUCCEEDED, State, TIMED_OUT, with_state,
};

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is refused for being one too many.
    Throttled,
    /// It is done, and its answer lost.
    DoneThenLost,
}

/// Times are the same everywhere: no engine looks at them.
const DATE: f64 = 1_780_000_000.0;

/// All of the service.
#[derive(Debug)]
pub(super) struct Executions {
    /// In the order they were started.
    all: Vec<Execution>,
    page: usize,
    pub(super) lists_lag: usize,
    pub(super) calls: Vec<String>,
    /// Each for one call.
    pub(super) faults: Vec<(String, Fault)>,
}

#[derive(Debug)]
pub(super) struct Execution {
    machine: String,
    name: String,
    pub(super) input: String,
    state: State,
    /// None of a machine without items.
    map: Option<Map>,
    is_at_last_job: bool,
    /// In so many listings it is not.
    unlisted: usize,
}

/// A call that is refused: its error's name, and what it says.
pub(super) type Refusal = (&'static str, String);

impl Executions {
    pub(super) fn new(page: usize) -> Self {
        Self {
            all: Vec::new(),
            page,
            lists_lag: 0,
            calls: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Notes a call; what is to go wrong with it.
    pub(super) fn note(&mut self, operation: &str) -> Option<Fault> {
        self.calls.push(operation.to_owned());
        let at = self.faults.iter().position(|(of, _)| of == operation)?;
        Some(self.faults.remove(at).1)
    }

    pub(super) fn names(&self) -> Vec<(String, String)> {
        let all = self.all.iter();
        all.map(|one| (one.name.clone(), one.state.status.to_owned()))
            .collect()
    }

    pub(super) fn named(&mut self, name: &str) -> &mut Execution {
        let mut all = self.all.iter_mut();
        let found = all.find(|execution| execution.name == name);
        found.unwrap_or_else(|| panic!("there is no execution {name}"))
    }

    /// Does what is asked, or refuses.
    pub(super) fn call(&mut self, operation: &str, asked: &Value) -> Result<Value, Refusal> {
        let text = |field: &str| asked[field].as_str().unwrap_or_default().to_owned();
        match operation {
            "StartExecution" => self.start(text("stateMachineArn"), text("name"), text("input")),
            "ListExecutions" => self.list(asked),
            "DescribeExecution" => self.describe(&text("executionArn")),
            "StopExecution" => {
                let execution = self.of_arn(&text("executionArn"))?;
                execution.stop(text("error"), text("cause"));
                Ok(json!({ "stopDate": DATE }))
            }
            "ListMapRuns" => {
                let execution = self.of_arn(&text("executionArn"))?;
                let run = execution.map.as_ref().map(|_| {
                    json!({
                        "executionArn": execution.arn(),
                        "mapRunArn": execution.map_arn(),
                        "stateMachineArn": execution.machine,
                        "startDate": DATE,
                    })
                });
                Ok(json!({ "mapRuns": run.into_iter().collect::<Vec<_>>() }))
            }
            "DescribeMapRun" => {
                let arn = text("mapRunArn");
                let mut all = self.all.iter();
                let found = all.find(|execution| execution.map_arn() == arn);
                found
                    .and_then(Execution::map_described)
                    .ok_or(("ResourceNotFound", arn))
            }
            _ => Err(("UnknownOperationException", operation.to_owned())),
        }
    }

    fn start(&mut self, machine: String, name: String, input: String) -> Result<Value, Refusal> {
        let mut all = self.all.iter();
        if let Some(there) = all.find(|one| one.machine == machine && one.name == name) {
            // The same again is the same one, as long as it runs.
            if there.state.status != RUNNING || there.input != input {
                return Err(("ExecutionAlreadyExists", there.arn()));
            }
            return Ok(json!({ "executionArn": there.arn(), "startDate": DATE }));
        }
        let document: Value = serde_json::from_str(&input)
            .map_err(|error| ("InvalidExecutionInput", error.to_string()))?;
        let has_items = machine.contains("map");
        let execution = Execution {
            map: has_items.then(|| Map::of(&document)),
            is_at_last_job: !has_items,
            machine,
            name,
            input,
            state: State::of(RUNNING),
            unlisted: self.lists_lag,
        };
        let answer = json!({ "executionArn": execution.arn(), "startDate": DATE });
        self.all.push(execution);
        Ok(answer)
    }

    fn of_arn(&mut self, arn: &str) -> Result<&mut Execution, Refusal> {
        let mut all = self.all.iter_mut();
        let found = all.find(|execution| execution.arn() == arn);
        found.ok_or_else(|| ("ExecutionDoesNotExist", arn.to_owned()))
    }

    fn describe(&self, arn: &str) -> Result<Value, Refusal> {
        for execution in &self.all {
            if execution.arn() == arn {
                return Ok(execution.described());
            }
            let items = execution.map.iter().flat_map(|map| &map.items);
            if let Some(item) = items
                .into_iter()
                .find(|item| execution.item_arn(item) == arn)
            {
                return Ok(execution.item_described(item));
            }
        }
        Err(("ExecutionDoesNotExist", arn.to_owned()))
    }

    /// A machine's executions, or a Map's items; the latest first, a page of them.
    fn list(&mut self, asked: &Value) -> Result<Value, Refusal> {
        let status = asked["statusFilter"].as_str();
        let listed: Vec<Value> = match (
            asked["stateMachineArn"].as_str(),
            asked["mapRunArn"].as_str(),
        ) {
            (Some(machine), None) => {
                let mut listed = Vec::new();
                for execution in self.all.iter_mut().rev() {
                    let is_listed = execution.unlisted == 0;
                    execution.unlisted = execution.unlisted.saturating_sub(1);
                    if is_listed && execution.machine == machine {
                        listed.push(execution.described());
                    }
                }
                listed
            }
            (None, Some(run)) => {
                let mut all = self.all.iter();
                let execution = all.find(|execution| execution.map_arn() == run);
                let execution = execution.ok_or_else(|| ("ResourceNotFound", run.to_owned()))?;
                let items = execution.map.iter().flat_map(|map| &map.items);
                items.map(|item| execution.item_described(item)).collect()
            }
            _ => return Err(("ValidationException", "one of both".to_owned())),
        };
        let is_asked = |one: &Value| status.is_none_or(|status| one["status"] == status);
        let listed: Vec<Value> = listed.into_iter().filter(is_asked).map(in_short).collect();
        let begin = asked["nextToken"]
            .as_str()
            .map_or(0, |token| token.parse().expect("a token of ours"));
        let end = listed.len().min(begin + self.page);
        let mut answer = json!({ "executions": listed[begin..end] });
        if end < listed.len() {
            answer["nextToken"] = json!(end.to_string());
        }
        Ok(answer)
    }
}

/// A listing has neither input nor cause.
fn in_short(mut execution: Value) -> Value {
    let fields = execution.as_object_mut().expect("an object");
    let told = [
        "executionArn",
        "stateMachineArn",
        "mapRunArn",
        "name",
        "status",
        "startDate",
    ];
    fields.retain(|field, _| told.contains(&field.as_str()));
    execution
}

impl Execution {
    pub(super) fn end_item(&mut self, index: u32, end: End) {
        let map = self.map.as_mut().expect("a machine with items");
        let mut items = map.items.iter_mut();
        let item = items.find(|item| item.index == index && item.state.status == RUNNING);
        item.expect("an item at work").state = State::at(end);
        map.settle();
        // Whatever became of them.
        self.is_at_last_job = map.status != RUNNING;
    }

    pub(super) fn end_items(&mut self, end: End) {
        let map = self.map.as_ref().expect("a machine with items");
        let running = map.items.iter();
        let running = running.filter(|item| item.state.status == RUNNING);
        let indexes: Vec<u32> = running.map(|item| item.index).collect();
        for index in indexes {
            self.end_item(index, end.clone());
        }
    }

    pub(super) fn end_last_job(&mut self, end: End) {
        assert!(self.is_at_last_job, "its last job has not begun");
        self.state = State::at(end);
    }

    pub(super) fn redrive(&mut self) {
        assert_eq!(self.state.status, FAILED, "it did not fail");
        self.state = State::of(RUNNING);
    }

    pub(super) fn is_at_last_job(&self) -> bool {
        self.is_at_last_job
    }

    fn stop(&mut self, error: String, cause: String) {
        if self.state.status == RUNNING {
            self.state = State {
                status: ABORTED,
                error: Some(error),
                cause: Some(cause),
            };
            if let Some(map) = &mut self.map {
                map.abort();
                map.status = ABORTED;
            }
        }
    }

    fn arn(&self) -> String {
        let machine = self.machine.replace(":stateMachine:", ":execution:");
        format!("{machine}:{}", self.name)
    }

    fn map_arn(&self) -> String {
        let machine = self.machine.replace(":stateMachine:", ":mapRun:");
        format!("{machine}/Shards:{}", self.name)
    }

    fn item_arn(&self, item: &Item) -> String {
        let machine = self.machine.replace(":stateMachine:", ":execution:");
        format!("{machine}/Shards:{}-{}", self.name, item.index)
    }

    fn described(&self) -> Value {
        let redrive = match self.state.status {
            FAILED | TIMED_OUT | ABORTED => "REDRIVABLE",
            _ => "NOT_REDRIVABLE",
        };
        with_state(
            json!({
                "executionArn": self.arn(),
                "stateMachineArn": self.machine,
                "name": self.name,
                "startDate": DATE,
                "input": self.input,
                "redriveStatus": redrive,
            }),
            &self.state,
        )
    }

    fn item_described(&self, item: &Item) -> Value {
        with_state(
            json!({
                "executionArn": self.item_arn(item),
                "stateMachineArn": format!("{}/Shards", self.machine),
                "mapRunArn": self.map_arn(),
                "name": format!("{}-{}", self.name, item.index),
                "startDate": DATE,
                "input": item.input,
                "redriveStatus": "NOT_REDRIVABLE",
            }),
            &item.state,
        )
    }

    fn map_described(&self) -> Option<Value> {
        let map = self.map.as_ref()?;
        let counts = json!({
            "pending": 0,
            "running": map.count(RUNNING),
            "succeeded": map.count(SUCCEEDED),
            "failed": map.count(FAILED),
            "timedOut": map.count(TIMED_OUT),
            "aborted": map.count(ABORTED),
            "total": map.items.len(),
            "resultsWritten": 0,
        });
        Some(json!({
            "mapRunArn": self.map_arn(),
            "executionArn": self.arn(),
            "status": map.status,
            "startDate": DATE,
            "maxConcurrency": 1000,
            "toleratedFailurePercentage": map.tolerated_percentage,
            "toleratedFailureCount": 0,
            "itemCounts": counts,
            "executionCounts": counts,
        }))
    }
}

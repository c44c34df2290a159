//! The operations, from JSON to JSON.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::definitions::{Definition, text};
use super::jobs::{Begun, Book, Job, Status, Unit, now};
use super::limits::{self, Refusal, client};
use super::retry::{Ending, Terms};
use super::{Call, Fate, Fault, Settings, Start, list, processes, views};

type DecideFault = Arc<dyn Fn(&Call) -> Fault + Send + Sync>;
type DecideFate = Arc<dyn Fn(&Start) -> Fate + Send + Sync>;

/// The service behind the wire.
pub(super) struct Batch {
    directory: PathBuf,
    pub(super) settings: Settings,
    held: Semaphore,
    handle: Handle,
    state: Mutex<State>,
}

struct State {
    definitions: Vec<Definition>,
    book: Book,
    calls: Vec<Call>,
    seen: HashMap<&'static str, usize>,
    slots: HashMap<String, Arc<Semaphore>>,
    submitted: VecDeque<Instant>,
    fault: DecideFault,
    fate: DecideFate,
}

impl Batch {
    pub(super) fn new(directory: &Path, settings: Settings, handle: Handle) -> Self {
        Self {
            directory: directory.to_owned(),
            held: Semaphore::new(0),
            settings,
            handle,
            state: Mutex::new(State {
                definitions: Vec::new(),
                book: Book::default(),
                calls: Vec::new(),
                seen: HashMap::new(),
                slots: HashMap::new(),
                submitted: VecDeque::new(),
                fault: Arc::new(|_| Fault::None),
                fate: Arc::new(|_| Fate::Run),
            }),
        }
    }

    /// Logs a call and asks for its fault, without holding the lock meanwhile.
    pub(super) fn note(&self, operation: &'static str, body: &Value) -> Fault {
        let (call, decide) = {
            let mut state = self.state();
            let count = state.seen.entry(operation).or_default();
            let nth = *count;
            *count += 1;
            let call = Call {
                number: state.calls.len(),
                nth,
                operation: operation.to_owned(),
                body: body.clone(),
            };
            state.calls.push(call.clone());
            if operation == "SubmitJob" && self.is_too_soon(&mut state.submitted) {
                return Fault::Status(429, "TooManyRequestsException");
            }
            (call, Arc::clone(&state.fault))
        };
        decide(&call)
    }

    /// Whether this second has had all the SubmitJob that it may have.
    fn is_too_soon(&self, submitted: &mut VecDeque<Instant>) -> bool {
        let Some(most) = self.settings.submits_per_second else {
            return false;
        };
        let now = Instant::now();
        submitted.retain(|at| now.duration_since(*at) < Duration::from_secs(1));
        let is_too_soon = submitted.len() >= most;
        if !is_too_soon {
            submitted.push_back(now);
        }
        is_too_soon
    }

    pub(super) fn call(self: &Arc<Self>, operation: &str, body: &Value) -> Result<Value, Refusal> {
        match operation {
            "RegisterJobDefinition" => self.register(body),
            "DescribeJobDefinitions" => Ok(self.describe_definitions(body)),
            "SubmitJob" => self.submit(body),
            "DescribeJobs" => self.describe(body),
            "ListJobs" => list::list(&mut self.state().book, body),
            "TerminateJob" => self.stop(&body["jobId"], &body["reason"], true),
            "CancelJob" => self.stop(&body["jobId"], &body["reason"], false),
            "TerminateJobs" => self.stop_many(body),
            "TagResource" => Ok(json!({})),
            _ => Err(client(format!("{operation} is not simulated"))),
        }
    }

    fn register(&self, body: &Value) -> Result<Value, Refusal> {
        limits::definition(body)?;
        let mut state = self.state();
        let name = text(&body["jobDefinitionName"]);
        let known = state.definitions.iter().filter(|known| known.name == name);
        let definition = Definition::new(body, known.count() as u64 + 1);
        let answer = json!({
            "jobDefinitionName": name,
            "jobDefinitionArn": definition.arn(),
            "revision": definition.revision,
        });
        state.definitions.push(definition);
        Ok(answer)
    }

    fn describe_definitions(&self, body: &Value) -> Value {
        let asked = body["jobDefinitions"].as_array().into_iter().flatten();
        let mut asked: Vec<String> = asked.map(text).collect();
        asked.extend(body["jobDefinitionName"].as_str().map(str::to_owned));
        let state = self.state();
        let known = state.definitions.iter().rev();
        let views: Vec<Value> = known
            .filter(|known| asked.iter().any(|asked| known.is(asked)))
            .map(Definition::view)
            .collect();
        json!({ "jobDefinitions": views })
    }

    fn submit(self: &Arc<Self>, body: &Value) -> Result<Value, Refusal> {
        limits::submission(body)?;
        let asked = text(&body["jobDefinition"]);
        let (id, name, ready) = {
            let mut state = self.state();
            let definition = state
                .definitions
                .iter()
                .rev()
                .find(|known| known.is(&asked));
            let definition =
                definition.ok_or_else(|| client(format!("Job definition {asked} is not found")))?;
            let job = self.job(definition, body)?;
            if let Some(id) = job
                .depends_on
                .iter()
                .find(|id| state.book.find(id).is_none())
            {
                return Err(client(format!("job {id} is not found")));
            }
            let ready = state.book.add(job);
            let job = state.book.jobs.last().expect("the job that was added");
            (job.id.clone(), job.name.clone(), ready)
        };
        self.start(ready);
        Ok(json!({ "jobId": id, "jobName": name, "jobArn": views::arn(&id) }))
    }

    fn job(&self, definition: &Definition, body: &Value) -> Result<Job, Refusal> {
        let dependencies = body["dependsOn"].as_array().into_iter().flatten();
        let mut depends_on = Vec::new();
        for dependency in dependencies {
            if !dependency["type"].is_null() {
                return Err(client("dependencies of a type are not simulated"));
            }
            depends_on.push(text(&dependency["jobId"]));
        }
        let size = body["arrayProperties"]["size"].as_u64();
        let unit = Unit {
            status: Status::Submitted,
            status_reason: None,
            attempts: Vec::new(),
            is_terminated: false,
        };
        let strategy = definition.or_own(body, "retryStrategy");
        let tags = body["tags"].as_object().into_iter().flatten();
        Ok(Job {
            id: String::new(),
            name: text(&body["jobName"]),
            queue: text(&body["jobQueue"]),
            tags: tags
                .map(|(key, value)| (key.clone(), text(value)))
                .collect(),
            size: size.and_then(|size| u32::try_from(size).ok()),
            units: vec![unit; size.unwrap_or(1) as usize],
            definition: definition.arn(),
            container: definition.container(body)?,
            terms: Terms::new(
                strategy,
                definition.or_own(body, "timeout"),
                self.settings.second,
            ),
            retry_strategy: strategy.clone(),
            depends_on,
            created_at: now(),
            hidden: self.settings.lists_lag,
            summary: Status::ALL.map(|status| (status, 0)).into(),
        })
    }

    fn describe(&self, body: &Value) -> Result<Value, Refusal> {
        let ids = body["jobs"].as_array().map_or(&[][..], Vec::as_slice);
        if ids.is_empty() || ids.len() > 100 {
            return Err(client("DescribeJobs takes 1 to 100 ids"));
        }
        let mut state = self.state();
        let mut views = Vec::new();
        for id in ids {
            // An id that is not known is left out, as AWS does.
            if let Some((at, child)) = state.book.find(id.as_str().unwrap_or_default()) {
                views.push(views::detail(&mut state.book.jobs[at], child));
            }
        }
        Ok(json!({ "jobs": views }))
    }

    fn stop(&self, id: &Value, reason: &Value, running: bool) -> Result<Value, Refusal> {
        let reason = text(reason);
        if reason.is_empty() || reason.len() > 1024 {
            return Err(client("a reason of 1 to 1024 letters is required"));
        }
        let mut state = self.state();
        let found = state.book.find(id.as_str().unwrap_or_default());
        let (at, child) = found.ok_or_else(|| client(format!("Job {id} is not found")))?;
        state.book.stop(at, child, &reason, running);
        Ok(json!({}))
    }

    fn stop_many(&self, body: &Value) -> Result<Value, Refusal> {
        let ids = body["jobs"].as_array().map_or(&[][..], Vec::as_slice);
        if ids.is_empty() || ids.len() > 50 {
            return Err(client("TerminateJobs takes 1 to 50 ids"));
        }
        for id in ids {
            self.stop(id, &body["reason"], true)?;
        }
        Ok(json!({ "successful": ids, "errors": [] }))
    }

    fn start(self: &Arc<Self>, ready: Vec<(usize, usize)>) {
        for unit in ready {
            // They stand in line from here on, in this order, whichever of them runs first.
            let mut slot = Box::pin(self.slots(unit).acquire_owned());
            let free = (&mut slot).now_or_never();
            let batch = Arc::clone(self);
            self.handle.spawn(async move {
                let slot = match free {
                    Some(slot) => slot,
                    None => slot.await,
                };
                if let Ok(slot) = slot {
                    processes::attempt(batch, unit, slot).await;
                }
            });
        }
    }

    /// The slots of the unit's queue.
    pub(super) fn slots(&self, (at, _): (usize, usize)) -> Arc<Semaphore> {
        let mut state = self.state();
        let queue = state.book.jobs[at].queue.clone();
        let slots = state.slots.entry(queue);
        let slots = slots.or_insert_with(|| Arc::new(Semaphore::new(self.settings.slots)));
        Arc::clone(slots)
    }

    pub(super) fn begin(&self, unit: (usize, usize)) -> Option<Begun> {
        self.state().book.begin(unit)
    }

    pub(super) fn running(&self, unit: (usize, usize), log_stream: &str) {
        self.state().book.running(unit, log_stream);
    }

    pub(super) fn end(self: &Arc<Self>, unit: (usize, usize), ending: &Ending) {
        let ready = self.state().book.end(unit, ending);
        self.start(ready);
    }

    pub(super) fn fate(&self, start: &Start) -> Fate {
        let decide = Arc::clone(&self.state().fate);
        decide(start)
    }

    pub(super) fn set_fault(&self, fault: DecideFault) {
        self.state().fault = fault;
    }

    pub(super) fn set_fate(&self, fate: DecideFate) {
        self.state().fate = fate;
    }

    pub(super) fn release(&self, attempts: usize) {
        self.held.add_permits(attempts);
    }

    /// Waits until an attempt that is held may end.
    pub(super) async fn released(&self) {
        if let Ok(permit) = self.held.acquire().await {
            permit.forget();
        }
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    pub(super) fn jobs(&self) -> Vec<Job> {
        self.state().book.jobs.clone()
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("jobs", &self.state().book.jobs.len())
            .finish_non_exhaustive()
    }
}

//! AWS Step Functions in this process: the real SDK talks to it over loopback. It is for what moto has not: Maps that can be
//! looked at, items that fail one by one, a tolerance that is enforced, and executions that are redriven.
//!
//! It knows the two machines of `deploy/state-machines` and does what their definitions say, without reading them
//! (moto executes those, in `tests/servers`): a machine whose name holds `map` makes an item of each of the input's
//! `items`, ends what is left of them when more than `toleratedFailurePercentage` have failed, and goes on to its last
//! job whatever became of them; any other has no items. How items and last jobs end is for the test to say.
//!
//! What differs from AWS:
//!
//! - Requests need no valid signature, and no rights; any machine that is named exists. Nothing but what the engine calls
//!   is answered.
//! - No job is started, and nothing takes time: an execution goes on when the test ends its items.
//! - A listing lags by a number of listings, not by seconds. Executions are kept for ever, and can be redriven for ever.
//! - Redriving runs the last job again, since every other failure is caught. Items are never redriven.

mod executions;
mod front;
mod items;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_config::SdkConfig;
use serde_json::Value;

use self::executions::Executions;
pub use self::executions::Fault;
pub use self::items::End;
use crate::http::Server;
use crate::s3::S3Server;

/// The machine that makes an item of each shard.
pub const MAP: &str = "arn:aws:states:eu-west-1:123456789012:stateMachine:croupier-map";
/// The machine that starts arrays.
pub const ARRAY: &str = "arn:aws:states:eu-west-1:123456789012:stateMachine:croupier-array";

/// The service. It stops when it is dropped.
#[derive(Debug)]
pub struct StatesServer {
    server: Server,
    executions: Arc<Mutex<Executions>>,
}

impl StatesServer {
    /// Starts it; listings have so many entries a page.
    ///
    /// # Panics
    /// If this machine has no port or thread left.
    #[must_use]
    pub fn start(page: usize) -> Self {
        let mut server = Server::bind();
        let executions = Arc::new(Mutex::new(Executions::new(page)));
        let answering = Arc::clone(&executions);
        server.answer(move |request| front::answer(Arc::clone(&answering), request));
        Self { server, executions }
    }

    /// The environment of a process that uses this service.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        let endpoint = self.server.endpoint();
        [
            ("AWS_ENDPOINT_URL_SFN", endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "AKIDCROUPIERTEST"),
            ("AWS_SECRET_ACCESS_KEY", "any"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ("NO_PROXY", "*"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// The same for a client in this process.
    #[must_use]
    pub fn sdk_config(&self) -> SdkConfig {
        S3Server::sdk_config_for(&self.server.endpoint(), "AKIDCROUPIERTEST", "any")
    }

    /// Every operation that was called so far, those that failed included.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    /// The executions' names and states, in the order they were started.
    #[must_use]
    pub fn executions(&self) -> Vec<(String, String)> {
        self.state().names()
    }

    /// The input of the execution of this name.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn input(&self, name: &str) -> Value {
        let input = self.state().named(name).input.clone();
        serde_json::from_str(&input).expect("an object")
    }

    /// Ends the item `index` of an execution.
    ///
    /// # Panics
    /// If there is none that is at work.
    pub fn end_item(&self, name: &str, index: u32, end: End) {
        self.state().named(name).end_item(index, end);
    }

    /// Ends all items of an execution that are still at work.
    ///
    /// # Panics
    /// If there is no such execution.
    pub fn end_items(&self, name: &str, end: End) {
        self.state().named(name).end_items(end);
    }

    /// Ends the last job of an execution, and so the execution.
    ///
    /// # Panics
    /// If that has not begun.
    pub fn end_last_job(&self, name: &str, end: End) {
        self.state().named(name).end_last_job(end);
    }

    /// Lets an execution that failed go on with what failed, as a person does by the AWS CLI.
    ///
    /// # Panics
    /// If it did not fail.
    pub fn redrive(&self, name: &str) {
        self.state().named(name).redrive();
    }

    /// Whether the last job of an execution has begun.
    #[must_use]
    pub fn is_at_last_job(&self, name: &str) -> bool {
        self.state().named(name).is_at_last_job()
    }

    /// An execution that starts from now on is not in so many listings that come first.
    pub fn set_lists_lag(&self, listings: usize) {
        self.state().lists_lag = listings;
    }

    /// What goes wrong with the next call of this operation.
    pub fn fail_next(&self, operation: &str, fault: Fault) {
        self.state().faults.push((operation.to_owned(), fault));
    }

    fn state(&self) -> MutexGuard<'_, Executions> {
        self.executions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

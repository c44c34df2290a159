//! What can be asked of the service, what can go wrong with it, and how an attempt can fare.

use serde_json::Value;

/// One call, as the service saw it come.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Its place among all, from 0.
    pub number: usize,
    /// How many of the same operation came before it.
    pub nth: usize,
    /// The operation, such as `SubmitJob`.
    pub operation: String,
    /// What came with it.
    pub body: Value,
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It is refused with this status and error code, and not done.
    Status(u16, &'static str),
    /// It is done; the connection is reset before the answer.
    DoneThenLost,
    /// It is done, and then answered with this status and error code.
    DoneThenStatus(u16, &'static str),
    /// It is not done, and the connection is reset.
    Reset,
}

/// An attempt that is about to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The job's name; of an array, the array's.
    pub job_name: String,
    /// The index of an array's child.
    pub index: Option<u32>,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// What the program gets as its arguments.
    pub arguments: Vec<String>,
}

/// How an attempt fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its process is started, and ends as it ends.
    Run,
    /// Its process is started, and its host is lost at once.
    HostLost,
    /// Its image can't be pulled.
    CannotStart,
    /// No process is started, and it ends with this code.
    Exit(i32),
    /// No process is started; it runs until it is released, and ends with code 0.
    Hold,
}

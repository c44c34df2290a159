//! What can be asked of the server, and what can go wrong with it.

use std::fmt;
use std::time::Duration;

/// One request, as the server saw it come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its place among all, from 0.
    pub number: usize,
    /// How many of the same operation on the same key came before it.
    pub nth: usize,
    /// What it asks.
    pub operation: Operation,
    /// Of which bucket.
    pub bucket: String,
    /// Which key; of a listing, which prefix.
    pub key: String,
}

/// The operations that a store uses, and the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// GetObject.
    Get,
    /// HeadObject, HeadBucket.
    Head,
    /// ListObjectsV2.
    List,
    /// PutObject.
    Put,
    /// PutObject with `If-None-Match: *`.
    PutIfAbsent,
    /// DeleteObject.
    Delete,
    /// Anything else.
    Other,
}

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It is answered with this status and error code, and not done.
    Status(u16, &'static str),
    /// It is not done; the connection is reset.
    Reset,
    /// It is not done, and never answered.
    Hang,
    /// It is done; the connection is reset before the answer.
    DoneThenLost,
    /// It is done, and then answered with this status and error code.
    DoneThenStatus(u16, &'static str),
    /// It is done, and never answered.
    DoneThenHang,
    /// The answer's body breaks off after half of the bytes it announced.
    Truncated,
    /// The answer's body comes in as many pieces, with a pause before each.
    Slow {
        /// How many.
        pieces: usize,
        /// The pause.
        pause: Duration,
    },
    /// The answer's body begins and never ends.
    Stalled,
    /// It is done as if it had no condition.
    IgnoreConditional,
    /// It is done after a pause.
    Delay(Duration),
}

/// When a hook is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The request has come; nothing is done.
    Before,
    /// It is done, and not answered.
    After,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}/{}", self.operation, self.bucket, self.key)
    }
}

//! What the tests stand on: programs as child processes, a crate outside the workspace, and servers that fail on
//! demand.

pub mod batch;
mod http;
pub mod outside;
pub mod program;
/// An S3 server in this process, with faults on demand.
pub mod s3;
pub mod states;

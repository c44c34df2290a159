//! Test support.

/// An S3 server in this process, with faults on demand.
pub mod s3;

//! Bytes by key for Croupier: a directory, S3, memory.
//!
//! A run keeps everything it knows as small immutable objects in a store, and its promises ("nothing twice, nothing
//! torn") rest on what a store promises. So the contract is said once, on [`Store`], in terms that a directory and a
//! bucket can both keep, and one suite (`conformance`, behind the feature of that name)
//! is run by every store and every wrapper:
//!
//! | method | promise |
//! |---|---|
//! | [`get`](Store::get) | the whole object or an error, never a part |
//! | [`list`](Store::list) | every key, sorted, whatever order the backend has and however many pages it takes |
//! | [`put`](Store::put) | atomic and repeatable: a reader sees the old bytes or the new ones |
//! | [`put_if_absent`](Store::put_if_absent) | of any number of racing writers exactly one has [`Placed::Written`] |
//! | [`delete`](Store::delete) | repeatable; an absent key is fine |
//!
//! [`open`] makes a store from what a person types: a path, `file:///path` or `s3://bucket/prefix`. [`Prefixed`] is a
//! store below a prefix of another. [`honours_put_if_absent`] finds out whether a server means what it answers.
//!
//! S3 is behind the default feature `s3`; without it no AWS crate is built, and an `s3://` URI is an error that says so.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod directory;
mod error;
mod key;
mod memory;
mod open;
mod options;
mod prefixed;
mod probe;
mod random;
#[cfg(feature = "s3")]
mod s3;
mod store;

pub use crate::directory::Directory;
pub use crate::error::Error;
pub use crate::memory::Memory;
pub use crate::open::{open, read, read_at_most, split_last};
pub use crate::options::Options;
pub use crate::prefixed::Prefixed;
pub use crate::probe::honours_put_if_absent;
#[cfg(feature = "s3")]
pub use crate::s3::{S3, client as s3_client};
pub use crate::store::{Entry, Placed, Store};
#[cfg(feature = "s3")]
pub use aws_sdk_s3;

//! How much memory is asked for: by files that lie about themselves, and by a reducer of many shards.
//!
//! A program of its own, since it counts what its allocator hands out.

mod counting;
mod hostile;
mod reducing;

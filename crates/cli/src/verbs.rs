//! The verbs, each a file: what it does, what it prints, how it ends.

mod ls;
mod plan;
mod reduce;
mod replay;
mod rm;
mod run;
mod shard;
mod status;
mod verify;

pub(crate) use ls::ls;
pub(crate) use plan::plan;
pub(crate) use reduce::reduce;
pub(crate) use replay::replay;
pub(crate) use rm::rm;
pub(crate) use run::run;
pub(crate) use shard::shard;
pub(crate) use status::status;
pub(crate) use verify::verify;

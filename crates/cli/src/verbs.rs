//! The verbs, each a file: what it does, what it prints, how it ends.

mod cancel;
mod cases;
mod clean;
mod drive;
mod extend;
mod logs;
mod ls;
mod plan;
mod reduce;
mod replay;
mod retry;
mod rm;
mod run;
mod shard;
mod status;
mod verify;
mod wait;

pub(crate) use cancel::cancel;
pub(crate) use cases::upload;
pub(crate) use clean::clean;
pub(crate) use drive::drive;
pub(crate) use extend::extend;
pub(crate) use logs::logs;
pub(crate) use ls::ls;
pub(crate) use plan::plan;
pub(crate) use reduce::reduce;
pub(crate) use replay::replay;
pub(crate) use retry::retry;
pub(crate) use rm::rm;
pub(crate) use run::run;
pub(crate) use shard::{shard, target};
pub(crate) use status::status;
pub(crate) use verify::verify;
pub(crate) use wait::wait;

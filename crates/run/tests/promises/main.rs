//! What a run promises, each promise in a file of its own, over a store in memory.

mod agreement;
mod columns;
mod damage;
mod deal;
mod failures;
mod foreign;
mod planning;
mod results;
mod shapes;
mod support;
mod until;
mod workers;

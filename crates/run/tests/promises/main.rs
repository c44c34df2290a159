//! What a run promises, each promise in a file of its own, over a store in memory.

mod agreement;
mod columns;
mod damage;
mod deal;
mod failures;
mod foreign;
mod mixture;
mod planning;
mod results;
mod shapes;
mod statistics;
mod support;
mod until;
mod workers;

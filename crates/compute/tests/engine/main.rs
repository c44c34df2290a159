//! The engine's promises, held by kernels made to break them.

mod begin;
mod by_hand;
mod failures;
mod kernels;
mod limit;
mod replay;
mod same_bits;
mod stop;
mod tallies_held;

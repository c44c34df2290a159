//! The command line that every Croupier kernel gets.

pub mod exit;
pub mod number;
pub mod parameters;
pub mod threads;

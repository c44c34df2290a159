//! The command line that every Croupier kernel gets.

//! `#[derive(Tally)]`.

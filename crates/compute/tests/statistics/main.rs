//! Tallies of moments and of what is made of several means: known answers, precision, laws, errors.

mod moments;
#[path = "../../src/property.rs"]
mod property;
mod support;
mod weighted;

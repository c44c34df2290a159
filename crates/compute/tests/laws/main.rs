//! The laws of tallies that have a shape, and answers known beforehand.

mod autocorrelated;
mod containers;
mod histogram;
mod nist;
mod quantiles;
mod tree;

#[path = "../../src/property.rs"]
mod property;

//! Tallies of moments and of what is made of several means: known answers, precision, laws, errors.

mod control_variate;
mod covariance;
mod jackknife;
mod moments;
#[path = "../../src/property.rs"]
mod property;
mod ratio;
mod support;
mod weighted;
mod wilson;

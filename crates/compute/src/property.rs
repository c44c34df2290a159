//! How laws are tried: on the same cases every time, so that a test that fails fails for everybody.

use proptest::test_runner::{Config, RngSeed};

pub(crate) fn config() -> Config {
    Config {
        rng_seed: RngSeed::Fixed(7),
        failure_persistence: None,
        ..Config::default()
    }
}

//! A crate of an author's own: the README's manifest, the README's program and the smallest one build outside the
//! workspace, without naming any dependency but `croupier` and `serde`, and give the workspace's bits.

use croupier_tests::outside::build;
use croupier_tests::program::Program;

#[test]
fn a_crate_outside_the_workspace_gives_the_same_bits() {
    let directory = tempfile::tempdir().unwrap();
    let [dice, pi] = build(directory.path());
    let lock = std::fs::read_to_string(directory.path().join("Cargo.lock")).unwrap();
    assert!(
        !lock.contains("aws-sdk-s3"),
        "S3 is in a build without default features"
    );

    let runs = tempfile::tempdir().unwrap();
    let arguments = "run --samples 3e6 --seed 7 --json";
    let inside = Program::example("pi", runs.path()).call(arguments).exits(0);
    let outside = Program::new(pi, runs.path()).call(arguments).exits(0);
    for part in ["digest", "estimates", "identity"] {
        assert_eq!(outside.json()[part], inside.json()[part], "{part}");
    }

    let dice = Program::new(dice, runs.path());
    let sum = dice
        .call("run --samples 1e6 --seed 7 --dice 3 --json")
        .exits(0)
        .json();
    let estimate = &sum["estimates"][0];
    let of = |field: &str| estimate[field].as_f64().unwrap();
    assert!((of("value") - 10.5).abs() < 4.0 * of("std_error"), "{sum}");
    let s3 = dice.call("run --samples 10 --seed 7 --store s3://bucket/runs");
    s3.is_refused(&["s3://bucket/runs", "s3"]);
}

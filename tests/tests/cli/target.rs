//! `--target`: flags that are not given are those of `croupier.toml`.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use super::{fresh, pi};

const PLAN: &str = "plan --samples 20000 --block 1024 --seed 7 --name demo --json";

fn with_targets(text: &str) -> TempDir {
    let here = fresh();
    fs::write(here.path().join("croupier.toml"), text).unwrap();
    here
}

fn manifest(here: &TempDir, run: &str) -> Value {
    let path = here.path().join(run).join("manifest.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

const PROD: &str = r#"
[target.prod]
store = "elsewhere"
shards = 4
policy = "retry=3,tolerate=1%"
engine = "kubernetes"
container-image = "registry.example/pi:1"
resource-requests = ["cpu=2", "memory=4Gi"]
at-most-once = true

[target.test]
store = "tried"
"#;

#[test]
fn a_target_is_in_place_of_defaults() {
    let here = with_targets(PROD);
    let planned = pi(&here).call(&format!("{PLAN} --target prod")).exits(0);
    assert_eq!(planned.json()["shards"], 4);
    let found = manifest(&here, "elsewhere/demo");
    assert_eq!(found["policy"], "retry=3,tolerate=1%");
    assert_eq!(found["at_most_once"], true);

    // Other verbs find the run where it is, and pass over what is no flag of theirs.
    let _ = pi(&here).call("status --run demo").exits(2);
    let status = pi(&here).call("status --run demo --target prod --json");
    assert_eq!(status.exits(0).json()["blocks"]["planned"], 20);
}

#[test]
fn flags_and_variables_go_before_a_target() {
    let here = with_targets(PROD);
    let program = pi(&here)
        .with("CROUPIER_TARGET", "prod")
        .with("CROUPIER_SHARDS", "3");
    let planned = program.call(&format!("{PLAN} --store mine")).exits(0);
    assert_eq!(planned.json()["shards"], 3);
    assert_eq!(
        manifest(&here, "mine/demo")["policy"],
        "retry=3,tolerate=1%"
    );
    // The flag that names the target is no exception.
    let planned = program.call(&format!("{PLAN} --target test")).exits(0);
    assert_eq!(planned.json()["shards"], 3);
    assert_eq!(manifest(&here, "tried/demo")["policy"], "complete");
}

#[test]
fn a_target_names_the_engine_and_its_flags() {
    let here = with_targets(PROD);
    let launch = PLAN.replacen("plan", "launch", 1);
    let manifests = pi(&here).call(&format!("{launch} --target prod")).exits(0);
    let text = manifests.json().to_string();
    for words in ["registry.example/pi:1", r#""cpu":"2""#, r#""memory":"4Gi""#] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
}

#[test]
fn what_is_wrong_with_a_target_is_said_before_anything_begins() {
    let plan = format!("{PLAN} --target prod");
    let here = fresh();
    pi(&here).call(&plan).is_refused(&["croupier.toml", "prod"]);
    for (text, words) in [
        ("[target.test]", "test"),
        ("[target.prod]\nsped = 1", "--sped"),
        ("[target.prod]\nname = 'x'", "--name"),
        ("[target.prod]\nshards = 'many'", "many"),
        ("[target.prod", "croupier.toml:1: "),
    ] {
        let here = with_targets(text);
        pi(&here).call(&plan).is_refused(&[words]);
        assert!(!here.path().join("croupier-runs").exists(), "{text}");
    }
}

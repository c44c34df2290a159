//! Parameters come by flags, JSON and the environment, in this order, and are checked whichever way they came.

use std::fs;
use std::path::Path;

use croupier_tests::program::{Ended, Program};
use croupier_tests::s3::S3Server;
use serde_json::{Value, json};

use super::{fresh, kernel, option, pi};

const PLAN: &str = "plan --samples 1000 --seed 7";

fn write(directory: &tempfile::TempDir, text: &str) {
    fs::write(directory.path().join("kwargs.json"), text).unwrap();
}

/// The parameters as they were stored, of the run that was planned last.
fn stored(planned: &Ended) -> Value {
    let report = planned.json();
    let path = Path::new(report["run"].as_str().unwrap()).join("manifest.json");
    let manifest: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    manifest["identity"]["parameters"].clone()
}

fn planned(program: &Program, flags: &str) -> Value {
    stored(&program.call(&format!("{PLAN} --json {flags}")).exits(0))
}

#[test]
fn flags_go_before_json_before_the_environment_before_the_default() {
    let here = fresh();
    write(&here, r#"{"strike": 91.5, "rate": -0.25e-1}"#);
    let environment = option(&here)
        .with("CROUPIER_SPOT", "80")
        .with("CROUPIER_STRIKE", "81")
        .with("CROUPIER_RATE", "0.82");
    let found = planned(&environment, "--kwargs kwargs.json --rate=-0.01");
    let expected =
        json!({"spot": 80.0, "strike": 91.5, "rate": -0.01, "volatility": 0.2, "maturity": 1.0});
    assert_eq!(found, expected);
    // The same flag by its other name.
    let found = planned(&environment, "--s3uri-kwargs kwargs.json");
    assert_eq!(found["rate"], -0.025);
}

#[test]
fn plan_flags_have_variables_too() {
    let here = fresh();
    let program = pi(&here)
        .with("CROUPIER_SAMPLES", "5_000")
        .with("CROUPIER_SEED", "11")
        .with("CROUPIER_BLOCK", "1Ki")
        .with("CROUPIER_NAME", "demo")
        .with("CROUPIER_JSON", "1")
        .with(
            "CROUPIER_STORE",
            here.path().join("elsewhere").to_str().unwrap(),
        );
    let report = program.call("run --samples 6e3").exits(0).json();
    assert_eq!(report["samples"]["done"], 6000, "a flag goes first");
    assert_eq!(report["seed"], "11");
    assert_eq!(report["blocks"]["planned"], 6);
    assert!(here.path().join("elsewhere/demo/manifest.json").is_file());
}

/// `--block` is a length where a run is planned, and a number where one is replayed.
#[test]
fn what_is_replayed_is_said_on_the_command_line_alone() {
    let here = fresh();
    let program = pi(&here)
        .with("CROUPIER_BLOCK", "1Ki")
        .with("CROUPIER_NAME", "demo");
    program.call("run --samples 5000 --seed 7").exits(0);
    program.call("replay --run demo --sample 3").exits(0);
    program.call("replay --run demo --block 4").exits(0);
    program.call("replay --run demo").exits(2);
}

/// A seed that was drawn is the run's from then on.
#[test]
fn who_calls_again_without_a_seed_means_the_one_that_was_drawn() {
    let here = fresh();
    let call = "run --samples 5000 --name demo --json";
    let first = pi(&here).call(call).exits(0);
    first.tells(&["seed "]);
    let again = pi(&here).call(call).exits(0).json();
    assert_eq!(again["digest"], first.json()["digest"]);
    assert_eq!(again["seed"], first.json()["seed"]);
    pi(&here)
        .call(&format!("{call} --seed 5"))
        .is_refused(&["demo", "seed"]);
}

/// A run that is gone on with keeps its policy, and is judged by it.
#[test]
fn the_policy_is_the_one_that_was_planned() {
    let here = fresh();
    let run = "run --samples 5000 --seed 7 --name demo --json";
    let _ = pi(&here)
        .call(&format!("{run} --policy tolerate=3%"))
        .exits(0);
    let again = pi(&here)
        .call(&format!("{run} --policy tolerate=7%"))
        .exits(0);
    again.tells(&["tolerate=3%", "keeps it"]);
    assert_eq!(again.json()["policy"], "tolerate=3%");
}

/// Every bit of a number survives JSON, and its way into the store and back.
#[test]
fn json_keeps_every_bit() {
    let here = fresh();
    // Misread in the last bit by a parser that does not care.
    let (spot, strike) = ("7.2057594037927933e16", "122.416294033786585");
    write(&here, &format!(r#"{{"spot": {spot}, "strike": {strike}}}"#));
    let found = planned(&option(&here), "--kwargs kwargs.json");
    for (name, text) in [("spot", spot), ("strike", strike)] {
        let exact: f64 = text.parse().unwrap();
        assert_eq!(found[name].as_f64().unwrap().to_bits(), exact.to_bits());
    }
}

#[test]
fn validate_is_asked_whichever_way_they_came() {
    let here = fresh();
    let words = ["volatility is -1", "above 0"];
    option(&here)
        .call(&format!("{PLAN} --volatility=-1"))
        .is_refused(&words);
    write(&here, r#"{"volatility": -1}"#);
    option(&here)
        .call(&format!("{PLAN} --kwargs kwargs.json"))
        .is_refused(&words);
    option(&here)
        .with("CROUPIER_VOLATILITY", "-1")
        .call(PLAN)
        .is_refused(&words);

    // And once more where they come from the store, changed by hand.
    option(&here).call(&format!("{PLAN} --name demo")).exits(0);
    let path = here.path().join("croupier-runs/demo/manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replace("\"volatility\": 0.2", "\"volatility\": -1.0"),
    )
    .unwrap();
    for verb in ["shard --shard 0", "reduce", "verify", "replay --block 0"] {
        option(&here)
            .call(&format!("{verb} --run demo"))
            .is_refused(&words);
    }
}

#[test]
fn what_is_not_finite_is_refused() {
    let here = fresh();
    for value in ["nan", "inf", "-inf", "NaN", "infinity", "1e999"] {
        option(&here)
            .call(&format!("{PLAN} --rate={value}"))
            .is_refused(&["rate", "finite"]);
        option(&here)
            .with("CROUPIER_RATE", value)
            .call(PLAN)
            .is_refused(&["rate", "finite"]);
    }
    for text in [
        r#"{"rate": null}"#,
        r#"{"rate": NaN}"#,
        r#"{"rate": 1e999}"#,
        r#"{"rate": "nan"}"#,
    ] {
        write(&here, text);
        option(&here)
            .call(&format!("{PLAN} --kwargs kwargs.json"))
            .is_refused(&["rate"]);
    }
}

#[test]
fn json_that_is_not_parameters_is_refused_with_its_place() {
    let here = fresh();
    for (text, words) in [
        ("", vec!["kwargs.json"]),
        ("[1]", vec!["object"]),
        ("{\"spot\": 1,\n \"spott\": 2}", vec!["spott", "2", "spot"]),
        ("{\"spot\": 1, \"spot\": 2}", vec!["spot"]),
        ("{\"spot\": {}}", vec!["spot"]),
        ("{\"spot\": 1", vec!["kwargs.json"]),
        ("{\"samples\": 5}", vec!["samples"]),
    ] {
        write(&here, text);
        option(&here)
            .call(&format!("{PLAN} --kwargs kwargs.json"))
            .is_refused(&words);
    }
    option(&here)
        .call(&format!("{PLAN} --kwargs nowhere.json"))
        .is_refused(&["nowhere.json"]);
    #[cfg(target_os = "linux")]
    option(&here)
        .call(&format!("{PLAN} --kwargs /dev/zero"))
        .is_refused(&["/dev/zero is longer than 1048576 bytes"]);
    let server = S3Server::start();
    server.put("kwargs.json", vec![b' '; (1 << 20) + 1]);
    let uri = server.uri("kwargs.json");
    option(&here)
        .with_s3(&server)
        .call(&format!("{PLAN} --kwargs {uri}"))
        .is_refused(&[&uri, "longer than 1048576 bytes"]);
    server.put(
        "kwargs.json",
        bytes::Bytes::from_static(b"{\"spot\": 12.5}"),
    );
    let read = planned(&option(&here).with_s3(&server), &format!("--kwargs {uri}"));
    assert_eq!(read["spot"], 12.5);
}

#[test]
fn parameters_that_do_not_parse_are_refused() {
    let here = fresh();
    for arguments in [
        "--spot abc",
        "--spot",
        "--spott 3",
        "--spot 1 --spot 2",
        "stray",
    ] {
        let said = option(&here).call(&format!("{PLAN} {arguments}"));
        assert_eq!(said.code(), Some(2), "{said}");
        assert!(
            said.stdout.is_empty() && said.stderr.starts_with("error: "),
            "{said}"
        );
    }
    let missing = kernel!("table", here).call("plan --samples 10 --seed 7");
    missing.is_refused(&["table", "--input table="]);
}

/// clap would merge the two without a word.
#[test]
fn a_parameter_named_like_a_flag_of_ours_is_an_error_at_every_start() {
    let here = fresh();
    for verb in [
        "",
        "run --samples 10",
        "shard --shard 0",
        "reduce",
        "ls",
        "--help",
        "--version",
    ] {
        kernel!("taken-name", here)
            .call(verb)
            .is_refused(&["shards", "--shards", "rename"]);
    }
}

#[test]
fn an_input_is_read_once_and_its_digest_belongs_to_the_run() {
    let here = fresh();
    let table = kernel!("table", here);
    let file = here.path().join("table.txt");
    fs::write(&file, "1\n2\n4.5\n").unwrap();
    let plan = "--samples 2000 --seed 7 --name demo --shards 3 --input table=table.txt";
    let report = table.call(&format!("{plan} --json")).exits(0).json();
    let mean = report["estimates"][0]["value"].as_f64().unwrap();
    let error = report["estimates"][0]["std_error"].as_f64().unwrap();
    assert!((mean - 2.5).abs() < 4.0 * error, "{report}");
    assert_eq!(
        report["identity"]["inputs"]["table"].as_str().map(str::len),
        Some(64)
    );
    table.call("verify --deep").exits(0);

    // The same bytes elsewhere are the same input; other bytes in the same place are not.
    fs::rename(&file, here.path().join("moved.txt")).unwrap();
    table
        .call("shard --run demo --shard 1")
        .is_refused(&["table.txt"]);
    table
        .call("shard --run demo --shard 1 --input table=moved.txt")
        .exits(0);
    fs::write(&file, "1\n2\n4.6\n").unwrap();
    table
        .call("shard --run demo --shard 1")
        .exits(5)
        .says(&["table"]);
    table.call(plan).is_refused(&["exists already", "table"]);

    fs::write(&file, "").unwrap();
    let empty = table.call("plan --samples 10 --seed 7 --input table=table.txt");
    empty.is_refused(&["the table is empty"]);
    fs::write(&file, "one\n").unwrap();
    table
        .call("plan --samples 10 --seed 7 --input table=table.txt")
        .is_refused(&["invalid float"]);
    for (input, words) in [
        ("table", vec!["NAME=URI"]),
        ("tabel=table.txt", vec!["\"table\" is missing"]),
        ("table=table.txt --input table=moved.txt", vec!["twice"]),
    ] {
        let said = table.call(&format!("plan --samples 10 --seed 7 --input {input}"));
        assert_eq!(said.code(), Some(2), "{said}");
        said.says(&words);
    }
}

#[test]
fn parameters_may_fix_the_samples() {
    let here = fresh();
    let image = kernel!("image", here);
    let report = image
        .call("run --seed 7 --name demo --shards 2 --json")
        .exits(0)
        .json();
    assert_eq!(report["samples"]["done"], 600);
    // Every pixel once.
    assert_eq!(report["estimates"][0]["value"], 299.5);
    assert_eq!(report["identity"]["domain"], 600);
    image
        .call("run --samples 600 --seed 7 --name demo --shards 2")
        .exits(0);
    image
        .call("run --samples 601 --seed 7")
        .is_refused(&["601", "600"]);
    let wide = image.call("run --seed 7 --name demo --shards 2 --width 31");
    wide.is_refused(&["exists already", "width"]);
}

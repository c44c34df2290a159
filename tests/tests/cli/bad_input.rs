//! Bad input: one clear line and exit code 2, before anything is done. (Indexes are in `index`, parameters in
//! `parameters`.)

use std::fs;

use croupier_tests::s3::{BUCKET, S3Server};

use super::{fresh, kernel, option, pi};

const PLAN: &str = "--samples 20000 --block 1024 --seed 7";

#[test]
fn counts_that_make_no_run() {
    let here = fresh();
    for (flags, words) in [
        ("", vec!["--samples"]),
        ("--samples 0", vec!["sample"]),
        ("--samples=-5", vec!["negative"]),
        ("--samples -5", vec!["--samples", "negative"]),
        ("--samples 1.5", vec!["not a whole number"]),
        ("--samples many", vec!["many", "1e6"]),
        ("--samples 1e20", vec!["too large"]),
        ("--samples 1e6 --shards 0", vec!["shard"]),
        (
            "--samples 20000 --block 1024 --shards 21",
            vec!["21 shards", "20 blocks", "--block"],
        ),
        ("--samples 1e6 --block 1000", vec!["1000", "power of two"]),
        ("--samples 1e6 --block 0", vec!["0", "power of two"]),
        ("--samples 1e6 --seed=-1", vec!["-1"]),
        ("--samples 1e6 --seed -1", vec!["--seed", "negative"]),
        ("--samples 1e6 --seed abc", vec!["--seed", "abc"]),
        (
            "--samples 1e6 --seed 18446744073709551616",
            vec!["18446744073709551616"],
        ),
        (
            "--samples 1e6 --policy sometimes",
            vec!["sometimes", "tolerate"],
        ),
        ("--samples 1e6 --shards 5e9", vec!["shards"]),
        ("--samples 1e6 --store-timeout 20", vec!["unit"]),
    ] {
        for verb in ["run", "plan"] {
            pi(&here)
                .call(&format!("{verb} {flags}"))
                .is_refused(&words);
        }
    }
    assert!(
        !here.path().join("croupier-runs").exists(),
        "something was planned"
    );
}

#[test]
fn parameters_out_of_range() {
    let here = fresh();
    for (flags, words) in [
        ("--spot 0", ["spot", "above 0"]),
        ("--volatility=-0.2", ["volatility", "above 0"]),
        ("--maturity 0", ["maturity", "above 0"]),
    ] {
        option(&here)
            .call(&format!("run {PLAN} {flags}"))
            .is_refused(&words);
    }
}

#[test]
fn names_that_leave_the_store() {
    let here = fresh();
    for name in ["..", "../x", "a/b", "/a", "a..b", "-x", ".x", "a\\b"] {
        let named = pi(&here).call(&format!("plan {PLAN} --name={name}"));
        named.is_refused(&["can't name a run"]);
    }
    pi(&here)
        .call_with(&["plan", "--samples", "10", "--name", "a b"])
        .is_refused(&["can't name a run"]);
    pi(&here)
        .call_with(&["plan", "--samples", "10", "--name", ""])
        .is_refused(&["empty"]);
    for verb in ["reduce", "status", "shard --shard 0", "rm --yes"] {
        pi(&here)
            .call(&format!("{verb} --run .."))
            .is_refused(&["can't name a run"]);
        pi(&here)
            .call(&format!("{verb} --run nothing"))
            .is_refused(&["no run", "nothing"]);
    }
    pi(&here).call("reduce").is_refused(&["no runs", "--run"]);
    assert!(
        !here.path().join("croupier-runs").exists(),
        "something was made"
    );
}

#[test]
fn a_name_that_is_another_run() {
    let here = fresh();
    option(&here)
        .call(&format!("plan {PLAN} --shards 4 --name demo"))
        .exits(0);
    for (flags, words) in [
        (format!("{PLAN} --shards 5"), vec!["shards", "4", "5"]),
        (
            format!("{PLAN} --shards 4 --strike 99"),
            vec!["strike", "100", "99"],
        ),
        (
            "--samples 20001 --block 1024 --seed 7 --shards 4".to_owned(),
            vec!["samples", "20000", "20001"],
        ),
        (
            "--samples 20000 --block 1024 --seed 8 --shards 4".to_owned(),
            vec!["seed", "7", "8"],
        ),
        (
            "--samples 20000 --block 2048 --seed 7 --shards 4".to_owned(),
            vec!["block", "1024", "2048"],
        ),
    ] {
        let words: Vec<&str> = ["exists already", "demo"]
            .into_iter()
            .chain(words)
            .collect();
        for verb in ["run", "plan", "shard --shard 0"] {
            option(&here)
                .call(&format!("{verb} {flags} --name demo"))
                .is_refused(&words);
        }
    }
    pi(&here)
        .call(&format!("plan {PLAN} --shards 4 --name demo"))
        .is_refused(&["exists already", "kernel"]);
    let same = option(&here)
        .call(&format!("plan {PLAN} --shards 4 --name demo --json"))
        .exits(0);
    assert_eq!(same.json()["is_new"], false);
}

#[test]
fn stores_that_are_none() {
    let here = fresh();
    fs::write(here.path().join("file"), "").unwrap();
    for (store, words) in [
        (
            "gs://bucket/runs",
            vec!["gs://bucket/runs", "scheme", "s3://"],
        ),
        ("s3:bucket", vec!["s3:bucket", "slashes"]),
        ("s3://", vec!["no bucket"]),
        ("file", vec!["file"]),
    ] {
        for verb in [&format!("run {PLAN}"), "ls", "reduce --run demo"] {
            pi(&here)
                .call(&format!("{verb} --store {store}"))
                .is_refused(&words);
        }
    }
    pi(&here)
        .call_with(&["ls", "--store", ""])
        .is_refused(&["empty"]);
}

#[test]
fn buckets_that_are_not_there_or_say_no() {
    let here = fresh();
    let server = S3Server::start();
    let here_s3 = pi(&here).with_s3(&server);
    let missing = format!("run {PLAN} --store s3://not-there/runs");
    here_s3.call(&missing).is_refused(&["not-there", "bucket"]);

    let store = server.uri("runs");
    let stranger = here_s3.clone().with("AWS_ACCESS_KEY_ID", "AKIDNOBODY");
    for verb in [&format!("run {PLAN}"), "ls", "reduce --run demo"] {
        let said = stranger.call(&format!("{verb} --store {store}"));
        said.is_refused(&["InvalidAccessKeyId", "s3:"]);
        assert!(said.stderr.contains(BUCKET), "{said}");
    }
    let nobody = pi(&here)
        .with("AWS_ENDPOINT_URL", server.endpoint())
        .with("AWS_REGION", "eu-west-1")
        .with("NO_PROXY", "*");
    nobody
        .call(&format!("ls --store {store}"))
        .is_refused(&["no AWS credentials", "aws sso login"]);
    assert!(server.keys().is_empty());
}

#[test]
fn a_manifest_that_is_no_json_or_is_newer() {
    let here = fresh();
    pi(&here).call(&format!("plan {PLAN} --name demo")).exits(0);
    let path = here.path().join("croupier-runs/demo/manifest.json");
    let manifest = fs::read_to_string(&path).unwrap();
    let verbs = [
        "status --run demo".to_owned(),
        "shard --run demo --shard 0".to_owned(),
        "reduce --run demo".to_owned(),
        format!("run {PLAN} --name demo"),
    ];
    let all_say = |words: &[&str]| {
        for verb in &verbs {
            pi(&here).call(verb).is_refused(words);
        }
    };
    fs::write(&path, &manifest[..manifest.len() / 2]).unwrap();
    all_say(&["manifest.json is damaged"]);
    fs::write(&path, "").unwrap();
    all_say(&["manifest.json is damaged"]);
    fs::write(&path, "\u{0}\u{1}").unwrap();
    all_say(&["manifest.json is damaged"]);
    assert!(manifest.contains("\"format\": 1"), "{manifest}");
    fs::write(
        &path,
        manifest.replace("\"format\": 1", "\"format\": 2, \"new\": []"),
    )
    .unwrap();
    all_say(&["manifest.json has format 2", "Croupier"]);
    fs::write(&path, &manifest).unwrap();
    pi(&here).call("status --run demo").exits(0);

    let segment = here.path().join("croupier-runs/demo/segments/0.json");
    fs::write(&segment, "{").unwrap();
    all_say(&["segments/0.json is damaged"]);
    fs::remove_file(&segment).unwrap();
    pi(&here)
        .call("reduce --run demo")
        .is_refused(&["not planned to the end", "plan"]);
    // Which mends it.
    pi(&here).call(&format!("plan {PLAN} --name demo")).exits(0);
    pi(&here).call("status --run demo").exits(0);
}

#[test]
fn a_kernel_that_can_not_be_called_so() {
    let here = fresh();
    for verb in ["", "run --samples 10", "ls", "--help"] {
        kernel!("misnamed", here)
            .call(verb)
            .is_refused(&["\"a name\"", "NAME", "hyphens"]);
    }
}

#[test]
fn one_sample_of_a_kernel_that_has_only_blocks() {
    let here = fresh();
    let kernel = kernel!("block-loop", here);
    kernel.call("--samples 100 --seed 7").exits(0);
    kernel
        .call("replay --sample 20")
        .is_refused(&["--sample 20", "replay its block, 1"]);
    kernel.call("replay --block 1").exits(0);
}

#[test]
fn the_seed_that_was_drawn_is_printed_and_stored() {
    let here = fresh();
    let seeds: Vec<String> = (0..2)
        .map(|_| {
            let said = pi(&here)
                .call("run --samples 2000 --block 1024 --json")
                .exits(0);
            let seed = said.json()["seed"].as_str().unwrap().to_owned();
            assert!(said.stderr.contains(&format!("seed {seed}\n")), "{said}");
            let again = pi(&here).call(&format!(
                "run --samples 2000 --block 1024 --seed {seed} --json"
            ));
            assert_eq!(again.exits(0).json()["digest"], said.json()["digest"]);
            seed
        })
        .collect();
    assert_ne!(seeds[0], seeds[1]);
}

//! What is wrong with a case is said with its file, its line and its key, before anything is run.

use std::fs;

use super::{fresh, several, write};

#[test]
fn bad_lines_are_refused_by_line_and_key() {
    let here = fresh();
    let program = several(here.path());
    let long = format!("{{\"low\": 1, \"needs\": \"{}\"}}", "x".repeat(1 << 20));
    for (line, words) in [
        (r#"{"low": 1, "hight": 2}"#, &["line 2", "hight"][..]),
        (r#"{"low": "one"}"#, &["line 2", "low", "one"]),
        (r#"{"low": null}"#, &["line 2", "low", "null"]),
        (r#"{"length": 2}"#, &["line 2", "--low"]),
        (r#"{"low": 1"#, &["line 2"]),
        (r#"{"low": 1, "length": -1}"#, &["line 2", "length is -1"]),
        (r#"{"low": 1, "seed": 3}"#, &["line 2", "seed"]),
        ("", &["line 2", "empty"]),
        (&long, &["line 2", "1048576"]),
    ] {
        write(
            here.path(),
            "many.jsonl",
            &format!("{{\"low\": 1}}\n{line}\n{{\"low\": 1}}\n"),
        );
        for verb in ["run", "plan"] {
            let call = format!("uniform {verb} --cases many.jsonl --samples 640");
            let ended = program.call(&call).exits(2);
            ended.tells(words);
            ended.tells(&["many.jsonl"]);
        }
    }
    let partials = |run: &fs::DirEntry| run.path().join("cases/0/partials").exists();
    let runs = fs::read_dir(here.path().join("croupier-runs"));
    assert!(
        !runs.is_ok_and(|mut runs| runs.any(|run| run.is_ok_and(|run| partials(&run)))),
        "a case was run though another is bad"
    );
}

#[test]
fn bad_files_are_refused_by_name_and_key() {
    let here = fresh();
    let program = several(here.path());
    let child = "uniform shard --kwargs kwargs --samples 640 --index 0";
    let long = format!("{{\"low\": 1, \"needs\": \"{}\"}}", "x".repeat(1 << 20));
    for (number, (text, words)) in [
        (
            "{\n\"low\": 1,\n\"hight\": 2\n}",
            &["0.json, line 3", "hight"][..],
        ),
        ("{\n\"low\": true\n}", &["0.json, line 2", "low"]),
        ("{}", &["0.json", "--low"]),
        ("[1]", &["0.json"]),
        (&long, &["0.json", "1048576"]),
    ]
    .into_iter()
    .enumerate()
    {
        write(here.path(), "kwargs/0.json", text);
        program
            .call(&format!("{child} --name run-{number}"))
            .exits(2)
            .tells(words);
    }
    fs::remove_file(here.path().join("kwargs/0.json")).unwrap();
    program
        .call(&format!("{child} --name none"))
        .exits(2)
        .tells(&["no cases in kwargs"]);
}

#[test]
fn an_upload_writes_all_or_nothing_and_overwrites_nothing() {
    let here = fresh();
    let program = several(here.path());
    let upload = "uniform cases upload many.jsonl kwargs";
    write(here.path(), "many.jsonl", "{\"low\": 1}\n{\"low\": }\n");
    program.call(upload).exits(2).tells(&["many.jsonl, line 2"]);
    assert!(!here.path().join("kwargs/0.json").exists());
    // What is missing may be given for all; what is unknown may not.
    write(
        here.path(),
        "many.jsonl",
        "{\"length\": 1}\n{\"length\": 2}\n",
    );
    program.call(upload).exits(0);
    write(
        here.path(),
        "many.jsonl",
        "{\"length\": 1}\n{\"length\": 3}\n",
    );
    program
        .call(upload)
        .exits(2)
        .tells(&["1.json", "something else"]);
    write(here.path(), "many.jsonl", "{\"length\": 1}\n");
    program.call(upload).exits(2).tells(&["1.json", "1 lines"]);
    let text = fs::read_to_string(here.path().join("kwargs/1.json")).unwrap();
    assert_eq!(text, "{\"length\": 2}\n");
}

//! The example that copies a folder of S3.

use croupier_tests::program::Program;
use croupier_tests::s3::{Operation, S3Server};

use super::fresh;

fn copier(directory: &std::path::Path, server: &S3Server) -> Program {
    Program::example("copy_s3_folder", directory).with_s3(server)
}

fn writes_below(server: &S3Server, since: usize, prefix: &str) -> usize {
    let requests = server.requests_since(since);
    let is_write = |operation| matches!(operation, Operation::Put | Operation::PutIfAbsent);
    requests
        .iter()
        .filter(|request| is_write(request.operation) && request.key.starts_with(prefix))
        .count()
}

#[test]
fn a_folder_is_copied_once_page_by_page() {
    let here = fresh();
    let server = S3Server::start();
    server.set_page(7);
    for number in 0..40 {
        server.put(&format!("from/a {number}+é.txt"), format!("text {number}"));
    }
    // Not in the folder, though it begins with the same letters.
    server.put("from2/other", "x");
    server.put("to/stays", "y");
    let program = copier(here.path(), &server);
    let call = format!(
        "--s3uri-source {} --s3uri-target {} --at-once 3 --json",
        server.uri("from"),
        server.uri("to")
    );
    let report = program.call(&call).exits(0).json();
    assert_eq!(report["row"]["copied"], 40);
    let objects = server.objects();
    for number in 0..40 {
        let name = format!("a {number}+é.txt");
        assert_eq!(
            objects[&format!("to/{name}")],
            objects[&format!("from/{name}")]
        );
    }
    assert_eq!(
        server
            .keys()
            .iter()
            .filter(|key| key.starts_with("to/"))
            .count(),
        41
    );
    // What is the same already is left alone; what changed is copied.
    server.put("from/a 3+é.txt", "changed");
    let since = server.requests().len();
    let report = program.call(&call).exits(0).json();
    assert_eq!(report["row"]["copied"], 1);
    assert_eq!(report["row"]["identical"], 39);
    assert_eq!(writes_below(&server, since, "to/"), 1);
    assert_eq!(server.objects()["to/a 3+é.txt"], "changed");
}

#[test]
fn what_is_too_large_is_refused_with_the_line_that_does_it() {
    let here = fresh();
    let server = S3Server::start();
    server.put("from/small", "x");
    server.put("from/large", "y");
    server.set_size("from/large", (5 << 30) + 1);
    let call = format!(
        "--s3uri-source {} --s3uri-target {}",
        server.uri("from"),
        server.uri("to")
    );
    let line = format!(
        "aws s3 cp '{}' '{}'",
        server.uri("from/large"),
        server.uri("to/large")
    );
    let program = copier(here.path(), &server);
    program.call(&call).exits(6).tells(&[&line]);
    assert!(server.keys().contains(&"to/small".to_owned()));
    // Once that is done, all is.
    server.put("to/large", "y");
    server.set_size("to/large", (5 << 30) + 1);
    program.call(&call).exits(0);
}

#[test]
fn an_array_copies_a_folder_each() {
    let here = fresh();
    let server = S3Server::start();
    for folder in ["x", "y"] {
        server.put(&format!("from-{folder}/1"), folder);
    }
    let case = |folder: &str| {
        format!(
            "{{\"s3uri_source\": \"{}\", \"s3uri_target\": \"{}\"}}",
            server.uri(&format!("from-{folder}")),
            server.uri(&format!("to-{folder}"))
        )
    };
    for (index, folder) in ["x", "y"].iter().enumerate() {
        server.put(&format!("kwargs/{index}.json"), case(folder));
    }
    for index in 0..2 {
        let call = format!(
            "--s3uri-kwargs {} --store {}",
            server.uri("kwargs"),
            server.uri("runs")
        );
        copier(here.path(), &server)
            .with("AWS_BATCH_JOB_ARRAY_INDEX", index.to_string())
            .with("AWS_BATCH_JOB_ID", format!("job:{index}"))
            .call(&call)
            .exits(0);
    }
    assert_eq!(server.objects()["to-x/1"], "x");
    assert_eq!(server.objects()["to-y/1"], "y");
    let reduce = format!("reduce --store {} --json", server.uri("runs"));
    let report = copier(here.path(), &server).call(&reduce).exits(0).json();
    assert_eq!(report["cases"][1]["row"]["copied"], 1);
}

#[test]
fn bad_folders_are_refused_before_anything_is_done() {
    let here = fresh();
    let server = S3Server::start();
    let program = copier(here.path(), &server);
    program
        .call("--s3uri-source s3://b/x --s3uri-target s3://b/x/y")
        .exits(2)
        .tells(&["within each other"]);
    program
        .call("--s3uri-source /tmp --s3uri-target s3://b/x")
        .exits(2)
        .tells(&["/tmp"]);
    assert!(server.requests().is_empty());
}

//! Errors, resets and pages that fail are tried again, and given up after so many attempts.

use croupier_store::{Error, Options, Store};
use croupier_tests::s3::{BUCKET, Fault, Operation, S3Server};

use super::{every_method, first, in_time, patient};

#[tokio::test]
async fn bursts_of_errors_and_resets_are_outlived() {
    for fault in [
        Fault::Status(500, "InternalError"),
        Fault::Status(503, "SlowDown"),
        Fault::Status(503, "ServiceUnavailable"),
        Fault::Status(502, ""),
        Fault::Reset,
    ] {
        let server = S3Server::start();
        let store = server.store("run", &patient());
        server.set_fault(first(2, fault.clone()));
        for (action, result) in every_method(&store, "x").await {
            result.unwrap_or_else(|error| panic!("{fault:?}, {action}: {error}"));
        }
        let asked = server.requests();
        for operation in [
            Operation::Put,
            Operation::Get,
            Operation::List,
            Operation::PutIfAbsent,
            Operation::Delete,
        ] {
            let times = asked
                .iter()
                .filter(|request| request.operation == operation)
                .count();
            assert!(
                times >= 3,
                "{fault:?}: {operation:?} was asked {times} times, so the fault was never met"
            );
        }
    }
}

#[tokio::test]
async fn a_server_that_only_fails_is_unavailable_after_so_many_attempts() {
    let server = S3Server::start();
    let store = server.store(
        "run",
        &Options {
            attempts: 3,
            ..patient()
        },
    );
    server.set_fault(|_| Fault::Status(503, "SlowDown"));
    for (action, result) in every_method(&store, "x").await {
        let error = result.unwrap_err();
        assert!(
            matches!(error, Error::Unavailable { .. }) && error.is_retryable(),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(
            text.contains(action)
                && text.contains(&format!("{BUCKET}/run/x"))
                && text.contains("SlowDown"),
            "{text}"
        );
    }
    assert_eq!(server.requests().len(), 15);
}

#[tokio::test]
async fn a_listing_goes_on_after_a_failed_page() {
    let server = S3Server::start();
    server.set_page(10);
    for i in 0..95 {
        server.put(&format!("run/{i:03}"), "x");
    }
    server.set_fault(|request| match request.number % 2 {
        0 => Fault::Status(500, "InternalError"),
        _ => Fault::None,
    });
    let entries = in_time(server.store("run", &patient()).list(""))
        .await
        .unwrap();
    let expected: Vec<String> = (0..95).map(|i| format!("{i:03}")).collect();
    assert_eq!(
        entries
            .into_iter()
            .map(|entry| entry.key)
            .collect::<Vec<_>>(),
        expected
    );
    assert_eq!(server.requests().len(), 20);
}

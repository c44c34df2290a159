//! Servers that are slow, stall or never answer: how long is waited, and what is said then.

use std::time::Duration;

use bytes::Bytes;
use croupier_store::{Error, Options, Placed, Store};
use croupier_tests::s3::{BUCKET, Fault, Operation, S3Server};

use super::{always, body, every_method, first, hasty, in_time, patient};

#[tokio::test]
async fn a_server_that_never_answers_is_a_timeout_that_names_it() {
    for fault in [Fault::Hang, Fault::DoneThenHang] {
        let server = S3Server::start();
        let store = server.store("run", &hasty());
        server.set_fault(move |_| fault.clone());
        for (action, result) in every_method(&store, "x").await {
            let error = result.unwrap_err();
            assert!(
                matches!(error, Error::Timeout { after, .. } if after <= Duration::from_secs(1)),
                "{error:?}"
            );
            assert!(error.is_retryable());
            let text = error.to_string();
            assert!(
                text.contains(action) && text.contains(&format!("{BUCKET}/run/x")),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn a_large_body_has_time_of_its_own() {
    let server = S3Server::start();
    let store = server.store("run", &hasty());
    server.set_fault(|_| Fault::Delay(Duration::from_millis(1500)));
    let large = Bytes::from(vec![7; 3_000_000]);
    in_time(store.put("large", large.clone())).await.unwrap();
    assert_eq!(
        in_time(store.put_if_absent("placed", large)).await.unwrap(),
        Placed::Written
    );
    let error = in_time(store.put("small", body())).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
}

#[tokio::test]
async fn one_hanging_connection_is_given_up_for_another() {
    let server = S3Server::start();
    let store = server.store(
        "run",
        &Options {
            timeout: Duration::from_secs(3),
            ..patient()
        },
    );
    server.set_fault(first(1, Fault::Hang));
    in_time(store.put("x", body())).await.unwrap();
    assert_eq!(in_time(store.get("x")).await.unwrap(), body());
    assert_eq!(server.requests().len(), 4);
}

/// One object among the thousands that a reducer reads may stall. It once took the whole time there is, and the reducer
/// with it.
#[tokio::test]
async fn one_stalled_body_is_given_up_for_another() {
    let server = S3Server::start();
    let options = Options {
        timeout: Duration::from_secs(3),
        ..patient()
    };
    let store = server.store("run", &options);
    in_time(store.put("x", body())).await.unwrap();
    server.set_fault(first(1, Fault::Stalled));
    assert_eq!(in_time(store.get("x")).await.unwrap(), body());
    assert_eq!(server.requests().len(), 1 + 2);
}

#[tokio::test]
async fn a_truncated_body_is_read_again_and_never_returned_short() {
    let server = S3Server::start();
    let store = server.store("run", &patient());
    in_time(store.put("x", body())).await.unwrap();
    server.set_fault(first(2, Fault::Truncated));
    assert_eq!(in_time(store.get("x")).await.unwrap(), body());
    assert_eq!(server.requests().len(), 1 + 3);

    server.set_fault(always(Operation::Get, Fault::Truncated));
    let error = in_time(store.get("x")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("broke off"), "{error}");
}

#[tokio::test]
async fn a_slow_body_is_waited_for_and_a_stalled_one_is_not() {
    let server = S3Server::start();
    in_time(server.store("run", &patient()).put("x", body()))
        .await
        .unwrap();
    server.set_fault(always(
        Operation::Get,
        Fault::Slow {
            pieces: 20,
            pause: Duration::from_millis(20),
        },
    ));
    assert_eq!(
        in_time(server.store("run", &patient()).get("x"))
            .await
            .unwrap(),
        body()
    );

    server.set_fault(always(Operation::Get, Fault::Stalled));
    let error = in_time(server.store("run", &hasty()).get("x"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
}

#[tokio::test]
async fn a_delay_within_the_limit_is_no_failure() {
    let server = S3Server::start();
    let store = server.store("run", &patient());
    server.set_fault(first(1, Fault::Delay(Duration::from_millis(100))));
    for (action, result) in every_method(&store, "x").await {
        result.unwrap_or_else(|error| panic!("{action}: {error}"));
    }
    assert_eq!(
        server.requests().len(),
        6,
        "put, get, list, put if absent with its get, delete"
    );
}

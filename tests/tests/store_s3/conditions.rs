//! Puts that are only to succeed where nothing is: whose object it is, and servers that do not look.

use std::sync::Arc;

use bytes::Bytes;
use croupier_store::{Error, Placed, Store, honours_put_if_absent};
use croupier_tests::s3::{Fault, Moment, Operation, S3Server};

use super::{always, body, first, in_time, patient};

#[tokio::test]
async fn an_own_success_whose_answer_was_lost_is_identical() {
    for fault in [
        Fault::DoneThenLost,
        Fault::DoneThenStatus(500, "InternalError"),
    ] {
        let server = S3Server::start();
        let store = server.store("run", &patient());
        server.set_fault(first(1, fault.clone()));
        assert_eq!(
            in_time(store.put_if_absent("x", body())).await.unwrap(),
            Placed::Identical,
            "{fault:?}"
        );
        assert_eq!(server.objects()["run/x"], body());
        let puts = server
            .requests()
            .iter()
            .filter(|request| request.operation == Operation::PutIfAbsent)
            .count();
        assert_eq!(puts, 2, "{fault:?}: the answer was not lost");
        in_time(store.put("y", body())).await.unwrap();
        in_time(store.delete("y")).await.unwrap();
        assert_eq!(server.keys(), ["run/x"]);
    }
}

#[tokio::test]
async fn another_ones_object_is_given_back() {
    let server = S3Server::start();
    let store = server.store("run", &patient());
    server.put("run/x", "theirs");
    let placed = in_time(store.put_if_absent("x", Bytes::from_static(b"ours")))
        .await
        .unwrap();
    assert_eq!(placed, Placed::Different(Bytes::from_static(b"theirs")));
    assert_eq!(server.objects()["run/x"], "theirs");
}

#[tokio::test]
async fn an_object_deleted_before_it_can_be_read_leaves_the_key_free() {
    let server = Arc::new(S3Server::start());
    let store = server.store("run", &patient());
    server.put("run/x", "theirs");
    let deleting = Arc::downgrade(&server);
    server.set_hook(move |moment, request| {
        if moment == Moment::Before && request.operation == Operation::Get {
            deleting
                .upgrade()
                .expect("the server outlives its requests")
                .remove("run/x");
        }
    });
    assert_eq!(
        in_time(store.put_if_absent("x", Bytes::from_static(b"ours")))
            .await
            .unwrap(),
        Placed::Written
    );
    assert_eq!(server.objects()["run/x"], "ours");
}

#[tokio::test]
async fn a_conflict_is_tried_again() {
    let server = S3Server::start();
    let store = server.store("run", &patient());
    server.set_fault(first(3, Fault::Status(409, "ConditionalRequestConflict")));
    assert_eq!(
        in_time(store.put_if_absent("x", body())).await.unwrap(),
        Placed::Written
    );
    assert_eq!(server.requests().len(), 4);

    server.set_fault(always(
        Operation::PutIfAbsent,
        Fault::Status(409, "ConditionalRequestConflict"),
    ));
    let error = in_time(store.put_if_absent("y", body())).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(
        error.to_string().contains("ConditionalRequestConflict"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_ignores_conditions_is_noticed() {
    let server = S3Server::start();
    let store = server.store("run", &patient());
    assert!(
        in_time(honours_put_if_absent(&store, "probe-"))
            .await
            .unwrap()
    );
    server.set_fault(first(1, Fault::DoneThenLost));
    assert!(
        in_time(honours_put_if_absent(&store, "probe-"))
            .await
            .unwrap(),
        "a lost answer is no broken promise"
    );

    server.set_fault(always(Operation::PutIfAbsent, Fault::IgnoreConditional));
    assert!(
        !in_time(honours_put_if_absent(&store, "probe-"))
            .await
            .unwrap()
    );
    server.set_fault(always(
        Operation::PutIfAbsent,
        Fault::Status(501, "NotImplemented"),
    ));
    assert!(
        !in_time(honours_put_if_absent(&store, "probe-"))
            .await
            .unwrap()
    );
    let error = in_time(store.put_if_absent("x", body())).await.unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");

    server.set_fault(always(
        Operation::Delete,
        Fault::Status(403, "AccessDenied"),
    ));
    assert_eq!(server.keys(), Vec::<String>::new(), "a probe was left");
    assert!(
        in_time(honours_put_if_absent(&store, "probe-"))
            .await
            .unwrap(),
        "who may not delete may still plan"
    );
}

//! What every store does, against S3.

use std::sync::Arc;

use croupier_store::{Prefixed, Store, conformance};
use croupier_tests::s3::S3Server;

use super::patient;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms_at_the_root_of_a_bucket() {
    let server = S3Server::start();
    conformance::run(Arc::new(server.store("", &patient()))).await;
    assert_eq!(server.keys(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms_below_a_prefix_with_small_pages() {
    let server = S3Server::start();
    server.set_page(7);
    server.put("runs/demolition/x", "a sibling");
    server.put("runs/demo", "a file named as the prefix");
    conformance::run(Arc::new(server.store("runs/demo", &patient()))).await;
    assert_eq!(server.keys(), ["runs/demo", "runs/demolition/x"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prefixed_bucket_conforms() {
    let server = S3Server::start();
    let store = Prefixed::new(server.store("runs", &patient()), "demo").unwrap();
    assert_eq!(store.uri(), server.uri("runs/demo"));
    conformance::run(Arc::new(store)).await;
}

#[tokio::test]
async fn what_others_keep_below_the_prefix_is_not_listed() {
    let server = S3Server::start();
    for key in [
        "runs/",
        "runs/demo/",
        "runs/.hidden",
        "runs/demo//x",
        "runs/demo/x",
    ] {
        server.put(key, "");
    }
    let entries = server.store("runs", &patient()).list("").await.unwrap();
    assert_eq!(
        entries
            .into_iter()
            .map(|entry| entry.key)
            .collect::<Vec<_>>(),
        ["demo/x"]
    );
}

//! What no repeat mends is said once, by name, with what to do.

use croupier_store::{Error, S3, Store};
use croupier_tests::s3::{BUCKET, Fault, S3Server};

use super::{body, every_method, hasty, in_time, patient};

#[tokio::test]
async fn a_denial_names_the_action_and_the_key() {
    let server = S3Server::start();
    let store = server.store("run", &patient());
    server.set_fault(|_| Fault::Status(403, "AccessDenied"));
    for (action, result) in every_method(&store, "x").await {
        let error = result.unwrap_err();
        assert!(!error.is_retryable());
        let text = error.to_string();
        assert!(
            text.contains(&format!("{action} on {BUCKET}/run/x")) && text.contains("policy"),
            "{text}"
        );
        assert!(matches!(error, Error::AccessDenied { .. }), "{error:?}");
    }
    assert_eq!(server.requests().len(), 5, "a denial was asked about again");
}

#[tokio::test]
async fn wrong_credentials_are_denied() {
    let server = S3Server::start();
    let known = server
        .sdk_config()
        .credentials_provider()
        .expect("credentials");
    let known = aws_sdk_s3::config::ProvideCredentials::provide_credentials(&known)
        .await
        .unwrap();
    for (id, secret) in [
        ("AKIDNOBODY", "anything"),
        (known.access_key_id(), "guessed"),
    ] {
        let config = S3Server::sdk_config_for(&server.endpoint(), id, secret);
        let store = S3::connect(BUCKET, "run", &patient(), &config).unwrap();
        for (action, result) in every_method(&store, "x").await {
            let error = result.unwrap_err();
            assert!(matches!(error, Error::AccessDenied { .. }), "{error:?}");
            let text = error.to_string();
            assert!(
                text.contains(action) && text.contains("AWS_PROFILE"),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn a_missing_bucket_is_named() {
    let server = S3Server::start();
    let store = S3::connect("no-such-bucket", "run", &patient(), &server.sdk_config()).unwrap();
    for (action, result) in every_method(&store, "x").await {
        let error = result.unwrap_err();
        assert!(
            matches!(&error, Error::NoBucket { bucket } if bucket == "no-such-bucket"),
            "{action}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_unavailable() {
    let server = S3Server::start();
    let store = server.store("run", &hasty());
    in_time(store.put("x", body())).await.unwrap();
    drop(server);
    for (action, result) in every_method(&store, "x").await {
        let error = result.unwrap_err();
        assert!(
            matches!(error, Error::Unavailable { .. } | Error::Timeout { .. }),
            "{action}: {error:?}"
        );
        assert!(
            error.to_string().contains(&format!("{BUCKET}/run/x")),
            "{error}"
        );
    }
}

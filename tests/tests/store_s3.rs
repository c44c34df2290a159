//! The store over the real SDK against a server that fails on demand: whatever goes wrong on the way, what a caller is
//! told is true, comes in time and says what to do.

use std::future::Future;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use croupier_store::{
    Error, Options, Placed, Prefixed, S3, Store, conformance, honours_put_if_absent,
};
use croupier_tests::s3::{BUCKET, Fault, Moment, Operation, Request, S3Server};

/// Long enough for every repeat on a busy machine, with pauses short enough for a test.
fn patient() -> Options {
    Options {
        timeout: Duration::from_secs(12),
        ..Options::default()
    }
}

/// For servers that do not answer.
fn hasty() -> Options {
    Options {
        timeout: Duration::from_secs(1),
        ..Options::default()
    }
}

/// Ends a test that would wait for ever; far more than any deadline asked for.
async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work)
        .await
        .expect("an answer or an error, long before this")
}

fn body() -> Bytes {
    (0..100_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect::<Vec<_>>()
        .into()
}

/// The first `n` requests of each operation on each key go wrong.
fn first(n: usize, fault: Fault) -> impl Fn(&Request) -> Fault + Send + Sync {
    move |request| {
        if request.nth < n {
            fault.clone()
        } else {
            Fault::None
        }
    }
}

fn always(operation: Operation, fault: Fault) -> impl Fn(&Request) -> Fault + Send + Sync {
    move |request| {
        if request.operation == operation {
            fault.clone()
        } else {
            Fault::None
        }
    }
}

/// Every method on `key`, as `(what was asked, how it ended)`.
async fn every_method(store: &dyn Store, key: &str) -> Vec<(&'static str, Result<(), Error>)> {
    let body = Bytes::from_static(b"x");
    vec![
        ("s3:PutObject", in_time(store.put(key, body.clone())).await),
        ("s3:GetObject", in_time(store.get(key)).await.map(drop)),
        ("s3:ListBucket", in_time(store.list(key)).await.map(drop)),
        (
            "s3:PutObject",
            in_time(store.put_if_absent(key, body)).await.map(drop),
        ),
        ("s3:DeleteObject", in_time(store.delete(key)).await),
    ]
}

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

#[tokio::test]
async fn no_region_and_no_endpoint_says_what_to_set() {
    let config = aws_config::SdkConfig::builder().build();
    let error = S3::connect(BUCKET, "", &patient(), &config).unwrap_err();
    assert!(
        matches!(&error, Error::NoRegion { bucket } if bucket == BUCKET),
        "{error:?}"
    );
    assert!(error.to_string().contains("AWS_REGION"), "{error}");
}

#[test]
fn a_prefix_that_leaves_the_bucket_is_refused() {
    let config = S3Server::sdk_config_for("http://127.0.0.1:9", "id", "secret");
    for prefix in ["../x", "/x", "a//b"] {
        let error = S3::connect(BUCKET, prefix, &patient(), &config).unwrap_err();
        assert!(matches!(error, Error::BadUri { .. }), "{error:?}");
    }
}

/// Runs a process of its own with an environment of its own; its standard output and whether it succeeded.
fn client(environment: &[(String, String)], arguments: &[&str]) -> (String, bool) {
    let output = Command::new(env!("CARGO_BIN_EXE_store-client"))
        .env_clear()
        .envs(environment.iter().cloned())
        .args(arguments)
        .output()
        .expect("the client starts");
    eprint!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (
        String::from_utf8(output.stdout)
            .expect("text")
            .trim()
            .to_owned(),
        output.status.success(),
    )
}

#[test]
fn the_environment_is_enough() {
    let server = S3Server::start();
    let env = server.env();
    let uri = server.uri("runs");
    assert_eq!(
        client(&env, &["place", &uri, "demo/x", "text"]),
        ("written".to_owned(), true)
    );
    assert_eq!(
        client(&env, &["place", &uri, "demo/x", "text"]),
        ("identical".to_owned(), true)
    );
    assert_eq!(
        client(&env, &["place", &uri, "demo/x", "other"]),
        ("different".to_owned(), true)
    );
    assert_eq!(
        client(&env, &["list", &format!("{uri}/")]),
        ("demo/x".to_owned(), true)
    );
    assert_eq!(
        client(&env, &["read", &format!("{uri}/demo/x")]),
        ("text".to_owned(), true)
    );
    let (text, ok) = client(&env, &["read", &format!("{uri}/demo/y")]);
    assert!(!ok && text.contains("runs/demo/y"), "{text}");
    assert_eq!(server.keys(), ["runs/demo/x"]);
}

/// Old servers refuse the checksums that the SDK sends unasked.
#[test]
fn checksums_are_sent_unless_the_environment_says_otherwise() {
    let server = S3Server::start();
    let mut env = server.env();
    let uri = server.uri("");
    assert_eq!(
        client(&env, &["place", &uri, "with", "text"]),
        ("written".to_owned(), true)
    );
    assert!(server.checksum("with").is_some());
    env.push((
        "AWS_REQUEST_CHECKSUM_CALCULATION".to_owned(),
        "when_required".to_owned(),
    ));
    assert_eq!(
        client(&env, &["place", &uri, "without", "text"]),
        ("written".to_owned(), true)
    );
    assert_eq!(server.checksum("without"), None);
}

#[test]
fn an_endpoint_for_s3_alone_and_no_region_will_do() {
    let server = S3Server::start();
    server.put("runs/x", "text");
    let mut env = server.env();
    env.retain(|(name, _)| name != "AWS_REGION");
    for (name, _) in &mut env {
        if name == "AWS_ENDPOINT_URL" {
            *name = "AWS_ENDPOINT_URL_S3".to_owned();
        }
    }
    assert_eq!(
        client(&env, &["list", &server.uri("runs")]),
        ("x".to_owned(), true)
    );
}

#[test]
fn a_profile_is_enough() {
    let server = S3Server::start();
    server.put("runs/x", "text");
    let env = server.env();
    let of = |name: &str| {
        env.iter()
            .find(|(found, _)| found == name)
            .expect("in the environment")
            .1
            .clone()
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    let profile = format!(
        "[profile lab]\nendpoint_url = {}\nregion = {}\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        of("AWS_ENDPOINT_URL"),
        of("AWS_REGION"),
        of("AWS_ACCESS_KEY_ID"),
        of("AWS_SECRET_ACCESS_KEY"),
    );
    std::fs::write(&file, profile).unwrap();
    let env = [
        ("AWS_CONFIG_FILE", file.to_str().unwrap()),
        ("AWS_PROFILE", "lab"),
        ("NO_PROXY", "*"),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(
        client(&env, &["list", &server.uri("runs")]),
        ("x".to_owned(), true)
    );
}

#[test]
fn missing_credentials_name_the_chain_and_what_to_do_even_if_the_metadata_hangs() {
    let server = S3Server::start();
    // Takes connections and never answers.
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let metadata = format!("http://{}", hanging.local_addr().unwrap());
    let mut env = server.env();
    env.retain(|(name, _)| !name.contains("KEY") && name != "AWS_EC2_METADATA_DISABLED");
    env.push(("AWS_EC2_METADATA_SERVICE_ENDPOINT".to_owned(), metadata));
    let chain = [
        "no AWS credentials",
        "environment",
        "profile",
        "SSO",
        "web identity",
        "container",
        "metadata",
    ];
    let (text, ok) = client(&env, &["list", &server.uri("runs")]);
    assert!(
        !ok && chain.iter().all(|link| text.contains(link)) && text.contains("aws sso login"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1, "{text}");
    assert_eq!(
        server.requests(),
        [],
        "something was sent without credentials"
    );

    // With nothing set up at all, where the metadata is asked for the region, too.
    env.retain(|(name, _)| name != "AWS_REGION" && name != "AWS_ENDPOINT_URL");
    let (text, ok) = client(&env, &["list", &server.uri("runs")]);
    assert!(
        !ok && chain.iter().all(|link| text.contains(link)),
        "{text}"
    );

    // With credentials and no region.
    env.push(("AWS_ACCESS_KEY_ID".to_owned(), "id".to_owned()));
    env.push(("AWS_SECRET_ACCESS_KEY".to_owned(), "secret".to_owned()));
    let (text, ok) = client(&env, &["list", &server.uri("runs")]);
    assert!(
        !ok && text.contains("no AWS region") && text.contains("AWS_REGION"),
        "{text}"
    );
}

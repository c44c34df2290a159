//! Region, credentials, endpoint and checksums come from where all AWS tools take them.

use std::net::TcpListener;
use std::process::Command;

use croupier_store::{Error, S3};
use croupier_tests::s3::{BUCKET, S3Server};

use super::patient;

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

//! Holds a server of DynamoDB to the suite of trackers, and to what a suite can't ask: answers that get lost, tables and
//! items that aren't ours, and how many requests ten thousand shards take.
//!
//! `tracker_conformance TABLE` makes the table, which must not be there, and leaves it. The server is the one that
//! `AWS_ENDPOINT_URL_DYNAMODB` or `AWS_ENDPOINT_URL` names; without one it fails.

mod foreign;
mod lost;
mod pages;
mod proxy;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::BehaviorVersion;
use croupier_fleet::tracker::{Claimant, DynamoDb, ManualClock, Terms, conformance};
use croupier_fleet::{Tracker, TrackerError};

use crate::proxy::Proxy;

/// What a check ends with; it panics where something doesn't hold.
type Checked = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    let endpoint = ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok());
    let (Some(endpoint), Some(table)) = (endpoint, std::env::args().nth(1)) else {
        eprintln!("error: give a table, and a server in AWS_ENDPOINT_URL_DYNAMODB");
        return ExitCode::from(2);
    };
    match check(&endpoint, &table).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn check(endpoint: &str, table: &str) -> Checked {
    let tracker = DynamoDb::open(table, "any", Terms::default()).await?;
    let absent = tracker.claim(0, &claimant("a"), 1).await;
    match absent {
        Err(error @ TrackerError::NoTable { .. }) => {
            assert!(error.to_string().contains("create-table"), "{error}");
        }
        Err(error) => return Err(error.into()),
        Ok(claim) => panic!("{claim:?} without a table"),
    }
    tracker.create_table().await?;
    tracker.create_table().await?;
    println!("{}: made", tracker.uri());

    conformance::run("conformance", |run, terms| {
        Arc::new(tracker.for_run(run, terms).expect("a run"))
    })
    .await;
    println!("the suite: passed");

    let proxy = Proxy::start(endpoint).await?;
    let config = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(proxy.url())
        .load()
        .await;
    let proxied = DynamoDb::connect(table, "lost", terms(), &config)?;
    lost::check(&proxied, &proxy).await?;
    println!("lost answers: passed");

    let client = aws_sdk_dynamodb::Client::new(&config);
    foreign::check(&tracker, &client, table).await?;
    println!("tables and items that aren't ours: passed");
    let requests = pages::check(&tracker, &client, table, &config, &proxy).await?;
    println!("requests for 10000 shards: {requests}");
    Ok(())
}

/// By a clock that stands.
fn terms() -> Terms {
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_893_456_000);
    Terms::with_clock(ManualClock::new(start))
}

fn claimant(attempt: &str) -> Claimant {
    Claimant {
        attempt: attempt.to_owned(),
        host: "host".to_owned(),
    }
}

//! How many requests it takes to see ten thousand shards, each with the largest item there can be.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use croupier_fleet::Tracker;
use croupier_fleet::tracker::{
    ATTEMPT_BYTES, Claim, Claimant, DynamoDb, FailureClass, HOST_BYTES, MESSAGE_BYTES, RUN_BYTES,
};

use crate::proxy::Proxy;
use crate::terms;

const SHARDS: u32 = 10_000;
/// The most that `BatchWriteItem` takes.
const AT_ONCE: usize = 25;

pub(crate) async fn check(
    tracker: &DynamoDb,
    client: &Client,
    table: &str,
    config: &SdkConfig,
    proxy: &Proxy,
) -> Result<usize, Box<dyn std::error::Error>> {
    let run = "r".repeat(RUN_BYTES);
    let tracker = tracker.for_run(&run, terms())?;
    let claimant = Claimant {
        attempt: "a".repeat(ATTEMPT_BYTES),
        host: "h".repeat(HOST_BYTES + 1),
    };
    let Claim::Granted(lease) = tracker.claim(u32::MAX, &claimant, 1).await? else {
        panic!("it isn't free");
    };
    let message = "m".repeat(MESSAGE_BYTES + 1);
    tracker
        .fail(&lease, FailureClass::OutOfMemory, &message)
        .await?;

    // Copies of that one, since that many claims take a while.
    let found = client
        .get_item()
        .table_name(table)
        .key("run", AttributeValue::S(run.clone()))
        .key("shard", AttributeValue::N(u32::MAX.to_string()));
    let item = found.send().await?.item.expect("the item");
    let shards: Vec<u32> = (1..SHARDS).map(|back| u32::MAX - back).collect();
    for some in shards.chunks(AT_ONCE) {
        let mut requests = Vec::new();
        for shard in some {
            let mut copy = item.clone();
            copy.insert("shard".to_owned(), AttributeValue::N(shard.to_string()));
            let put = PutRequest::builder().set_item(Some(copy)).build()?;
            requests.push(WriteRequest::builder().put_request(put).build());
        }
        let written = client.batch_write_item().request_items(table, requests);
        let left = written.send().await?.unprocessed_items.unwrap_or_default();
        assert!(left.is_empty(), "{} were not written", left.len());
    }

    let proxied = DynamoDb::connect(table, &run, terms(), config)?;
    let before = proxy.requests("Query");
    let states = proxied.states().await?;
    let requests = proxy.requests("Query") - before;
    assert_eq!(states.len(), SHARDS as usize);
    assert!(states.is_sorted_by_key(|tracked| tracked.shard));
    assert!(requests <= 12, "{requests} requests");
    Ok(requests)
}

//! What somebody else made: a table with other keys, an item that no version of ours wrote.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
    ScalarAttributeType,
};
use croupier_fleet::tracker::{Claim, DynamoDb, Terms};
use croupier_fleet::{Tracker, TrackerError};

use crate::{Checked, claimant};

pub(crate) async fn check(tracker: &DynamoDb, client: &Client, table: &str) -> Checked {
    let other = format!("{table}-other");
    let id = AttributeDefinition::builder()
        .attribute_name("id")
        .attribute_type(ScalarAttributeType::S)
        .build()?;
    let key = KeySchemaElement::builder()
        .attribute_name("id")
        .key_type(KeyType::Hash)
        .build()?;
    let made = client
        .create_table()
        .table_name(&other)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(id)
        .key_schema(key);
    made.send().await?;
    let wrong = DynamoDb::open(&other, "any", Terms::default()).await?;
    for answer in [
        wrong.create_table().await,
        wrong.claim(0, &claimant("a"), 1).await.map(drop),
        wrong.states().await.map(drop),
    ] {
        assert!(
            matches!(&answer, Err(TrackerError::WrongTable { table, .. }) if *table == other),
            "{answer:?}"
        );
    }
    client.delete_table().table_name(&other).send().await?;

    let odd = tracker.for_run("odd", Terms::default())?;
    let put = client
        .put_item()
        .table_name(table)
        .item("run", AttributeValue::S("odd".to_owned()))
        .item("shard", AttributeValue::N("7".to_owned()))
        .item("state", AttributeValue::S("PAUSED".to_owned()));
    put.send().await?;
    for answer in [
        odd.claim(7, &claimant("a"), 1).await.map(drop),
        odd.states().await.map(drop),
        odd.rebuild(&[7]).await.map(drop),
    ] {
        assert!(
            matches!(&answer, Err(TrackerError::Damaged { shard, .. }) if shard == "7"),
            "{answer:?}"
        );
    }
    assert!(
        matches!(odd.claim(8, &claimant("a"), 1).await?, Claim::Granted(_)),
        "its neighbour"
    );
    Ok(())
}

//! The table itself: made on demand, and known by its keys.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    TableDescription, TableStatus,
};

use super::TrackerError;
use super::failure::Attempted;

/// The keys: name, place and type.
const KEYS: [(&str, KeyType, ScalarAttributeType); 2] = [
    ("run", KeyType::Hash, ScalarAttributeType::S),
    ("shard", KeyType::Range, ScalarAttributeType::N),
];
/// How long a new table may take; most take some ten seconds.
const READY: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_secs(1);

/// Makes it unless it is there, and waits until it can be used.
pub(super) async fn create(client: &Client, table: &str) -> Result<(), TrackerError> {
    let start = Instant::now();
    let attempted = |action| Attempted {
        action,
        table,
        shard: None,
    };
    let mut request = client
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest);
    for (name, place, kind) in KEYS {
        let (definition, element) = key(name, place, kind)
            .map_err(|error| attempted("dynamodb:CreateTable").other(error.to_string()))?;
        request = request
            .attribute_definitions(definition)
            .key_schema(element);
    }
    if let Err(error) = request.send().await
        && !matches!(
            error.as_service_error(),
            Some(CreateTableError::ResourceInUseException(_))
        )
    {
        return Err(attempted("dynamodb:CreateTable").failed(error, start));
    }
    let attempted = attempted("dynamodb:DescribeTable");
    while start.elapsed() < READY {
        match client.describe_table().table_name(table).send().await {
            Ok(answer) => match answer.table {
                Some(found) if found.table_status() == Some(&TableStatus::Active) => {
                    return check(table, &found);
                }
                _ => {}
            },
            Err(error) => match attempted.failed(error, start) {
                // It was made and isn't seen everywhere.
                TrackerError::NoTable { .. } => {}
                error => return Err(error),
            },
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(attempted.timed_out(start.elapsed()))
}

fn key(
    name: &str,
    place: KeyType,
    kind: ScalarAttributeType,
) -> Result<(AttributeDefinition, KeySchemaElement), BuildError> {
    let definition = AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(kind);
    let element = KeySchemaElement::builder()
        .attribute_name(name)
        .key_type(place);
    Ok((definition.build()?, element.build()?))
}

fn check(table: &str, found: &TableDescription) -> Result<(), TrackerError> {
    let schema = found.key_schema();
    let is_ours = schema.len() == KEYS.len()
        && KEYS.iter().all(|(name, place, kind)| {
            let mut elements = schema.iter();
            let mut definitions = found.attribute_definitions().iter();
            elements.any(|it| it.attribute_name() == *name && it.key_type() == place)
                && definitions.any(|it| it.attribute_name() == *name && it.attribute_type() == kind)
        });
    if is_ours {
        return Ok(());
    }
    let keys: Vec<String> = found
        .attribute_definitions()
        .iter()
        .map(|it| format!("{} ({})", it.attribute_name(), it.attribute_type()))
        .collect();
    Err(TrackerError::WrongTable {
        table: table.to_owned(),
        reason: keys.join(", "),
    })
}

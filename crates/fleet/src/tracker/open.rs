//! From what a person types to a tracker.

use std::sync::Arc;

use super::{Terms, Tracker, TrackerError};

/// The tracker of `run` at `uri`: `dynamodb://table`.
///
/// Sends no request to it: a table that is not there shows when it is used.
///
/// # Errors
/// [`TrackerError::BadUri`] for anything else, and for `dynamodb://` in a build without the feature `aws`;
/// [`TrackerError::BadName`] for a run's name that is empty or too long; [`TrackerError::NoRegion`] and
/// [`TrackerError::NoCredentials`] may come now or with the first request.
pub async fn open(uri: &str, run: &str, terms: Terms) -> Result<Arc<dyn Tracker>, TrackerError> {
    dynamodb(uri, table(uri)?, run, terms).await
}

/// Makes the table of the tracker at `uri`, for trying out, and waits until it can be used; one that is there is fine.
///
/// # Errors
/// As [`open`]; what DynamoDB says.
pub async fn create(uri: &str) -> Result<(), TrackerError> {
    create_table(uri, table(uri)?).await
}

#[cfg(feature = "aws")]
async fn create_table(_: &str, table: &str) -> Result<(), TrackerError> {
    let any_run = "run";
    let tracker = super::DynamoDb::open(table, any_run, Terms::default()).await?;
    tracker.create_table().await
}

#[cfg(not(feature = "aws"))]
async fn create_table(uri: &str, table: &str) -> Result<(), TrackerError> {
    dynamodb(uri, table, "run", Terms::default())
        .await
        .map(|_| ())
}

/// The table that a URI names.
fn table(uri: &str) -> Result<&str, TrackerError> {
    let bad = |reason: &str| TrackerError::BadUri {
        uri: uri.to_owned(),
        reason: reason.to_owned(),
    };
    let (scheme, table) = uri
        .split_once("://")
        .ok_or_else(|| bad("it has no scheme"))?;
    if !scheme.eq_ignore_ascii_case("dynamodb") {
        return Err(bad("its scheme is unknown"));
    }
    let is_name = (3..=255).contains(&table.len())
        && table
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if is_name {
        Ok(table)
    } else {
        Err(bad(
            "a table's name has 3 to 255 letters, digits, `_`, `-` and `.`",
        ))
    }
}

#[cfg(feature = "aws")]
async fn dynamodb(
    _: &str,
    table: &str,
    run: &str,
    terms: Terms,
) -> Result<Arc<dyn Tracker>, TrackerError> {
    Ok(Arc::new(super::DynamoDb::open(table, run, terms).await?))
}

#[cfg(not(feature = "aws"))]
async fn dynamodb(uri: &str, _: &str, _: &str, _: Terms) -> Result<Arc<dyn Tracker>, TrackerError> {
    Err(TrackerError::BadUri {
        uri: uri.to_owned(),
        reason: "this program was built without DynamoDB; build it with the feature `aws`"
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_by_its_name() {
        assert_eq!(table("dynamodb://my-table_1.x").unwrap(), "my-table_1.x");
        assert_eq!(table("DynamoDB://abc").unwrap(), "abc");
        for uri in [
            "",
            "abc",
            "dynamodb:abc",
            "dynamodb://",
            "dynamodb://ab",
            "dynamodb://a/b/c",
            "dynamodb://abc/",
            "dynamodb://tåble",
            "redis://abc",
        ] {
            let error = table(uri).unwrap_err();
            assert!(
                matches!(&error, TrackerError::BadUri { uri: named, .. } if named == uri),
                "{error}"
            );
            assert!(error.to_string().contains("dynamodb://table"), "{error}");
        }
    }

    #[cfg(not(feature = "aws"))]
    #[tokio::test]
    async fn without_the_feature_the_error_says_which() {
        let error = open("dynamodb://abc", "run", Terms::default())
            .await
            .unwrap_err();
        assert!(error.to_string().contains("feature `aws`"), "{error}");
    }
}

//! From what a person types to a store.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::{Directory, Error, Options, Store};

/// The store at `uri`: a path, `file:///path` or `s3://bucket/prefix`.
///
/// Sends no request and makes nothing: a directory or bucket that is not there shows when it is used.
///
/// # Errors
/// [`Error::BadUri`] for another scheme, a path that is a file, and `s3://` in a build without the feature `s3`;
/// [`Error::NoRegion`] and [`Error::NoCredentials`] may come now or with the first request.
pub async fn open(uri: &str, options: &Options) -> Result<Arc<dyn Store>, Error> {
    match Location::parse(uri)? {
        Location::Path(path) => Ok(Arc::new(Directory::new(path)?)),
        Location::S3 { bucket, key } => s3::open(uri, bucket, key, options).await,
    }
}

/// The bytes of one file or object, named by a URI of its own.
///
/// # Errors
/// [`Error::NotFound`] if there is none, and what [`open`] and [`Store::get`] report.
pub async fn read(uri: &str, options: &Options) -> Result<Bytes, Error> {
    read_up_to(uri, None, options).await
}

/// The same of what has at most `limit_bytes`; of what is longer, no more is read or held than that.
///
/// # Errors
/// [`Error::TooLarge`] if it is longer, and what [`read`] reports.
pub async fn read_at_most(uri: &str, limit_bytes: u64, options: &Options) -> Result<Bytes, Error> {
    read_up_to(uri, Some(limit_bytes), options).await
}

async fn read_up_to(uri: &str, limit: Option<u64>, options: &Options) -> Result<Bytes, Error> {
    match Location::parse(uri)? {
        Location::Path(path) => crate::directory::read_file(path.into(), limit).await,
        Location::S3 { key: "", .. } => Err(bad(uri, "it names a bucket and no object")),
        Location::S3 { bucket, key } => s3::read(uri, bucket, key, limit, options).await,
    }
}

/// Splits a path or URI before its last segment: what lies in a store from the store. Slashes at the end mean
/// nothing. Without a store it is the segment alone.
#[must_use]
pub fn split_last(uri: &str) -> (Option<&str>, &str) {
    let uri = uri.trim_end_matches('/');
    match uri.rsplit_once('/') {
        // The root directory has no name before its slash.
        Some(("", last)) => (Some("/"), last),
        Some((store, last)) => (Some(store), last),
        None => (None, uri),
    }
}

#[derive(Debug, PartialEq)]
enum Location<'a> {
    Path(&'a Path),
    S3 { bucket: &'a str, key: &'a str },
}

impl<'a> Location<'a> {
    fn parse(uri: &'a str) -> Result<Self, Error> {
        let Some((scheme, rest)) = uri
            .split_once("://")
            .filter(|(scheme, _)| is_scheme(scheme))
        else {
            return match uri {
                "" => Err(bad(uri, "it is empty")),
                // One slash too few would quietly be a directory named `s3:`.
                _ if uri.starts_with("s3:") => Err(bad(uri, "after s3: come two slashes")),
                _ if uri.starts_with("file:") => Err(bad(uri, "after file: come three slashes")),
                _ => Ok(Self::Path(Path::new(uri))),
            };
        };
        match scheme.to_ascii_lowercase().as_str() {
            "file" if rest.starts_with('/') => Ok(Self::Path(Path::new(rest))),
            "file" => Err(bad(uri, "a path after file:// begins with a slash")),
            "s3" => {
                let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
                if bucket.is_empty() {
                    return Err(bad(uri, "it names no bucket"));
                }
                Ok(Self::S3 { bucket, key })
            }
            _ => Err(bad(uri, "its scheme is unknown")),
        }
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

fn bad(uri: &str, reason: &str) -> Error {
    Error::BadUri {
        uri: uri.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(feature = "s3")]
mod s3 {
    //! With the feature: a bucket.

    use super::*;
    use crate::S3;

    pub(super) async fn open(
        _: &str,
        bucket: &str,
        prefix: &str,
        options: &Options,
    ) -> Result<Arc<dyn Store>, Error> {
        Ok(Arc::new(
            S3::open(bucket, prefix.trim_end_matches('/'), options).await?,
        ))
    }

    pub(super) async fn read(
        _: &str,
        bucket: &str,
        key: &str,
        limit: Option<u64>,
        options: &Options,
    ) -> Result<Bytes, Error> {
        let bucket = S3::open(bucket, "", options).await?;
        bucket.get_object(key, limit).await
    }
}

#[cfg(not(feature = "s3"))]
mod s3 {
    //! Without the feature: an error that says so.

    use super::*;

    const REASON: &str = "this program was built without S3; build it with the feature `s3`";

    pub(super) async fn open(
        uri: &str,
        _: &str,
        _: &str,
        _: &Options,
    ) -> Result<Arc<dyn Store>, Error> {
        Err(bad(uri, REASON))
    }

    pub(super) async fn read(
        uri: &str,
        _: &str,
        _: &str,
        _: Option<u64>,
        _: &Options,
    ) -> Result<Bytes, Error> {
        Err(bad(uri, REASON))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms() {
        for path in [
            "runs",
            "./runs",
            "/abs/runs",
            "a:b",
            "./s3:/x",
            "with space/é",
            "1://x",
            "C:\\x",
        ] {
            assert_eq!(
                Location::parse(path).unwrap(),
                Location::Path(Path::new(path))
            );
        }
        assert_eq!(
            Location::parse("file:///abs/runs").unwrap(),
            Location::Path(Path::new("/abs/runs"))
        );
        for (uri, bucket, key) in [
            ("s3://b", "b", ""),
            ("s3://b/", "b", ""),
            ("S3://b/p/q", "b", "p/q"),
            ("s3://b/p/", "b", "p/"),
        ] {
            assert_eq!(Location::parse(uri).unwrap(), Location::S3 { bucket, key });
        }
    }

    #[test]
    fn other_forms_are_refused_by_name() {
        for uri in [
            "",
            "gs://b/p",
            "http://host/x",
            "s3://",
            "s3:///p",
            "s3:/b/p",
            "file://host/x",
            "file:x",
        ] {
            let error = Location::parse(uri).unwrap_err();
            assert!(
                matches!(&error, Error::BadUri { uri: named, .. } if named == uri),
                "{error}"
            );
            assert!(error.to_string().contains("s3://bucket/prefix"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_path_and_a_file_uri_are_one_store() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs").display().to_string();
        let options = Options::default();
        let store = open(&path, &options).await.unwrap();
        store.put("demo/x", Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(store.uri(), path);
        let same = open(&format!("file://{path}"), &options).await.unwrap();
        assert_eq!(same.get("demo/x").await.unwrap(), "x");
        assert_eq!(
            read(&format!("{path}/demo/x"), &options).await.unwrap(),
            "x"
        );
        assert_eq!(
            read(&format!("file://{path}/demo/x"), &options)
                .await
                .unwrap(),
            "x"
        );
        let absent = read(&format!("{path}/demo/y"), &options).await.unwrap_err();
        assert!(
            matches!(&absent, Error::NotFound { key, .. } if key == "y"),
            "{absent}"
        );
        assert!(
            read(&path, &options)
                .await
                .unwrap_err()
                .to_string()
                .contains("directory")
        );
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_is_too_long_is_not_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x").display().to_string();
        std::fs::write(&path, "1234").unwrap();
        let options = Options::default();
        assert_eq!(read_at_most(&path, 4, &options).await.unwrap(), "1234");
        for (path, limit) in [(path.as_str(), 3), ("/dev/zero", 1 << 20)] {
            let error = read_at_most(path, limit, &options).await.unwrap_err();
            assert!(
                matches!(&error, Error::TooLarge { limit_bytes, .. } if *limit_bytes == limit),
                "{error}"
            );
            assert!(!error.is_retryable());
        }
    }

    #[test]
    fn the_last_part_is_the_name() {
        assert_eq!(split_last("demo"), (None, "demo"));
        assert_eq!(split_last("demo/"), (None, "demo"));
        assert_eq!(split_last("./runs/demo/"), (Some("./runs"), "demo"));
        assert_eq!(split_last("/demo"), (Some("/"), "demo"));
        assert_eq!(
            split_last("s3://bucket/demo"),
            (Some("s3://bucket"), "demo")
        );
        assert_eq!(
            split_last("s3://bucket/a/b/demo"),
            (Some("s3://bucket/a/b"), "demo")
        );
    }

    #[cfg(not(feature = "s3"))]
    #[tokio::test]
    async fn a_bucket_without_the_feature_says_which() {
        let error = open("s3://bucket/prefix", &Options::default())
            .await
            .unwrap_err();
        assert!(error.to_string().contains("feature `s3`"), "{error}");
    }
}

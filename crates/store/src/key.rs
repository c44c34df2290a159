//! Which strings are keys. One rule for every store, so that what works in a bucket works in a directory.

use crate::Error;

/// The longest key. S3 allows 1024 bytes, of which a store's own prefix needs some.
const LONGEST: usize = 900;
/// The longest name in the usual filesystems.
const LONGEST_SEGMENT: usize = 255;

/// Refuses what is no key.
pub(crate) fn check(key: &str) -> Result<(), Error> {
    match problem(key) {
        None => Ok(()),
        Some(reason) => Err(Error::BadKey {
            key: key.to_owned(),
            reason,
        }),
    }
}

/// Refuses what no key can begin with. The last segment may be unfinished, or empty.
pub(crate) fn check_prefix(prefix: &str) -> Result<(), Error> {
    let finished = prefix.strip_suffix('/').unwrap_or(prefix);
    if prefix.is_empty() {
        Ok(())
    } else {
        check(finished)
    }
}

/// Whether one segment may be part of a key; files of other names in a directory are not ours.
pub(crate) fn is_segment(segment: &str) -> bool {
    segment_problem(segment).is_none()
}

fn problem(key: &str) -> Option<&'static str> {
    if key.len() > LONGEST {
        return Some("it is longer than 900 bytes");
    }
    key.split('/').find_map(segment_problem)
}

fn segment_problem(segment: &str) -> Option<&'static str> {
    if segment.is_empty() {
        Some("a segment is empty (write no leading, trailing or double slash)")
    } else if segment.starts_with('.') {
        Some("a segment begins with a dot")
    } else if segment.len() > LONGEST_SEGMENT {
        Some("a segment is longer than 255 bytes")
    } else if segment.contains(|c: char| c.is_control() || c == '\\') {
        Some("it holds a control character or a backslash")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_root_is_no_key() {
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "a/../b",
            "a//b",
            "a/",
            ".",
            "a/.hidden",
            "a\\b",
            "a\0b",
            "a\nb",
        ] {
            assert!(
                matches!(check(bad), Err(Error::BadKey { .. })),
                "{bad:?} was taken"
            );
        }
        assert!(check(&"x".repeat(256)).is_err());
        assert!(check(&["x".repeat(200).as_str(); 5].join("/")).is_err());
    }

    #[test]
    fn what_the_project_writes_is_a_key() {
        for good in [
            "a",
            "demo/manifest.json",
            "r/partials/00042-0,4096-abc.arrow",
            "pi 1+1=2 (é)/x",
            "a..b",
            "a%2Fb",
        ] {
            check(good).unwrap();
        }
    }

    #[test]
    fn a_prefix_may_end_anywhere() {
        for good in ["", "a", "a/", "a/b", "a/b/"] {
            check_prefix(good).unwrap();
        }
        for bad in ["/", "/a", "../", "a//", "a/../b", "a/."] {
            assert!(check_prefix(bad).is_err(), "{bad:?} was taken");
        }
    }
}

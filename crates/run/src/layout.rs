//! Where things are in a run, and what a run may be called.

use crate::{Digest, Error};

pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const PARTIALS: &str = "partials/";
pub(crate) const ATTEMPTS: &str = "attempts/";
pub(crate) const RESULTS: &str = "results/";
pub(crate) const SEGMENTS: &str = "segments/";
pub(crate) const ROUNDS: &str = "rounds/";
pub(crate) const LOOKS: &str = "looks/";
pub(crate) const STARTED: &str = "started/";
pub(crate) const CASES: &str = "cases.json";
pub(crate) const CASE_FOLDER: &str = "cases";
pub(crate) const STOPPED: &str = "stopped.json";

pub(crate) fn segment(number: u32) -> String {
    format!("{SEGMENTS}{number}.json")
}

/// The number of a segment; none where the key is no segment's.
pub(crate) fn segment_number(key: &str) -> Option<u32> {
    numbered(SEGMENTS, key)
}

pub(crate) fn round(number: u32) -> String {
    format!("{ROUNDS}{number}.json")
}

/// The number of a round; none where the key is no round's.
pub(crate) fn round_number(key: &str) -> Option<u32> {
    numbered(ROUNDS, key)
}

/// Where what was seen at the end of a segment is kept.
pub(crate) fn look(segment: u32) -> String {
    format!("{LOOKS}{segment}.json")
}

/// The segment that a key is the look of; none where it is no look's.
pub(crate) fn look_number(key: &str) -> Option<u32> {
    numbered(LOOKS, key)
}

fn numbered(folder: &str, key: &str) -> Option<u32> {
    let number = key.strip_prefix(folder)?.strip_suffix(".json")?;
    let number = number.parse().ok()?;
    (format!("{folder}{number}.json") == key).then_some(number)
}

/// Where the one worker that may start a shard says that it did.
pub(crate) fn started(shard: u32) -> String {
    format!("{STARTED}{shard:05}.json")
}

/// The shard that a key is the start of; none where it is no start's.
pub(crate) fn started_shard(key: &str) -> Option<u32> {
    let shard = key.strip_prefix(STARTED)?.strip_suffix(".json")?;
    let shard = shard.parse().ok()?;
    (started(shard) == key).then_some(shard)
}

/// Which of a task's partials counts: the first.
pub(crate) fn first(shard: u32) -> String {
    format!("first/{shard:05}.json")
}

/// The case that a key is of, and the key in that case's own folder.
pub(crate) fn in_case(key: &str) -> Option<(u32, &str)> {
    let (number, inner) = key.strip_prefix("cases/")?.split_once('/')?;
    let case: u32 = number.parse().ok()?;
    (case.to_string() == number).then_some((case, inner))
}

pub(crate) fn build(target: &str) -> String {
    format!("builds/{target}.json")
}

pub(crate) fn attempt(shard: u32, id: &str) -> String {
    format!("{}{id}.json", attempts_of(shard))
}

/// All attempts at one shard begin with this.
pub(crate) fn attempts_of(shard: u32) -> String {
    format!("{ATTEMPTS}{shard:05}/")
}

/// The shard that an attempt's record is about; none where the key is no record's.
pub(crate) fn shard_of_attempt(key: &str) -> Option<u32> {
    let (shard, _) = key.strip_prefix(ATTEMPTS)?.split_once('/')?;
    let shard = shard.parse().ok()?;
    key.starts_with(&attempts_of(shard)).then_some(shard)
}

/// All partials of one shard begin with this.
pub(crate) fn partials_of(shard: u32) -> String {
    format!("{PARTIALS}{shard:05}-")
}

pub(crate) fn result(blocks: u64, digest: &Digest) -> String {
    format!("{RESULTS}{blocks}-{digest}/")
}

/// How many blocks a result rests on, by its folder; none where the folder is no result's.
pub(crate) fn blocks_of_result(folder: &str) -> Option<u64> {
    let name = folder.strip_prefix(RESULTS)?.strip_suffix('/')?;
    let (blocks, digest) = name.split_once('-')?;
    let (blocks, digest) = (blocks.parse().ok()?, Digest::from_hex(digest)?);
    (result(blocks, &digest) == folder).then_some(blocks)
}

/// What a partial's name says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PartialName {
    pub(crate) shard: u32,
    /// How many blocks its nodes cover.
    pub(crate) blocks: u64,
    /// SHA-256 of the file's bytes.
    pub(crate) sha256: Digest,
    pub(crate) content: Content,
}

/// What a partial holds, by the end of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Content {
    /// Nodes of a kernel's tree, in Arrow.
    Nodes,
    /// A task's row, in JSON.
    Row,
}

impl Content {
    fn ending(self) -> &'static str {
        match self {
            Self::Nodes => "arrow",
            Self::Row => "json",
        }
    }
}

impl PartialName {
    pub(crate) fn key(&self) -> String {
        let Self {
            shard,
            blocks,
            sha256,
            content,
        } = self;
        format!(
            "{PARTIALS}{shard:05}-{blocks}-{sha256}.{}",
            content.ending()
        )
    }

    /// None where a key is not one that [`key`](Self::key) makes.
    pub(crate) fn parse(key: &str) -> Option<Self> {
        let (name, ending) = key.strip_prefix(PARTIALS)?.split_once('.')?;
        let content = [Content::Nodes, Content::Row]
            .into_iter()
            .find(|content| content.ending() == ending)?;
        let mut parts = name.split('-');
        let (shard, blocks, sha256) = (parts.next()?, parts.next()?, parts.next()?);
        let parsed = Self {
            shard: shard.parse().ok()?,
            blocks: blocks.parse().ok()?,
            sha256: Digest::from_hex(sha256)?,
            content,
        };
        (parts.next().is_none() && parsed.key() == key).then_some(parsed)
    }
}

/// Checks that `name` can be a run's: letters, digits, `.`, `_` and `-`, beginning with a letter or a
/// digit, at most 100 of them.
///
/// # Errors
///
/// Which rule it breaks.
pub fn check_name(name: &str) -> Result<(), Error> {
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.len() > 100 {
        "it has more than 100 letters"
    } else if name.contains("..") {
        "it has two dots in a row"
    } else if name.contains(['/', '\\']) {
        "it has a slash: the part before the name belongs to --store"
    } else if !name.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        "it does not begin with a letter or a digit"
    } else if !name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    {
        "it has something other than letters, digits, '.', '_' and '-'"
    } else {
        return Ok(());
    };
    Err(Error::Input(format!("{name:?} can't name a run: {reason}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_partials_are_read_as_they_are_written() {
        let name = PartialName {
            shard: 42,
            blocks: 1000,
            sha256: Digest::of_bytes(b"x"),
            content: Content::Nodes,
        };
        let key = name.key();
        assert!(key.starts_with("partials/00042-1000-2d711642b726"), "{key}");
        assert_eq!(PartialName::parse(&key), Some(name));
        let many = PartialName {
            shard: 123_456,
            ..name
        };
        assert_eq!(PartialName::parse(&many.key()), Some(many));
        let row = PartialName {
            content: Content::Row,
            ..name
        };
        assert_eq!(PartialName::parse(&row.key()), Some(row));
        for other in [
            key.replace("00042", "42"),
            key.replace("1000", "+1000"),
            key.replace("2d71", "2D71"),
            key.replace(".arrow", ".arrow.tmp"),
            key.replace("2d71", "2d7"),
        ] {
            assert_eq!(PartialName::parse(&other), None, "{other}");
        }
    }

    #[test]
    fn names_that_leave_the_store_are_refused() {
        for name in [
            "",
            "..",
            "a/b",
            "a\\b",
            "-x",
            ".x",
            "a..b",
            "a b",
            "é",
            &"x".repeat(101),
        ] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        for name in ["demo", "pi-20261122T081200Z-3fa9", "a.b_c-1", "7"] {
            check_name(name).unwrap();
        }
    }
}

//! Between an item of the table and a record.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;

use super::super::clock::Millis;
use super::super::record::{Holder, Record};
use super::super::{FailureClass, State};

pub(super) type Item = HashMap<String, AttributeValue>;

const STATES: [(State, &str); 3] = [
    (State::Running, "RUNNING"),
    (State::Done, "DONE"),
    (State::Failed, "FAILED"),
];

pub(super) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(super) fn number(number: impl Display) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// A state, as it is written.
pub(super) fn name(state: State) -> AttributeValue {
    let named = STATES.iter().find(|(named, _)| *named == state);
    text(named.map_or("", |(_, name)| name))
}

/// The shard of an item; or what stands there instead, and what is wrong with it.
pub(super) fn shard(item: &Item) -> Result<u32, (String, String)> {
    let there = || item.get("shard").map_or_else(String::new, shown);
    required(item, "shard").map_err(|reason| (there(), reason))
}

/// What an item says; or what is wrong with it.
pub(super) fn record(item: &Item) -> Result<Record, String> {
    let state = read(item, "state", AttributeValue::as_s)?.map_or("", String::as_str);
    let named = STATES.iter().find(|(_, name)| *name == state);
    let (state, _) = *named.ok_or_else(|| format!("`state` is {state:?}"))?;
    let holder = match read(item, "attempt", AttributeValue::as_s)? {
        None if state == State::Running => return Err("it is running, and has no `attempt`".into()),
        None => None,
        Some(attempt) => Some(Holder {
            attempt: attempt.clone(),
            host: optional_text(item, "host")?,
            expires: Millis(required(item, "expires")?),
        }),
    };
    let class = match read(item, "class", AttributeValue::as_s)? {
        None => None,
        Some(name) => {
            let class = FailureClass::from_name(name);
            Some(class.ok_or_else(|| format!("`class` is {name:?}"))?)
        }
    };
    Ok(Record {
        state,
        token: required(item, "token")?,
        attempts: required(item, "attempts")?,
        holder,
        class,
        message: optional_text(item, "message")?,
        updated: Millis(required(item, "updated")?),
    })
}

fn optional_text(item: &Item, attribute: &str) -> Result<String, String> {
    let found = read(item, attribute, AttributeValue::as_s)?;
    Ok(found.cloned().unwrap_or_default())
}

fn required<T: FromStr>(item: &Item, attribute: &str) -> Result<T, String> {
    let digits = read(item, attribute, AttributeValue::as_n)?;
    let digits = digits.ok_or_else(|| format!("it has no `{attribute}`"))?;
    digits
        .parse()
        .map_err(|_| format!("`{attribute}` is {digits:?}"))
}

fn read<'a>(
    item: &'a Item,
    attribute: &str,
    of_type: impl Fn(&'a AttributeValue) -> Result<&'a String, &'a AttributeValue>,
) -> Result<Option<&'a String>, String> {
    let value = item.get(attribute).map(of_type).transpose();
    value.map_err(|value| format!("`{attribute}` is {}", shown(value)))
}

fn shown(value: &AttributeValue) -> String {
    match value {
        AttributeValue::S(text) => format!("{text:?}"),
        AttributeValue::N(digits) => digits.clone(),
        _ => "neither a text nor a number".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{ATTEMPT_BYTES, HOST_BYTES, MESSAGE_BYTES, RUN_BYTES};
    use super::*;

    /// The largest item there can be.
    fn largest() -> Item {
        let class = FailureClass::ALL.into_iter().map(FailureClass::name);
        let class = class.max_by_key(|name| name.len()).unwrap();
        let attributes = [
            ("run", text(&"r".repeat(RUN_BYTES))),
            ("shard", number(u32::MAX)),
            ("state", name(State::Running)),
            ("token", number(u64::MAX)),
            ("attempts", number(u32::MAX)),
            ("attempt", text(&"a".repeat(ATTEMPT_BYTES))),
            ("host", text(&"h".repeat(HOST_BYTES))),
            ("expires", number(9_999_999_999_999_u64)),
            ("class", text(class)),
            ("message", text(&"m".repeat(MESSAGE_BYTES))),
            ("updated", number(9_999_999_999_999_u64)),
        ];
        attributes
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// As DynamoDB counts: names, texts in UTF-8, and for a number one byte and one for every two digits, where an even
    /// number of digits may begin in the middle of a byte.
    fn bytes(item: &Item) -> usize {
        let of_value = |value: &AttributeValue| match value {
            AttributeValue::S(text) => text.len(),
            AttributeValue::N(digits) => digits.len() / 2 + 2,
            _ => panic!("{value:?}"),
        };
        item.iter()
            .map(|(name, value)| name.len() + of_value(value))
            .sum()
    }

    #[test]
    fn the_largest_item_costs_one_write_unit_and_ten_thousand_ten_pages() {
        let largest = bytes(&largest());
        assert_eq!(largest, 989);
        assert!(largest <= 1024);
        let to_a_page = 1_000_000 / largest;
        assert_eq!(10_000_usize.div_ceil(to_a_page), 10);
    }

    #[test]
    fn an_item_is_read_back_whole() {
        let read = record(&largest()).unwrap();
        assert_eq!(read.state, State::Running);
        assert_eq!((read.token, read.attempts), (u64::MAX, u32::MAX));
        assert_eq!(read.class, Some(FailureClass::OutOfMemory));
        assert_eq!(read.holder.unwrap().host, "h".repeat(HOST_BYTES));
        assert_eq!(shard(&largest()).unwrap(), u32::MAX);
    }

    #[test]
    fn what_is_wrong_with_an_item_is_said() {
        for (attribute, value, reason) in [
            ("state", Some(text("PAUSED")), "`state` is \"PAUSED\""),
            ("state", None, "`state` is \"\""),
            ("token", Some(text("7")), "`token` is \"7\""),
            ("token", Some(number(-1)), "`token` is \"-1\""),
            ("attempts", None, "it has no `attempts`"),
            ("attempt", None, "it is running, and has no `attempt`"),
            ("class", Some(text("bored")), "`class` is \"bored\""),
            (
                "message",
                Some(AttributeValue::Null(true)),
                "`message` is neither a text nor a number",
            ),
        ] {
            let mut item = largest();
            match value {
                Some(value) => item.insert(attribute.to_owned(), value),
                None => item.remove(attribute),
            };
            assert_eq!(record(&item).unwrap_err(), reason);
        }
        let mut item = largest();
        item.insert("shard".to_owned(), number(1.5));
        let (there, reason) = shard(&item).unwrap_err();
        assert_eq!(
            (there.as_str(), reason.as_str()),
            ("1.5", "`shard` is \"1.5\"")
        );
    }
}

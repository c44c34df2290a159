//! JSON values as YAML in blocks, for people to read and edit. Every string that YAML might take for something else is
//! quoted as in JSON, which YAML 1.2 reads as it is.

use serde_json::Value;

/// A whole document.
pub(super) fn document(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, 0);
    text
}

/// Writes `value` in lines of its own, where it has parts; else to the end of a line.
fn write(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                indent(text, depth);
                text.push_str(&scalar(&Value::String(name.clone())));
                text.push(':');
                member(text, value, depth + 1);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                indent(text, depth);
                text.push('-');
                if has_parts(item) {
                    // The first line of a part follows the hyphen.
                    let mut part = String::new();
                    write(&mut part, item, depth + 1);
                    text.push(' ');
                    text.push_str(part.trim_start_matches(' '));
                } else {
                    member(text, item, depth + 1);
                }
            }
        }
        value => {
            text.push_str(&scalar(value));
            text.push('\n');
        }
    }
}

fn member(text: &mut String, value: &Value, depth: usize) {
    if has_parts(value) {
        text.push('\n');
    } else {
        text.push(' ');
    }
    write(text, value, depth);
}

fn has_parts(value: &Value) -> bool {
    match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("  ", depth));
}

/// What has no parts. JSON is YAML.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(string) if is_plain(string) => string.clone(),
        value => value.to_string(),
    }
}

/// Whether a string is read as itself by every reader of YAML, 1.1 included: letters, and then letters, digits and what
/// paths have. A dozen words are something else to some.
fn is_plain(string: &str) -> bool {
    const WORDS: [&str; 12] = [
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity",
    ];
    string.starts_with(|first: char| first.is_ascii_alphabetic())
        && string
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
        && !WORDS.contains(&string.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Value {
        serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    #[test]
    fn it_is_written_for_people() {
        let value = json!({
            "kind": "Job",
            "list": [{"a": 1, "b": ["x", "--y"]}, [], {}],
            "empty": {},
            "text": "on",
        });
        let text = "empty: {}\nkind: Job\nlist:\n  - a: 1\n    b:\n      - x\n      - \"--y\"\n  - []\n  - {}\ntext: \"on\"\n";
        assert_eq!(document(&value), text);
        assert_eq!(read(text), value);
    }

    /// Any value, with strings that are hard on YAML.
    fn values() -> impl Strategy<Value = Value> {
        let string = prop_oneof![
            "\\PC{0,12}",
            "[-:#&*!|>%@`'\"{}\\[\\],? \\n\\t~=<0-9a-f.]{0,8}",
            Just("null".to_owned()),
            Just("No".to_owned()),
            Just("1e3".to_owned()),
            Just("0x1f".to_owned()),
            Just("12:30:45".to_owned()),
            Just("2026-11-22".to_owned()),
        ];
        let leaf = prop_oneof![
            string.clone().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(string.clone(), inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in values()) {
            let value = json!({"value": value});
            prop_assert_eq!(read(&document(&value)), value);
        }
    }
}

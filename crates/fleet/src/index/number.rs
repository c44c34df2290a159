//! Reading an index: decimal digits and nothing else. `str::parse` is too kind, for it takes a plus sign.

use super::IndexError;

/// Reads the value of a variable or flag.
pub(super) fn read(name: &str, value: &str) -> Result<u64, IndexError> {
    read_as(name, value, value)
}

/// Reads `digits`, which errors show as the whole `value` they were taken from.
pub(super) fn read_as(name: &str, digits: &str, value: &str) -> Result<u64, IndexError> {
    let refuse = |problem| IndexError::NoNumber {
        name: name.to_owned(),
        value: value.to_owned(),
        problem,
    };
    if value.is_empty() {
        return Err(refuse("it is empty"));
    }
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refuse("it has something other than decimal digits"));
    }
    digits
        .parse()
        .map_err(|_| refuse("it is larger than 2^64 - 1"))
}

/// `3` of `0b7a3c52-7c4e-4b0f-9d52-6f1f3c1c9d11:3`, the form of a child's job id; anything else as it is.
pub(super) fn without_job_id(value: &str) -> &str {
    match value.split_once(':') {
        Some((id, index)) if is_uuid(id) => index,
        Some(_) | None => value,
    }
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.concat().bytes().all(|byte| byte.is_ascii_hexdigit())
}

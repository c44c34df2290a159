//! Random names: of attempts and manifests, never of anything that numbers depend on.

use chrono::Utc;
use rand::TryRng;
use rand::rngs::SysRng;

/// 16 hexadecimal digits that nobody else has.
pub(crate) fn random_id() -> String {
    let id = SysRng.try_next_u64().unwrap_or_else(|_| {
        u64::from(std::process::id()) << 32 | u64::from(Utc::now().timestamp_subsec_nanos())
    });
    format!("{id:016x}")
}

/// A number from 0 up to and without 1, for what should not happen everywhere at once.
pub(crate) fn jitter() -> f64 {
    let drawn = SysRng
        .try_next_u32()
        .unwrap_or_else(|_| Utc::now().timestamp_subsec_nanos());
    f64::from(drawn) / (f64::from(u32::MAX) + 1.0)
}

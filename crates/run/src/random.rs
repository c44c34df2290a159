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

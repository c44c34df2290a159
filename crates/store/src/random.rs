//! Names nobody else has, for asides and probes. Nothing of a result depends on them.

use rand::TryRng;
use rand::rngs::SysRng;

/// 16 hex digits from the operating system.
pub(crate) fn name() -> String {
    // A system without randomness has still a process number and a clock; the two make collisions unlikely, and every
    // use of such a name refuses one that is taken.
    let number = SysRng.try_next_u64().unwrap_or_else(|_| {
        let clock = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_nanos() as u64);
        clock ^ u64::from(std::process::id()).rotate_left(40)
    });
    format!("{number:016x}")
}

//! Names nobody else has, for asides and probes, and jitter. Nothing of a result depends on them.

use rand::TryRng;
use rand::rngs::SysRng;

/// 16 hex digits.
pub(crate) fn name() -> String {
    format!("{:016x}", number())
}

/// From 0 up to and without 1.
#[cfg(feature = "s3")]
pub(crate) fn fraction() -> f64 {
    (number() >> 11) as f64 / (1_u64 << 53) as f64
}

/// 64 bits from the operating system.
fn number() -> u64 {
    // A system without randomness has still a process number and a clock; the two make collisions unlikely, and every
    // use of such a name refuses one that is taken.
    SysRng.try_next_u64().unwrap_or_else(|_| {
        let clock = std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .map_or(0, |elapsed| elapsed.as_nanos() as u64);
        clock ^ u64::from(std::process::id()).rotate_left(40)
    })
}

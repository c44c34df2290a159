//! A kernel that does what none may: it looks at its environment. With it, tests make workers die, hang and be slow.

use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Duration;

use croupier::prelude::*;
use rustix::process::{Signal, getpid, kill_process};

/// Draws exponential numbers; how it fares is not among its parameters.
#[derive(Args, Serialize, Deserialize)]
struct Doomed {}

/// What the environment says.
struct Doom {
    /// At this sample the process is killed...
    die_at: Option<u64>,
    /// ...unless this file is there, which is made then.
    die_once: Option<String>,
    /// At this sample it sleeps for a minute.
    hang_at: Option<u64>,
    /// So many microseconds a sample.
    slow: Option<u64>,
    /// From this value on a sample takes a minute.
    long_from: Option<f64>,
}

static DOOM: OnceLock<Doom> = OnceLock::new();

fn doom() -> &'static Doom {
    fn told<T: std::str::FromStr>(name: &str) -> Option<T> {
        std::env::var(name).ok()?.parse().ok()
    }
    DOOM.get_or_init(|| Doom {
        die_at: told("DIE_AT"),
        die_once: told("DIE_ONCE"),
        hang_at: told("HANG_AT"),
        slow: told("SLOW"),
        long_from: told("LONG_FROM"),
    })
}

impl Kernel for Doomed {
    type Rng = ChaCha8Rng;
    type Tally = Mean;
    const BLOCK: u64 = 16;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, sample: u64, rng: &mut Stream<ChaCha8Rng>, mean: &mut Mean) {
        let doom = doom();
        let value = pinned::exponential(rng);
        if doom.die_at == Some(sample) {
            let is_first = doom
                .die_once
                .as_ref()
                .is_none_or(|file| std::fs::File::create_new(file).is_ok());
            if is_first {
                eprintln!("about to die at sample {sample}");
                // Who cannot be killed fails the test.
                let _ = kill_process(getpid(), Signal::KILL);
            }
        }
        if doom.hang_at == Some(sample) {
            // For a test to see; where it can't be made, the test waits in vain.
            let _ = std::fs::write("hanging", "");
            std::thread::sleep(Duration::from_secs(60));
        }
        if let Some(microseconds) = doom.slow {
            std::thread::sleep(Duration::from_micros(microseconds));
        }
        if doom.long_from.is_some_and(|from| value >= from) {
            std::thread::sleep(Duration::from_secs(60));
        }
        mean.record(value);
    }
}

fn main() -> ExitCode {
    croupier::main::<Doomed>()
}

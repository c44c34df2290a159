//! A kernel that does what none may: it looks at its environment. Tests stand in for broken machines with it.

use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Duration;

use croupier::prelude::*;
use rustix::process::{Signal, getpid, kill_process};

/// Draws uniform numbers; what `WRONG_FROM` and `TERMINATE_AT` say of it is not among its parameters.
#[derive(Args, Serialize, Deserialize)]
struct Unsteady {}

/// From this sample on, values are wrong.
static WRONG_FROM: OnceLock<Option<u64>> = OnceLock::new();
/// At this sample, the process is asked to end, as a scheduler does before it kills.
static TERMINATE_AT: OnceLock<Option<u64>> = OnceLock::new();

fn told(what: &OnceLock<Option<u64>>, name: &str) -> Option<u64> {
    *what.get_or_init(|| std::env::var(name).ok()?.parse().ok())
}

impl Kernel for Unsteady {
    type Rng = ChaCha8Rng;
    type Tally = Mean;
    const BLOCK: u64 = 16;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, sample: u64, rng: &mut Stream<ChaCha8Rng>, mean: &mut Mean) {
        if let Some(at) = told(&TERMINATE_AT, "TERMINATE_AT") {
            if sample == at {
                // Who cannot be asked to end fails the test, which waits for it.
                let _ = kill_process(getpid(), Signal::TERM);
            } else if sample > at {
                // The rest would take minutes: nobody comes to its end before the signal does.
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let is_wrong = told(&WRONG_FROM, "WRONG_FROM").is_some_and(|from| sample >= from);
        mean.record(pinned::uniform(rng) + if is_wrong { 1e-12 } else { 0.0 });
    }
}

fn main() -> ExitCode {
    croupier::main::<Unsteady>()
}

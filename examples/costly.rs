//! A thousand replications, each slow: one sample a block, and as many shards as samples if you like.

use std::process::ExitCode;

use croupier::pinned::exponential;
use croupier::prelude::*;

/// Simulates a queue with one server, many customers a replication, and reports how long they wait.
///
/// The same parameters, a thousand times: what differs is the replication's number.
#[derive(Args, Serialize, Deserialize)]
struct Costly {
    /// Customers a replication
    #[arg(long, default_value_t = 100_000)]
    customers: u64,
    /// Arrivals for each customer that could be served in the same time, below 1
    #[arg(long, default_value_t = 0.5)]
    load: f64,
}

/// Over replications.
#[derive(Clone, Tally, Serialize, Deserialize)]
struct Waiting {
    /// The mean waiting time of a replication, in mean service times.
    mean: Mean,
    /// The longest waiting time of any customer.
    longest: Extremes,
}

impl Kernel for Costly {
    type Rng = ChaCha8Rng;
    type Tally = Waiting;
    const BLOCK: u64 = 1;

    fn validate(&self) -> Result<(), Failure> {
        if self.customers == 0 {
            return Err(Failure::new("customers must be at least 1"));
        }
        if !(self.load > 0.0 && self.load < 1.0) {
            return Err(Failure::new(
                "load must be above 0 and below 1, or the queue grows for ever",
            ));
        }
        Ok(())
    }

    fn tally(&self) -> Waiting {
        Waiting {
            mean: Mean::new(),
            longest: Extremes::new(),
        }
    }

    fn sample(&self, replication: u64, rng: &mut Stream<ChaCha8Rng>, waiting: &mut Waiting) {
        let (mut wait, mut total, mut longest) = (0.0f64, 0.0, 0.0f64);
        for _ in 0..self.customers {
            total += wait;
            longest = longest.max(wait);
            // Lindley's recursion: the next customer waits for what is left of this one.
            let (service, gap) = (exponential(rng), exponential(rng) / self.load);
            wait = (wait + service - gap).max(0.0);
        }
        waiting.mean.record(total / self.customers as f64);
        waiting.longest.record(longest, replication);
    }
}

fn main() -> ExitCode {
    croupier::main::<Costly>()
}

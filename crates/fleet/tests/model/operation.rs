//! What may happen to a run, drawn from a seed.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::store::{Fate, Sight};

/// One thing that happens. Shards and partials are named by a number that is taken modulo how many there are then.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// Plans the run, again.
    Plan { sight: Sight },
    /// A worker, from its start to its end.
    Work { shard: u32, worker: Worker },
    /// Two at once on one shard.
    Twice { shard: u32, workers: [Worker; 2] },
    /// Lets go on whoever has been held up for longest.
    Release,
    /// What a worker with several threads publishes when it has the blocks of a mask, and then dies of.
    Checkpoint { shard: u32, mask: u64 },
    /// A byte of a partial is no longer what it was.
    Damage { partial: u64, at: u64 },
    /// The driver goes on until there is nothing to do but wait, or it dies.
    Drive { sight: Sight, engine: u64 },
    /// The driver is killed, and another one begins with no memory.
    NewDriver,
    /// A reducer.
    Reduce { sight: Sight, policy: usize },
    /// Begins a round of what may be mended, and starts its first index.
    Retry { sight: Sight, worker: Worker },
    /// Asks for more samples.
    Extend {
        sight: Sight,
        samples: u64,
        shards: Option<u32>,
    },
    /// Takes away what is superseded, or only says what would be.
    Clean { sight: Sight, is_meant: bool },
    /// Stops the run.
    Stop,
    /// Takes that back.
    Resume,
    /// Three hours pass.
    Hours,
}

/// One worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Worker {
    pub(crate) sight: Sight,
    pub(crate) threads: usize,
    /// It is told to stop in the block that it begins as this one of its own, from 1; at 0 before it begins.
    pub(crate) stop_in: Option<u64>,
}

impl Worker {
    pub(crate) const QUIET: Self = Self {
        sight: Sight::CLEAR,
        threads: 1,
        stop_in: None,
    };

    pub(crate) fn draw(rng: &mut ChaCha8Rng) -> Self {
        let mut sight = draw_sight(rng);
        if rng.random_ratio(1, 8) {
            sight.held_at = Some(rng.random_range(1..6));
        }
        let stop_in = rng.random_ratio(1, 4).then(|| rng.random_range(0..5));
        // With two threads nobody knows which blocks were begun when it was stopped.
        let threads = if stop_in.is_none() {
            rng.random_range(1..3)
        } else {
            1
        };
        Self {
            sight,
            threads,
            stop_in,
        }
    }
}

fn draw_sight(rng: &mut ChaCha8Rng) -> Sight {
    let fate = match rng.random_range(0..8) {
        0 | 1 => Fate::Dies {
            calls: rng.random_range(0..14),
        },
        2 => Fate::Loses {
            put: rng.random_range(1..6),
            dies: rng.random(),
        },
        _ => Fate::Lives,
    };
    let lag = match rng.random_range(0..6) {
        0 => rng.random_range(1..12),
        1 => rng.random_range(12..60),
        _ => 0,
    };
    Sight {
        fate,
        lag,
        order: rng.random(),
        skew_seconds: [0, 60, -60][rng.random_range(0..3)],
        held_at: None,
    }
}

impl Operation {
    /// What happens first: somebody plans.
    pub(crate) fn first(rng: &mut ChaCha8Rng) -> Self {
        let Sight { fate, .. } = draw_sight(rng);
        let sight = Sight {
            fate,
            ..Sight::CLEAR
        };
        Self::Plan { sight }
    }

    pub(crate) fn draw(rng: &mut ChaCha8Rng) -> Self {
        let shard = rng.random_range(0..64);
        match rng.random_range(0..40) {
            0 => Self::Plan {
                sight: draw_sight(rng),
            },
            1..10 => Self::Work {
                shard,
                worker: Worker::draw(rng),
            },
            10..12 => Self::Twice {
                shard,
                workers: [Worker::draw(rng), Worker::draw(rng)].map(|mut worker| {
                    worker.sight.held_at = None;
                    // What one sees of the other would depend on whose thread is faster.
                    worker.sight.lag = 0;
                    worker.stop_in = None;
                    worker
                }),
            },
            12..14 => Self::Release,
            14..17 => Self::Checkpoint {
                shard,
                mask: rng.random(),
            },
            17..20 => Self::Damage {
                partial: rng.random(),
                at: rng.random(),
            },
            20..26 => Self::Drive {
                sight: draw_sight(rng),
                engine: rng.random(),
            },
            26 => Self::NewDriver,
            27..30 => Self::Reduce {
                sight: draw_sight(rng),
                policy: rng.random_range(0..POLICIES.len()),
            },
            30..32 => Self::Retry {
                sight: draw_sight(rng),
                worker: Worker::draw(rng),
            },
            32 | 33 => Self::Extend {
                sight: draw_sight(rng),
                samples: rng.random_range(0..10),
                shards: rng.random_ratio(1, 2).then(|| rng.random_range(1..3)),
            },
            34..37 => Self::Clean {
                sight: draw_sight(rng),
                is_meant: rng.random_ratio(2, 3),
            },
            37 => Self::Stop,
            38 => Self::Resume,
            _ => Self::Hours,
        }
    }
}

pub(crate) const POLICIES: [&str; 7] = [
    "complete",
    "retry=2",
    "retry=1,tolerate=1",
    "tolerate=2",
    "tolerate=25%",
    "retry=3,tolerate=10%",
    "fail-fast",
];

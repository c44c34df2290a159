//! One cell of the tables: replications of one experiment, each with a stream of its own. Apart from the program so
//! that a test does the same with fewer.

use croupier_compute::pinned::{exp, exponential, normal};
use croupier_compute::sequential::{Look, Sequence, Support, Target, next_samples};
use croupier_compute::{
    BlockLength, Domain, Estimate, Estimates, Mean, Moments, Proportion, Stream, StreamNumber,
    Tally,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

const SEED: u64 = 20_240_607;
const LEVEL: f64 = 0.95;

/// How much further a run goes that is looked at again and again.
const FURTHEST: u64 = 100;

/// What a run estimates.
pub(crate) trait Output {
    type Recorded: Tally;
    const NAME: &'static str;
    /// The mean, and the standard deviation over it.
    const TRUTH: f64;
    const VARIATION: f64;
    /// Further on there is nothing to be seen.
    const MOST_SAMPLES: u64;
    /// What `--bounds` would say.
    const BOUNDS: Option<[f64; 2]> = None;

    fn tally() -> Self::Recorded;
    fn sample(rng: &mut Stream<ChaCha8Rng>, tally: &mut Self::Recorded);
}

macro_rules! output {
    ($output:ident, $name:literal, $tally:ident, $truth:expr, $variation:expr, $most:expr, $sample:expr $(, $bounds:expr)?) => {
        pub(crate) struct $output;

        impl Output for $output {
            type Recorded = $tally;
            const NAME: &'static str = $name;
            const TRUTH: f64 = $truth;
            const VARIATION: f64 = $variation;
            const MOST_SAMPLES: u64 = $most;
            $(const BOUNDS: Option<[f64; 2]> = Some($bounds);)?

            fn tally() -> $tally {
                $tally::new()
            }

            fn sample(rng: &mut Stream<ChaCha8Rng>, tally: &mut $tally) {
                let sample: fn(&mut Stream<ChaCha8Rng>) -> _ = $sample;
                tally.record(sample(rng));
            }
        }
    };
}

const RARE: f64 = 1e-3;
/// sqrt((1 - p) / p), for p = 1e-3.
const RARE_VARIATION: f64 = 31.606_961_258_558_215;

output!(
    Normal,
    "normal, mean 1, sd 1",
    Mean,
    1.0,
    1.0,
    1 << 16,
    |rng| { 1.0 + normal(rng) }
);
output!(Exponential, "exponential", Mean, 1.0, 1.0, 1 << 16, |rng| {
    exponential(rng)
});
output!(
    RareEvent,
    "1 in 1000, `Proportion`",
    Proportion,
    RARE,
    RARE_VARIATION,
    1 << 20,
    |rng| rng.random::<f64>() < RARE
);
output!(
    RareMean,
    "1 in 1000, `Mean` of 0 and 1",
    Mean,
    RARE,
    RARE_VARIATION,
    1 << 20,
    |rng| f64::from(u8::from(rng.random::<f64>() < RARE))
);
output!(
    Lognormal,
    "lognormal, sigma 2",
    Mean,
    // e^2, and sqrt(e^4 - 1).
    7.389_056_098_930_65,
    7.321_075_949_541_116,
    1 << 20,
    |rng| exp(2.0 * normal(rng))
);

output!(
    Narrow,
    "mean of 4 uniform, `--bounds 0,1`",
    Mean,
    0.5,
    // sqrt(1/48) over 1/2.
    0.288_675_134_594_812_9,
    1 << 17,
    |rng| {
        let four: [f64; 4] = rng.random();
        four.iter().sum::<f64>() / 4.0
    },
    [0.0, 1.0]
);
output!(
    RareWithin,
    "1 in 1000, `Mean`, `--bounds 0,1`",
    Mean,
    RARE,
    RARE_VARIATION,
    1 << 17,
    |rng| f64::from(u8::from(rng.random::<f64>() < RARE)),
    [0.0, 1.0]
);
output!(
    ExponentialMoments,
    "exponential, `Moments`",
    Moments,
    1.0,
    1.0,
    1 << 16,
    |rng| { exponential(rng) }
);
output!(
    RareMoments,
    "1 in 1000, `Moments` of 0 and 1",
    Moments,
    RARE,
    RARE_VARIATION,
    1 << 18,
    |rng| f64::from(u8::from(rng.random::<f64>() < RARE))
);
output!(
    LognormalMoments,
    "lognormal, sigma 2, `Moments`",
    Moments,
    Lognormal::TRUTH,
    Lognormal::VARIATION,
    1 << 20,
    |rng| exp(2.0 * normal(rng))
);

/// How many of `replications` are not warned of skewness, and of how many of these the ordinary interval covers the truth,
/// both as shares, at each of `samples`, which rise.
pub(crate) fn unwarned<O: Output>(samples: &[u64], replications: u64) -> Vec<[f64; 2]> {
    let runs: Vec<Vec<[bool; 2]>> = (0..replications)
        .into_par_iter()
        .map(|replication| {
            let mut run = Replication::<O>::new(replication);
            samples
                .iter()
                .map(|samples| {
                    let covers = covers::<O>(run.look(*samples).interval);
                    let is_unwarned = !run.warns_of_skewness();
                    [is_unwarned, is_unwarned && covers]
                })
                .collect()
        })
        .collect();
    (0..samples.len())
        .map(|at| {
            let count = |which: usize| runs.iter().filter(|run| run[at][which]).count();
            [
                share(count(0), replications),
                share(count(1), count(0) as u64),
            ]
        })
        .collect()
}

/// The share of `replications` whose ordinary interval covers the truth, at each of `samples`, which rise.
pub(crate) fn fixed<O: Output>(samples: &[u64], replications: u64) -> Vec<f64> {
    let covered: Vec<Vec<bool>> = (0..replications)
        .into_par_iter()
        .map(|replication| {
            let mut run = Replication::<O>::new(replication);
            samples
                .iter()
                .map(|samples| covers::<O>(run.look(*samples).interval))
                .collect()
        })
        .collect();
    (0..samples.len())
        .map(|at| share(covered.iter().filter(|run| run[at]).count(), replications))
        .collect()
}

/// Which interval decides and is reported.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopping {
    Ordinary,
    Sequence,
}

/// What came of runs that stop when they are precise enough, on average.
pub(crate) struct Stopped {
    /// The share whose interval covers the truth.
    pub(crate) covers: f64,
    /// The estimate over the truth, less 1.
    pub(crate) bias: f64,
    pub(crate) samples: f64,
}

/// Runs with a first look after `first` samples, and a relative precision that takes about ten times as many. None
/// where that is no precision.
pub(crate) fn stopped<O: Output>(
    first: u64,
    stopping: Stopping,
    replications: u64,
) -> Option<Stopped> {
    let factor = match stopping {
        Stopping::Ordinary => 1.96,
        Stopping::Sequence => Sequence::new(first, LEVEL).factor(10 * first),
    };
    let precision = factor * O::VARIATION / (10.0 * first as f64).sqrt();
    if precision >= 1.0 || 10 * first > O::MOST_SAMPLES {
        return None;
    }
    let target = Target::Relative(precision);
    let ended: Vec<(bool, f64, f64)> = (0..replications)
        .into_par_iter()
        .map(|replication| {
            let look = stop::<O>(replication, first, target, stopping);
            let value = look.value.unwrap_or(f64::NAN);
            (covers::<O>(look.interval), value, look.samples as f64)
        })
        .collect();
    let mean =
        |of: fn(&(bool, f64, f64)) -> f64| ended.iter().map(of).sum::<f64>() / replications as f64;
    Some(Stopped {
        covers: mean(|run| f64::from(u8::from(run.0))),
        bias: mean(|run| run.1) / O::TRUTH - 1.0,
        samples: mean(|run| run.2),
    })
}

/// The shares of `replications` whose ordinary interval, and whose sequence, covers the truth at each of many looks: the
/// first after `first` samples, each further one after a tenth more, up to a hundred times the first. Whoever stops at
/// a look of their choice can do no worse. None where that is too far to go.
pub(crate) fn always<O: Output>(first: u64, replications: u64) -> Option<[f64; 2]> {
    if FURTHEST * first > 2 * O::MOST_SAMPLES {
        return None;
    }
    let covered: Vec<[bool; 2]> = (0..replications)
        .into_par_iter()
        .map(|replication| {
            let mut run = Replication::<O>::new(replication);
            let mut covers_always = [true, true];
            let mut samples = first;
            while samples <= FURTHEST * first {
                let estimate = run.look(samples);
                for (stopping, covers_always) in [Stopping::Ordinary, Stopping::Sequence]
                    .into_iter()
                    .zip(&mut covers_always)
                {
                    let interval = stopping.interval(&estimate, run.support(), first);
                    *covers_always &= covers::<O>(interval);
                }
                samples += samples / 10;
            }
            covers_always
        })
        .collect();
    let count = |which: usize| covered.iter().filter(|covers| covers[which]).count();
    Some([0, 1].map(|which| share(count(which), replications)))
}

impl Stopping {
    fn interval(
        self,
        estimate: &Estimate,
        support: Option<Support>,
        first: u64,
    ) -> Option<[f64; 2]> {
        match self {
            Self::Ordinary => estimate.interval,
            Self::Sequence => Sequence::new(first, LEVEL)
                .interval(estimate, support)
                .map(|(interval, _)| interval),
        }
    }
}

/// One run, to the look that is precise enough.
fn stop<O: Output>(replication: u64, first: u64, target: Target, stopping: Stopping) -> Look {
    let length = BlockLength::new(16).expect("a power of two");
    let mut run = Replication::<O>::new(replication);
    let mut samples = first;
    loop {
        let estimate = run.look(samples);
        let look = Look {
            samples,
            value: estimate.value,
            interval: stopping.interval(&estimate, run.support(), first),
        };
        if target.is_met(&look) {
            return look;
        }
        samples = next_samples(samples, target.growth(&look), length);
    }
}

/// A run that is drawn as far as it is looked at.
struct Replication<O: Output> {
    rng: Stream<ChaCha8Rng>,
    tally: O::Recorded,
    samples: u64,
    estimates: Estimates,
}

impl<O: Output> Replication<O> {
    fn new(number: u64) -> Self {
        let mut rng = Stream::new(SEED);
        rng.start(StreamNumber::new(Domain::Author, number));
        Self {
            rng,
            tally: O::tally(),
            samples: 0,
            estimates: Estimates::new(O::NAME, LEVEL),
        }
    }

    /// The estimate at `samples` samples.
    fn look(&mut self, samples: u64) -> Estimate {
        while self.samples < samples {
            O::sample(&mut self.rng, &mut self.tally);
            self.samples += 1;
        }
        self.estimates = Estimates::new(O::NAME, LEVEL);
        self.tally.estimates(&mut self.estimates);
        let mean = self.estimates.get(O::NAME).or(self.estimates.get("mean"));
        mean.cloned().expect("these tallies estimate a mean")
    }

    fn support(&self) -> Option<Support> {
        let by_tally = self.estimates.bounds(O::NAME).map(Support::Ends);
        by_tally.or(O::BOUNDS.map(Support::Between))
    }

    /// Whether samples are said to be too few for ones so skewed, or to be all alike.
    fn warns_of_skewness(&self) -> bool {
        let notes = self.estimates.notes();
        let says = |note: &String| note.contains("skewness of") || note.contains("the same value");
        notes.iter().any(says)
    }
}

fn covers<O: Output>(interval: Option<[f64; 2]>) -> bool {
    interval.is_some_and(|[low, high]| low <= O::TRUTH && O::TRUTH <= high)
}

fn share(count: usize, of: u64) -> f64 {
    count as f64 / of as f64
}

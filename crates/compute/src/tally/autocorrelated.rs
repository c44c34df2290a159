//! Means of what a Markov chain visits, with an error that knows its values are not independent.

mod plateau;

use serde::{Deserialize, Serialize};

use crate::interval::student_quantile;
use crate::{Estimate, Estimates, Mean, Misfit, NotFinite, Tally};

use plateau::Plateau;

/// The mean over Markov chains, where a sample is a chain, or a burst of one.
///
/// A chain's values depend on each other, chains don't: each draws from random numbers of its own. So
/// there are two ways to an error, and both are used:
///
/// - **Between chains.** The mean is that of the chains' means, each chain counting alike, and its
///   standard error is theirs. It assumes nothing of what goes on inside a chain; its interval is
///   Student's t with one degree of freedom less than there are chains.
/// - **Inside chains.** Values are averaged in batches of 1, 2, 4, ... successive ones of one chain. The
///   variance of batch means times the batch's length grows with it until batches forget each other, and
///   what it comes to is the integrated autocorrelation time (H. Flyvbjerg and H. G. Petersen, "Error
///   estimates on averages of correlated data", J. Chem. Phys. 91 (1989), 461-466). The length B is the
///   first with B^3 > 2 n tau^2, where n values have the time tau at that length (R. M. Lee et al.,
///   "Strategies for improving the efficiency of quantum Monte Carlo calculations", Phys. Rev. E 83
///   (2011), 066706).
///
/// What is estimated:
///
/// | name | value |
/// |---|---|
/// | the tally's own | the mean; of one chain, with the error from inside it |
/// | `autocorrelation_time` | tau = 1 + 2 sum of all autocorrelations: 1 for independent values; from inside the chains, or from the variance between them where they are too short for that |
/// | `effective_samples` | values / tau: how many independent values would know the mean as well |
///
/// Where chains are no longer than ten autocorrelation times, a note says so; chains that stay where they
/// began are among these, being worth one value each. The error between them is right all the same. But how
/// a chain approaches equilibrium is not to be recorded: no tally can tell it from what comes after, and a
/// bias that all chains share is in no error.
///
/// # Example
///
/// ```
/// use croupier_compute::{Autocorrelated, Tally};
///
/// let mut energy = Autocorrelated::new();
/// for start in [0.0, 1.0, 2.0, 3.0] {
///     let mut chain = energy.chain();
///     for step in 0..100 {
///         chain.record(f64::from(step % 7) + start);
///     }
/// }
/// energy.end_block().unwrap();
/// assert_eq!((energy.chains(), energy.values()), (4, 400));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Autocorrelated {
    /// The means of chains.
    chains: Mean,
    /// The means of batches of 2^k successive values of one chain, for each k.
    batches: Vec<Mean>,
}

/// A chain being recorded. It is over when this is dropped; one without values counts for nothing.
#[derive(Debug)]
pub struct Chain<'a> {
    tally: &'a mut Autocorrelated,
    count: u64,
    first: f64,
    /// The sum of distances from the first value.
    distances: f64,
    /// For each length of batches the mean of one that waits for its neighbour.
    waiting: [f64; 64],
}

impl Autocorrelated {
    /// Nothing recorded yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a chain, whose values are then recorded in order.
    #[inline]
    pub fn chain(&mut self) -> Chain<'_> {
        Chain {
            tally: self,
            count: 0,
            first: 0.0,
            distances: 0.0,
            waiting: [0.0; 64],
        }
    }

    /// How many chains were recorded.
    pub fn chains(&self) -> u64 {
        self.chains.count()
    }

    /// How many values they had.
    pub fn values(&self) -> u64 {
        self.batches.first().map_or(0, Mean::count)
    }

    /// The mean of the chains' means; none of no chains.
    pub fn mean(&self) -> Option<f64> {
        self.chains.mean()
    }

    /// The mean's standard error: from the variance between chains, or of one chain from inside it.
    pub fn std_error(&self) -> Option<f64> {
        match self.chains.count() {
            0 => None,
            1 => self.inside().map(|plateau| plateau.std_error),
            _ => self.chains.std_error(),
        }
    }

    /// The integrated autocorrelation time, in steps of a chain: 1 for independent values. None where
    /// it can't be known from so few.
    pub fn autocorrelation_time(&self) -> Option<f64> {
        self.time().map(|[time, _]| time)
    }

    /// How many independent values would give the mean as well as these.
    pub fn effective_samples(&self) -> Option<f64> {
        let time = self.autocorrelation_time()?;
        (time > 0.0).then(|| self.values() as f64 / time)
    }

    fn inside(&self) -> Option<Plateau> {
        Plateau::of(&self.batches)
    }

    /// The autocorrelation time and its standard error.
    fn time(&self) -> Option<[f64; 2]> {
        if let Some(plateau) = self.inside() {
            return Some([plateau.time, plateau.time * plateau.relative_error()]);
        }
        let variance = self.batches.first()?.variance()?;
        let error = self.chains.std_error()?;
        let time = error * error * self.values() as f64 / variance;
        let freedom = (self.chains() - 1) as f64;
        (variance > 0.0).then(|| [time, time * (2.0 / freedom).sqrt()])
    }

    /// Whether what was read from a file is what could have been written: a chain has a value, and two
    /// batches make one of twice the length.
    fn is_whole(&self) -> bool {
        let do_halve = self
            .batches
            .windows(2)
            .all(|pair| pair[1].count() <= pair[0].count() / 2);
        do_halve
            && self.batches.iter().all(|level| level.count() > 0)
            && self.chains() <= self.values()
            && (self.chains() > 0) == (self.values() > 0)
    }

    /// Whether the chains, of which there are several, are short for what they remember.
    fn are_short(&self) -> bool {
        const LONG_ENOUGH: f64 = 10.0;
        let length = self.values() as f64 / self.chains() as f64;
        self.chains() > 1
            && self
                .autocorrelation_time()
                .is_some_and(|time| LONG_ENOUGH * time > length)
    }
}

impl Chain<'_> {
    /// Records the chain's next value.
    #[inline]
    pub fn record(&mut self, value: f64) {
        if self.count == 0 {
            self.first = value;
        }
        self.distances += value - self.first;
        let mut mean = value;
        let mut place = self.count;
        self.count += 1;
        for (level, waiting) in self.waiting.iter_mut().enumerate() {
            match self.tally.batches.get_mut(level) {
                Some(batches) => batches.record(mean),
                None => self.tally.add_level(mean),
            }
            if place.is_multiple_of(2) {
                *waiting = mean;
                return;
            }
            mean = 0.5 * (*waiting + mean);
            place /= 2;
        }
    }
}

impl Drop for Chain<'_> {
    fn drop(&mut self) {
        if self.count > 0 {
            let mean = self.first + self.distances / self.count as f64;
            self.tally.chains.record(mean);
        }
    }
}

impl Autocorrelated {
    #[cold]
    #[inline(never)]
    fn add_level(&mut self, mean: f64) {
        let mut level = Mean::new();
        level.record(mean);
        self.batches.push(level);
    }
}

impl Tally for Autocorrelated {
    fn merge(&mut self, right: Self) {
        self.chains.merge(right.chains);
        let mut right = right.batches.into_iter();
        for (left, right) in self.batches.iter_mut().zip(right.by_ref()) {
            left.merge(right);
        }
        self.batches.extend(right);
    }

    fn end_block(&mut self) -> Result<(), NotFinite> {
        for batches in &mut self.batches {
            batches.end_block()?;
        }
        self.chains.end_block()
    }

    fn fits(&self, right: &Self) -> Result<(), Misfit> {
        if right.is_whole() {
            Ok(())
        } else {
            Err(Misfit::new(
                "damaged chains: more of them than values, or more batches of a length than values for them",
            ))
        }
    }

    fn estimates(&self, estimates: &mut Estimates) {
        let chains = self.chains();
        let plateau = self.inside();
        match chains {
            0 => estimates.note("has no samples: nothing can be estimated"),
            1 if plateau.is_some() => estimates.note(
                "rests on one chain: its error is from inside it, and knows nothing of what it did not visit",
            ),
            1 => estimates.note("has one chain, too short to know its error"),
            _ => {}
        }
        if self.are_short() {
            estimates.note(
                "has chains no longer than ten autocorrelation times: the error between them is right, but how they began may still be felt",
            );
        }
        let freedom = match chains {
            0 => None,
            1 => plateau.map(|plateau| plateau.batches - 1),
            more => Some(more - 1),
        };
        let value = self.mean();
        let std_error = self.std_error();
        let level = 0.5 + 0.5 * estimates.level();
        estimates.push(Estimate {
            value,
            std_error,
            interval: value
                .zip(std_error)
                .zip(freedom)
                .map(|((value, error), freedom)| {
                    let half = error * student_quantile(level, freedom as f64);
                    [value - half, value + half]
                }),
            samples: chains,
        });
        let time = self.time();
        if time.is_none() && chains > 1 {
            estimates.note("has values that don't vary: they have no autocorrelation time");
        }
        let z = student_quantile(level, f64::MAX);
        let mut list = |name: &str, with_error: Option<[f64; 2]>| {
            estimates.within(name, |estimates| {
                estimates.push(Estimate {
                    value: with_error.map(|[value, _]| value),
                    std_error: with_error.map(|[_, error]| error),
                    // On the scale of logarithms, since neither can be negative.
                    interval: with_error.map(|[value, error]| {
                        let factor = (z * error / value).exp();
                        [value / factor, value * factor]
                    }),
                    samples: chains,
                });
            });
        };
        list("autocorrelation_time", time);
        let effective = self.effective_samples().zip(time);
        list(
            "effective_samples",
            effective.map(|(effective, [time, error])| [effective, effective * error / time]),
        );
    }
}

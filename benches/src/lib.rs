//! Two ways of doing one thing, timed side by side.
//!
//! A ratio of two times taken minutes apart says more about the machine than about the code. Here
//! each measurement is a pair, taken one right after the other and in turn the one or the other
//! first, so that noise hits both alike; the median of the pairs' ratios is what counts.
//!
//! `cargo bench -p croupier-benches` measures for some seconds each; with `-- --quick` it only shows
//! that the benches work, and the ratios mean little.

use std::time::{Duration, Instant};

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    pairs: usize,
    quick: bool,
}

impl Budget {
    /// From the program's arguments: `--quick` for a few pairs, `--pairs N` for exactly N.
    ///
    /// # Panics
    ///
    /// Where `--pairs` isn't followed by a number above 0.
    pub fn from_arguments() -> Self {
        let arguments: Vec<String> = std::env::args().collect();
        let quick = arguments.iter().any(|argument| argument == "--quick");
        let asked = arguments
            .iter()
            .position(|argument| argument == "--pairs")
            .map(|at| {
                let number = arguments.get(at + 1).and_then(|text| text.parse().ok());
                number
                    .filter(|pairs| *pairs > 0)
                    .expect("--pairs needs a number above 0")
            });
        Self {
            pairs: asked.unwrap_or(if quick { 5 } else { 301 }),
            quick,
        }
    }

    /// Whether only to show that the bench works.
    pub fn is_quick(self) -> bool {
        self.quick
    }
}

/// One way of doing it: its name, and the code to time.
pub struct Way<'a> {
    name: &'a str,
    code: Box<dyn FnMut() + 'a>,
}

impl<'a> Way<'a> {
    /// `code`, called `name` in what is printed.
    pub fn new(name: &'a str, code: impl FnMut() + 'a) -> Self {
        Self {
            name,
            code: Box::new(code),
        }
    }

    fn time(&mut self) -> Duration {
        let start = Instant::now();
        (self.code)();
        start.elapsed()
    }
}

impl std::fmt::Debug for Way<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Way")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What was measured of a pair of ways: medians over all pairs.
#[derive(Clone, Copy, Debug)]
pub struct Pairs {
    /// Time of the first way over time of the second: below 1 the first is faster.
    pub ratio: f64,
    /// The quarter of the pairs' ratios below this, and above that.
    pub quartiles: [f64; 2],
    /// The shortest time of the first way over the shortest of the second: what is left of the ratio
    /// where other programs take so much of the machine that no median is undisturbed.
    pub ratio_of_shortest: f64,
    /// Nanoseconds an item of the first way and of the second.
    pub nanoseconds: [f64; 2],
}

/// Times `ours` and `theirs`, each doing `items` items of work, in interleaved pairs; prints both and
/// their ratio under `title`, beside the ratio aimed at, which the README explains.
pub fn compare(
    budget: Budget,
    title: &str,
    items: u64,
    aim: &str,
    mut ours: Way<'_>,
    mut theirs: Way<'_>,
) -> Pairs {
    ours.time();
    theirs.time();
    let mut ratios = Vec::with_capacity(budget.pairs);
    let mut times = [const { Vec::new() }; 2];
    for pair in 0..budget.pairs {
        let [first, second] = if pair % 2 == 0 {
            let first = ours.time();
            [first, theirs.time()]
        } else {
            let second = theirs.time();
            [ours.time(), second]
        };
        ratios.push(first.as_secs_f64() / second.as_secs_f64());
        times[0].push(first.as_secs_f64());
        times[1].push(second.as_secs_f64());
    }
    let [ours_shortest, theirs_shortest] =
        [0, 1].map(|way| times[way].iter().copied().fold(f64::INFINITY, f64::min));
    let nanoseconds = times.map(|mut times| 1e9 * quantile(&mut times, 0.5) / items as f64);
    let pairs = Pairs {
        ratio: quantile(&mut ratios, 0.5),
        quartiles: [quantile(&mut ratios, 0.25), quantile(&mut ratios, 0.75)],
        ratio_of_shortest: ours_shortest / theirs_shortest,
        nanoseconds,
    };
    println!(
        "{title}: {} {:.2} ns, {} {:.2} ns an item; ratio {:.3} ({:.3} to {:.3} in half of {} pairs; of the shortest {:.3}), aim {aim}",
        ours.name,
        nanoseconds[0],
        theirs.name,
        nanoseconds[1],
        pairs.ratio,
        pairs.quartiles[0],
        pairs.quartiles[1],
        budget.pairs,
        pairs.ratio_of_shortest,
    );
    pairs
}

/// The value below which `share` of `values` lie; sorts them.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}

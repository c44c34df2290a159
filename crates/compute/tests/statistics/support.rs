//! Values, the tree, and sums that are right to the last bits.

use croupier_compute::{Estimate, Estimates, Failures, Frontier, Node, Tally, Trunk};

/// Neumaier's compensated sum.
pub(crate) fn exact_sum(values: impl Iterator<Item = f64>) -> f64 {
    let [mut sum, mut lost] = [0.0f64; 2];
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() {
            (sum - next) + value
        } else {
            (value - next) + sum
        };
        sum = next;
    }
    sum + lost
}

/// The mean in two parts, and the mean of each power to `N` of the distances from it.
pub(crate) fn central<const N: usize>(values: &[f64]) -> ([f64; 2], [f64; N]) {
    let n = values.len() as f64;
    let mean = exact_sum(values.iter().copied()) / n;
    let rest = exact_sum(values.iter().map(|x| x - mean)) / n;
    let power = |power| {
        let powers = values.iter().map(|x| ((x - mean) - rest).powi(power));
        exact_sum(powers) / n
    };
    ([mean, rest], std::array::from_fn(|at| power(at as i32 + 1)))
}

/// Values that look random: a fixed linear congruential sequence in [0, 1).
pub(crate) fn noise(count: usize) -> Vec<f64> {
    let mut state = 1u64;
    (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        })
        .collect()
}

/// Blocks of `length` values each, every one recorded into a copy of `empty` and closed.
pub(crate) fn blocks<T: Tally, V>(
    empty: &T,
    values: &[V],
    length: usize,
    record: impl Fn(&mut T, &V),
) -> Vec<Node<T>> {
    let block = |(block, values): (u64, &[V])| {
        let mut tally = empty.clone();
        tally.begin_block(block);
        for value in values {
            record(&mut tally, value);
        }
        tally.end_block().unwrap();
        Node {
            first_block: block,
            level: 0,
            samples: values.len() as u64,
            short: false,
            failures: Failures::default(),
            tally,
        }
    };
    (0..).zip(values.chunks(length)).map(block).collect()
}

/// Merged along the canonical tree, by shards that end at `cuts`.
pub(crate) fn through_the_tree<T: Tally>(mut nodes: Vec<Node<T>>, cuts: &[usize]) -> T {
    let mut shards = Vec::new();
    for cut in cuts.iter().rev() {
        shards.push(nodes.split_off((*cut).min(nodes.len())));
    }
    shards.push(nodes);
    let mut trunk = Trunk::new();
    for shard in shards.into_iter().rev() {
        let frontier = Frontier::new();
        // From the right: whoever comes first, it is the tree that settles who merges.
        for node in shard.into_iter().rev() {
            frontier.insert(node);
        }
        let mut nodes = frontier.into_nodes();
        nodes.sort_by_key(|node| node.first_block);
        for node in nodes {
            trunk.push(node);
        }
    }
    trunk.finish().expect("some blocks").tally
}

/// All estimates of a tally called x, at 95 %.
pub(crate) fn estimates<T: Tally>(tally: &T) -> Estimates {
    let mut estimates = Estimates::new("x", 0.95);
    estimates.within("x", |estimates| tally.estimates(estimates));
    estimates
}

/// One of them.
pub(crate) fn estimate<T: Tally>(tally: &T, name: &str) -> Estimate {
    let estimates = estimates(tally);
    let found = estimates.get(name);
    found
        .unwrap_or_else(|| panic!("no {name} in {:?}", estimates.named()))
        .clone()
}

/// Every number there is a value, an error and an interval of finite numbers for, or a note.
pub(crate) fn nothing_is_unexplained<T: Tally>(tally: &T) {
    let estimates = estimates(tally);
    for (name, estimate) in estimates.named() {
        let numbers = [
            estimate.value,
            estimate.std_error,
            estimate.interval.map(|ends| ends[0]),
            estimate.interval.map(|ends| ends[1]),
        ];
        let is_noted = estimates.notes().iter().any(|note| {
            let noted = note.split('`').nth(1).expect("a note begins with a name");
            name.strip_prefix(noted)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        let is_there = |number: &Option<f64>| number.is_some_and(f64::is_finite);
        assert!(
            is_noted || numbers.iter().all(is_there),
            "{name}: {estimate:?}, notes {:?}",
            estimates.notes()
        );
        let is_finite = |number: &f64| number.is_finite();
        assert!(
            numbers.iter().flatten().all(is_finite),
            "{name}: {estimate:?}"
        );
    }
}

pub(crate) fn is_close(found: f64, expected: f64, relative: f64) {
    assert!(
        (found - expected).abs() <= relative * expected.abs().max(f64::MIN_POSITIVE),
        "{found}, expected {expected}"
    );
}

/// Standard normal values, by Box and Muller.
pub(crate) fn normals(count: usize) -> Vec<f64> {
    let uniform = noise(count + count % 2);
    let pair = |pair: &[f64]| {
        let radius = (-2.0 * (1.0 - pair[0]).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * pair[1]).sin_cos();
        [radius * sine, radius * cosine]
    };
    let mut normals: Vec<f64> = uniform.chunks(2).flat_map(pair).collect();
    normals.truncate(count);
    normals
}

/// How estimates vary from run to run, beside the errors that they have said, their mean, and how many
/// of their intervals held the answer.
pub(crate) struct Replications {
    pub(crate) mean: f64,
    pub(crate) spread: f64,
    pub(crate) said: f64,
    pub(crate) covered: f64,
}

impl Replications {
    pub(crate) fn of(estimates: &[Estimate], answer: f64) -> Self {
        let values: Vec<f64> = estimates.iter().map(|one| one.value.unwrap()).collect();
        let ([mean, _], [_, squares]) = central::<2>(&values);
        let of_all = estimates.len() as f64;
        let said = |one: &Estimate| one.std_error.unwrap() / of_all;
        let covers = |one: &&Estimate| {
            let [low, high] = one.interval.unwrap();
            (low..=high).contains(&answer)
        };
        Self {
            mean,
            spread: squares.sqrt(),
            said: estimates.iter().map(said).sum(),
            covered: estimates.iter().filter(covers).count() as f64 / of_all,
        }
    }

    /// Whether the errors said are the spread seen, within a share of it, and 95 % intervals hold the
    /// answer in a share of the runs that is at least `least`.
    pub(crate) fn are_honest(&self, name: &str, slack: f64, least: f64) {
        let Self {
            spread,
            said,
            covered,
            ..
        } = self;
        assert!(
            (said / spread - 1.0).abs() < slack && (least..0.98).contains(covered),
            "{name}: errors of {said} are said, {spread} are seen, {covered} of the intervals hold the answer"
        );
    }
}

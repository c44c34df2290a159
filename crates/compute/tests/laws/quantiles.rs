//! Quantiles: within their resolution of the exact ones, the same in any order, with intervals that cover.

use croupier_compute::{Domain, Quantiles, Resolution, Stream, StreamNumber, Tally, pinned};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;

use crate::property;
use crate::tree::{dealt, estimate, estimates, merged};

const RESOLUTIONS: [(Resolution, f64); 3] = [
    (Resolution::Coarse, 1.0 / 64.0),
    (Resolution::Medium, 1.0 / 256.0),
    (Resolution::Fine, 1.0 / 2048.0),
];

fn of(resolution: Resolution, values: &[f64]) -> Quantiles {
    let mut quantiles = Quantiles::new([0.5, 0.99]).with_resolution(resolution);
    for value in values {
        quantiles.record(*value);
    }
    quantiles.end_block().unwrap();
    quantiles
}

/// Subnormals share an octave of buckets with zero.
#[test]
fn zeros_are_counted_beside_the_smallest_numbers() {
    for smallest in [1e-308, -1e-308] {
        let quantiles = of(Resolution::Medium, &[smallest, 0.0, -0.0, smallest, 0.0]);
        assert_eq!(quantiles.count(), 5);
        assert_eq!(quantiles.quantile(0.5), Some(0.0));
        let [below, above] = [0.01, 0.99].map(|q| quantiles.quantile(q).unwrap());
        assert!((below == 0.0) == (smallest > 0.0) && (above == 0.0) == (smallest < 0.0));
    }
}

fn values(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
    let any_size = (-300f64..300.0, any::<bool>()).prop_map(|(log, minus)| {
        let size = pinned::powf(10.0, log);
        if minus { -size } else { size }
    });
    let value = prop_oneof![
        8 => -5f64..5.0,
        8 => 1f64..1000.0,
        1 => any_size,
        1 => Just(0.0),
        1 => Just(-0.0),
        1 => Just(5e-324),
        1 => Just(f64::MAX),
        1 => Just(f64::MIN),
    ];
    prop::collection::vec(value, count)
}

proptest! {
    #![proptest_config(property::config())]

    #[test]
    fn any_partition_counts_alike(
        values in values(0..200),
        length in 1usize..40,
        cuts in prop::collection::vec(0usize..200, 0..5),
        turn in 0usize..100,
    ) {
        for (resolution, _) in RESOLUTIONS {
            let whole = of(resolution, &values);
            let blocks = || values.chunks(length).map(|values| of(resolution, values));
            let empty = || [of(resolution, &[])].into_iter();
            prop_assert_eq!(&dealt(empty().chain(blocks()).collect(), &cuts, turn), &whole);
            prop_assert_eq!(&merged(blocks().rev().chain(empty()).collect()), &whole);
            prop_assert_eq!(whole.count(), values.len() as u64);
        }
    }

    #[test]
    fn quantiles_are_within_their_resolution(values in values(1..300), q in 0f64..=1.0) {
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        for (resolution, error) in RESOLUTIONS {
            let quantiles = of(resolution, &values);
            for q in [0.0, q, 0.5, 1.0] {
                let rank = ((values.len() as f64 * q * (1.0 - 1e-15)).ceil() as usize).max(1);
                let exact = sorted[rank - 1];
                let found = quantiles.quantile(q).unwrap();
                let allowed = error * 1.000_001 * exact.abs() + f64::MIN_POSITIVE / 16.0;
                prop_assert!((found - exact).abs() <= allowed, "{} for {} at {}", found, exact, q);
            }
        }
    }
}

#[test]
fn what_is_open_counts_too() {
    let mut quantiles = of(Resolution::Fine, &[1.0, 2.0]);
    quantiles.record(3.0);
    assert_eq!(quantiles.count(), 3);
    assert!((quantiles.quantile(0.99).unwrap() - 3.0).abs() < 0.002);
    let mut left = of(Resolution::Fine, &[4.0]);
    left.merge(quantiles);
    assert_eq!(left.count(), 4);
}

#[test]
fn what_is_not_finite_is_refused() {
    for bad in [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut quantiles = of(Resolution::Medium, &[1.0]);
        quantiles.record(bad);
        let error = quantiles.clone().end_block().unwrap_err().to_string();
        assert_eq!(error, format!("recorded what is not finite: {bad}"));
        let mut left = of(Resolution::Medium, &[]);
        left.merge(quantiles);
        assert!(left.end_block().is_err(), "it is not lost in a merge");
    }
}

#[test]
fn what_can_not_be_known_is_said() {
    let none = estimates(&of(Resolution::Medium, &[]));
    assert_eq!(
        none.notes(),
        ["`x` has no samples: nothing can be estimated"]
    );
    assert_eq!(none.get("q0.5").unwrap().value, None);
    let few = of(Resolution::Medium, &[1.0, 2.0, 3.0, 4.0, 5.0]);
    let median = estimate(&few, "q0.5");
    assert_eq!((median.interval, median.samples), (None, 5));
    assert!(estimates(&few).notes()[0].starts_with("`q0.5` has too few samples"));
    let atoms = of(Resolution::Medium, &[0.0; 100]);
    let median = estimate(&atoms, "q0.5");
    assert_eq!(
        (median.value, median.std_error, median.interval),
        (Some(0.0), Some(0.0), Some([0.0; 2]))
    );
    assert_eq!(few.quantile(f64::NAN), None);
    assert_eq!(few.quantile(1.5), None);
}

#[test]
fn other_shapes_do_not_fit() {
    let ours = of(Resolution::Medium, &[1.0]);
    assert_eq!(ours.fits(&of(Resolution::Medium, &[])), Ok(()));
    let finer = ours.fits(&of(Resolution::Fine, &[])).unwrap_err();
    assert_eq!(
        finer.to_string(),
        "quantiles of resolution Fine, expected Medium"
    );
    let others = ours.fits(&Quantiles::new([0.1])).unwrap_err();
    assert_eq!(
        others.to_string(),
        "quantiles at [0.1], expected at [0.5, 0.99]"
    );
    for bad in [
        vec![0.0],
        vec![1.0],
        vec![0.5, 0.5],
        vec![0.5, 0.1],
        vec![f64::NAN],
    ] {
        assert!(Quantiles::try_new(bad).is_err());
    }
}

/// Over 2,000 replications the interval covers the true quantile at least as often as it says, by four standard
/// errors, and not much more often; and the standard error is that of the estimates.
#[test]
fn intervals_cover_and_errors_are_those_of_the_estimates() {
    const REPLICATIONS: usize = 2000;
    let mut stream = Stream::<ChaCha8Rng>::new(11);
    stream.start(StreamNumber::new(Domain::Author, 0));
    for (count, q) in [(100, 0.5), (400, 0.9), (2000, 0.99)] {
        let answer = -pinned::ln(1.0 - q);
        let mut covered = 0;
        let [mut found, mut errors] = [Vec::new(), Vec::new()];
        for _ in 0..REPLICATIONS {
            let mut times = Quantiles::new([q]).with_resolution(Resolution::Fine);
            for _ in 0..count {
                times.record(pinned::exponential(&mut stream));
            }
            let estimate = estimate(&times, &format!("q{q}"));
            let [low, high] = estimate.interval.unwrap();
            covered += usize::from(low <= answer && answer <= high);
            found.push(estimate.value.unwrap());
            errors.push(estimate.std_error.unwrap());
        }
        let share = covered as f64 / REPLICATIONS as f64;
        let slack = 4.0 * (0.05f64 * 0.95 / REPLICATIONS as f64).sqrt();
        assert!(
            share > 0.95 - slack && share < 0.985,
            "{count} {q}: {share}"
        );
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let centre = mean(&found);
        let squares: Vec<f64> = found.iter().map(|x| (x - centre) * (x - centre)).collect();
        let ratio = mean(&errors) / mean(&squares).sqrt();
        assert!(
            (0.95..1.2).contains(&ratio),
            "{count} {q}: errors are {ratio} of the spread"
        );
    }
}

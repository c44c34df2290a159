//! Histograms: the same in any order, refused where their edges differ, honest about what is outside.

use croupier_compute::{Histogram, Proportion, Tally};
use proptest::prelude::*;

use crate::property;
use crate::tree::{dealt, estimate, estimates, merged};

fn histograms() -> [Histogram; 3] {
    [
        Histogram::uniform(-2.0, 3.0, 17),
        Histogram::logarithmic(1e-3, 1e3, 29),
        Histogram::with_edges([-1.0, 0.0, 0.5, 100.0]),
    ]
}

fn of(empty: &Histogram, values: &[f64]) -> Histogram {
    let mut histogram = empty.clone();
    for value in values {
        histogram.record(*value);
    }
    histogram.end_block().unwrap();
    histogram
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![-5f64..5.0, -1e4f64..1e4, Just(0.0), Just(-0.0), Just(0.5)];
    prop::collection::vec(value, 0..300)
}

proptest! {
    #![proptest_config(property::config())]

    #[test]
    fn any_partition_counts_alike(
        values in values(),
        length in 1usize..40,
        cuts in prop::collection::vec(0usize..300, 0..5),
        turn in 0usize..100,
    ) {
        for empty in histograms() {
            let whole = of(&empty, &values);
            let blocks = || values.chunks(length).map(|values| of(&empty, values));
            let dealt = dealt([empty.clone()].into_iter().chain(blocks()).collect(), &cuts, turn);
            prop_assert_eq!(&dealt, &whole);
            let backwards: Vec<Histogram> = blocks().rev().chain([empty.clone()]).collect();
            prop_assert_eq!(&merged(backwards), &whole);
            prop_assert_eq!(whole.count(), values.len() as u64);
            for bin in whole.bins() {
                let inside = values.iter().filter(|value| (bin.low..bin.high).contains(*value));
                prop_assert_eq!(bin.count, inside.count() as u64);
            }
            let inside: u64 = whole.bins().map(|bin| bin.count).sum();
            prop_assert_eq!(whole.below() + inside + whole.above(), whole.count());
            let low = whole.edges()[0];
            let below = values.iter().filter(|value| **value < low).count();
            prop_assert_eq!(whole.below(), below as u64);
        }
    }
}

#[test]
fn what_is_not_finite_is_refused() {
    for empty in histograms() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut histogram = empty.clone();
            histogram.record(0.7);
            histogram.record(bad);
            let error = histogram.clone().end_block().unwrap_err().to_string();
            assert_eq!(error, format!("recorded what is not finite: {bad}"));
            // It is not lost in a merge.
            let mut left = empty.clone();
            left.merge(histogram);
            assert!(left.end_block().is_err());
        }
    }
}

#[test]
fn bins_are_proportions() {
    let mut histogram = Histogram::uniform(0.0, 1.0, 2);
    for value in [-1.0, 0.1, 0.2, 0.9, 0.4] {
        histogram.record(value);
    }
    let mut expected = Proportion::new();
    for hit in [true, true, true, false, false] {
        expected.record(hit);
    }
    let names: Vec<String> = estimates(&histogram)
        .named()
        .iter()
        .map(|(name, _)| name.clone())
        .collect();
    assert_eq!(names, ["below", "bin.0", "bin.1", "above"]);
    assert_eq!(estimate(&histogram, "bin.0"), estimate(&expected, "x"));
    let above = estimate(&histogram, "above");
    assert_eq!((above.value, above.std_error), (Some(0.0), None));
    assert!(above.interval.is_some());
    assert_eq!(estimates(&histogram).notes().len(), 1);
    let empty = estimates(&Histogram::uniform(0.0, 1.0, 2));
    assert_eq!(
        empty.notes(),
        ["`x` has no samples: nothing can be estimated"]
    );
    let many = estimates(&Histogram::uniform(0.0, 1.0, 65));
    assert_eq!(
        many.named().len(),
        2,
        "a result lists no bins where there are many"
    );
}

#[test]
fn other_edges_do_not_fit() {
    let ours = Histogram::uniform(0.0, 1.0, 10);
    assert_eq!(ours.fits(&of(&ours, &[0.5])), Ok(()));
    for other in [
        Histogram::uniform(0.0, 1.0, 11),
        Histogram::uniform(0.0, 2.0, 10),
        Histogram::with_edges(ours.edges()),
        Histogram::logarithmic(0.1, 1.0, 10),
    ] {
        let misfit = ours.fits(&other).unwrap_err().to_string();
        assert!(
            misfit.contains("expected 10 uniform bins from 0 to 1"),
            "{misfit}"
        );
        let merging = std::panic::catch_unwind(|| ours.clone().merge(other));
        assert!(merging.is_err());
    }
}

//! Intervals cover as often as they say, with few replications; `examples/coverage` makes the tables of
//! `docs/PRECISION.md` with many. The seed is fixed, so each of these passes always or never.

#[path = "../examples/coverage/experiment.rs"]
mod experiment;

use experiment::{
    Exponential, Lognormal, Normal, Output, RareEvent, RareMean, Stopping, always, fixed, stopped,
};

const REPLICATIONS: u64 = 400;
/// Four standard errors of a share of 95 % among so many.
const NOISE: f64 = 0.0436;

fn covers_at<O: Output>(samples: u64) -> f64 {
    fixed::<O>(&[samples], REPLICATIONS)[0]
}

#[test]
fn ordinary_intervals_cover_where_the_number_of_samples_is_fixed() {
    for (output, covers) in [
        (Normal::NAME, covers_at::<Normal>(16)),
        (Exponential::NAME, covers_at::<Exponential>(256)),
        (RareEvent::NAME, covers_at::<RareEvent>(16_384)),
        (RareMean::NAME, covers_at::<RareMean>(65_536)),
    ] {
        assert!((covers - 0.95).abs() < NOISE, "{output}: {covers}");
    }
}

#[test]
fn where_too_few_samples_are_warned_of_they_do_not() {
    let covers = covers_at::<Exponential>(4);
    assert!(covers < 0.95 - NOISE, "{covers}");
    // And here nothing warns: a mean sees two moments.
    let covers = covers_at::<Lognormal>(1024);
    assert!(covers < 0.95 - NOISE, "{covers}");
}

#[test]
fn a_sequence_covers_at_all_looks_and_an_ordinary_interval_does_not() {
    for (output, covers) in [
        (Normal::NAME, always::<Normal>(64, REPLICATIONS)),
        (Exponential::NAME, always::<Exponential>(256, REPLICATIONS)),
        (RareEvent::NAME, always::<RareEvent>(1024, REPLICATIONS)),
    ] {
        let [ordinary, sequence] = covers.expect("not too far to go");
        assert!(ordinary < 0.85, "{output}: {ordinary}");
        assert!(sequence > 0.95 - NOISE, "{output}: {sequence}");
    }
}

#[test]
fn a_sequence_covers_where_the_data_decide_when_to_stop() {
    for (output, first, ended) in [
        (
            Normal::NAME,
            16,
            stopped::<Normal>(16, Stopping::Sequence, REPLICATIONS),
        ),
        (
            Exponential::NAME,
            64,
            stopped::<Exponential>(64, Stopping::Sequence, REPLICATIONS),
        ),
        (
            RareEvent::NAME,
            1024,
            stopped::<RareEvent>(1024, Stopping::Sequence, REPLICATIONS),
        ),
        (
            RareMean::NAME,
            1024,
            stopped::<RareMean>(1024, Stopping::Sequence, REPLICATIONS),
        ),
    ] {
        let ended = ended.expect("a precision");
        assert!(ended.covers > 0.95 - NOISE, "{output}: {}", ended.covers);
        assert!(ended.bias.abs() < 0.2, "{output}: {}", ended.bias);
        let growth = ended.samples / f64::from(first);
        assert!((5.0..30.0).contains(&growth), "{output}: {growth}");
    }
    let ordinary = stopped::<RareMean>(1024, Stopping::Ordinary, REPLICATIONS);
    let ordinary = ordinary.expect("a precision").covers;
    assert!(ordinary < 0.8, "{ordinary}");
}

//! Intervals cover as often as they say, with few replications; `examples/coverage` makes the tables of
//! `docs/PRECISION.md` with many. The seed is fixed, so each of these passes always or never.

#[path = "../examples/coverage/experiment.rs"]
mod experiment;

use experiment::{
    Exponential, ExponentialMoments, Lognormal, LognormalMoments, Narrow, Normal, Output,
    RareEvent, RareMean, RareMoments, RareWithin, Stopping, always, fixed, stopped, unwarned,
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

/// `Moments` see how skewed samples are.
#[test]
fn too_few_samples_for_skewed_ones_are_warned_of() {
    let unwarned_at = |samples: &[u64]| {
        [
            unwarned::<ExponentialMoments>(samples, REPLICATIONS),
            unwarned::<RareMoments>(samples, REPLICATIONS),
            unwarned::<LognormalMoments>(samples, REPLICATIONS),
        ]
        .map(|shares| shares[0])
    };
    let [exponential, rare, lognormal] = unwarned_at(&[1024]);
    assert!(exponential[0] > 0.99, "{exponential:?}");
    assert!((exponential[1] - 0.95).abs() < NOISE, "{exponential:?}");
    assert!(
        rare[0] < 0.01 && lognormal[0] < 0.01,
        "{rare:?} {lognormal:?}"
    );
    // 16 events are too few, and 256 are enough.
    let [few, enough] = unwarned::<RareMoments>(&[1 << 14, 1 << 18], REPLICATIONS)[..] else {
        panic!("two numbers of samples");
    };
    assert!(few[0] < 0.01 && enough[0] > 0.99, "{few:?} {enough:?}");
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
        (
            Narrow::NAME,
            256,
            stopped::<Narrow>(256, Stopping::Sequence, REPLICATIONS),
        ),
        (
            RareWithin::NAME,
            1024,
            stopped::<RareWithin>(1024, Stopping::Sequence, REPLICATIONS),
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

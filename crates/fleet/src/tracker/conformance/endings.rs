//! What comes after an attempt has ended.

use std::time::Duration;

use super::super::{Claim, FailureClass, Marked, Renewed, State};
use super::{Bench, LEASE, MANY, MARGIN, MILLISECOND, given_up, granted};

pub(super) async fn giving_up(bench: &Bench<'_>) {
    let classes = [
        FailureClass::Failed,
        FailureClass::OutOfMemory,
        FailureClass::Signal,
        FailureClass::TimedOut,
    ];
    for (i, class) in classes.into_iter().enumerate() {
        let number = i as u32 + 1;
        let lease = granted(bench.claim(0, &format!("a{number}"), 4).await);
        assert_eq!((lease.number, lease.token), (number, u64::from(number)));
        let message = format!("as {class}");
        assert_eq!(bench.fail(&lease, class, &message).await, Marked::Recorded);
        assert_eq!(bench.renew(&lease).await, Renewed::Lost);
        let expected = given_up(number, class, &message);
        // Whoever asks, and 0 is taken as 1.
        for (attempt, most) in [
            ("b", number),
            ("b", 1),
            ("b", 0),
            (lease.attempt.as_str(), 1),
        ] {
            assert_eq!(bench.claim(0, attempt, most).await, expected);
        }
    }
    let expected = given_up(4, FailureClass::TimedOut, "as timed-out");
    assert_eq!(bench.claim(0, "b", 4).await, expected);
    assert_eq!(bench.state(0).await.state, State::Failed);
    // The maximum is the claim's, not the record's.
    assert_eq!(granted(bench.claim(0, "b", 5).await).number, 5);
    assert_eq!(granted(bench.claim(1, "b", 0).await).number, 1);
}

/// What will fail again is given up at once.
pub(super) async fn kernels(bench: &Bench<'_>) {
    let lease = bench.granted(0, "a").await;
    let message = "sample 4711: no root in [0, 1]";
    assert_eq!(
        bench.fail(&lease, FailureClass::Kernel, message).await,
        Marked::Recorded
    );
    let expected = given_up(1, FailureClass::Kernel, message);
    assert_eq!(bench.claim(0, "b", u32::MAX).await, expected);
    assert_eq!(bench.claim(0, "a", MANY).await, expected);
}

/// What was stopped in time doesn't count.
pub(super) async fn stops(bench: &Bench<'_>) {
    for token in 1..=5 {
        let lease = granted(bench.claim(0, "a", 1).await);
        assert_eq!((lease.token, lease.number), (token, 1));
        assert_eq!(
            bench.fail(&lease, FailureClass::Stopped, "Spot").await,
            Marked::Recorded
        );
        let state = bench.state(0).await;
        assert_eq!((state.state, state.attempts), (State::Failed, 0));
        assert_eq!(state.class, Some(FailureClass::Stopped));
    }
    let lease = granted(bench.claim(0, "a", 1).await);
    assert_eq!(
        bench.fail(&lease, FailureClass::Failed, "x").await,
        Marked::Recorded
    );
    assert_eq!(
        bench.claim(0, "a", 1).await,
        given_up(1, FailureClass::Failed, "x")
    );
}

/// A shard that kills each of its workers without a word is given up too.
pub(super) async fn losses(bench: &Bench<'_>) {
    for number in 1..=3 {
        let lease = granted(bench.claim(0, &format!("a{number}"), 3).await);
        assert_eq!(lease.number, number);
        bench.clock.advance(LEASE + MARGIN);
        assert!(matches!(bench.claim(0, "b", 3).await, Claim::Held { .. }));
        bench.clock.advance(MILLISECOND);
    }
    for attempt in ["a3", "b"] {
        match bench.claim(0, attempt, 3).await {
            Claim::GivenUp {
                attempts: 3,
                class: FailureClass::Lost,
                message,
            } => assert!(message.contains("host-of-a3"), "{message}"),
            other => panic!("{other:?}"),
        }
    }
    let last = granted(bench.claim(0, "a4", 4).await);
    assert_eq!(bench.complete(&last).await, Marked::Recorded);
}

pub(super) async fn done_stays_done(bench: &Bench<'_>) {
    let lease = bench.granted(0, "a").await;
    assert_eq!(bench.complete(&lease).await, Marked::Recorded);
    let before = bench.state(0).await;
    bench.clock.advance(Duration::from_secs(86_400 * 365));
    assert_eq!(bench.claim(0, "b", MANY).await, Claim::Done);
    assert_eq!(bench.claim(0, "a", 0).await, Claim::Done);
    assert_eq!(
        bench.fail(&lease, FailureClass::Failed, "x").await,
        Marked::Superseded
    );
    assert_eq!(bench.renew(&lease).await, Renewed::Lost);
    assert_eq!(bench.complete(&lease).await, Marked::Recorded);
    assert_eq!(bench.rebuild(&[0]).await, 0);
    assert_eq!(bench.state(0).await, before);
}

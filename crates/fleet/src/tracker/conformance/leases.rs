//! Who has a shard, for how long, and what a lease is worth afterwards.

use super::super::{Claim, FailureClass, Lease, ManualClock, Marked, Renewed, State, TrackerError};
use super::{Bench, LEASE, MANY, MARGIN, MILLISECOND, MINUTE, claim, claimant, granted, held};

pub(super) async fn one_life(bench: &Bench<'_>) {
    let lease = bench.granted(42, "a").await;
    assert_eq!(
        lease,
        Lease {
            shard: 42,
            attempt: "a".to_owned(),
            token: 1,
            number: 1,
            expires: bench.now() + LEASE
        }
    );
    assert_eq!(bench.claim(42, "b", MANY).await, held(&lease));
    bench.clock.advance(MINUTE);
    assert_eq!(
        bench.renew(&lease).await,
        Renewed::Until(bench.now() + LEASE)
    );
    let Claim::Held { expires, .. } = bench.claim(42, "b", MANY).await else {
        panic!("a renewed lease was lost");
    };
    assert_eq!(expires, bench.now() + LEASE);
    assert_eq!(bench.state(42).await.state, State::Running);
    assert_eq!(bench.complete(&lease).await, Marked::Recorded);
    assert_eq!(bench.state(42).await.state, State::Done);
    assert_eq!(bench.renew(&lease).await, Renewed::Lost);
    for attempt in ["a", "b"] {
        assert_eq!(bench.claim(42, attempt, MANY).await, Claim::Done);
    }
    // Shards are apart, whatever their number.
    for shard in [0, 41, 43, 420, u32::MAX] {
        assert_eq!(bench.granted(shard, "a").await.token, 1, "shard {shard}");
    }
    for attempt in [String::new(), "x".repeat(65)] {
        let answer = bench.tracker.claim(7, &claimant(&attempt), MANY).await;
        assert!(
            matches!(&answer, Err(TrackerError::BadName { name, .. }) if *name == attempt),
            "{answer:?}"
        );
    }
    assert_eq!(bench.granted(7, &"x".repeat(64)).await.number, 1);
}

/// A killed worker's shard is free once its lease has run out by more than the margin.
pub(super) async fn expiry(bench: &Bench<'_>) {
    let lease = bench.granted(0, "killed").await;
    for wait in [
        LEASE - MILLISECOND,
        MILLISECOND,
        MARGIN - MILLISECOND,
        MILLISECOND,
    ] {
        bench.clock.advance(wait);
        assert_eq!(bench.claim(0, "next", MANY).await, held(&lease), "{wait:?}");
    }
    bench.clock.advance(MILLISECOND);
    let next = bench.granted(0, "next").await;
    assert_eq!((next.token, next.number), (2, 2));
    assert_eq!(next.expires, bench.now() + LEASE);

    // Late, but nobody has come.
    let late = bench.granted(1, "late").await;
    bench.clock.advance(LEASE + MARGIN + MINUTE);
    assert_eq!(
        bench.renew(&late).await,
        Renewed::Until(bench.now() + LEASE)
    );
    assert!(matches!(
        bench.claim(1, "next", MANY).await,
        Claim::Held { .. }
    ));
    bench.clock.advance(LEASE + MARGIN + MINUTE);
    assert_eq!(bench.complete(&late).await, Marked::Recorded);
}

/// A minute apart in either direction, no lease is taken that its holder believes in, and none is kept for ever.
pub(super) async fn clocks_that_differ(bench: &Bench<'_>) {
    let fast = ManualClock::new(bench.now() + MINUTE);
    let by_fast = bench.by(&fast);
    let go_on = |by| {
        bench.clock.advance(by);
        fast.advance(by);
    };

    let ours = bench.granted(0, "right").await;
    let theirs = granted(claim(&*by_fast, 1, "fast", MANY).await);
    assert_eq!(theirs.expires, ours.expires + MINUTE);
    go_on(LEASE);
    assert_eq!(claim(&*by_fast, 0, "fast", MANY).await, held(&ours));
    assert_eq!(bench.claim(1, "right", MANY).await, held(&theirs));
    // By the fast clock the margin ends here, by the other in a minute.
    go_on(MINUTE);
    assert_eq!(claim(&*by_fast, 0, "fast", MANY).await, held(&ours));
    go_on(MILLISECOND);
    let taken = granted(claim(&*by_fast, 0, "fast", MANY).await);
    assert_eq!(taken.token, 2);
    assert_eq!(bench.renew(&ours).await, Renewed::Lost);
    // The fast clock's lease runs a minute longer.
    go_on(MINUTE * 2 - MILLISECOND);
    assert_eq!(bench.claim(1, "right", MANY).await, held(&theirs));
    go_on(MILLISECOND);
    assert_eq!(bench.granted(1, "right").await.token, 2);

    // Kept by renewals, each by its own clock, for as long as it takes.
    let kept = granted(claim(&*by_fast, 2, "fast", MANY).await);
    for _ in 0..20 {
        go_on(MINUTE * 4);
        assert!(matches!(
            bench.claim(2, "right", MANY).await,
            Claim::Held { .. }
        ));
        assert!(matches!(by_fast.renew(&kept).await, Ok(Renewed::Until(_))));
    }
}

/// A zombie changes nothing.
pub(super) async fn fencing(bench: &Bench<'_>) {
    let zombie = bench.granted(3, "zombie").await;
    bench.clock.advance(LEASE + MARGIN + MILLISECOND);
    let current = bench.granted(3, "current").await;
    assert!(current.token > zombie.token);
    let before = bench.state(3).await;
    is_superseded(bench, &zombie).await;
    assert_eq!(bench.state(3).await, before, "a zombie changed the record");
    assert_eq!(bench.claim(3, "zombie", MANY).await, held(&current));
    assert_eq!(
        bench.fail(&current, FailureClass::Failed, "x").await,
        Marked::Recorded
    );
    is_superseded(bench, &zombie).await;
    let third = bench.granted(3, "third").await;
    is_superseded(bench, &zombie).await;
    is_superseded(bench, &current).await;
    assert_eq!(bench.complete(&third).await, Marked::Recorded);
    is_superseded(bench, &zombie).await;
    is_superseded(bench, &current).await;
    assert_eq!(bench.state(3).await.state, State::Done);
}

/// Neither the token nor the attempt's id is enough.
pub(super) async fn forgeries(bench: &Bench<'_>) {
    // The same attempt twice: the first lease is a zombie's though its id is the current one's.
    let first = bench.granted(0, "again").await;
    bench.clock.advance(LEASE + MARGIN + MILLISECOND);
    let second = bench.granted(0, "again").await;
    assert_eq!((second.token, second.number), (2, 2));
    is_superseded(bench, &first).await;
    // The same token in another table, whose records were lost.
    let lost_table = Lease {
        attempt: "elsewhere".to_owned(),
        ..second.clone()
    };
    is_superseded(bench, &lost_table).await;
    let absent = Lease {
        shard: 1,
        ..second.clone()
    };
    is_superseded(bench, &absent).await;
    assert_eq!(bench.states().await.len(), 1, "a mark made a record");
    assert_eq!(bench.complete(&second).await, Marked::Recorded);
    is_superseded(bench, &first).await;
    is_superseded(bench, &lost_table).await;
}

/// Whatever is asked once more, since its answer was lost, is answered as before.
pub(super) async fn repeats(bench: &Bench<'_>) {
    let lease = bench.granted(0, "a").await;
    bench.clock.advance(MINUTE);
    assert_eq!(bench.granted(0, "a").await, lease);
    // Even where nothing more may be claimed.
    assert_eq!(granted(bench.claim(0, "a", 1).await), lease);
    assert_eq!(bench.renew(&lease).await, bench.renew(&lease).await);
    for _ in 0..3 {
        assert_eq!(bench.complete(&lease).await, Marked::Recorded);
    }
    let lease = bench.granted(1, "a").await;
    for _ in 0..3 {
        assert_eq!(
            bench.fail(&lease, FailureClass::Stopped, "in time").await,
            Marked::Recorded
        );
    }
    assert_eq!(
        bench.state(1).await.attempts,
        0,
        "one stop was counted more than once"
    );
    assert_eq!(
        bench.complete(&lease).await,
        Marked::Superseded,
        "it has ended"
    );
    assert_eq!(bench.granted(1, "a").await.token, 2);
}

async fn is_superseded(bench: &Bench<'_>, lease: &Lease) {
    assert_eq!(bench.renew(lease).await, Renewed::Lost, "{lease:?}");
    assert_eq!(bench.complete(lease).await, Marked::Superseded, "{lease:?}");
    let marked = bench.fail(lease, FailureClass::Kernel, "a zombie's").await;
    assert_eq!(marked, Marked::Superseded, "{lease:?}");
}

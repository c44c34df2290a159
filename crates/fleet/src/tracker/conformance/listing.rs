//! What is told of shards, and what is told again after it was lost.

use super::super::{
    Claim, Claimant, FailureClass, HOST_BYTES, MESSAGE_BYTES, Marked, RUN_BYTES, State, Terms,
    Tracked,
};
use super::{Bench, LEASE, MANY, MARGIN, MILLISECOND, MINUTE, claimant, held};

pub(super) async fn states(bench: &Bench<'_>, prefix: &str) {
    let shards = [u32::MAX, 10, 9, 0, 100, 1, 1_000_000_007];
    for shard in shards {
        let _ = bench.granted(shard, &format!("of-{shard}")).await;
    }
    let mut expected: Vec<Tracked> = shards
        .map(|shard| Tracked {
            shard,
            state: State::Running,
            attempts: 1,
            holder: Some(claimant(&format!("of-{shard}"))),
            expires: Some(bench.now() + LEASE),
            class: None,
            message: String::new(),
            updated: bench.now(),
        })
        .into();
    expected.sort_by_key(|tracked| tracked.shard);
    assert_eq!(bench.states().await, expected);

    bench.clock.advance(MINUTE);
    let first = bench.granted(0, "of-0").await;
    assert_eq!(
        bench.fail(&first, FailureClass::OutOfMemory, "9 GB").await,
        Marked::Recorded
    );
    let failed = &mut expected[0];
    failed.state = State::Failed;
    failed.class = Some(FailureClass::OutOfMemory);
    failed.message = "9 GB".to_owned();
    failed.updated = bench.now();
    assert_eq!(bench.states().await, expected);

    bench.clock.advance(MINUTE);
    let second = bench.granted(0, "second").await;
    let running = &mut expected[0];
    running.state = State::Running;
    running.attempts = 2;
    running.holder = Some(claimant("second"));
    running.expires = Some(bench.now() + LEASE);
    running.updated = bench.now();
    assert_eq!(bench.states().await, expected, "the last failure is kept");

    assert_eq!(bench.complete(&second).await, Marked::Recorded);
    expected[0].state = State::Done;
    assert_eq!(bench.states().await, expected);

    // Another run's shards are its own, however alike the names.
    let longest = format!("{prefix}/{}", "r".repeat(RUN_BYTES - prefix.len() - 1));
    for other in [
        format!("{}x", bench.name),
        bench.name.to_uppercase(),
        longest,
    ] {
        let other = (bench.open)(&other, Terms::with_clock(bench.clock.clone()));
        assert_eq!(other.states().await.expect("states"), [], "{}", other.run());
        assert_eq!(other.rebuild(&[5]).await.expect("rebuild"), 1);
        let found = other.states().await.expect("states");
        assert_eq!(found.iter().map(|it| it.shard).collect::<Vec<_>>(), [5]);
    }
    assert_eq!(bench.states().await, expected);
}

/// Any text is kept, and a long one's beginning.
pub(super) async fn texts(bench: &Bench<'_>) {
    let long = [
        "x".repeat(MESSAGE_BYTES + 1),
        "é".repeat(MESSAGE_BYTES),
        "抽".repeat(100_000),
        "x🎲".repeat(MESSAGE_BYTES),
    ];
    let short = [
        String::new(),
        "line\nline\r\n\ttab \"quoted\" \\ {json} 'x' #state :done".to_owned(),
        "抽籤 🎲 é π".to_owned(),
        "x".repeat(MESSAGE_BYTES),
        "é".repeat(MESSAGE_BYTES / 2),
    ];
    for (i, message) in short.iter().chain(&long).enumerate() {
        let shard = i as u32;
        let lease = bench.granted(shard, "id").await;
        assert_eq!(
            bench.fail(&lease, FailureClass::Failed, message).await,
            Marked::Recorded
        );
        let kept = bench.state(shard).await.message;
        let expected = Claim::GivenUp {
            attempts: 1,
            class: FailureClass::Failed,
            message: kept.clone(),
        };
        assert_eq!(bench.claim(shard, "b", 1).await, expected);
        if i < short.len() {
            assert_eq!(kept, *message);
        } else {
            is_cut(&kept, message, MESSAGE_BYTES);
        }
    }
    for host in ["", "node-7.example.org", "ホスト", &"ホ".repeat(HOST_BYTES)] {
        let shard = 1000 + host.len() as u32;
        let claimant = Claimant {
            attempt: "抽-π".to_owned(),
            host: host.to_owned(),
        };
        let claim = bench.tracker.claim(shard, &claimant, MANY).await;
        assert!(
            matches!(&claim, Ok(Claim::Granted(lease)) if lease.attempt == "抽-π"),
            "{claim:?}"
        );
        let kept = bench.state(shard).await.holder.expect("a holder");
        assert_eq!(kept.attempt, claimant.attempt);
        if host.len() <= HOST_BYTES {
            assert_eq!(kept.host, host);
        } else {
            is_cut(&kept.host, host, HOST_BYTES);
        }
    }
}

fn is_cut(kept: &str, whole: &str, most: usize) {
    let beginning = kept.strip_suffix('…').expect("a sign that it was cut");
    assert!(whole.starts_with(beginning), "{kept}");
    assert!(
        (most - 6..=most).contains(&kept.len()),
        "{} bytes",
        kept.len()
    );
}

pub(super) async fn rebuilding(bench: &Bench<'_>) {
    assert_eq!(bench.rebuild(&[]).await, 0);
    assert_eq!(bench.states().await, []);
    let old = bench.granted(1, "killed").await;
    bench.clock.advance(LEASE + MARGIN + MILLISECOND);
    let live = bench.granted(2, "live").await;
    let failed = bench.granted(3, "failed").await;
    assert_eq!(
        bench.fail(&failed, FailureClass::Kernel, "x").await,
        Marked::Recorded
    );
    let done = bench.granted(4, "done").await;
    assert_eq!(bench.complete(&done).await, Marked::Recorded);
    let untouched = bench.granted(5, "unnamed").await;

    // 0 and the last have no record, 1 ran out, 3 failed; 2 is live, 4 is done.
    let all = [u32::MAX, 4, 3, 2, 1, 0, 0, 3];
    assert_eq!(bench.rebuild(&all).await, 4);
    let states = bench.states().await;
    let found: Vec<(u32, State)> = states.iter().map(|it| (it.shard, it.state)).collect();
    let expected = [
        (0, State::Done),
        (1, State::Done),
        (2, State::Running),
        (3, State::Done),
        (4, State::Done),
        (5, State::Running),
        (u32::MAX, State::Done),
    ];
    assert_eq!(found, expected);
    assert_eq!((states[0].attempts, &states[0].holder), (0, &None));
    assert_eq!(bench.rebuild(&all).await, 0, "once more");
    for shard in [0, 1, 3, 4, u32::MAX] {
        assert_eq!(bench.claim(shard, "next", MANY).await, Claim::Done);
    }
    assert_eq!(bench.claim(2, "next", MANY).await, held(&live));
    assert_eq!(bench.complete(&live).await, Marked::Recorded);
    assert_eq!(
        bench.complete(&old).await,
        Marked::Recorded,
        "it is done, and by it"
    );
    assert_eq!(
        bench.fail(&old, FailureClass::Failed, "x").await,
        Marked::Superseded
    );
    assert_eq!(bench.complete(&untouched).await, Marked::Recorded);

    // More than are written at once.
    let many: Vec<u32> = (1000..1200).rev().collect();
    assert_eq!(bench.rebuild(&many).await, 200);
    assert_eq!(bench.states().await.len(), 207);
}

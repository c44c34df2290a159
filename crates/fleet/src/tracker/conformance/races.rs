//! Many claimants at once.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::super::{Claim, FailureClass, Lease, Marked};
use super::{Bench, LEASE, MANY, MARGIN, MILLISECOND, claim, held};

const CLAIMANTS: usize = 50;

/// Of fifty exactly one is granted the shard, and the others are told who: a new one, one that failed, one that ran out.
pub(super) async fn claims(bench: &Bench<'_>) {
    for shard in 0..4 {
        let first = race(bench, shard, "first").await;
        assert_eq!(first.token, 1);
        assert_eq!(
            bench.fail(&first, FailureClass::Failed, "x").await,
            Marked::Recorded
        );
        let second = race(bench, shard, "second").await;
        assert_eq!((second.token, second.number), (2, 2));
        bench.clock.advance(LEASE + MARGIN + MILLISECOND);
        let third = race(bench, shard, "third").await;
        assert_eq!((third.token, third.number), (3, 3));
        assert_eq!(bench.complete(&second).await, Marked::Superseded);
        assert_eq!(bench.complete(&third).await, Marked::Recorded);
    }
}

async fn race(bench: &Bench<'_>, shard: u32, round: &str) -> Lease {
    let mut claimants = JoinSet::new();
    for i in 0..CLAIMANTS {
        // Half of them on connections of their own.
        let tracker = if i % 2 == 0 {
            Arc::clone(&bench.tracker)
        } else {
            bench.by(&bench.clock)
        };
        let attempt = format!("{round}-{i}");
        claimants.spawn(async move { claim(&*tracker, shard, &attempt, MANY).await });
    }
    let mut leases = Vec::new();
    let mut others = Vec::new();
    for answer in claimants.join_all().await {
        match answer {
            Claim::Granted(lease) => leases.push(lease),
            other => others.push(other),
        }
    }
    assert_eq!(
        leases.len(),
        1,
        "{round} of shard {shard}: granted to {leases:?}"
    );
    let lease = leases.remove(0);
    for other in others {
        assert_eq!(other, held(&lease), "{round} of shard {shard}");
    }
    lease
}

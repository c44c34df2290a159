//! Writes that were done and whose answers got lost: the SDK sends them again, and the condition refuses the repeat.

use croupier_fleet::Tracker;
use croupier_fleet::tracker::{Claim, DynamoDb, FailureClass, Marked, Renewed, State};

use crate::proxy::Proxy;
use crate::{Checked, claimant};

pub(crate) async fn check(tracker: &DynamoDb, proxy: &Proxy) -> Checked {
    let claim = lose(proxy, tracker.claim(0, &claimant("a"), 1)).await?;
    let Claim::Granted(lease) = claim else {
        panic!("a worker lost its own claim: {claim:?}");
    };
    assert_eq!((lease.token, lease.number), (1, 1));
    let renewed = lose(proxy, tracker.renew(&lease)).await?;
    assert_eq!(renewed, Renewed::Until(lease.expires));
    let marked = lose(proxy, tracker.complete(&lease)).await?;
    assert_eq!(marked, Marked::Recorded);
    assert_eq!(tracker.claim(0, &claimant("b"), 1).await?, Claim::Done);

    let Claim::Granted(lease) = tracker.claim(1, &claimant("a"), 1).await? else {
        panic!("shard 1 isn't free");
    };
    let marked = lose(proxy, tracker.fail(&lease, FailureClass::Stopped, "x")).await?;
    assert_eq!(marked, Marked::Recorded);

    // A repeat that was refused isn't counted, but the shard is done; more matters to nobody.
    lose(proxy, tracker.rebuild(&[1, 2, 3])).await?;
    let states = tracker.states().await?;
    let found: Vec<_> = states
        .iter()
        .map(|it| (it.shard, it.state, it.attempts))
        .collect();
    let done = State::Done;
    assert_eq!(
        found,
        [(0, done, 1), (1, done, 0), (2, done, 0), (3, done, 0)]
    );
    Ok(())
}

/// Does the work with its first write's answer lost, and sees that there was a repeat.
async fn lose<T>(proxy: &Proxy, work: impl Future<Output = T>) -> T {
    let before = proxy.requests("UpdateItem");
    proxy.lose_one("UpdateItem");
    let answer = work.await;
    assert!(
        proxy.requests("UpdateItem") >= before + 2,
        "nothing was repeated"
    );
    assert!(proxy.has_lost(), "no answer was lost");
    answer
}

//! The reference: [`Memory`], whose rules are plain code. Both are asked the same some hundred things at random, and must
//! answer the same and list the same.

use std::time::Duration;

use super::super::{Claim, FailureClass, Lease, Memory, Terms, Tracker};
use super::{Bench, claimant};

const STEPS: usize = 600;
const SHARDS: u64 = 4;

pub(super) async fn agrees(bench: &Bench<'_>) {
    let terms = Terms::with_clock(bench.clock.clone());
    let reference = Memory::new(&bench.name, terms).expect("a run");
    let mut dice = Dice(20_300_101);
    // Every lease that was ever granted: most are zombies'.
    let mut leases: Vec<Lease> = Vec::new();
    for step in 0..STEPS {
        // New ones keep coming, for most are done or given up in the end.
        let shard = (step / 100) as u32 + dice.below(SHARDS) as u32;
        let lease = (!leases.is_empty()).then(|| {
            // The newest half of the time.
            let back = dice.below(2) * dice.below(leases.len() as u64);
            leases[leases.len() - 1 - back as usize].clone()
        });
        let said = match (dice.below(8), lease) {
            (0, Some(lease)) => {
                let ours = bench.renew(&lease).await;
                let theirs = reference.renew(&lease).await.expect("renew");
                assert_eq!(ours, theirs, "step {step}: renewal of {lease:?}");
                format!("{ours:?}")
            }
            // Few, or all are done soon.
            (1, Some(lease)) if dice.below(8) == 0 => {
                let ours = bench.complete(&lease).await;
                let theirs = reference.complete(&lease).await.expect("complete");
                assert_eq!(ours, theirs, "step {step}: completion of {lease:?}");
                format!("{ours:?}")
            }
            (2 | 3, Some(lease)) => {
                // Kernel's is the first, and seldom.
                let class = dice.below(7).max(dice.below(7)) as usize;
                let class = FailureClass::ALL[class];
                let ours = bench.fail(&lease, class, "x").await;
                let theirs = reference.fail(&lease, class, "x").await.expect("fail");
                assert_eq!(ours, theirs, "step {step}: {class} of {lease:?}");
                format!("{ours:?}")
            }
            (4, _) if dice.below(30) == 0 => {
                let ours = bench.rebuild(&[shard]).await;
                let theirs = reference.rebuild(&[shard]).await.expect("rebuild");
                assert_eq!(ours, theirs, "step {step}: rebuild of {shard}");
                format!("{ours}")
            }
            (5, _) => {
                bench.clock.advance(Duration::from_secs(60 * dice.below(8)));
                String::new()
            }
            _ => {
                let claimant = claimant(["a", "b", "c"][dice.below(3) as usize]);
                let most = [1, 3, 1000][dice.below(3) as usize];
                let ours = bench.claim(shard, &claimant.attempt, most).await;
                let theirs = reference
                    .claim(shard, &claimant, most)
                    .await
                    .expect("claim");
                assert_eq!(
                    ours, theirs,
                    "step {step}: claim of {shard} by {claimant:?}"
                );
                if let Claim::Granted(lease) = &ours {
                    leases.push(lease.clone());
                }
                format!("{ours:?}")
            }
        };
        let expected = reference.states().await.expect("states");
        assert_eq!(
            bench.states().await,
            expected,
            "step {step}, which said {said}"
        );
    }
    assert!(
        leases.len() > 50,
        "only {} claims were granted",
        leases.len()
    );
}

/// Pseudo-random numbers that are the same each time (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

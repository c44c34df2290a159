//! What a reducer makes of what is there.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use croupier_run::{Digest, Policy, ReduceOptions, Verdict, reduce};

use super::World;
use crate::kernel::{BLOCK, Tying};
use crate::store::{Fate, Sight, View};

impl World<'_> {
    /// Reduces, and compares the result with the model's: blocks, samples, bits, holes, verdict.
    pub(super) async fn reduce(&mut self, sight: Sight, policy: Option<Policy>) {
        let view = View::new(&self.land, sight);
        let Some(run) = self.run_seen(&view).await else {
            return;
        };
        let options = ReduceOptions {
            policy,
            at_once: 2,
            ..ReduceOptions::default()
        };
        let reduced = match reduce::<Tying>(&run, &options).await {
            Ok(reduced) => reduced,
            Err(error) => return assert!(sight.fate != Fate::Lives, "{error}"),
        };
        let seen = view.partials().expect("a reducer lists");
        let segments = run.segments.len();
        let expected = self.model.expected(&seen, segments);
        let blocks: Vec<(u64, bool)> = expected.blocks.clone().into_iter().collect();
        let (samples, tally, digest) = self.quiet.merged(&blocks);
        let report = &reduced.report;
        assert_eq!(report.shards.missing, expected.missing);
        assert_eq!(report.blocks.done, blocks.len() as u64);
        assert_eq!(report.samples.done, samples);
        assert_eq!(
            report.samples.planned,
            self.model.segments[segments - 1].end_sample
        );
        assert_eq!(reduced.tally, tally, "the bits of {blocks:?}");
        assert_eq!(report.digest, digest, "the digest of {blocks:?}");
        let planned = report.samples.planned.div_ceil(BLOCK);
        let policy = policy.unwrap_or(self.plan.policy);
        let missing = planned - blocks.len() as u64;
        let accepted = accepts(policy, expected.missing.len() as u64, missing, planned);
        assert_eq!(reduced.verdict == Verdict::Accepted, accepted, "{policy}");
        self.tell(match (accepted, expected.missing.is_empty()) {
            (true, true) => "accepted whole",
            (true, false) => "accepted with holes",
            (false, _) => "refused",
        });
        let named: BTreeSet<String> = self.model.named_damaged(&seen, segments);
        for key in &seen {
            let is_named = report.warnings.iter().any(|warning| warning.contains(key));
            assert_eq!(is_named, named.contains(key), "{key} {:?}", report.warnings);
        }
    }

    /// Whether what is there is what should be, and what it comes to.
    pub(super) async fn compare(&mut self) {
        let there = self.land.partials().await;
        let keys: BTreeSet<String> = there.keys().cloned().collect();
        assert_eq!(keys, self.keys(), "the partials that are there");
        let is_damaged =
            |key: &str, bytes: &[u8]| !key.contains(&Digest::of_bytes(bytes).to_string());
        let damaged: BTreeSet<String> = there
            .into_iter()
            .filter(|(key, bytes)| is_damaged(key, bytes))
            .map(|(key, _)| key)
            .collect();
        for (key, published) in &self.model.partials {
            assert_eq!(published.is_damaged, damaged.contains(key), "{key}");
        }
        let stopped = self.land.below("stopped.json").await;
        assert_eq!(stopped.len() == 1, self.model.is_stopped);
        let rounds = self.land.below("rounds/").await.len();
        assert_eq!(rounds, self.model.rounds.len());
        if rounds > 0 {
            let rounds = self.run().await.rounds().await.unwrap();
            let shards = rounds.into_iter().map(|round| round.shards);
            assert!(shards.eq(self.model.rounds.iter().cloned()));
        }
        let segments = self.land.below("segments/").await.len();
        assert_eq!(segments, self.model.segments.len());
        if self.plan.at_most_once {
            for (shard, starts) in &self.starts {
                assert!(
                    starts.load(Ordering::Relaxed) <= 1,
                    "shard {shard} was begun twice"
                );
            }
        }
        let state = Some((keys, damaged, segments));
        if self.reduced != state {
            self.reduce(Sight::CLEAR, None).await;
            self.reduced = state;
        }
    }
}

/// The policy in words of its own.
fn accepts(policy: Policy, unfinished: u64, missing: u64, planned: u64) -> bool {
    let tolerance = policy.to_string();
    let tolerance = tolerance.rsplit(',').next().unwrap();
    let allowed = match tolerance.strip_prefix("tolerate=") {
        None => missing == 0,
        Some(share) => match share.strip_suffix('%') {
            Some(percent) => missing * 100 <= percent.parse::<u64>().unwrap() * planned,
            None => unfinished <= share.parse().unwrap(),
        },
    };
    allowed && missing < planned
}

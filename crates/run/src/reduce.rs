//! Merges whatever shards succeeded, and lets the policy decide what that is worth.

use std::ops::Range;
use std::sync::Arc;

use croupier_compute::{Estimates, Failures, Kernel, Node, Tally, Trunk, engine};
use futures_util::{StreamExt, stream};

use crate::content::{Digest, content_digest};
use crate::inventory::{Inventory, ShardContent, ShardReader, holes};
use crate::layout::PartialName;
use crate::report::{Attempts, FORMAT, Warning};
use crate::results::{self, Written};
use crate::{
    BlockCounts, Error, EstimateReport, FailedSamplesLimit, FailedSamplesReport, Policy, Report,
    SampleCounts, ShardCounts, StoredRun,
};

/// How to reduce.
#[derive(Clone, Debug)]
pub struct ReduceOptions {
    /// Instead of the policy that was planned.
    pub policy: Option<Policy>,
    /// Instead of the limit that was planned.
    pub failed_samples: Option<FailedSamplesLimit>,
    /// Leave out partials of other runs instead of stopping at them.
    pub skip_foreign: bool,
    /// How many objects are fetched at once.
    pub at_once: usize,
    /// The confidence level of intervals.
    pub level: f64,
}

impl Default for ReduceOptions {
    fn default() -> Self {
        Self {
            policy: None,
            failed_samples: None,
            skip_foreign: false,
            at_once: 32,
            level: 0.95,
        }
    }
}

/// A result: refused ones are made and written too.
#[derive(Clone, Debug)]
pub struct Reduced<T> {
    /// What it says.
    pub report: Report,
    /// The merged tally; none of no blocks.
    pub tally: Option<T>,
    /// Whether it is accepted.
    pub verdict: Verdict,
    /// Where it was written; none where there was nothing to write.
    pub uri: Option<String>,
}

/// What the policy says of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is accepted.
    Accepted,
    /// Too much is missing.
    Refused,
    /// More samples failed than may.
    TooManyFailed,
}

/// Merges the valid partials of `run`, applies the policy, and writes the result.
///
/// Fetches [`ReduceOptions::at_once`] partials at a time, in block order, and holds no more tallies
/// than those and one a level of the tree.
///
/// # Errors
///
/// Where partials disagree ([`Error::Differ`]) or are foreign; what the store reports. That blocks
/// are missing is no error.
pub async fn reduce<K: Kernel>(
    run: &StoredRun,
    options: &ReduceOptions,
) -> Result<Reduced<K::Tally>, Error> {
    let attempts = Attempts::read(&*run.store, options.at_once).await?;
    let merged = merge::<K::Tally>(run, options).await?;
    let (report, verdict) = report::<K>(run, options, &attempts, &merged);
    let written = results::write(run, &report, merged.node.as_ref(), &merged.sources).await?;
    Ok(Reduced {
        report,
        tally: merged.node.map(|node| node.tally),
        verdict,
        uri: written.map(|Written { uri }| uri),
    })
}

/// What came of reading and merging.
struct Merged<T> {
    node: Option<Node<T>>,
    digest: Digest,
    /// Blocks merged, as ranges from left to right.
    covered: Vec<Range<u64>>,
    planned_blocks: u64,
    missing_shards: Vec<u32>,
    salvaged_shards: u64,
    sources: Vec<PartialName>,
    warnings: Vec<Warning>,
}

async fn merge<T: Tally>(run: &StoredRun, options: &ReduceOptions) -> Result<Merged<T>, Error> {
    let inventory = Inventory::of(run).await?;
    let reader = Arc::new(ShardReader::<T>::new(run, options.skip_foreign)?);
    let mut shards = Vec::with_capacity(run.shards() as usize);
    for segment in &run.segments {
        let grid = segment.grid(&run.manifest.identity)?;
        for shard in 0..segment.shards {
            shards.push((
                segment.first_shard + shard,
                grid.shard(shard, segment.shards),
            ));
        }
    }
    let at_once = inventory.at_once(options.at_once);
    let mut contents = stream::iter(shards)
        .map(|(shard, blocks)| {
            let names = inventory.names_of(shard).to_vec();
            let reader = Arc::clone(&reader);
            async move {
                let content = if names.is_empty() {
                    ShardContent::empty()
                } else {
                    let range = blocks.clone();
                    // A task of its own, so that checking and decoding use every core.
                    tokio::spawn(async move { reader.read(&names, range).await })
                        .await
                        .unwrap_or_else(|failed| match failed.try_into_panic() {
                            Ok(panic) => std::panic::resume_unwind(panic),
                            Err(_) => Ok(ShardContent::empty()),
                        })?
                };
                Ok::<_, Error>((shard, blocks, content))
            }
        })
        .buffered(at_once);

    let mut merging = Merging::new(&inventory);
    while let Some(next) = contents.next().await {
        let (shard, blocks, content) = next?;
        merging.add(shard, blocks, content);
    }
    drop(contents);
    Ok(merging.finish(run))
}

/// The tree over what has come so far, and the book-keeping of what has not.
struct Merging<T> {
    trunk: Trunk<T>,
    /// A short last block, held back: a later segment may have it whole.
    short: Option<Node<T>>,
    covered: Vec<Range<u64>>,
    missing_shards: Vec<u32>,
    salvaged_shards: u64,
    sources: Vec<PartialName>,
    skipped: usize,
    warnings: Vec<Warning>,
}

impl<T: Tally> Merging<T> {
    fn new(inventory: &Inventory) -> Self {
        let mut warnings = Vec::new();
        if !inventory.strays.is_empty() {
            warnings.push(Warning::Strays {
                keys: inventory.strays.len(),
            });
        }
        Self {
            trunk: Trunk::new(),
            short: None,
            covered: Vec::new(),
            missing_shards: Vec::new(),
            salvaged_shards: 0,
            sources: Vec::new(),
            skipped: 0,
            warnings,
        }
    }

    fn add(&mut self, shard: u32, blocks: Range<u64>, content: ShardContent<T>) {
        if !holes(&content.nodes, blocks).is_empty() {
            self.missing_shards.push(shard);
            self.salvaged_shards += u64::from(!content.nodes.is_empty());
        }
        self.skipped += content.skipped.len();
        for (key, reason) in &content.invalid {
            self.warnings.push(Warning::invalid(key, reason));
        }
        self.sources.extend(content.sources);
        for node in content.nodes {
            if let Some(short) = self.short.take()
                && short.first_block != node.first_block
            {
                self.push(short);
            }
            if node.short {
                self.short = Some(node);
            } else {
                self.push(node);
            }
        }
    }

    fn push(&mut self, node: Node<T>) {
        let blocks = node.blocks();
        match self.covered.last_mut() {
            Some(last) if last.end == blocks.start => last.end = blocks.end,
            _ => self.covered.push(blocks),
        }
        self.trunk.push(node);
    }

    fn finish(mut self, run: &StoredRun) -> Merged<T> {
        if let Some(short) = self.short.take() {
            self.push(short);
        }
        if self.skipped > 0 {
            self.warnings
                .push(Warning::SkippedForeign { keys: self.skipped });
        }
        let node = self.trunk.finish();
        let digest = result_digest(run, &self.covered, node.as_ref());
        Merged {
            node,
            digest,
            planned_blocks: run.manifest.identity.block_length.blocks_for(run.samples()),
            covered: self.covered,
            missing_shards: self.missing_shards,
            salvaged_shards: self.salvaged_shards,
            sources: self.sources,
            warnings: self.warnings,
        }
    }
}

impl<T> Merged<T> {
    fn blocks(&self) -> u64 {
        self.covered
            .iter()
            .map(|range| range.end - range.start)
            .sum()
    }
}

/// The digest of a result: identity, blocks and merged tally.
fn result_digest<T: Tally>(
    run: &StoredRun,
    covered: &[Range<u64>],
    node: Option<&Node<T>>,
) -> Digest {
    let parts = (
        run.manifest.identity.digest().to_string(),
        covered,
        node.map(|node| (node.samples, &node.failures, &node.tally)),
    );
    content_digest("croupier result v1", &parts)
        .unwrap_or_else(|error| unreachable!("a tally that can't be encoded: {error}"))
}

fn report<K: Kernel>(
    run: &StoredRun,
    options: &ReduceOptions,
    attempts: &Attempts,
    merged: &Merged<K::Tally>,
) -> (Report, Verdict) {
    let identity = &run.manifest.identity;
    let policy = options.policy.unwrap_or(run.manifest.policy);
    let limit = options
        .failed_samples
        .unwrap_or(run.manifest.failed_samples);
    let mut estimates = Estimates::new(identity.kernel.clone(), options.level);
    let none = Failures::default();
    let (done, failures) = match &merged.node {
        Some(node) => {
            node.tally.estimates(&mut estimates);
            (node.samples, &node.failures)
        }
        None => (0, &none),
    };
    let blocks = merged.blocks();
    let missing = merged.planned_blocks - blocks;
    let unfinished = merged.missing_shards.len();
    let allowed = limit.of(run.samples());
    let (verdict, refused) = if failures.samples > allowed {
        let failed = failures.samples;
        let reason = format!("{failed} samples failed, {allowed} are allowed (--failed-samples)");
        (Verdict::TooManyFailed, Some(reason))
    } else if !policy.accepts(unfinished as u64, missing, merged.planned_blocks) {
        let reason = format!(
            "{missing} of {} blocks are missing, in {unfinished} of {} shards; the policy is {policy}",
            merged.planned_blocks,
            run.shards()
        );
        (Verdict::Refused, Some(reason))
    } else {
        (Verdict::Accepted, None)
    };
    let report = Report {
        format: FORMAT,
        croupier: env!("CARGO_PKG_VERSION").to_owned(),
        run: run.uri(),
        kernel: identity.kernel.clone(),
        version: identity.version,
        seed: identity.seed.to_string(),
        identity: identity.clone(),
        accepted: verdict == Verdict::Accepted,
        refused,
        policy,
        failed_samples_limit: limit,
        samples: SampleCounts {
            planned: run.samples(),
            done,
            failed: failures.samples,
        },
        blocks: BlockCounts {
            planned: merged.planned_blocks,
            done: blocks,
        },
        shards: ShardCounts {
            planned: run.shards(),
            done: run.shards() - unfinished as u32,
            missing: merged.missing_shards.clone(),
        },
        estimates: EstimateReport::all(&estimates),
        failed_samples: failures
            .listed
            .iter()
            .map(|failed| FailedSamplesReport {
                sample: failed.first_sample,
                samples: failed.samples,
                message: failed.message.clone(),
            })
            .collect(),
        digest: merged.digest.to_string(),
        seconds: attempts.seconds(),
        usage: attempts.usage,
        warnings: warnings(run, attempts, merged, failures, &estimates)
            .iter()
            .map(ToString::to_string)
            .collect(),
    };
    (report, verdict)
}

fn warnings<T>(
    run: &StoredRun,
    attempts: &Attempts,
    merged: &Merged<T>,
    failures: &Failures,
    estimates: &Estimates,
) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = estimates
        .notes()
        .iter()
        .cloned()
        .map(Warning::Estimate)
        .collect();
    let blocks = merged.blocks();
    if blocks < merged.planned_blocks {
        warnings.push(Warning::Holes {
            shards: merged.missing_shards.len(),
            blocks: merged.planned_blocks - blocks,
            planned: merged.planned_blocks,
        });
    }
    if merged.salvaged_shards > 0 {
        warnings.push(Warning::Salvaged {
            shards: merged.salvaged_shards,
        });
    }
    if failures.samples > 0 {
        let done = merged.node.as_ref().map_or(0, |node| node.samples);
        warnings.push(Warning::FailedSamples {
            failed: failures.samples,
            of: done + failures.samples,
        });
    }
    warnings.extend(merged.warnings.iter().cloned());
    let length = run.manifest.identity.block_length.samples();
    // A few blocks are over before threads and caches are warm, and say little.
    match attempts.block_seconds() {
        Some(seconds) if seconds < 1e-3 && attempts.blocks() >= 1000 => {
            warnings.push(Warning::QuickBlocks { seconds, length });
        }
        Some(seconds) if seconds > 1.0 => warnings.push(Warning::SlowBlocks { seconds, length }),
        _ => {}
    }
    if let Some((shard, blocks, threads)) = attempts.too_few_blocks() {
        warnings.push(Warning::FewBlocks {
            shard,
            blocks,
            threads,
        });
    }
    if engine::PANICS_ABORT {
        warnings.push(Warning::PanicsAbort);
    }
    warnings
}

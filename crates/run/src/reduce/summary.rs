//! What a result says: counts, estimates, verdict and warnings, from what was merged.

use croupier_compute::{Estimates, Failures, Kernel, Tally, engine};

use super::merge::{Merged, MergedSides};
use crate::manifest::FORMAT;
use crate::report::{Attempts, IN_TROUBLE, Trouble, Warning};
use crate::{
    BlockCounts, Comparison, EstimateReport, FailedSamplesReport, Look, ReduceOptions, Report,
    SampleCounts, ShardCounts, StoredRun, UntilReport, Verdict,
};

pub(super) fn report<K: Kernel>(
    run: &StoredRun,
    options: &ReduceOptions,
    attempts: &Attempts,
    trouble: Trouble,
    merged: &Merged<K::Tally>,
    looks: &[Look],
) -> (Report, Verdict) {
    let mut missingness = trouble.comparisons;
    for sides in &merged.sides {
        missingness.extend(compare_estimates(sides, &run.manifest.identity.kernel));
    }
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
    let blocks = merged.blocks;
    let missing = merged.planned_blocks - blocks;
    let unfinished = merged.missing_shards.len();
    let allowed = options.limit(run);
    let (mut verdict, mut refused) = if failures.samples > allowed {
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
    let mut listed = EstimateReport::all(&estimates);
    let is_decided = verdict == Verdict::Accepted;
    let digest = merged.digest.to_string();
    let until = run.manifest.until.as_ref().map(|until| {
        let seen = (done, digest.as_str(), is_decided);
        until.report(run, looks, &estimates, &mut listed, seen)
    });
    if let Some(until) = until.as_ref().filter(|until| is_decided && !until.met) {
        (verdict, refused) = (Verdict::Imprecise, until.refused());
    }
    let mut warnings = warnings(run, attempts, merged, failures, &estimates, &missingness);
    warnings.extend(too_few(run, &estimates, until.as_ref()));
    if let Some(until) = &until {
        warnings.extend(until.warnings(&listed));
    }
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
        estimates: listed,
        until,
        row: None,
        failed_samples: failures
            .listed
            .iter()
            .map(|failed| FailedSamplesReport {
                sample: failed.first_sample,
                samples: failed.samples,
                message: failed.message.clone(),
            })
            .collect(),
        digest,
        seconds: attempts.seconds(),
        usage: attempts.usage,
        warnings: warnings.iter().map(ToString::to_string).collect(),
        missingness,
    };
    (report, verdict)
}

/// Each estimate of a group beside that of the rest, in standard errors of their difference.
fn compare_estimates<T: Tally>(sides: &MergedSides<T>, root: &str) -> Vec<Comparison> {
    let (Some(tally), Some(rest)) = (&sides.tally, &sides.rest) else {
        return Vec::new();
    };
    let [estimates, rest] = [tally, rest].map(|tally| {
        let mut estimates = Estimates::new(root, 0.95);
        tally.estimates(&mut estimates);
        EstimateReport::all(&estimates)
    });
    let compared = estimates.into_iter().zip(rest).filter_map(|(one, other)| {
        let (value, rest_value) = (one.value?, other.value?);
        let error = one.std_error?.hypot(other.std_error?);
        let z = (value - rest_value) / error;
        (one.name == other.name && z.is_finite()).then(|| Comparison {
            group: sides.group.to_owned(),
            what: one.name,
            shards: sides.shards,
            rest: sides.rest_shards,
            value,
            rest_value,
            z,
        })
    });
    compared.collect()
}

/// Estimates whose intervals rest on too little for their level to be believed.
fn too_few(run: &StoredRun, estimates: &Estimates, until: Option<&UntilReport>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (name, estimate) in estimates.named() {
        if until.is_some_and(|until| until.needs_no_samples(name)) {
            continue;
        }
        let mut estimate = estimate.clone();
        if let (Some(_), Some(first)) = (until, run.segments.first()) {
            // What holds at every look must hold at the first.
            estimate.samples = estimate.samples.min(first.end_sample);
        }
        if let Some(few) = estimate.too_few(estimates.bounds(name)) {
            warnings.push(Warning::TooFew {
                name: name.clone(),
                few,
                at_first_look: until.is_some(),
            });
        }
    }
    warnings
}

fn warnings<T>(
    run: &StoredRun,
    attempts: &Attempts,
    merged: &Merged<T>,
    failures: &Failures,
    estimates: &Estimates,
    missingness: &[Comparison],
) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = estimates
        .notes()
        .iter()
        .cloned()
        .chain(EstimateReport::unexplained(estimates))
        .map(Warning::Estimate)
        .collect();
    let blocks = merged.blocks;
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
            blocks: merged.salvaged_blocks,
            of: merged.blocks,
        });
    }
    if failures.samples > 0 {
        let done = merged.node.as_ref().map_or(0, |node| node.samples);
        warnings.push(Warning::FailedSamples {
            failed: failures.samples,
            of: done + failures.samples,
        });
    }
    let is_complete = blocks == merged.planned_blocks;
    let unlike = missingness.iter().filter(|compared| compared.is_unlike());
    warnings.extend(unlike.map(|compared| Warning::Unlike {
        compared: compared.clone(),
        // Nothing is left out of a run that is complete, unless samples failed.
        is_complete: is_complete && compared.group == IN_TROUBLE,
    }));
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

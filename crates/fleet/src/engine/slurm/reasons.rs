//! Why jobs ended badly, or will never begin: of `sacct` where the cluster keeps accounts, else of what the controller
//! still knows, which is some minutes.

use std::collections::BTreeMap;

use super::Names;
use super::command::{call, query};
use super::queue::{Job, Queue};
use super::script::quoted;
use crate::engine::{EngineError, Reason};

/// How far back accounts are looked at.
const SINCE: &str = "now-30days";
/// The name last, in which there may be anything.
const ACCOUNTS: &str = "JobID,State,ExitCode,NodeList,JobName";
/// So many arrays are asked about in detail.
const MOST_ARRAYS: usize = 20;

/// Bad ends, the worst first.
const BAD: [&str; 9] = [
    "OUT_OF_MEMORY",
    "TIMEOUT",
    "DEADLINE",
    "NODE_FAIL",
    "BOOT_FAIL",
    "FAILED",
    "PREEMPTED",
    "REVOKED",
    "CANCELLED",
];

/// In these a job waits until somebody changes something; what passes by itself is not told.
const STUCK: [&str; 12] = [
    "BadConstraints",
    "Held",
    "Invalid",
    "MaxMemPerLimit",
    "NeverSatisfied",
    "NotAllowed",
    "PartitionNodeLimit",
    "PartitionTimeLimit",
    "PerJob",
    "PerNode",
    "ReqNodeNotAvail",
    "held",
];

/// A start of a shard, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct End {
    state: String,
    exit: String,
    nodes: String,
    reason: String,
    log: Option<String>,
}

/// By array and index.
type Ends = BTreeMap<(u64, u32), End>;

pub(super) async fn reasons(
    names: &Names,
    shards: u32,
    largest_array: u32,
) -> Result<Vec<Reason>, EngineError> {
    let queue = Queue::look(names).await?;
    let accounts = accounts(names, shards, largest_array).await;
    let mut last: BTreeMap<u32, (u64, u32, End)> = BTreeMap::new();
    let from_queue = queue.jobs.iter().filter_map(|(shard, job)| {
        let end = End {
            state: job.state.clone(),
            reason: job.reason.clone(),
            ..End::default()
        };
        Some((*shard, job.id, job.index?, end))
    });
    for (shard, id, index, end) in accounts.into_iter().chain(from_queue) {
        // A later job says how the shard stands now.
        if last.get(&shard).is_none_or(|(known, ..)| *known <= id) {
            last.insert(shard, (id, index, end));
        }
    }
    last.retain(|_, (.., end)| is_bad(end));
    let mut arrays: Vec<u64> = last.values().map(|(id, ..)| *id).collect();
    arrays.sort_unstable_by(|one, other| other.cmp(one));
    arrays.dedup();
    arrays.truncate(MOST_ARRAYS);
    let mut details = Ends::new();
    for id in arrays {
        // What is gone from the controller's memory is none of its errors to tell of.
        let shown = query("scontrol", &["show", "job", "--oneliner", &id.to_string()]).await;
        details.extend(
            shown
                .iter()
                .flat_map(|text| text.lines().filter_map(detail)),
        );
    }
    let mut reasons: Vec<Reason> = last
        .into_iter()
        .map(|(shard, (id, index, end))| {
            let end = match details.remove(&(id, index)) {
                Some(detail) if detail.state == end.state => detail,
                _ => end,
            };
            Reason {
                shard,
                job: format!("{id}_{index}"),
                reason: explain(&end),
                logs: end.log.map(|log| format!("cat {}", quoted(&log))),
                state: end.state,
            }
        })
        .collect();
    reasons.sort_by_key(|reason| (badness(&reason.state), reason.shard));
    Ok(reasons)
}

fn badness(state: &str) -> usize {
    let place = BAD.iter().position(|bad| *bad == state);
    place.unwrap_or(BAD.len())
}

fn is_bad(end: &End) -> bool {
    match end.state.as_str() {
        "PENDING" => STUCK.iter().any(|stuck| end.reason.contains(stuck)),
        state => BAD.contains(&state),
    }
}

/// What the cluster's accounts say; nothing, where it keeps none.
async fn accounts(names: &Names, shards: u32, largest: u32) -> Vec<(u32, u64, u32, End)> {
    let offsets = (0..shards.max(1)).step_by(largest as usize);
    let all: Vec<String> = offsets.map(|offset| names.array(offset)).collect();
    let all = all.join(",");
    let arguments = [
        "--allocations",
        "--noheader",
        "--parsable2",
        "--starttime",
        SINCE,
        "--format",
        ACCOUNTS,
        "--name",
        &all,
    ];
    // Not tried again: it only adds to what the controller says.
    let Ok(text) = call("sacct", &arguments, None).await else {
        return Vec::new();
    };
    text.lines()
        .filter_map(|line| account(names, line))
        .collect()
}

/// A line of `sacct`.
fn account(names: &Names, line: &str) -> Option<(u32, u64, u32, End)> {
    let mut fields = line.splitn(5, '|');
    let (id, index) = fields.next()?.split_once('_')?;
    let (id, index) = (id.parse().ok()?, index.parse().ok()?);
    // `CANCELLED by 1000`.
    let state = fields.next()?;
    let (state, reason) = state.split_once(' ').unwrap_or((state, ""));
    let end = End {
        state: state.to_owned(),
        exit: accounted_exit(fields.next()?),
        nodes: fields.next()?.to_owned(),
        reason: reason.to_owned(),
        log: None,
    };
    let job = Job {
        id,
        index: Some(index),
        state: String::new(),
        reason: String::new(),
        name: fields.next()?.to_owned(),
    };
    Some((names.shard(&job)?, id, index, end))
}

/// `sacct` takes 128 from exit codes above it, so that 137, which is death by signal 9, is 9 there. No worker ends with
/// a code from 7 to 64 otherwise.
fn accounted_exit(exit: &str) -> String {
    let (code, signal) = exit.split_once(':').unwrap_or((exit, "0"));
    match code.parse::<u32>() {
        Ok(code @ 7..=64) => format!("{}:{signal}", code + 128),
        _ => exit.to_owned(),
    }
}

/// A line of `scontrol show job`.
fn detail(line: &str) -> Option<((u64, u32), End)> {
    // Values may have spaces, but not before the log, and that is followed by a word that has none.
    let value = |name: &str| {
        let at = line.find(&format!(" {name}="))? + name.len() + 2;
        Some(&line[at..])
    };
    let word = |name: &str| Some(value(name)?.split(' ').next()?.to_owned());
    let log = value("StdErr").and_then(|rest| rest.split(" StdIn=").next());
    let id = word("ArrayJobId")?.parse().ok()?;
    let index = word("ArrayTaskId")?.parse().ok()?;
    let end = End {
        state: word("JobState")?,
        exit: word("ExitCode")?,
        nodes: word("NodeList").unwrap_or_default(),
        reason: word("Reason")?,
        log: log.map(str::to_owned),
    };
    Some(((id, index), end))
}

/// What an end was like, for a person.
fn explain(end: &End) -> String {
    let mut said: Vec<String> = Vec::new();
    match end.state.as_str() {
        "OUT_OF_MEMORY" => said.push("over its memory: give it more by --mem".to_owned()),
        "TIMEOUT" => said.push("over its time: give it more by --walltime".to_owned()),
        _ => {}
    }
    match end.exit.split_once(':') {
        Some(("0", "0")) | None => {}
        Some(("0", signal)) => said.push(format!("signal {signal}")),
        Some((code, _)) => said.push(format!("exit code {code}")),
    }
    // `NonZeroExitCode` and the like say no more than the above.
    let is_said = [
        "",
        "None",
        "NonZeroExitCode",
        "TimeLimit",
        "OutOfMemory",
        "(null)",
    ];
    if !is_said.contains(&end.reason.as_str()) {
        said.push(end.reason.clone());
    }
    if !["", "(null)", "None assigned"].contains(&end.nodes.as_str()) {
        said.push(format!("on {}", end.nodes));
    }
    match said.is_empty() {
        true => "Slurm does not say why".to_owned(),
        false => said.join(", "),
    }
}

#[cfg(test)]
mod tests;

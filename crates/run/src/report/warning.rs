//! Everything a result may warn of: what was seen, why it matters, what to do.

use std::fmt;

use croupier_compute::{ENOUGH_EVENTS, ENOUGH_SAMPLES, TooFew};

use super::Comparison;
use crate::layout::PartialName;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Warning {
    /// An estimate that can't be made.
    Estimate(String),
    Holes {
        shards: usize,
        blocks: u64,
        planned: u64,
    },
    FailedSamples {
        failed: u64,
        of: u64,
    },
    Invalid {
        name: PartialName,
        reason: String,
    },
    SkippedForeign {
        keys: usize,
    },
    Strays {
        keys: usize,
        first: String,
    },
    Salvaged {
        shards: u64,
        blocks: u64,
        of: u64,
    },
    /// A group of shards that looks unlike the rest.
    Unlike {
        compared: Comparison,
        is_complete: bool,
    },
    QuickBlocks {
        seconds: f64,
        length: u64,
    },
    SlowBlocks {
        seconds: f64,
        length: u64,
    },
    FewBlocks {
        shard: u32,
        blocks: u64,
        threads: usize,
    },
    PanicsAbort,
    /// An interval that rests on too little.
    TooFew {
        name: String,
        few: TooFew,
        at_first_look: bool,
    },
    /// An estimate whose interval would not hold at every look.
    NoSequence {
        name: String,
        has_bounds: bool,
    },
    /// An estimate whose standard deviation moved from one look to the next.
    Restless {
        name: String,
        before: f64,
        after: f64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Estimate(note) => formatter.write_str(note),
            Self::Holes {
                shards,
                blocks,
                planned,
            } => write!(
                formatter,
                "{blocks} of {planned} blocks are missing, in {shards} shards: if they died because of what they sampled, the estimates are biased; run those shards again"
            ),
            Self::FailedSamples { failed, of } => write!(
                formatter,
                "{failed} of {of} samples failed and were left out: if they failed because of what they sampled, the estimates are biased"
            ),
            Self::Invalid { name, reason } => write!(
                formatter,
                "{} was not used: {reason}; its blocks are run again when its shard is",
                name.key()
            ),
            Self::SkippedForeign { keys } => {
                write!(formatter, "{keys} partials of other runs were skipped, as asked")
            }
            Self::Strays { keys, first } => write!(
                formatter,
                "{keys} objects among the partials are no partials by their names, and were not read: {first}{}",
                if *keys > 1 { " and others" } else { "" }
            ),
            Self::Salvaged { shards, blocks, of } => write!(
                formatter,
                "{shards} shards are unfinished, and what they had published is in the result: {blocks} of its {of} blocks"
            ),
            Self::Unlike {
                compared,
                is_complete,
            } => {
                let Comparison {
                    group,
                    what,
                    shards,
                    rest,
                    value,
                    rest_value,
                    z,
                } = compared;
                write!(
                    formatter,
                    "the {shards} shards {group} are unlike the {rest} others in {what}: {value:.4} against {rest_value:.4}, {:.1} standard errors apart; ",
                    z.abs()
                )?;
                formatter.write_str(if *is_complete {
                    "nothing is missing here, but a result without them would be biased"
                } else {
                    "they were in trouble because of what they sampled, so what is missing biases the estimates, however little it is; run it again (`retry`), with more time or memory"
                })
            }
            Self::QuickBlocks { seconds, length } => write!(
                formatter,
                "a block of {length} samples takes {} on average: dealing costs a noticeable share; plan with a larger --block, up to about 100 ms a block",
                Seconds(*seconds)
            ),
            Self::SlowBlocks { seconds, length } => write!(
                formatter,
                "a block of {length} samples takes {} on average: threads wait for the last one, and a stopped worker loses what it has in hand; {}",
                Seconds(*seconds),
                if *length > 1 {
                    "plan with a smaller --block"
                } else {
                    "split a sample if you can"
                }
            ),
            Self::FewBlocks {
                shard,
                blocks,
                threads,
            } => write!(
                formatter,
                "shard {shard} has {blocks} blocks for {threads} threads: some have nothing to do; plan with a smaller --block or fewer shards"
            ),
            Self::TooFew {
                name,
                few,
                at_first_look,
            } => {
                let at = if *at_first_look { " at the first look" } else { "" };
                match few {
                    TooFew::Samples(samples) => write!(
                        formatter,
                        "`{name}` rests on {samples} samples{at}: below {ENOUGH_SAMPLES} its interval may be too short, and for very skewed outputs with many more; draw more --samples"
                    ),
                    TooFew::Events(events) => write!(
                        formatter,
                        "`{name}` rests on {events} hits or misses{at}: below {ENOUGH_EVENTS} its interval may be too short; draw more --samples"
                    ),
                }
            }
            Self::NoSequence {
                name,
                has_bounds: true,
            } => write!(
                formatter,
                "`{name}` has no interval: its samples can't all lie within --bounds"
            ),
            Self::NoSequence { name, .. } => write!(
                formatter,
                "`{name}` has no interval: nothing varied yet, and without --bounds that says nothing of what is rare"
            ),
            Self::Restless {
                name,
                before,
                after,
            } => write!(
                formatter,
                "the standard deviation of `{name}` went from {before:.3e} to {after:.3e} since the last look: a few samples carry it, and its interval may be too short; begin with more --samples"
            ),
            Self::PanicsAbort => formatter.write_str(
                "this program is built with panic = \"abort\": a sample that panics ends the process and can't be left out; build it with panic = \"unwind\"",
            ),
        }
    }
}

struct Seconds(f64);

impl fmt::Display for Seconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            seconds if seconds >= 1.0 => write!(formatter, "{seconds:.1} s"),
            seconds if seconds >= 1e-3 => write!(formatter, "{:.1} ms", seconds * 1e3),
            seconds => write!(formatter, "{:.1} us", seconds * 1e6),
        }
    }
}

//! The tables of `docs/PRECISION.md`: how often intervals that claim 95 % cover the truth, at a number of samples
//! that is fixed beforehand, and where the data decide when to stop.
//!
//! `cargo run --release -p croupier-compute --example coverage`. Behind `--` may stand another count of replications than
//! 10,000, and which tables: `fixed`, `unwarned`, `always`, `stopped`. The seed is fixed, and so are the numbers.

mod experiment;

use std::process::ExitCode;

use croupier_compute::ENOUGH_SAMPLES;
use experiment::{
    Exponential, ExponentialMoments, Lognormal, LognormalMoments, Narrow, Normal, Output,
    RareEvent, RareMean, RareMoments, RareWithin, Stopping, always, fixed, stopped, unwarned,
};

/// How many samples a run has at its first look.
const FIRST_LOOKS: [u64; 6] = [16, 64, 256, 1024, 4096, 16_384];

macro_rules! of_all_outputs {
    ($print:ident($replications:ident)) => {
        $print::<Normal>($replications);
        $print::<Exponential>($replications);
        $print::<RareEvent>($replications);
        $print::<RareMean>($replications);
        $print::<Lognormal>($replications);
    };
}

fn main() -> ExitCode {
    let mut replications = 10_000;
    let mut tables = Vec::new();
    for argument in std::env::args().skip(1) {
        match (argument.parse(), argument.as_str()) {
            (Ok(number), _) => replications = number,
            (_, "fixed" | "unwarned" | "always" | "stopped") => tables.push(argument),
            _ => {
                eprintln!(
                    "error: {argument:?} is no count of replications, and none of fixed, unwarned, always and stopped"
                );
                return ExitCode::from(2);
            }
        }
    }
    let is_asked = |table: &str| tables.is_empty() || tables.iter().any(|asked| asked == table);
    println!("{replications} replications");
    if is_asked("fixed") {
        println!(
            "\n| output | {} | in the band from |",
            columns().join(" | ")
        );
        println!("|---|{}", "---|".repeat(columns().len() + 1));
        of_all_outputs!(print_fixed(replications));
    }
    if is_asked("unwarned") {
        let columns: Vec<String> = many_samples().iter().map(u64::to_string).collect();
        println!("\n| output | {} |", columns.join(" | "));
        println!("|---|{}", "---|".repeat(columns.len()));
        print_unwarned::<ExponentialMoments>(replications);
        print_unwarned::<RareMoments>(replications);
        print_unwarned::<LognormalMoments>(replications);
    }
    if is_asked("always") {
        println!(
            "\n| output | first look | ordinary: covers at all looks | sequence: covers at all looks |"
        );
        println!("|---|---|---|---|");
        of_all_outputs!(print_always(replications));
    }
    if is_asked("stopped") {
        println!(
            "\n| output | first look | ordinary: covers | bias | samples | sequence: covers | bias | samples |"
        );
        println!("|---|---|---|---|---|---|---|---|");
        of_all_outputs!(print_stopped(replications));
        print_stopped::<Narrow>(replications);
        print_stopped::<RareWithin>(replications);
    }
    ExitCode::SUCCESS
}

/// The numbers of samples that are looked at: 2^4, 2^6 and so on.
fn numbers_of_samples() -> Vec<u64> {
    (4..=20).step_by(2).map(|power| 1 << power).collect()
}

fn columns() -> Vec<String> {
    let columns = numbers_of_samples().into_iter();
    columns.map(|samples| samples.to_string()).collect()
}

fn print_fixed<O: Output>(replications: u64) {
    let mut all = numbers_of_samples();
    all.retain(|samples| *samples <= O::MOST_SAMPLES);
    let coverages = fixed::<O>(&all, replications);
    let mut cells: Vec<String> = coverages.iter().map(|covers| percent(*covers)).collect();
    cells.resize(numbers_of_samples().len(), String::new());
    let outside = coverages.iter().rposition(|covers| !is_in_band(*covers));
    let from = match outside {
        None => all.first(),
        Some(last) => all.get(last + 1),
    };
    let from = from.map_or_else(
        || format!("beyond {}", O::MOST_SAMPLES),
        |samples| samples.to_string(),
    );
    println!("| {} | {} | {from} |", O::NAME, cells.join(" | "));
}

/// Where fewer samples are not warned of already.
fn many_samples() -> Vec<u64> {
    let enough = |samples: &u64| *samples >= ENOUGH_SAMPLES;
    numbers_of_samples().into_iter().filter(enough).collect()
}

fn print_unwarned<O: Output>(replications: u64) {
    let mut all = many_samples();
    all.retain(|samples| *samples <= O::MOST_SAMPLES);
    let cell =
        |[unwarned, covers]: [f64; 2]| format!("{} of {}", percent(covers), percent(unwarned));
    let shares = unwarned::<O>(&all, replications);
    let mut cells: Vec<String> = shares.into_iter().map(cell).collect();
    cells.resize(many_samples().len(), String::new());
    println!("| {} | {} |", O::NAME, cells.join(" | "));
}

fn print_stopped<O: Output>(replications: u64) {
    for first in FIRST_LOOKS {
        let ordinary = stopped::<O>(first, Stopping::Ordinary, replications);
        let sequence = stopped::<O>(first, Stopping::Sequence, replications);
        let (Some(ordinary), Some(sequence)) = (ordinary, sequence) else {
            continue;
        };
        let cells: Vec<String> = [ordinary, sequence]
            .iter()
            .map(|ended| {
                format!(
                    "{} | {:+.1} % | {:.0}",
                    percent(ended.covers),
                    100.0 * ended.bias,
                    ended.samples
                )
            })
            .collect();
        println!("| {} | {first} | {} |", O::NAME, cells.join(" | "));
    }
}

fn print_always<O: Output>(replications: u64) {
    for first in FIRST_LOOKS {
        if let Some(shares) = always::<O>(first, replications) {
            let [ordinary, sequence] = shares.map(percent);
            println!("| {} | {first} | {ordinary} | {sequence} |", O::NAME);
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

/// Whether a coverage is near enough to 95 %.
fn is_in_band(covers: f64) -> bool {
    (0.945..=0.955).contains(&covers)
}

//! The documents name verbs and flags that there are, all verbs and all flags, and count requests as a forecast does.

use std::collections::BTreeSet;
use std::fs;

use croupier_tests::program::Program;

use super::fresh;

const DOCUMENTS: [&str; 8] = [
    "README.md",
    "docs/AWS.md",
    "docs/CLI.md",
    "docs/FAILURE.md",
    "docs/FORMAT.md",
    "docs/PRECISION.md",
    "docs/SCHEDULERS.md",
    "docs/TALLIES.md",
];

/// Flags that the documents name and that are other programs': cargo's, docker's, those of schedulers and of the
/// AWS CLI.
const OF_OTHERS: &str = "--array --array-properties --aws-service-name --bench --build-arg --capabilities --constraint \
    --container-overrides --dependency --example --features --force --job-name --no-default-features --no-deps --no-requeue \
    --open --output --package --parameter-overrides --parsable --password-stdin --platform --push --query --quick --release \
    --requeue --signal --stack-name --template-file --username --workspace --wrap";

/// Parameters of kernels and tasks that the documents have as examples, in programs that this test does not call.
const OF_KERNELS: &str = "--dice --s3uri-source --s3uri-target --spot-price";

/// The parameters of `european_option`, and what clap gives every program.
const IN_NO_DOCUMENT: &str = "--maturity --rate --spot --strike --volatility --help --version";

#[test]
fn documents_name_no_flag_that_there_is_not() {
    let here = fresh();
    let option = Program::example("european_option", here.path());
    let mut known: BTreeSet<String> = flags(OF_OTHERS);
    known.extend(flags(OF_KERNELS));
    for verb in verbs(&document("docs/CLI.md")) {
        known.extend(flags(&help(&option, &verb)));
    }
    for name in DOCUMENTS {
        let unknown: Vec<String> = flags(&document(name)).difference(&known).cloned().collect();
        assert!(unknown.is_empty(), "{name} names {unknown:?}");
    }
}

#[test]
fn every_flag_is_in_a_document() {
    let here = fresh();
    let option = Program::example("european_option", here.path());
    let mut named = flags(IN_NO_DOCUMENT);
    for name in DOCUMENTS {
        named.extend(flags(&document(name)));
    }
    for verb in verbs(&document("docs/CLI.md")) {
        let there = flags(&help(&option, &verb));
        assert!(there.contains("--help"), "{verb}: {there:?}");
        let unnamed: Vec<&String> = there.difference(&named).collect();
        assert!(
            unnamed.is_empty(),
            "no document names {unnamed:?} of {verb}"
        );
    }
}

#[test]
fn requests_are_priced_as_they_are_forecast() {
    /// Of a shard. A forecast has none of them.
    const GETS_OF_REDUCER: u64 = 2;
    const CHECKPOINT_SECONDS: f64 = 0.001;
    let here = fresh();
    let forecast = Program::example("pi", here.path())
        .call("launch --dry-run --samples 1e8 --seed 7 --shards 4 --threads 1 --checkpoint 1ms --json")
        .exits(0)
        .json();
    let seconds = forecast["seconds_per_shard"].as_f64().expect("seconds");
    let checkpoints = (seconds / CHECKPOINT_SECONDS) as u64;
    assert!(checkpoints > 0, "{forecast}");
    let aws = document("docs/AWS.md");
    for (row, field, of_reducer) in [
        ("S3 PUT and LIST", "puts_and_lists", 0),
        ("S3 GET", "gets", GETS_OF_REDUCER),
    ] {
        let (per_shard, per_checkpoint) = formula(&aws, row);
        let priced = 4 * (per_shard - of_reducer + per_checkpoint * checkpoints);
        assert_eq!(forecast["s3_requests"][field], priced, "{row}: {forecast}");
        // As in the table of prices.
        let price = format!("| {} | $", row.replace(" and", ","));
        let price = line(&aws, &price);
        for (shards, checkpoints) in [(200, 30), (10_000, 10)] {
            let count = shards * (per_shard + per_checkpoint * checkpoints);
            let count = format!("| {},{:03}: $", count / 1000, count % 1000);
            assert!(price.contains(&count), "{price} has no {count}");
        }
    }
}

/// A and B of `S · (A + BC)` in the row of the table of costs.
fn formula(document: &str, row: &str) -> (u64, u64) {
    let line = line(document, &format!("| {row} | S · ("));
    let (_, formula) = line.split_once("S · (").expect("a formula");
    let (formula, _) = formula.split_once("C)").expect("checkpoints");
    let (shard, checkpoint) = formula.split_once(" + ").expect("a sum");
    let number = |text: &str| match text {
        "" => 1,
        text => text.parse().expect("a whole number"),
    };
    (number(shard), number(checkpoint))
}

/// The one line that begins so.
fn line<'d>(document: &'d str, words: &str) -> &'d str {
    let mut lines = document.lines().filter(|line| line.starts_with(words));
    match (lines.next(), lines.next()) {
        (Some(line), None) => line,
        _ => panic!("not one line begins with {words:?}"),
    }
}

#[test]
fn the_list_of_verbs_is_whole() {
    let here = fresh();
    let option = Program::example("european_option", here.path());
    let listed = verbs(&document("docs/CLI.md"));
    let lines = help(&option, "");
    let there: BTreeSet<&str> = lines
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split_once("  "))
        .map(|(verb, _)| verb)
        .filter(|verb| !["", "help"].contains(verb))
        .collect();
    let listed: BTreeSet<&str> = listed
        .iter()
        .filter_map(|verb| verb.split(' ').next())
        .collect();
    assert!(there.contains("reduce"), "{lines}");
    assert_eq!(listed, there);
}

fn document(name: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    fs::read_to_string(format!("{root}/{name}")).expect("a document of the repository")
}

/// The first cells of the table of verbs.
fn verbs(document: &str) -> Vec<String> {
    document
        .lines()
        .skip_while(|line| *line != "| verb | does |")
        .skip(2)
        .map_while(|line| line.strip_prefix("| `")?.split_once("` |"))
        .map(|(verb, _)| verb.to_owned())
        .collect()
}

fn help(program: &Program, verb: &str) -> String {
    program.call(&format!("{verb} --help")).exits(0).stdout
}

/// Every word that begins like a flag.
fn flags(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|word| word.starts_with("--") && word.len() > 2 && !word.starts_with("---"))
        .map(|word| word.trim_end_matches('-').to_owned())
        .collect()
}

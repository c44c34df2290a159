//! The documents name verbs and flags that there are, and all verbs.

use std::collections::BTreeSet;
use std::fs;

use croupier_tests::program::Program;

use super::fresh;

const DOCUMENTS: [&str; 7] = [
    "README.md",
    "docs/AWS.md",
    "docs/CLI.md",
    "docs/FAILURE.md",
    "docs/PRECISION.md",
    "docs/SCHEDULERS.md",
    "docs/TALLIES.md",
];

/// Flags that the documents name and that are other programs': cargo's, docker's, those of schedulers and of the
/// AWS CLI.
const OF_OTHERS: &str = "--array --array-properties --aws-service-name --bench --build-arg --capabilities --constraint \
    --container-overrides --dependency --example --features --force --job-name --no-default-features --no-requeue \
    --output --package --parameter-overrides --parsable --password-stdin --platform --push --query --quick --release \
    --requeue --signal --stack-name --template-file --username --workspace --wrap";

/// Parameters of kernels and tasks that the documents have as examples, in programs that this test does not call.
const OF_KERNELS: &str = "--dice --s3uri-source --s3uri-target --spot-price";

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

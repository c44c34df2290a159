//! The policies that `iam` prints, enforced: a server that refuses whatever a role's policy does not allow, and verbs that
//! work all the same. And nothing of S3 is allowed that no verb of the role needs.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use croupier_tests::program::{Ended, Program};
use croupier_tests::s3::{Fault, Operation, Request, S3Server};
use serde_json::Value;

/// What a policy allows in S3.
struct Policy {
    statements: Vec<Statement>,
}

struct Statement {
    actions: Vec<String>,
    resources: Vec<String>,
    prefixes: Option<Vec<String>>,
}

impl Policy {
    /// What `iam` prints for `role`.
    fn of(program: &Program, role: &str, place: &str) -> Self {
        let document = program
            .call(&format!("iam --role {role} {place}"))
            .exits(0)
            .json();
        assert_eq!(document["Version"], "2012-10-17");
        let statements = document["Statement"].as_array().expect("a list");
        let statements = statements.iter().map(|one| {
            assert_eq!(one["Effect"], "Allow");
            Statement {
                actions: texts(&one["Action"]),
                resources: texts(&one["Resource"]),
                prefixes: one
                    .get("Condition")
                    .map(|condition| texts(&condition["StringLike"]["s3:prefix"])),
            }
        });
        Self {
            statements: statements.collect(),
        }
    }

    /// What the request needs to be allowed, if it is.
    fn allows(&self, request: &Request) -> Option<&'static str> {
        let bucket = format!("arn:aws:s3:::{}", request.bucket);
        let object = format!("{bucket}/{}", request.key);
        let (action, resource) = match request.operation {
            Operation::Get | Operation::Head => ("s3:GetObject", object),
            Operation::Put | Operation::PutIfAbsent => ("s3:PutObject", object),
            Operation::Delete => ("s3:DeleteObject", object),
            Operation::List => ("s3:ListBucket", bucket),
            Operation::Other => return None,
        };
        let is_allowed = self.statements.iter().any(|one| {
            let prefixes = one.prefixes.as_ref();
            one.actions.iter().any(|allowed| allowed == action)
                && one.resources.iter().any(|like| matches(like, &resource))
                && prefixes.is_none_or(|likes| likes.iter().any(|like| matches(like, &request.key)))
        });
        is_allowed.then_some(action)
    }

    fn s3_actions(&self) -> BTreeSet<String> {
        let actions = self.statements.iter().flat_map(|one| one.actions.clone());
        actions.filter(|action| action.starts_with("s3:")).collect()
    }
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().expect("a list");
    let texts = list
        .iter()
        .map(|one| one.as_str().expect("a text").to_owned());
    texts.collect()
}

/// IAM's patterns, as far as they are used.
fn matches(like: &str, text: &str) -> bool {
    match like.split_once('*') {
        None => like == text,
        Some((before, rest)) => {
            let Some(text) = text.strip_prefix(before) else {
                return false;
            };
            (0..=text.len())
                .filter(|at| text.is_char_boundary(*at))
                .any(|at| matches(rest, &text[at..]))
        }
    }
}

/// A program, and a server where it has one role at a time.
struct Account {
    server: S3Server,
    program: Program,
    _folder: tempfile::TempDir,
}

impl Account {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = S3Server::start();
        let program = Program::new(env!("CARGO_BIN_EXE_doomed"), folder.path())
            .with_s3(&server)
            .with("SLOW", "400");
        Self {
            server,
            program,
            _folder: folder,
        }
    }

    /// Calls every verb as `role`; returns how each ended, and fails if an action was never needed.
    fn as_role(&self, role: &str, place: &str, calls: &[(&str, i32)]) -> Vec<Ended> {
        let policy = Arc::new(Policy::of(&self.program, role, place));
        let used = Arc::new(Mutex::new(BTreeSet::new()));
        let refused = Arc::new(Mutex::new(Vec::new()));
        let (asked, note, refuse) = (Arc::clone(&policy), Arc::clone(&used), Arc::clone(&refused));
        self.server.set_fault(move |request| {
            if let Some(action) = asked.allows(request) {
                note.lock().expect("a lock").insert(action.to_owned());
                return Fault::None;
            }
            refuse.lock().expect("a lock").push(request.to_string());
            Fault::Status(403, "AccessDenied")
        });
        let ended = calls.iter().map(|(call, code)| {
            let ended = self.program.call(call).exits(*code);
            let refused = refused.lock().expect("a lock");
            assert!(refused.is_empty(), "{role} may not {refused:?}: {ended}");
            ended
        });
        let ended = ended.collect();
        self.server.clear_fault();
        let used = used.lock().expect("a lock").clone();
        assert_eq!(used, policy.s3_actions(), "{role}: used, and allowed");
        ended
    }
}

const PLAN: &str = "--samples 3200 --seed 7 --shards 4 --policy retry=2";

#[test]
fn each_verb_works_with_its_role_in_a_store_and_no_role_may_more() {
    let account = Account::new();
    let store = account.server.uri("team/runs");
    let place = format!("--store {store}");
    let run = format!("{store}/demo");
    account.as_role(
        "submit",
        &place,
        &[
            (&format!("plan {PLAN} --name demo {place}"), 0),
            (&format!("cancel --run {run}"), 0),
            (&format!("retry --run {run}"), 0),
            (&format!("status --run {run}"), 0),
            (&format!("ls {place}"), 0),
        ],
    );
    let shard = |number: u32| format!("shard --run {run} --checkpoint 20ms --shard {number}");
    account.as_role("work", &place, &[(&shard(0), 0), (&shard(1), 0)]);
    account.as_role(
        "drive",
        &place,
        &[(&format!("drive --run {run} --every 200ms"), 0)],
    );
    let reduced = account.as_role(
        "reduce",
        &place,
        &[(&format!("reduce --run {run} --json"), 0)],
    );
    let partials = |account: &Account| {
        let keys = account.server.keys();
        keys.iter().filter(|key| key.contains("/partials/")).count()
    };
    assert!(partials(&account) > 4, "a shard leaves checkpoints");
    account.as_role("clean", &place, &[(&format!("clean --yes --run {run}"), 0)]);
    assert_eq!(partials(&account), 4);
    let again = account.as_role(
        "reduce",
        &place,
        &[(&format!("reduce --run {run} --json"), 0)],
    );
    assert_eq!(again[0].json()["digest"], reduced[0].json()["digest"]);
    account.as_role(
        "clean",
        &place,
        &[
            (&format!("clean --run {run}"), 0),
            (&format!("rm --yes --run {run}"), 0),
        ],
    );
    assert_eq!(account.server.keys(), Vec::<String>::new());
}

#[test]
fn a_policy_of_one_run_is_enough_for_it_and_for_no_other() {
    let account = Account::new();
    let store = account.server.uri("team/runs");
    let run = format!("{store}/demo");
    let place = format!("--run {run}");
    account.as_role(
        "submit",
        &place,
        &[
            (&format!("plan {PLAN} --name demo --store {store}"), 0),
            (&format!("status --run {run}"), 0),
        ],
    );
    account
        .program
        .call(&format!("plan {PLAN} --name other --store {store}"))
        .exits(0);
    account.as_role("work", &place, &[(&format!("shard {place} --shard 0"), 0)]);
    account.as_role("reduce", &place, &[(&format!("reduce {place}"), 3)]);

    let work = Policy::of(&account.program, "work", &place);
    let before = account.server.keys();
    account
        .server
        .set_fault(move |request| match work.allows(request) {
            Some(_) => Fault::None,
            None => Fault::Status(403, "AccessDenied"),
        });
    let other = account
        .program
        .call(&format!("shard --run {store}/other --shard 0"))
        .exits(2);
    other.says(&["s3:GetObject", "AccessDenied"]);
    account
        .program
        .call(&format!("rm --yes --run {run}"))
        .exits(2);
    assert_eq!(account.server.keys(), before);
}

#[test]
fn what_is_no_place_in_s3_is_refused() {
    let account = Account::new();
    for (call, words) in [
        ("iam --role work", "s3://bucket/prefix"),
        ("iam --role work --store s3://", "s3://bucket/prefix"),
        ("iam --role work --store s3://b/*", "s3://bucket/prefix"),
        (
            "iam --role work --store s3://b/p --run a*b",
            "can't name a run",
        ),
        (
            "iam --role work --store s3://b/p --tracker sqs://x",
            "dynamodb://table",
        ),
        (
            "iam --role submit --store s3://b/p --state-machine-arn x",
            "stateMachine",
        ),
    ] {
        account.program.call(call).is_refused(&[words]);
    }
    let whole = account
        .program
        .call("iam --role reduce --store s3://bucket/");
    assert!(whole.stdout.contains("arn:aws:s3:::bucket/*"), "{whole}");
}

//! The contract of [`Store`] as a suite, for every store and every wrapper.
//!
//! Deterministic but for the order in which racing tasks win. It writes below `conformance/` and removes it again.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use crate::{Entry, Error, Placed, Store, honours_put_if_absent};

/// Keys of the forms that runs use, and of those that URLs, XML and shells mangle.
const ODD_KEYS: [&str; 12] = [
    "conformance/odd/00042-0,4096-9f86d081884c7d65.arrow",
    "conformance/odd/a b",
    "conformance/odd/a+b",
    "conformance/odd/a%2Fb",
    "conformance/odd/a&b=c?d#e",
    "conformance/odd/a<b>\"c'",
    "conformance/odd/a..b",
    "conformance/odd/a:b@c;d,e",
    "conformance/odd/~a_b!c$d(e)*[f]{g}|h^i`j",
    "conformance/odd/A",
    "conformance/odd/é-π-抽",
    "conformance/odd/deep/er/and/deeper/x.json",
];

/// Runs the whole suite against `store`.
///
/// # Panics
/// If the contract is broken anywhere, saying where; or if something lies below `conformance/` already.
pub async fn run(store: Arc<dyn Store>) {
    expect_keys(&*store, "conformance/", &[]).await;
    absence(&*store).await;
    bodies(&*store).await;
    replacing(&*store).await;
    placing(&*store).await;
    odd_keys(&*store).await;
    bad_keys(&*store).await;
    prefixes(&*store).await;
    racing_placers(&store).await;
    racing_writers(&store).await;
    many_keys(&store).await;
    assert!(
        honours_put_if_absent(&*store, "conformance/probe-")
            .await
            .expect("probe"),
        "the probe doubts the store"
    );
    expect_keys(&*store, "conformance/", &[]).await;
}

async fn absence(store: &dyn Store) {
    let key = "conformance/absent";
    match store.get(key).await {
        Err(error @ Error::NotFound { .. }) => {
            assert!(
                error.to_string().contains(key),
                "the error does not name the key: {error}"
            );
            assert!(!error.is_retryable());
        }
        other => panic!("get of an absent key: {other:?}"),
    }
    store.delete(key).await.expect("delete of an absent key");
    expect_keys(store, key, &[]).await;
    put(store, key, b"x").await;
    store.delete(key).await.expect("delete");
    assert!(
        matches!(store.get(key).await, Err(Error::NotFound { .. })),
        "deleted and still there"
    );
    store.delete(key).await.expect("delete once more");
}

async fn bodies(store: &dyn Store) {
    let big: Vec<u8> = (0..3_000_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    for (key, body) in [
        ("empty", &b""[..]),
        ("zero", b"\0"),
        ("text", b"a\r\nb\n"),
        ("big", &big),
    ] {
        let key = format!("conformance/body/{key}");
        put(store, &key, body).await;
        assert!(
            get(store, &key).await == body,
            "{key}: other bytes came back"
        );
        let listed = store.list(&key).await.expect("list");
        assert_eq!(
            listed,
            [Entry {
                key: key.clone(),
                bytes: body.len() as u64
            }]
        );
        assert_eq!(place(store, &key, body).await, Placed::Identical, "{key}");
        store.delete(&key).await.expect("delete");
        assert_eq!(place(store, &key, body).await, Placed::Written, "{key}");
        assert!(
            get(store, &key).await == body,
            "{key}: other bytes came back"
        );
        store.delete(&key).await.expect("delete");
    }
}

async fn replacing(store: &dyn Store) {
    let key = "conformance/replaced";
    for body in [&b"one"[..], b"", b"a longer three", b"four", b"four"] {
        put(store, key, body).await;
        assert_eq!(get(store, key).await, body);
    }
    store.delete(key).await.expect("delete");
}

async fn placing(store: &dyn Store) {
    let key = "conformance/placed";
    assert_eq!(place(store, key, b"first").await, Placed::Written);
    assert_eq!(place(store, key, b"first").await, Placed::Identical);
    assert_eq!(
        place(store, key, b"second").await,
        Placed::Different(Bytes::from_static(b"first"))
    );
    assert_eq!(
        place(store, key, b"").await,
        Placed::Different(Bytes::from_static(b"first"))
    );
    assert_eq!(get(store, key).await, "first");
    put(store, key, b"third").await;
    assert_eq!(
        place(store, key, b"first").await,
        Placed::Different(Bytes::from_static(b"third"))
    );
    store.delete(key).await.expect("delete");
    assert_eq!(place(store, key, b"fourth").await, Placed::Written);
    store.delete(key).await.expect("delete");
}

async fn odd_keys(store: &dyn Store) {
    for (i, key) in ODD_KEYS.iter().enumerate() {
        let body = [i as u8];
        match i % 2 {
            0 => put(store, key, &body).await,
            _ => assert_eq!(place(store, key, &body).await, Placed::Written, "{key}"),
        }
    }
    for (i, key) in ODD_KEYS.iter().enumerate() {
        assert_eq!(get(store, key).await, &[i as u8][..], "{key}");
        // Not equal to the one key: `a..b` must not find others, nor `A` find `a`.
        let found = keys(store, key).await;
        assert_eq!(found, [*key], "prefix {key}");
    }
    expect_keys(store, "conformance/odd/", &ODD_KEYS).await;
    for key in ODD_KEYS {
        store.delete(key).await.expect("delete");
    }
}

async fn bad_keys(store: &dyn Store) {
    for key in [
        "",
        "/",
        "..",
        "../x",
        "conformance/../../x",
        "/etc/passwd",
        "a//b",
        "a/",
        "./a",
        "a/.b",
        "a\\b",
        "a\0",
    ] {
        let x = Bytes::from_static(b"x");
        let answers = [
            store.get(key).await.map(drop),
            store.put(key, x.clone()).await,
            store.put_if_absent(key, x).await.map(drop),
            store.delete(key).await,
        ];
        for answer in answers {
            assert!(
                matches!(answer, Err(Error::BadKey { .. })),
                "{key:?}: {answer:?}"
            );
        }
    }
    for prefix in ["/", "../", "conformance/../x", "a//"] {
        let answer = store.list(prefix).await;
        assert!(
            matches!(answer, Err(Error::BadKey { .. })),
            "list of {prefix:?}: {answer:?}"
        );
    }
}

/// A prefix is a string's beginning, whatever the slashes.
async fn prefixes(store: &dyn Store) {
    // In the order of bytes, which is not the order of folders: `-` and `.` come before `/`.
    let all = [
        "conformance/a-",
        "conformance/a.b",
        "conformance/a/b/1",
        "conformance/a/b/2",
        "conformance/a/bc",
        "conformance/ab",
    ];
    for key in all.iter().rev() {
        put(store, key, b"x").await;
    }
    expect_keys(store, "conformance/", &all).await;
    expect_keys(store, "conformance", &all).await;
    expect_keys(store, "conf", &all).await;
    expect_keys(store, "conformance/a", &all).await;
    expect_keys(store, "conformance/a/", &all[2..5]).await;
    expect_keys(store, "conformance/a/b", &all[2..5]).await;
    expect_keys(store, "conformance/a/b/", &all[2..4]).await;
    expect_keys(store, "conformance/a/b/2", &all[3..4]).await;
    expect_keys(store, "conformance/a/b/2/", &[]).await;
    expect_keys(store, "conformance/a/b/3", &[]).await;
    for key in all {
        store.delete(key).await.expect("delete");
    }
}

/// One of many gets the key; the others learn which.
async fn racing_placers(store: &Arc<dyn Store>) {
    const RACERS: u8 = 16;
    for round in 0..8 {
        let key = format!("conformance/race/{round}");
        let mut racers = JoinSet::new();
        for racer in 0..RACERS {
            let (store, key) = (Arc::clone(store), key.clone());
            // Two of each body, so that `Identical` occurs as well.
            let body = vec![racer / 2; 1000];
            racers.spawn(async move { (body.clone(), place(&*store, &key, &body).await) });
        }
        let answers = racers.join_all().await;
        let there = get(&**store, &key).await;
        let mut written = 0;
        for (body, placed) in answers {
            match placed {
                Placed::Written => {
                    written += 1;
                    assert_eq!(
                        there, body,
                        "round {round}: written, and something else is there"
                    );
                }
                Placed::Identical => assert_eq!(there, body, "round {round}"),
                Placed::Different(found) => {
                    assert_eq!(
                        there, found,
                        "round {round}: told something else than what is there"
                    );
                    assert_ne!(there, body, "round {round}");
                }
            }
        }
        assert_eq!(
            written, 1,
            "round {round}: so many of {RACERS} think they wrote it"
        );
        store.delete(&key).await.expect("delete");
    }
}

/// Readers beside writers see one whole body or another.
async fn racing_writers(store: &Arc<dyn Store>) {
    let key = "conformance/overwritten";
    put(&**store, key, &[0; 50_000]).await;
    let mut tasks = JoinSet::new();
    for writer in 1..=4_u8 {
        let (store, reader) = (Arc::clone(store), Arc::clone(store));
        tasks.spawn(async move {
            for _ in 0..5 {
                put(&*store, key, &vec![writer; 50_000 - usize::from(writer)]).await;
            }
        });
        tasks.spawn(async move {
            for _ in 0..10 {
                let body = get(&*reader, key).await;
                let writer = body[0];
                assert_eq!(body.len(), 50_000 - usize::from(writer), "torn");
                assert!(body.iter().all(|byte| *byte == writer), "mixed");
            }
        });
    }
    tasks.join_all().await;
    store.delete(key).await.expect("delete");
}

/// More keys than a page of any backend holds, put in no order.
async fn many_keys(store: &Arc<dyn Store>) {
    const KEYS: usize = 1_050;
    let mut names: Vec<String> = (0..KEYS)
        .map(|i| format!("conformance/many/{i:05}"))
        .collect();
    // 389 and 1,050 share no factor, so every key is met once.
    let shuffled = (0..KEYS).map(|i| names[i * 389 % KEYS].clone()).collect();
    in_tasks(store, shuffled, |store, key| async move {
        put(&*store, &key, b"").await
    })
    .await;
    put(&**store, "conformance/many-not", b"").await;
    let expected: Vec<&str> = names.iter().map(String::as_str).collect();
    expect_keys(&**store, "conformance/many/", &expected).await;
    expect_keys(&**store, "conformance/many/0104", &expected[1040..]).await;
    names.push("conformance/many-not".to_owned());
    in_tasks(store, names, |store, key| async move {
        store.delete(&key).await.expect("delete")
    })
    .await;
    expect_keys(&**store, "conformance/many", &[]).await;
}

async fn in_tasks<F: Future<Output = ()> + Send + 'static>(
    store: &Arc<dyn Store>,
    keys: Vec<String>,
    work: impl Fn(Arc<dyn Store>, String) -> F,
) {
    let mut tasks = JoinSet::new();
    for key in keys {
        if tasks.len() == 16 {
            tasks
                .join_next()
                .await
                .expect("sixteen are there")
                .expect("no panic");
        }
        tasks.spawn(work(Arc::clone(store), key));
    }
    tasks.join_all().await;
}

async fn expect_keys(store: &dyn Store, prefix: &str, expected: &[&str]) {
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(
        keys(store, prefix).await,
        expected,
        "list of {prefix:?} in {}",
        store.uri()
    );
}

async fn keys(store: &dyn Store, prefix: &str) -> Vec<String> {
    let entries = store
        .list(prefix)
        .await
        .unwrap_or_else(|error| panic!("list of {prefix:?}: {error}"));
    entries.into_iter().map(|entry| entry.key).collect()
}

async fn get(store: &dyn Store, key: &str) -> Bytes {
    store
        .get(key)
        .await
        .unwrap_or_else(|error| panic!("get of {key:?}: {error}"))
}

async fn put(store: &dyn Store, key: &str, body: &[u8]) {
    let answer = store.put(key, Bytes::copy_from_slice(body)).await;
    answer.unwrap_or_else(|error| panic!("put of {key:?}: {error}"));
}

async fn place(store: &dyn Store, key: &str, body: &[u8]) -> Placed {
    let answer = store.put_if_absent(key, Bytes::copy_from_slice(body)).await;
    answer.unwrap_or_else(|error| panic!("put_if_absent of {key:?}: {error}"))
}

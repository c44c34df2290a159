//! What only a directory can suffer: asides, odd files, other people's directories, size.

use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;

use super::*;

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("made/when/needed");
    crate::conformance::run(Arc::new(Directory::new(&root).unwrap())).await;
    assert_eq!(
        std::fs::read_dir(&root).unwrap().count(),
        0,
        "something was left: an aside or an empty directory"
    );
}

#[tokio::test]
async fn looking_at_a_store_that_is_not_there_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("absent");
    let store = Directory::new(&root).unwrap();
    assert_eq!(store.list("").await.unwrap(), []);
    assert!(matches!(store.get("x").await, Err(Error::NotFound { .. })));
    store.delete("x").await.unwrap();
    assert!(!root.exists());
}

#[tokio::test]
async fn asides_and_hidden_files_are_no_objects() {
    let folder = tempfile::tempdir().unwrap();
    let store = Directory::new(folder.path()).unwrap();
    store.put("run/x", bytes("x")).await.unwrap();
    std::fs::write(folder.path().join("run/.0123456789abcdef.aside"), "torn").unwrap();
    std::fs::create_dir(folder.path().join(".snapshot")).unwrap();
    std::fs::write(folder.path().join(".snapshot/y"), "y").unwrap();
    assert_eq!(
        store.list("").await.unwrap(),
        [Entry {
            key: "run/x".to_owned(),
            bytes: 1
        }]
    );
    assert!(matches!(
        store.put_if_absent("run/x", bytes("x")).await,
        Ok(Placed::Identical)
    ));
}

#[tokio::test]
async fn a_file_for_a_root_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "").unwrap();
    assert!(matches!(Directory::new(&path), Err(Error::BadUri { .. })));
    assert!(matches!(Directory::new(""), Err(Error::BadUri { .. })));
}

#[tokio::test]
async fn a_file_in_the_way_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = Directory::new(folder.path()).unwrap();
    store.put("a", bytes("file")).await.unwrap();
    let error = store
        .put("a/b", bytes("below it"))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(folder.path().to_str().unwrap()) && error.contains("move it"),
        "{error}"
    );
    assert!(store.put_if_absent("a/b", bytes("below it")).await.is_err());
    assert_eq!(store.get("a").await.unwrap(), "file");
}

#[tokio::test]
async fn a_directory_in_the_way_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = Directory::new(folder.path()).unwrap();
    store.put("a/b", bytes("x")).await.unwrap();
    let error = store.put("a", bytes("y")).await.unwrap_err().to_string();
    assert!(error.contains("move it"), "{error}");
    assert!(store.put_if_absent("a", bytes("y")).await.is_err());
    assert!(matches!(store.get("a").await, Err(Error::NotFound { .. })));
    store.delete("a").await.unwrap();
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "an aside was left"
    );
}

/// Deleting takes empty directories away; writers beside it must not notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_survive_a_directory_that_comes_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let store = Directory::new(folder.path()).unwrap();
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let store = store.clone();
        writers.spawn(async move {
            let key = format!("deep/er/{writer}");
            for _ in 0..50 {
                assert_eq!(
                    store.put_if_absent(&key, bytes("x")).await.unwrap(),
                    Placed::Written
                );
                assert_eq!(store.get(&key).await.unwrap(), "x");
                store.delete(&key).await.unwrap();
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn ten_thousand_files_are_listed_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let partials = folder.path().join("run/partials");
    std::fs::create_dir_all(&partials).unwrap();
    for i in 0..10_000 {
        std::fs::write(partials.join(format!("{i:05}")), "x").unwrap();
    }
    let store = Directory::new(folder.path()).unwrap();
    let start = Instant::now();
    let entries = store.list("run/partials/").await.unwrap();
    println!("10,000 files listed in {:?}", start.elapsed());
    assert_eq!(entries.len(), 10_000);
    assert!(
        entries
            .iter()
            .enumerate()
            .all(|(i, entry)| entry.key == format!("run/partials/{i:05}") && entry.bytes == 1)
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_to_a_file_is_an_object_and_a_dangling_one_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let store = Directory::new(folder.path()).unwrap();
    store.put("a/x", bytes("four")).await.unwrap();
    std::os::unix::fs::symlink("a/x", folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
    let entries = store.list("").await.unwrap();
    let found: Vec<_> = entries
        .iter()
        .map(|entry| (entry.key.as_str(), entry.bytes))
        .collect();
    assert_eq!(found, [("a/x", 4), ("link", 4)]);
}

//! A run that machines of several kinds have worked on: a result warns, and says what settles it.

use bytes::Bytes;
use serde_json::Value;

use crate::support::{finished, memory, reduced};

/// The warning of a run of two shards after fields of the second one's attempt were changed.
async fn warning(changes: &[(&str, Value)]) -> Option<String> {
    let store = memory();
    let run = finished(&store, 64 * 8, 2).await;
    let entries = store.list("demo/attempts/00001/").await.unwrap();
    let [attempt] = entries.as_slice() else {
        panic!("{entries:?}");
    };
    let bytes = store.get(&attempt.key).await.unwrap();
    let mut record: Value = serde_json::from_slice(&bytes).unwrap();
    for (field, value) in changes {
        record[field] = value.clone();
    }
    let bytes = Bytes::from(serde_json::to_vec(&record).unwrap());
    store.put(&attempt.key, bytes).await.unwrap();
    let warnings = reduced(&run).await.report.warnings;
    warnings
        .into_iter()
        .find(|warning| warning.contains("was worked on by"))
}

#[tokio::test]
async fn mixed_processors_and_libraries_are_said() {
    assert_eq!(warning(&[]).await, None);
    // What is not known, or finished no block, is no other kind.
    assert_eq!(
        warning(&[("cpu", Value::Null), ("libm", Value::Null)]).await,
        None
    );
    assert_eq!(
        warning(&[("cpu", "Other".into()), ("blocks_done", 0.into())]).await,
        None
    );

    let processors = warning(&[("cpu", "A processor of long ago".into())])
        .await
        .unwrap();
    assert!(
        processors.contains("2 types of processor (A processor of long ago, "),
        "{processors}"
    );
    assert!(
        processors.contains("`verify --run ") && processors.contains("demo`"),
        "{processors}"
    );
    assert!(!processors.contains("libm"), "{processors}");

    let libraries = warning(&[("libm", "0123".into())]).await.unwrap();
    assert!(
        libraries.contains("worked on by 2 builds of libm (0123, "),
        "{libraries}"
    );

    let both = warning(&[("cpu", "A".into()), ("libm", "0".into())])
        .await
        .unwrap();
    assert!(
        both.contains("types of processor") && both.contains(" and 2 builds of libm"),
        "{both}"
    );
}

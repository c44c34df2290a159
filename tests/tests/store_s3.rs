//! The store over the real SDK against a server that fails on demand: whatever goes wrong on the way, what a caller is
//! told is true, comes in time and says what to do.

mod store_s3 {
    mod conditions;
    mod configuration;
    mod conformance;
    mod patience;
    mod refusals;
    mod repeats;

    use std::future::Future;
    use std::time::Duration;

    use bytes::Bytes;
    use croupier_store::{Error, Options, Store};
    use croupier_tests::s3::{Fault, Operation, Request};

    /// Long enough for every repeat on a busy machine, with pauses short enough for a test.
    fn patient() -> Options {
        Options {
            timeout: Duration::from_secs(12),
            ..Options::default()
        }
    }

    /// For servers that do not answer.
    fn hasty() -> Options {
        Options {
            timeout: Duration::from_secs(1),
            ..Options::default()
        }
    }

    /// Ends a test that would wait for ever; far more than any deadline asked for.
    async fn in_time<T>(work: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(30), work)
            .await
            .expect("an answer or an error, long before this")
    }

    fn body() -> Bytes {
        (0..100_000_u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect::<Vec<_>>()
            .into()
    }

    /// The first `n` requests of each operation on each key go wrong.
    fn first(n: usize, fault: Fault) -> impl Fn(&Request) -> Fault + Send + Sync {
        move |request| {
            if request.nth < n {
                fault.clone()
            } else {
                Fault::None
            }
        }
    }

    fn always(operation: Operation, fault: Fault) -> impl Fn(&Request) -> Fault + Send + Sync {
        move |request| {
            if request.operation == operation {
                fault.clone()
            } else {
                Fault::None
            }
        }
    }

    /// Every method on `key`, as `(what was asked, how it ended)`.
    async fn every_method(store: &dyn Store, key: &str) -> Vec<(&'static str, Result<(), Error>)> {
        let body = Bytes::from_static(b"x");
        vec![
            ("s3:PutObject", in_time(store.put(key, body.clone())).await),
            ("s3:GetObject", in_time(store.get(key)).await.map(drop)),
            ("s3:ListBucket", in_time(store.list(key)).await.map(drop)),
            (
                "s3:PutObject",
                in_time(store.put_if_absent(key, body)).await.map(drop),
            ),
            ("s3:DeleteObject", in_time(store.delete(key)).await),
        ]
    }
}

//! A process that uses a store as the environment tells it to. Tests start it, because a test must not change its own
//! environment.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytes::Bytes;
use croupier_store::{Error, Options, Placed};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let start = Instant::now();
    let result = run(&arguments).await;
    eprintln!("took {:?}", start.elapsed());
    match result {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[&str]) -> Result<String, Error> {
    let options = Options {
        timeout: Duration::from_secs(20),
        ..Options::default()
    };
    match arguments {
        ["list", uri] => {
            let entries = croupier_store::open(uri, &options).await?.list("").await?;
            Ok(entries
                .into_iter()
                .map(|entry| entry.key)
                .collect::<Vec<_>>()
                .join("\n"))
        }
        ["place", uri, key, text] => {
            let store = croupier_store::open(uri, &options).await?;
            match store
                .put_if_absent(key, Bytes::copy_from_slice(text.as_bytes()))
                .await?
            {
                Placed::Written => Ok("written".to_owned()),
                Placed::Identical => Ok("identical".to_owned()),
                Placed::Different(_) => Ok("different".to_owned()),
            }
        }
        ["read", uri] => {
            let bytes = croupier_store::read(uri, &options).await?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
        other => panic!("no such command: {other:?}"),
    }
}

//! A proxy that counts requests by their operation, and can lose an answer: the server has done what was asked, and the
//! client sees its connection end.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) struct Proxy {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    requests: HashMap<String, usize>,
    /// The operation whose next answer gets lost.
    lose: Option<&'static str>,
}

impl Proxy {
    /// Stands before the server at `endpoint`, `http://host:port`.
    pub(crate) async fn start(endpoint: &str) -> io::Result<Self> {
        let server = endpoint.trim_start_matches("http://").trim_end_matches('/');
        let server = server.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // An error is a connection that ended, which the other side sees as well.
                tokio::spawn(serve(client, server.clone(), Arc::clone(&shared)));
            }
        });
        Ok(Self { address, seen })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests there were for an operation.
    pub(crate) fn requests(&self, operation: &str) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.requests.get(operation).copied().unwrap_or(0)
    }

    pub(crate) fn lose_one(&self, operation: &'static str) {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .lose = Some(operation);
    }

    /// Whether the answer that was to get lost did.
    pub(crate) fn has_lost(&self) -> bool {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .lose
            .is_none()
    }
}

async fn serve(mut client: TcpStream, server: String, seen: Arc<Mutex<Seen>>) -> io::Result<()> {
    loop {
        let request = message(&mut client).await?;
        let target = header(&request, "x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let mut upstream = TcpStream::connect(&server).await?;
        upstream.write_all(&request).await?;
        let answer = message(&mut upstream).await?;
        let is_lost = {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            *seen.requests.entry(operation.clone()).or_default() += 1;
            seen.lose.take_if(|lose| *lose == operation).is_some()
        };
        if is_lost {
            return Ok(());
        }
        client.write_all(&answer).await?;
    }
}

/// One request or response whose body has a length.
async fn message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let length = header(&bytes, "content-length").and_then(|text| text.parse().ok());
            if bytes.len() >= end + 4 + length.unwrap_or(0) {
                return Ok(bytes);
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn header(message: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(message);
    let head = text.split("\r\n\r\n").next()?;
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        let is_it = key.trim().eq_ignore_ascii_case(name);
        is_it.then(|| value.trim().to_owned())
    })
}

//! The server's face: it logs each request, asks what shall go wrong with it, and lets it go wrong.
//!
//! Apart from [`objects`](super::objects), because what breaks here is a connection, and no S3 operation.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{Method, Response, StatusCode, header};
use s3s::Body;
use s3s::service::S3Service;

use super::fault::{Fault, Moment, Operation, Request};
use crate::http::lost;

type Decide = Arc<dyn Fn(&Request) -> Fault + Send + Sync>;
type Hook = Arc<dyn Fn(Moment, &Request) + Send + Sync>;

/// Marks a request whose condition is to be overlooked. The header itself is signed, so it stays.
#[derive(Clone)]
pub(super) struct Unconditional;

pub(super) struct Front {
    service: S3Service,
    state: Mutex<State>,
}

struct State {
    requests: Vec<Request>,
    seen: HashMap<(Operation, String, String), usize>,
    fault: Decide,
    hook: Hook,
}

impl Front {
    pub(super) fn new(service: S3Service) -> Self {
        let state = State {
            requests: Vec::new(),
            seen: HashMap::new(),
            fault: Arc::new(|_| Fault::None),
            hook: Arc::new(|_, _| {}),
        };
        Self {
            service,
            state: Mutex::new(state),
        }
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    pub(super) fn set_fault(&self, fault: Decide) {
        self.state().fault = fault;
    }

    pub(super) fn set_hook(&self, hook: Hook) {
        self.state().hook = hook;
    }

    pub(super) async fn answer(
        &self,
        mut request: hyper::Request<Incoming>,
    ) -> Result<Response<Body>, io::Error> {
        let (seen, fault, hook) = self.note(&request);
        hook(Moment::Before, &seen);
        match fault {
            Fault::Status(status, code) => return refuse(request, status, code).await,
            Fault::Reset => return Err(lost()),
            Fault::Hang => std::future::pending().await,
            Fault::Delay(pause) => tokio::time::sleep(pause).await,
            Fault::IgnoreConditional => drop(request.extensions_mut().insert(Unconditional)),
            Fault::None
            | Fault::DoneThenLost
            | Fault::DoneThenStatus(..)
            | Fault::DoneThenHang
            | Fault::Truncated
            | Fault::Slow { .. }
            | Fault::Stalled => {}
        }
        let answer = self
            .service
            .call(request.map(Body::from))
            .await
            .map_err(|error| io::Error::other(format!("{error:?}")))?;
        hook(Moment::After, &seen);
        match fault {
            Fault::DoneThenLost => Err(lost()),
            Fault::DoneThenStatus(status, code) => Ok(error(status, code)),
            Fault::DoneThenHang => std::future::pending().await,
            Fault::Truncated => in_pieces(answer, 2, Duration::ZERO, End::Lost).await,
            Fault::Slow { pieces, pause } => in_pieces(answer, pieces, pause, End::Whole).await,
            Fault::Stalled => in_pieces(answer, 2, Duration::ZERO, End::Never).await,
            Fault::None
            | Fault::Status(..)
            | Fault::Reset
            | Fault::Hang
            | Fault::Delay(_)
            | Fault::IgnoreConditional => Ok(answer),
        }
    }

    /// Logs the request and asks for its fault, which may take its time: the lock is not held meanwhile.
    fn note(&self, request: &hyper::Request<Incoming>) -> (Request, Fault, Hook) {
        let (operation, bucket, key) = read(request);
        let (seen, decide, hook) = {
            let mut state = self.state();
            let count = state
                .seen
                .entry((operation, bucket.clone(), key.clone()))
                .or_default();
            let nth = *count;
            *count += 1;
            let seen = Request {
                number: state.requests.len(),
                nth,
                operation,
                bucket,
                key,
            };
            state.requests.push(seen.clone());
            (seen, Arc::clone(&state.fault), Arc::clone(&state.hook))
        };
        let fault = decide(&seen);
        (seen, fault, hook)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front")
            .field("requests", &self.state().requests.len())
            .finish_non_exhaustive()
    }
}

/// What a request asks, from its line and headers.
fn read(request: &hyper::Request<Incoming>) -> (Operation, String, String) {
    let path = request.uri().path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let query = request.uri().query().unwrap_or_default();
    let argument = |name: &str| {
        let mut pairs = query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs
            .find(|(found, _)| *found == name)
            .map(|(_, value)| decode(value))
    };
    let operation = match *request.method() {
        Method::GET if argument("list-type").is_some() => Operation::List,
        Method::GET if !key.is_empty() => Operation::Get,
        Method::HEAD => Operation::Head,
        Method::PUT if key.is_empty() => Operation::Other,
        Method::PUT if request.headers().contains_key(header::IF_NONE_MATCH) => {
            Operation::PutIfAbsent
        }
        Method::PUT => Operation::Put,
        Method::DELETE if !key.is_empty() => Operation::Delete,
        _ => Operation::Other,
    };
    let key = match operation {
        Operation::List => argument("prefix").unwrap_or_default(),
        _ => decode(key),
    };
    (operation, decode(bucket), key)
}

/// Undoes the percent signs of a URL. What is malformed stays as it is.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten();
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

async fn refuse(
    request: hyper::Request<Incoming>,
    status: u16,
    code: &str,
) -> Result<Response<Body>, io::Error> {
    // Read to its end first, as real servers mostly do: a client that is still sending would see a reset.
    request
        .into_body()
        .collect()
        .await
        .map_err(io::Error::other)?;
    Ok(error(status, code))
}

fn error(status: u16, code: &str) -> Response<Body> {
    let text = format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>as the test asked</Message></Error>"
    );
    let mut response = Response::new(Body::from(Bytes::from(text)));
    *response.status_mut() = StatusCode::from_u16(status).expect("a test names a status");
    response
}

enum End {
    Whole,
    Lost,
    Never,
}

/// The same answer with its body in pieces. Of one that does not end whole, the last piece does not come.
async fn in_pieces(
    answer: Response<Body>,
    pieces: usize,
    pause: Duration,
    end: End,
) -> Result<Response<Body>, io::Error> {
    let (mut head, body) = answer.into_parts();
    let whole = BodyExt::collect(body)
        .await
        .map_err(io::Error::other)?
        .to_bytes();
    head.headers
        .insert(header::CONTENT_LENGTH, whole.len().into());
    let size = whole.len().div_ceil(pieces).max(1);
    let mut parts: Vec<Bytes> = whole.chunks(size).map(Bytes::copy_from_slice).collect();
    if !matches!(end, End::Whole) {
        parts.pop();
    }
    let begun = stream::iter(parts).then(move |part| async move {
        tokio::time::sleep(pause).await;
        Ok(Frame::data(part))
    });
    let rest = stream::once(async move {
        match end {
            End::Whole => None,
            End::Lost => Some(Err(lost())),
            End::Never => std::future::pending().await,
        }
    });
    let body = StreamBody::new(begun.chain(rest.filter_map(|last| async { last })));
    Ok(Response::from_parts(head, Body::http_body_unsync(body)))
}

//! The wire: the operation's name in a header, JSON, and answers that are lost.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};

use super::executions::{Executions, Fault};
use crate::http::lost;

/// Answers one request.
pub(super) async fn answer(
    executions: Arc<Mutex<Executions>>,
    request: Request<Incoming>,
) -> io::Result<Response<Full<Bytes>>> {
    let target = request.headers().get("x-amz-target");
    let target = target.and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.strip_prefix("AWSStepFunctions."));
    let operation = operation.unwrap_or_default().to_owned();
    let bytes = request.into_body().collect().await;
    let bytes = bytes.map_err(io::Error::other)?.to_bytes();
    let Ok(asked) = serde_json::from_slice::<Value>(&bytes) else {
        return Ok(refused("SerializationException", "no JSON"));
    };
    let mut executions = executions.lock().unwrap_or_else(PoisonError::into_inner);
    let fault = executions.note(&operation);
    if fault == Some(Fault::Throttled) {
        return Ok(refused("ThrottlingException", "Rate exceeded"));
    }
    let answer = executions.call(&operation, &asked);
    if fault == Some(Fault::DoneThenLost) {
        return Err(lost());
    }
    Ok(match answer {
        Ok(answer) => respond(StatusCode::OK, &answer),
        Err((error, message)) => refused(error, &message),
    })
}

fn refused(error: &str, message: &str) -> Response<Full<Bytes>> {
    let body = json!({ "__type": error, "message": message });
    respond(StatusCode::BAD_REQUEST, &body)
}

fn respond(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/x-amz-json-1.0");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

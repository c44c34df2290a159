//! The wire: paths, JSON, and answers that are lost.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};

use super::Fault;
use super::limits::Refusal;
use super::operations::Batch;
use crate::http::lost;

/// Answers one request.
pub(super) async fn answer(
    batch: Arc<Batch>,
    request: Request<Incoming>,
) -> io::Result<Response<Full<Bytes>>> {
    let path = request.uri().path().to_owned();
    let bytes = request.into_body().collect().await;
    let bytes = bytes.map_err(io::Error::other)?.to_bytes();
    let Ok(body) = serde_json::from_slice::<Value>(if bytes.is_empty() { b"{}" } else { &bytes })
    else {
        return Ok(refused(400, "SerializationException", "no JSON"));
    };
    let Some(operation) = operation(&path) else {
        return Ok(refused(404, "UnknownOperationException", &path));
    };
    match batch.note(operation, &body) {
        Fault::Status(status, code) => return Ok(refused(status, code, "as the test asked")),
        Fault::Reset => return Err(lost()),
        Fault::None => {}
        Fault::DoneThenLost => {
            let _ = batch.call(operation, &body);
            return Err(lost());
        }
        Fault::DoneThenStatus(status, code) => {
            let _ = batch.call(operation, &body);
            return Ok(refused(status, code, "as the test asked"));
        }
    }
    Ok(match batch.call(operation, &body) {
        Ok(answer) => respond(200, None, &answer),
        Err(Refusal {
            status,
            code,
            message,
        }) => refused(status, code, &message),
    })
}

fn operation(path: &str) -> Option<&'static str> {
    match path.strip_prefix("/v1/")? {
        "registerjobdefinition" => Some("RegisterJobDefinition"),
        "describejobdefinitions" => Some("DescribeJobDefinitions"),
        "submitjob" => Some("SubmitJob"),
        "describejobs" => Some("DescribeJobs"),
        "listjobs" => Some("ListJobs"),
        "terminatejob" => Some("TerminateJob"),
        "terminatejobs" => Some("TerminateJobs"),
        "canceljob" => Some("CancelJob"),
        tags if tags.starts_with("tags/") => Some("TagResource"),
        _ => None,
    }
}

fn refused(status: u16, code: &str, message: &str) -> Response<Full<Bytes>> {
    respond(status, Some(code), &json!({ "message": message }))
}

fn respond(status: u16, error: Option<&str>, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = StatusCode::from_u16(status).expect("a test names a status");
    let headers = response.headers_mut();
    let json = hyper::header::HeaderValue::from_static("application/json");
    headers.insert(hyper::header::CONTENT_TYPE, json);
    if let Some(code) = error {
        let code = code.parse().expect("a test names a code");
        headers.insert("x-amzn-errortype", code);
    }
    response
}

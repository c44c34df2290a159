//! `ListJobs`: of a queue or of an array, by one status or by one filter, a page at a time.

use serde_json::{Value, json};

use super::definitions::text;
use super::jobs::{Book, Status};
use super::limits::{Refusal, client};
use super::views;

/// Whether a job of this name, in this state, is listed.
type IsAsked = Box<dyn Fn(&str, Status) -> bool>;

pub(super) fn list(book: &mut Book, body: &Value) -> Result<Value, Refusal> {
    let asked = ["jobQueue", "arrayJobId", "multiNodeJobId"];
    if asked.iter().filter(|of| !body[**of].is_null()).count() != 1 {
        return Err(client("one of jobQueue, arrayJobId and multiNodeJobId"));
    }
    let filters = body["filters"].as_array().map_or(&[][..], Vec::as_slice);
    if filters.len() > 1 {
        return Err(client("Only one filter can be used at a time"));
    }
    let status = match body["jobStatus"].as_str() {
        // Without a status only those that run come back.
        None => Status::Running,
        Some(name) => Status::ALL
            .into_iter()
            .find(|status| json!(status) == *name)
            .ok_or_else(|| client(format!("{name} is no status")))?,
    };
    let after = match body["nextToken"].as_str() {
        Some(token) => Some(
            token
                .parse()
                .map_err(|_| client("nextToken is not valid"))?,
        ),
        None => None,
    };
    let most = if filters.is_empty() { 1000 } else { 100 };
    let page = match body["maxResults"].as_u64() {
        Some(0) => return Err(client("maxResults is at least 1")),
        Some(asked) => (asked as usize).min(most),
        None => most,
    };
    match body["arrayJobId"].as_str() {
        Some(id) => children(book, id, status, after, page),
        None => queue(book, body, filters.first(), status, after, page),
    }
}

fn children(
    book: &Book,
    id: &str,
    status: Status,
    after: Option<usize>,
    page: usize,
) -> Result<Value, Refusal> {
    let found = book
        .find(id)
        .filter(|(at, child)| child.is_none() && book.jobs[*at].size.is_some());
    let (at, _) = found.ok_or_else(|| client(format!("array job {id} is not found")))?;
    let job = &book.jobs[at];
    let first = after.map_or(0, |after| after + 1);
    let of_status = (first..job.units.len()).filter(|unit| job.units[*unit].status == status);
    let found: Vec<usize> = of_status.take(page + 1).collect();
    let views = found
        .iter()
        .take(page)
        .map(|unit| views::summary(job, Some(*unit)));
    Ok(answer(
        views.collect(),
        (found.len() > page).then(|| found[page - 1]),
    ))
}

/// The latest come first.
fn queue(
    book: &mut Book,
    body: &Value,
    filter: Option<&Value>,
    status: Status,
    after: Option<usize>,
    page: usize,
) -> Result<Value, Refusal> {
    let is_asked: IsAsked = match filter {
        None => Box::new(move |_, found| found == status),
        Some(filter) if filter["name"] == "JOB_NAME" => {
            let pattern = text(&filter["values"][0]).to_ascii_lowercase();
            Box::new(move |name, _| {
                let name = name.to_ascii_lowercase();
                match pattern.strip_suffix('*') {
                    Some(start) => name.starts_with(start),
                    None => name == pattern,
                }
            })
        }
        Some(filter) => {
            return Err(client(format!(
                "filter {} is not simulated",
                filter["name"]
            )));
        }
    };
    let queue = text(&body["jobQueue"]);
    let mut hidden = Vec::new();
    if after.is_none() {
        for (at, job) in book.jobs.iter_mut().enumerate() {
            if job.hidden > 0 {
                job.hidden -= 1;
                hidden.push(at);
            }
        }
    }
    let end = after.unwrap_or(book.jobs.len());
    let of_queue = (0..end).rev().filter(|at| {
        let job = &book.jobs[*at];
        let is_shown = job.hidden == 0 && !hidden.contains(at);
        is_shown && job.queue == queue && is_asked(&job.name, job.status())
    });
    let found: Vec<usize> = of_queue.take(page + 1).collect();
    let views = found
        .iter()
        .take(page)
        .map(|at| views::summary(&book.jobs[*at], None));
    Ok(answer(
        views.collect(),
        (found.len() > page).then(|| found[page - 1]),
    ))
}

fn answer(views: Vec<Value>, next: Option<usize>) -> Value {
    let mut answer = json!({ "jobSummaryList": views });
    if let Some(next) = next {
        answer["nextToken"] = json!(next.to_string());
    }
    answer
}

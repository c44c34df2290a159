//! What shows a job's log in CloudWatch.

use std::collections::HashMap;

/// Where jobs log to whose definition says nothing else.
const LOG_GROUP: &str = "/aws/batch/job";

/// The command that shows `stream`, of a job in `region` whose log has these `options`: they may name another group, and
/// another region.
pub(super) fn log_command(
    region: &str,
    options: Option<&HashMap<String, String>>,
    stream: &str,
) -> String {
    let option = |name| options.and_then(|options| options.get(name));
    let region = option("awslogs-region").map_or(region, String::as_str);
    let group = option("awslogs-group").map_or(LOG_GROUP, String::as_str);
    format!(
        "aws logs get-log-events --region {region} --log-group-name {group} --log-stream-name {stream} --query 'events[].message' --output text"
    )
}

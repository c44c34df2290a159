//! The parts of `batch/v1` that manifests need, as Kubernetes spells them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::yaml;

/// Manifests, to be applied together.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct List {
    api_version: &'static str,
    kind: &'static str,
    items: Vec<Job>,
}

impl List {
    /// Of `items`, in their order.
    pub fn new(items: Vec<Job>) -> Self {
        Self {
            api_version: "v1",
            kind: "List",
            items,
        }
    }

    /// The same as a YAML document for each.
    ///
    /// # Errors
    ///
    /// What can't be serialised, which is nothing here.
    pub fn yaml(&self) -> Result<String, serde_json::Error> {
        let mut text = String::new();
        for item in &self.items {
            text.push_str("---\n");
            text.push_str(&yaml::document(&serde_json::to_value(item)?));
        }
        Ok(text)
    }
}

/// A Job.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    pub(super) api_version: &'static str,
    pub(super) kind: &'static str,
    pub(super) metadata: Metadata,
    pub(super) spec: JobSpec,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
    pub(super) labels: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<&'static str, String>,
}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) completion_mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) completions: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parallelism: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) backoff_limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) backoff_limit_per_index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_failed_indexes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ttl_seconds_after_finished: Option<u32>,
    pub(super) pod_failure_policy: PodFailurePolicy,
    pub(super) template: PodTemplate,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct PodFailurePolicy {
    pub(super) rules: Vec<Rule>,
}

/// The first rule that fits a pod that failed decides.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rule {
    pub(super) action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) on_exit_codes: Option<ExitCodes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) on_pod_conditions: Option<Vec<PodCondition>>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExitCodes {
    pub(super) container_name: &'static str,
    pub(super) operator: &'static str,
    /// In ascending order, without 0.
    pub(super) values: Vec<i32>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct PodCondition {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) status: &'static str,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct PodTemplate {
    pub(super) metadata: Metadata,
    pub(super) spec: PodSpec,
}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodSpec {
    pub(super) restart_policy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_account_name: Option<String>,
    pub(super) termination_grace_period_seconds: u32,
    pub(super) containers: Vec<Container>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Container {
    pub(super) name: &'static str,
    pub(super) image: String,
    pub(super) args: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) env: Vec<EnvironmentVariable>,
    #[serde(skip_serializing_if = "Resources::is_empty")]
    pub(super) resources: Resources,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct EnvironmentVariable {
    pub(super) name: String,
    pub(super) value: String,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Resources {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) requests: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) limits: BTreeMap<String, String>,
}

impl Resources {
    fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.limits.is_empty()
    }
}

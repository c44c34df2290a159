//! What a `SubmitJob` carries besides its name.

use std::collections::HashMap;

use aws_sdk_batch::operation::submit_job::builders::SubmitJobFluentBuilder;
use aws_sdk_batch::types::{
    ArrayProperties, ContainerOverrides, EcsPropertiesOverride, EksContainerEnvironmentVariable,
    EksContainerOverride, EksContainerResourceRequirements, EksPodPropertiesOverride,
    EksPropertiesOverride, EvaluateOnExit, JobTimeout, KeyValuePair, ResourceRequirement,
    ResourceType, RetryAction, RetryStrategy, TaskContainerOverrides, TaskPropertiesOverride,
};

use super::AwsBatch;
use super::definition::Definition;
use super::options::OverrideKind;
use crate::engine::Part;

/// Says whose job it is.
pub(in crate::engine) const TAG: &str = "croupier:run";
/// The longest that Fargate lets anything run. A driver goes on as long as its run, whatever its definition says.
const DRIVER_SECONDS: i32 = 14 * 24 * 3600;
/// A driver that is started again goes on.
const DRIVER_ATTEMPTS: i32 = 10;

/// A job to be submitted.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) queue: String,
    definition: Definition,
    command: Vec<String>,
    environment: Vec<(String, String)>,
    vcpus: Option<f64>,
    memory_mib: Option<u32>,
    size: Option<i32>,
    retry: RetryStrategy,
    timeout_seconds: Option<i32>,
    share_identifier: Option<String>,
    priority: Option<i32>,
    tags: HashMap<String, String>,
    propagate_tags: bool,
}

impl Request {
    /// The job, or array, of a part of the shards.
    pub(super) fn of_shards(engine: &AwsBatch, definition: &Definition, part: Part) -> Self {
        let options = &engine.options;
        let mut command = engine.call.arguments.clone();
        command.extend(part.arguments());
        let mut say = |flag: &str, value: String| {
            if !engine.call.arguments.iter().any(|said| said == flag) {
                command.extend([flag.to_owned(), value]);
            }
        };
        let vcpus = options.vcpus.or(definition.vcpus);
        if let Some(vcpus) = vcpus {
            say("--threads", (vcpus.ceil().max(1.0) as u64).to_string());
        }
        if let Some(seconds) = options.attempt_duration_seconds {
            say("--deadline", format!("{seconds}s"));
        }
        if part.count() > 1 {
            // On EKS another scheduler's index may be there too.
            say("--index-from", "aws-batch".to_owned());
        }
        let attempts = match engine.run.at_most_once() {
            true => 1,
            false => i32::try_from(options.attempts).unwrap_or(i32::MAX),
        };
        Self {
            command,
            vcpus: options.vcpus,
            memory_mib: options.memory_mib,
            size: (part.count() > 1).then(|| i32::try_from(part.count()).unwrap_or(i32::MAX)),
            retry: retry(attempts, &["75"]),
            timeout_seconds: options
                .attempt_duration_seconds
                .and_then(|seconds| seconds.try_into().ok()),
            ..Self::bare(engine, definition, &options.job_queue)
        }
    }

    /// The driver's job. It is told the region, since it calls AWS Batch itself.
    pub(super) fn of_driver(
        engine: &AwsBatch,
        definition: &Definition,
        queue: &str,
        arguments: &[String],
    ) -> Self {
        let options = &engine.options;
        let region = ("AWS_REGION".to_owned(), engine.service.region().to_owned());
        Self {
            command: arguments.to_vec(),
            environment: vec![region],
            vcpus: options.driver_vcpus,
            memory_mib: options.driver_memory_mib,
            retry: retry(DRIVER_ATTEMPTS, &["75", "1"]),
            timeout_seconds: Some(DRIVER_SECONDS),
            ..Self::bare(engine, definition, queue)
        }
    }

    fn bare(engine: &AwsBatch, definition: &Definition, queue: &str) -> Self {
        let options = &engine.options;
        let run = (TAG.to_owned(), engine.names.run.clone());
        Self {
            queue: queue.to_owned(),
            definition: definition.clone(),
            command: Vec::new(),
            environment: Vec::new(),
            vcpus: None,
            memory_mib: None,
            size: None,
            retry: retry(1, &[]),
            timeout_seconds: None,
            share_identifier: options.share_identifier.clone(),
            priority: options.scheduling_priority_override,
            tags: options.tags.iter().cloned().chain([run]).collect(),
            propagate_tags: options.propagate_tags,
        }
    }

    /// All of it.
    pub(super) fn fill(&self, submit: SubmitJobFluentBuilder) -> SubmitJobFluentBuilder {
        let timeout = self.timeout_seconds.map(|seconds| {
            JobTimeout::builder()
                .attempt_duration_seconds(seconds)
                .build()
        });
        let array = self
            .size
            .map(|size| ArrayProperties::builder().size(size).build());
        let submit = submit
            .job_queue(&self.queue)
            .job_definition(&self.definition.name)
            .set_array_properties(array)
            .retry_strategy(self.retry.clone())
            .set_timeout(timeout)
            .set_share_identifier(self.share_identifier.clone())
            .set_scheduling_priority_override(self.priority)
            .set_tags(Some(self.tags.clone()))
            .set_propagate_tags(self.propagate_tags.then_some(true));
        match self.definition.kind {
            OverrideKind::Container => submit.container_overrides(self.container()),
            OverrideKind::Ecs => submit.ecs_properties_override(self.task()),
            OverrideKind::Eks => submit.eks_properties_override(self.pod()),
        }
    }

    fn container(&self) -> ContainerOverrides {
        ContainerOverrides::builder()
            .set_command(Some(self.command.clone()))
            .set_environment(self.variables())
            .set_resource_requirements(self.requirements())
            .build()
    }

    fn task(&self) -> EcsPropertiesOverride {
        let container = TaskContainerOverrides::builder()
            .set_name(self.definition.container.clone())
            .set_command(Some(self.command.clone()))
            .set_environment(self.variables())
            .set_resource_requirements(self.requirements());
        let task = TaskPropertiesOverride::builder().containers(container.build());
        EcsPropertiesOverride::builder()
            .task_properties(task.build())
            .build()
    }

    /// What Batch calls a command is what Kubernetes calls arguments, elsewhere but here.
    fn pod(&self) -> EksPropertiesOverride {
        let variables = self.environment.iter().map(|(name, value)| {
            EksContainerEnvironmentVariable::builder()
                .name(name)
                .value(value)
                .build()
        });
        let variables: Vec<_> = variables.collect();
        let mut quantities = HashMap::new();
        if let Some(vcpus) = self.vcpus {
            quantities.insert("cpu".to_owned(), vcpus.to_string());
        }
        if let Some(mib) = self.memory_mib {
            quantities.insert("memory".to_owned(), format!("{mib}Mi"));
        }
        // What is reserved and what is the limit must be one.
        let resources = (!quantities.is_empty()).then(|| {
            EksContainerResourceRequirements::builder()
                .set_limits(Some(quantities.clone()))
                .set_requests(Some(quantities))
                .build()
        });
        let container = EksContainerOverride::builder()
            .set_name(self.definition.container.clone())
            .set_args(Some(self.command.clone()))
            .set_env((!variables.is_empty()).then_some(variables))
            .set_resources(resources);
        let pod = EksPodPropertiesOverride::builder().containers(container.build());
        EksPropertiesOverride::builder()
            .pod_properties(pod.build())
            .build()
    }

    fn variables(&self) -> Option<Vec<KeyValuePair>> {
        let variables = self.environment.iter();
        let variables: Vec<_> = variables
            .map(|(name, value)| KeyValuePair::builder().name(name).value(value).build())
            .collect();
        (!variables.is_empty()).then_some(variables)
    }

    fn requirements(&self) -> Option<Vec<ResourceRequirement>> {
        let one = |kind, value: String| {
            ResourceRequirement::builder()
                .r#type(kind)
                .value(value)
                .build()
        };
        let vcpus = self
            .vcpus
            .map(|vcpus| one(ResourceType::Vcpu, vcpus.to_string()));
        let memory = self
            .memory_mib
            .map(|mib| one(ResourceType::Memory, mib.to_string()));
        let requirements: Vec<_> = vcpus.into_iter().chain(memory).collect();
        (!requirements.is_empty()).then_some(requirements)
    }
}

/// Another attempt where the host was lost and after these exit codes, and none after anything else. (Where no rule
/// matches, Batch makes one.)
fn retry(attempts: i32, codes: &[&str]) -> RetryStrategy {
    let rule = EvaluateOnExit::builder;
    let lost = rule()
        .on_status_reason("Host EC2*")
        .action(RetryAction::Retry);
    let mut strategy = RetryStrategy::builder()
        .attempts(attempts)
        .evaluate_on_exit(lost.build());
    for code in codes {
        let stopped = rule().on_exit_code(*code).action(RetryAction::Retry);
        strategy = strategy.evaluate_on_exit(stopped.build());
    }
    let rest = rule().on_reason("*").action(RetryAction::Exit);
    strategy.evaluate_on_exit(rest.build()).build()
}

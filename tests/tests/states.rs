//! Step Functions: the engine talks with the real SDK to a service that has Maps, items that fail, and a tolerance.

mod states {
    mod engine;
    mod items;
    mod program;

    use std::sync::Arc;

    use croupier::prelude::*;
    use croupier_compute::BlockLength;
    use croupier_fleet::engine::{StepFunctions, StepFunctionsOptions, WorkerCall};
    use croupier_run::{Found, Identity, Plan, StoredRun, plan};
    use croupier_store::{Memory, Store};
    use croupier_tests::states::{MAP, StatesServer};

    #[derive(Serialize)]
    struct Plain {}

    impl Kernel for Plain {
        type Rng = ChaCha8Rng;
        type Tally = Mean;
        const BLOCK: u64 = 1;

        fn tally(&self) -> Mean {
            Mean::new()
        }

        fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, mean: &mut Mean) {
            mean.record(pinned::normal(rng));
        }
    }

    /// A run of so many blocks, which nobody computes.
    async fn planned(name: &str, blocks: u64, shards: u32, policy: &str) -> StoredRun {
        let store: Arc<dyn Store> = Arc::new(Memory::new());
        let block = BlockLength::new(1).unwrap();
        let planned = Plan {
            identity: Identity::of(&Plain {}, 7, block, Default::default()).unwrap(),
            samples: blocks,
            shards,
            inputs: Default::default(),
            policy: policy.parse().unwrap(),
            at_most_once: false,
            until: None,
            failed_samples: Default::default(),
        };
        plan(&store, name, &planned).await.unwrap().run
    }

    fn engine(server: &StatesServer, run: &StoredRun) -> StepFunctions {
        engine_of(server, run, MAP)
    }

    fn engine_of(server: &StatesServer, run: &StoredRun, machine: &str) -> StepFunctions {
        let call = WorkerCall {
            program: "pi".into(),
            arguments: ["shard", "--run", &run.uri()].map(str::to_owned).into(),
        };
        let options = StepFunctionsOptions {
            state_machine_arn: machine.to_owned(),
            job_queue: None,
            job_definition: None,
            vcpus: None,
            memory_mib: None,
            attempt_duration_seconds: None,
            max_concurrency: None,
            tags: Vec::new(),
            finish_command: None,
            finish_queue: None,
            finish_definition: None,
        };
        let run = Found::Run(Box::new(run.clone()));
        StepFunctions::connect(&run, call, options, &server.sdk_config()).unwrap()
    }

    /// The names of all executions, in the order they were started.
    fn names(server: &StatesServer) -> Vec<String> {
        let executions = server.executions().into_iter();
        executions.map(|(name, _)| name).collect()
    }

    /// What `batch:submitJob.sync` tells of a job that failed.
    fn job_failed(job: &str, exit_code: u32) -> String {
        serde_json::json!({
            "JobId": job,
            "JobName": "any",
            "Status": "FAILED",
            "StatusReason": "Essential container in task exited",
            "Container": { "ExitCode": exit_code, "LogStreamName": format!("work/default/{job}") },
        })
        .to_string()
    }
}

use std::path::PathBuf;

use super::*;

fn names() -> Names {
    Names::new("demo", "/runs/demo")
}

fn slurm(options: SlurmOptions) -> Slurm {
    Slurm {
        call: WorkerCall {
            program: PathBuf::from("/bin/pi"),
            arguments: ["shard", "--run", "/runs/demo"].map(str::to_owned).into(),
        },
        options,
        names: names(),
        shards: 8,
        largest_array: None,
    }
}

#[test]
fn a_name_says_whose_and_which() {
    let names = names();
    assert_eq!(
        names.role(&names.array(1001)),
        Some(Role::Array { offset: 1001 })
    );
    assert_eq!(names.role(&names.driver()), Some(Role::Driver));
    let elsewhere = Names::new("demo", "/other/demo");
    assert_ne!(elsewhere.driver(), names.driver());
    assert_eq!(names.role(&elsewhere.array(0)), None);
    for other in ["s01", "s-1", "", "driver"] {
        assert_eq!(
            names.role(&format!("{}{other}", names.prefix)),
            None,
            "{other}"
        );
    }
}

/// As `squeue` printed it of 22.05, but for names.
#[test]
fn a_queue_is_read() {
    let names = names();
    let (array, driver) = (names.array(6), names.driver());
    let text = format!(
        "14|1|PENDING|JobArrayTaskLimit|{array}\n14|0|RUNNING|None|{array}\n15|N/A|PENDING|Dependency|{driver}\n\
         12|3|COMPLETED|None|{array}\n13|2|COMPLETING|None|{array}\n16|4|PENDING|launch failed requeued held|{array}\n\
         17|0|RUNNING|None|other|s0\n"
    );
    let queue = Queue::parse(&names, &text);
    assert_eq!(queue.shards(), [6, 7, 8, 10].into());
    assert_eq!(queue.arrays(), ["13", "14", "16"].map(str::to_owned).into());
    assert_eq!(queue.driver_since(&queue), Some(15));
    assert_eq!(queue.started_since(&queue), queue.shards());
}

/// Its answer may have been lost.
#[test]
fn what_has_been_submitted_and_ended_since_a_look_is_known() {
    let names = names();
    let (array, driver) = (names.array(0), names.driver());
    let before = format!("12|3|COMPLETED|None|{array}\n13|N/A|RUNNING|None|{driver}\n");
    let ended = format!("{before}14|4|COMPLETED|None|{array}\n");
    let (before, ended) = (Queue::parse(&names, &before), Queue::parse(&names, &ended));
    assert_eq!(before.started_since(&before), [].into());
    assert_eq!(ended.started_since(&before), [4].into());
    assert_eq!(ended.driver_since(&before), None);
    let driven = Queue::parse(&names, &format!("15|N/A|COMPLETED|None|{driver}\n"));
    assert_eq!(driven.driver_since(&before), Some(15));
}

#[test]
fn what_was_asked_for_is_submitted() {
    let options = SlurmOptions {
        partition: Some("long".to_owned()),
        time: Some("2-12".parse().unwrap()),
        cpus_per_task: 4,
        sbatch_arguments: vec!["--no-requeue".to_owned()],
        ..SlurmOptions::default()
    };
    let slurm = slurm(options);
    assert_eq!(
        slurm.arguments("name", 4),
        [
            "--parsable",
            "--requeue",
            "--no-requeue",
            "--job-name=name",
            "--cpus-per-task=4",
            "--partition=long",
            "--time=2-12",
        ]
    );
    let script = slurm.shard_script(6, 4);
    let call = script.lines().last().unwrap();
    assert_eq!(
        call,
        "exec /bin/pi shard --run /runs/demo --index-from slurm --threads 4 --index-offset 6 --deadline 216000s"
    );
    assert!(!slurm.shard_script(0, 4).contains("--index-offset"));
}

#[test]
fn what_the_worker_was_told_stays() {
    let mut slurm = slurm(SlurmOptions::default());
    slurm
        .call
        .arguments
        .extend(["--threads", "3"].map(str::to_owned));
    assert!(slurm.shard_script(0, 1).contains("--threads 3 "));
    assert!(!slurm.shard_script(0, 1).contains("--threads 1"));
}

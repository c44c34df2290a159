use super::*;

/// As `sacct` printed it of 22.05, but for names.
#[test]
fn accounts_are_read() {
    let names = Names::new("demo", "/runs/demo");
    let name = names.array(6);
    let line = format!("155_1|FAILED|9:0|n2|{name}");
    let (shard, id, index, end) = account(&names, &line).unwrap();
    assert_eq!((shard, id, index), (7, 155, 1));
    assert_eq!(explain(&end), "exit code 137, on n2");
    let line = format!("165_0|CANCELLED by 1000|0:0|n1|{name}");
    let (.., end) = account(&names, &line).unwrap();
    assert_eq!(end.state, "CANCELLED");
    assert_eq!(explain(&end), "by 1000, on n1");
    assert_eq!(accounted_exit("6:0"), "6:0");
    assert_eq!(accounted_exit("0:15"), "0:15");
    for other in [
        format!("14|FAILED|1:0|n1|{name}"),
        format!("14_[1-3]|PENDING|0:0|None assigned|{name}"),
        "14_1|FAILED|1:0|n1|other".to_owned(),
        String::new(),
    ] {
        assert!(account(&names, &other).is_none(), "{other}");
    }
}

/// As `scontrol` printed it of 22.05.
#[test]
fn a_job_is_read() {
    let line = "JobId=24 ArrayJobId=23 ArrayTaskId=3 JobName=demo UserId=root(0) GroupId=root(0) MCS_label=N/A Priority=1 Nice=0 Account=(null) QOS=(null) JobState=FAILED Reason=NonZeroExitCode Dependency=(null) Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=137:0 RunTime=00:00:01 TimeLimit=00:20:00 ReqNodeList=(null) ExcNodeList=(null) NodeList=n1 BatchHost=n1 NumNodes=1 Command=(null) WorkDir=/home dir StdErr=/home dir/slurm-23_3.out StdIn=/dev/null StdOut=/home dir/slurm-23_3.out Power= ";
    let (job, end) = detail(line).unwrap();
    assert_eq!(job, (23, 3));
    assert_eq!(explain(&end), "exit code 137, on n1");
    assert_eq!(end.log.as_deref(), Some("/home dir/slurm-23_3.out"));
    assert_eq!(detail("JobId=24 JobName=demo JobState=FAILED"), None);
}

#[test]
fn only_what_is_stuck_is_told_of_what_waits() {
    let waits = |reason: &str| {
        is_bad(&End {
            state: "PENDING".to_owned(),
            reason: reason.to_owned(),
            ..End::default()
        })
    };
    for reason in [
        "None",
        "Priority",
        "Resources",
        "BeginTime",
        "JobArrayTaskLimit",
        "QOSMaxJobsPerUserLimit",
    ] {
        assert!(!waits(reason), "{reason}");
    }
    for reason in [
        "JobHeldUser",
        "launch failed requeued held",
        "PartitionTimeLimit",
        "QOSMaxCpuPerJobLimit",
        "DependencyNeverSatisfied",
    ] {
        assert!(waits(reason), "{reason}");
    }
}

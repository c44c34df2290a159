//! Each scheduler with its base and its trap, and everything that must not be taken for an index.

use super::*;

const UUID: &str = "0b7a3c52-7c4e-4b0f-9d52-6f1f3c1c9d11";

fn lookup(variables: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    let variables: Vec<(String, String)> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    move |name| {
        let (_, value) = variables.iter().find(|(variable, _)| variable == name)?;
        Some(value.clone())
    }
}

fn found_by(explicit: &Explicit, variables: &[(&str, &str)]) -> Result<Found, String> {
    find(&lookup(variables), explicit).map_err(|error| error.to_string())
}

fn found(variables: &[(&str, &str)]) -> Result<Found, String> {
    found_by(&Explicit::default(), variables)
}

fn index(variables: &[(&str, &str)]) -> Result<u64, String> {
    found(variables).map(|found| found.index)
}

fn refusal(variables: &[(&str, &str)]) -> String {
    match found(variables) {
        Ok(found) => panic!("{variables:?} was taken as {found:?}"),
        Err(text) => text,
    }
}

fn given(index: Option<&str>, from: Option<&str>) -> Explicit {
    Explicit {
        index: index.map(str::to_owned),
        from: from.map(str::to_owned),
    }
}

#[test]
fn every_scheduler_has_its_variable_and_its_base() {
    for (scheduler, variable, value, index) in [
        (Scheduler::AwsBatch, "AWS_BATCH_JOB_ARRAY_INDEX", "0", 0),
        (
            Scheduler::AwsBatch,
            "AWS_BATCH_JOB_ARRAY_INDEX",
            "9999",
            9999,
        ),
        (Scheduler::Slurm, "SLURM_ARRAY_TASK_ID", "0", 0),
        (Scheduler::Slurm, "SLURM_ARRAY_TASK_ID", "17", 17),
        (Scheduler::Kubernetes, "JOB_COMPLETION_INDEX", "3", 3),
        (Scheduler::GoogleBatch, "BATCH_TASK_INDEX", "3", 3),
        (Scheduler::CloudRun, "CLOUD_RUN_TASK_INDEX", "3", 3),
        (Scheduler::Pbs, "PBS_ARRAY_INDEX", "3", 3),
        (Scheduler::Torque, "PBS_ARRAYID", "3", 3),
        (Scheduler::Lsf, "LSB_JOBINDEX", "1", 0),
        (Scheduler::Lsf, "LSB_JOBINDEX", "4", 3),
        (Scheduler::GridEngine, "SGE_TASK_ID", "1", 0),
        (Scheduler::GridEngine, "SGE_TASK_ID", "4", 3),
        (Scheduler::Nomad, "NOMAD_ALLOC_INDEX", "3", 3),
        (Scheduler::GitLab, "CI_NODE_INDEX", "1", 0),
        (Scheduler::GitLab, "CI_NODE_INDEX", "4", 3),
        (Scheduler::Slurm, "SLURM_ARRAY_TASK_ID", "007", 7),
        (
            Scheduler::Kubernetes,
            "JOB_COMPLETION_INDEX",
            "18446744073709551615",
            u64::MAX,
        ),
    ] {
        let expected = Found {
            index,
            source: format!("{variable}={value}"),
            scheduler: Some(scheduler),
        };
        assert_eq!(found(&[(variable, value)]), Ok(expected));
    }
}

#[test]
fn the_flag_goes_before_our_variable_before_the_schedulers() {
    let variables = [("SLURM_ARRAY_TASK_ID", "3"), (OWN_VARIABLE, "4")];
    let flag = found_by(&given(Some("5"), Some("slurm")), &variables);
    assert_eq!(
        flag.map(|found| (found.index, found.source)),
        Ok((5, "--index=5".into()))
    );
    let own = found(&variables);
    assert_eq!(
        own.map(|found| (found.index, found.source)),
        Ok((4, "CROUPIER_INDEX=4".into()))
    );
    assert_eq!(index(&variables[..1]), Ok(3));
}

#[test]
fn no_index_is_an_error_that_says_what_was_looked_for() {
    let text = refusal(&[
        ("PATH", "/bin"),
        ("AWS_BATCH_JOB_ID", UUID),
        ("AWS_BATCH_JOB_ARRAY_SIZE", "16"),
    ]);
    assert!(
        text.contains("--index") && text.contains(OWN_VARIABLE),
        "{text}"
    );
    for scheduler in Scheduler::ALL {
        assert!(text.contains(scheduler.variable()), "{text}");
    }
}

#[test]
fn jobs_that_are_no_arrays_have_no_index() {
    for (name, variable, value) in [
        ("lsf", "LSB_JOBINDEX", "0"),
        ("sge", "SGE_TASK_ID", "undefined"),
    ] {
        let source = format!("{variable}={value}");
        let text = refusal(&[(variable, value)]);
        assert!(
            text.contains(&source) && text.contains("no array"),
            "{text}"
        );
        let chosen = found_by(&given(None, Some(name)), &[(variable, value)]);
        assert!(chosen.is_err_and(|text| text.contains(&source) && text.contains("no array")));
        // It does not stand in another scheduler's way.
        assert_eq!(
            index(&[(variable, value), ("SLURM_ARRAY_TASK_ID", "3")]),
            Ok(3)
        );
    }
}

#[test]
fn what_is_no_decimal_number_is_refused() {
    let bad = [
        "",
        " ",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1\n",
        "0x10",
        "1e3",
        "1.0",
        "1_000",
        "abc",
        "٣",
        ":3",
        "null",
        "18446744073709551616",
    ];
    for scheduler in Scheduler::ALL {
        for value in bad {
            let text = refusal(&[(scheduler.variable(), value)]);
            let named = format!("{}={value:?}", scheduler.variable());
            assert!(text.starts_with(&named), "{text}");
        }
    }
    for value in bad {
        assert!(found(&[(OWN_VARIABLE, value)]).is_err_and(|text| text.starts_with(OWN_VARIABLE)));
        let flag = found_by(&given(Some(value), None), &[("SLURM_ARRAY_TASK_ID", "3")]);
        assert!(flag.is_err_and(|text| text.starts_with("--index=")));
    }
    for (variable, value) in [
        ("AWS_BATCH_JOB_ARRAY_INDEX", "undefined"),
        (OWN_VARIABLE, "undefined"),
    ] {
        assert!(refusal(&[(variable, value)]).contains("decimal digits"));
    }
    assert!(refusal(&[("JOB_COMPLETION_INDEX", "")]).contains("empty"));
    assert!(refusal(&[("JOB_COMPLETION_INDEX", "99999999999999999999")]).contains("larger than"));
}

#[test]
fn a_zero_is_refused_where_counting_starts_at_one() {
    for variable in ["SGE_TASK_ID", "CI_NODE_INDEX"] {
        assert!(refusal(&[(variable, "0")]).contains("counts from 1"));
    }
    // Not LSF's own mark of a job that is no array, but no index either.
    assert!(refusal(&[("LSB_JOBINDEX", "00")]).contains("counts from 1"));
}

#[test]
fn aws_may_write_the_job_id_before_the_index() {
    let with_id = |index: &str| format!("{UUID}:{index}");
    assert_eq!(
        index(&[("AWS_BATCH_JOB_ARRAY_INDEX", &with_id("3"))]),
        Ok(3)
    );
    for value in [
        with_id(""),
        with_id("-3"),
        with_id("3:4"),
        UUID.to_owned(),
        "abc:3".to_owned(),
        format!("{}:3", UUID.replace('b', "g")),
        format!("{}:3", &UUID[1..]),
    ] {
        assert!(refusal(&[("AWS_BATCH_JOB_ARRAY_INDEX", &value)]).contains("decimal digits"));
    }
    let elsewhere = refusal(&[("JOB_COMPLETION_INDEX", &with_id("3"))]);
    assert!(elsewhere.contains("decimal digits"), "{elsewhere}");
}

#[test]
fn strides_of_grid_engine_are_divided_out() {
    let strided = |id: &str, first: &str, stride: &str| {
        index(&[
            ("SGE_TASK_ID", id),
            ("SGE_TASK_FIRST", first),
            ("SGE_TASK_LAST", "100"),
            ("SGE_TASK_STEPSIZE", stride),
        ])
    };
    for (id, expected) in [("1", 0), ("11", 1), ("91", 9)] {
        assert_eq!(strided(id, "1", "10"), Ok(expected));
    }
    for (id, expected) in [("2", 0), ("4", 1), ("100", 49)] {
        assert_eq!(strided(id, "2", "2"), Ok(expected));
    }
    // A part submitted again means the same shards as before.
    assert_eq!(strided("5", "5", "1"), Ok(4));
    assert_eq!(strided("21", "21", "10"), Ok(2));
    assert!(strided("5", "1", "0").is_err_and(|text| text.contains("SGE_TASK_STEPSIZE=0")));
    assert!(strided("5", "1", "two").is_err_and(|text| text.contains("SGE_TASK_STEPSIZE=\"two\"")));
}

#[test]
fn an_index_outside_of_its_own_array_is_refused() {
    for (variable, inside, outside, bound, limit) in [
        (
            "AWS_BATCH_JOB_ARRAY_INDEX",
            "15",
            "16",
            "AWS_BATCH_JOB_ARRAY_SIZE",
            "16",
        ),
        ("BATCH_TASK_INDEX", "15", "16", "BATCH_TASK_COUNT", "16"),
        (
            "CLOUD_RUN_TASK_INDEX",
            "15",
            "16",
            "CLOUD_RUN_TASK_COUNT",
            "16",
        ),
        ("CI_NODE_INDEX", "16", "17", "CI_NODE_TOTAL", "16"),
        ("SGE_TASK_ID", "16", "17", "SGE_TASK_LAST", "16"),
        (
            "SLURM_ARRAY_TASK_ID",
            "16",
            "17",
            "SLURM_ARRAY_TASK_MAX",
            "16",
        ),
    ] {
        assert!(index(&[(variable, inside), (bound, limit)]).is_ok());
        let text = refusal(&[(variable, outside), (bound, limit)]);
        assert!(
            text.contains(&format!("{variable}={outside}"))
                && text.contains(&format!("{bound}={limit}")),
            "{text}"
        );
        let text = refusal(&[(variable, inside), (bound, "many")]);
        assert!(text.starts_with(&format!("{bound}=\"many\"")), "{text}");
    }
}

#[test]
fn nothing_is_derived_from_counts_and_first_numbers() {
    // `--array=3,17`: two tasks, and neither is the first or second shard.
    let sparse = [
        ("SLURM_ARRAY_TASK_ID", "17"),
        ("SLURM_ARRAY_TASK_COUNT", "2"),
        ("SLURM_ARRAY_TASK_MIN", "3"),
        ("SLURM_ARRAY_TASK_MAX", "17"),
        ("SLURM_ARRAY_TASK_STEP", "14"),
    ];
    assert_eq!(index(&sparse), Ok(17));
    assert_eq!(
        index(&[
            ("AWS_BATCH_JOB_ARRAY_INDEX", "3"),
            ("AWS_BATCH_JOB_ARRAY_SIZE", "4")
        ]),
        Ok(3)
    );
}

#[test]
fn several_schedulers_need_a_choice() {
    let variables = [
        ("JOB_COMPLETION_INDEX", "7"),
        ("AWS_BATCH_JOB_ARRAY_INDEX", "3"),
    ];
    let text = refusal(&variables);
    assert!(
        text.contains(
            "AWS_BATCH_JOB_ARRAY_INDEX=3 (AWS Batch), JOB_COMPLETION_INDEX=7 (Kubernetes)"
        ),
        "{text}"
    );
    assert!(
        text.contains("--index-from aws-batch or kubernetes"),
        "{text}"
    );
    for (from, index) in [
        ("aws-batch", 3),
        ("kubernetes", 7),
        ("JOB_COMPLETION_INDEX", 7),
    ] {
        let found = found_by(&given(None, Some(from)), &variables);
        assert_eq!(found.map(|found| found.index), Ok(index));
    }
    assert_eq!(
        index(&[variables[0], variables[1], (OWN_VARIABLE, "1")]),
        Ok(1)
    );
}

#[test]
fn a_choice_must_make_sense() {
    let slurm = [("SLURM_ARRAY_TASK_ID", "3")];
    let unknown = found_by(&given(None, Some("slrum")), &slurm);
    assert!(
        unknown.is_err_and(|text| text.contains("\"slrum\"") && text.contains("slurm, kubernetes"))
    );
    let absent = found_by(&given(None, Some("lsf")), &slurm);
    assert!(absent.is_err_and(|text| text.contains("LSB_JOBINDEX, which is not set")));
    let both = found_by(
        &given(None, Some("slurm")),
        &[slurm[0], (OWN_VARIABLE, "1")],
    );
    assert!(both.is_err_and(|text| text.contains("CROUPIER_INDEX=1 and --index-from slurm")));
}

#[test]
fn names_are_distinct_and_read_back() {
    for scheduler in Scheduler::ALL {
        assert_eq!(Scheduler::named(scheduler.name()), Ok(scheduler));
        assert_eq!(Scheduler::named(scheduler.variable()), Ok(scheduler));
    }
}

#[test]
fn whatever_says_array_is_present() {
    let present =
        |variables: &[(&str, &str)]| is_present(&lookup(variables)).map(|presence| presence.source);
    assert_eq!(present(&[]), None);
    for scheduler in Scheduler::ALL {
        for value in ["3", "", "x"] {
            let source = format!("{}={value}", scheduler.variable());
            assert_eq!(present(&[(scheduler.variable(), value)]), Some(source));
        }
    }
    assert_eq!(
        present(&[(OWN_VARIABLE, "3")]),
        Some("CROUPIER_INDEX=3".into())
    );
    assert_eq!(
        present(&[("LSB_JOBINDEX", "0"), ("SGE_TASK_ID", "undefined")]),
        None
    );
    assert_eq!(
        present(&[("BATCH_TASK_INDEX", "0"), ("BATCH_TASK_COUNT", "1")]),
        None
    );
    assert!(present(&[("BATCH_TASK_INDEX", "0"), ("BATCH_TASK_COUNT", "2")]).is_some());
    let inside = [
        ("CLOUD_RUN_TASK_INDEX", "0"),
        ("CLOUD_RUN_TASK_COUNT", "1"),
        ("CI_NODE_INDEX", "2"),
    ];
    assert_eq!(present(&inside), Some("CI_NODE_INDEX=2".into()));
}

use super::*;

fn scope() -> Scope {
    Scope {
        partition: "aws".to_owned(),
        region: "eu-west-1".to_owned(),
        account: "123456789012".to_owned(),
        bucket: "bucket".to_owned(),
        prefix: "team/runs".to_owned(),
        run: None,
        table: Some("shards".to_owned()),
        kms_key: Some("arn:aws:kms:eu-west-1:123456789012:key/k".to_owned()),
        job_queues: vec!["spot".to_owned()],
        job_definitions: vec!["pi".to_owned()],
        state_machines: vec!["arn:aws:states:eu-west-1:123456789012:stateMachine:map".to_owned()],
    }
}

fn actions(policy: &Policy) -> Vec<&'static str> {
    let statements = policy.statement.iter();
    statements.flat_map(|one| one.action.clone()).collect()
}

#[test]
fn who_removes_runs_alone_may_delete_them() {
    for role in Role::ALL {
        let policy = policy(role, &scope());
        for one in &policy.statement {
            if one.action.iter().any(|action| action.contains("Delete")) {
                let whole = "arn:aws:s3:::bucket/team/runs/*".to_owned();
                assert_eq!(
                    one.resource.contains(&whole),
                    role == Role::Clean,
                    "{role:?}"
                );
                assert!(matches!(role, Role::Clean | Role::Submit), "{role:?}");
            }
        }
    }
}

#[test]
fn no_action_is_a_pattern_and_only_what_knows_no_resources_has_them_all() {
    for role in Role::ALL {
        for one in policy(role, &scope()).statement {
            for action in &one.action {
                assert!(!action.contains('*'), "{role:?} {action}");
            }
            assert_eq!(
                one.resource.contains(&"*".to_owned()),
                one.sid == "Look",
                "{one:?}"
            );
        }
    }
}

#[test]
fn what_is_not_named_is_not_allowed() {
    let bare = Scope {
        table: None,
        kms_key: None,
        job_queues: Vec::new(),
        job_definitions: Vec::new(),
        state_machines: Vec::new(),
        ..scope()
    };
    for role in Role::ALL {
        let actions = actions(&policy(role, &bare));
        assert!(
            actions.iter().all(|action| action.starts_with("s3:")),
            "{role:?} {actions:?}"
        );
    }
    for role in [Role::Work, Role::Reduce, Role::Clean] {
        let actions = actions(&policy(role, &scope()));
        let starts = |action: &&str| action.starts_with("batch:") || action.starts_with("states:");
        assert!(!actions.iter().any(starts), "{role:?} {actions:?}");
    }
}

#[test]
fn the_policy_of_a_shard_of_one_run() {
    let one = Scope {
        run: Some("demo".to_owned()),
        ..scope()
    };
    let expected = json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "List",
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": ["arn:aws:s3:::bucket"],
                "Condition": { "StringLike": { "s3:prefix": ["team/runs/demo/*"] } },
            },
            {
                "Sid": "ReadAndWrite",
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject"],
                "Resource": ["arn:aws:s3:::bucket/team/runs/demo/*"],
            },
            {
                "Sid": "Key",
                "Effect": "Allow",
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": ["arn:aws:kms:eu-west-1:123456789012:key/k"],
            },
            {
                "Sid": "Track",
                "Effect": "Allow",
                "Action": ["dynamodb:Query", "dynamodb:UpdateItem"],
                "Resource": ["arn:aws:dynamodb:eu-west-1:123456789012:table/shards"],
            },
        ],
    });
    let policy = serde_json::to_value(policy(Role::Work, &one)).unwrap();
    assert_eq!(policy, expected);
}

#[test]
fn a_bucket_without_a_prefix() {
    let whole = Scope {
        prefix: String::new(),
        ..scope()
    };
    let policy = policy(Role::Reduce, &whole);
    assert_eq!(
        policy.statement[0].condition,
        Some(json!({ "StringLike": { "s3:prefix": ["*"] } }))
    );
    assert_eq!(policy.statement[1].resource, ["arn:aws:s3:::bucket/*"]);
}

#[test]
fn executions_are_of_the_machines_that_are_named() {
    let policy = policy(Role::Submit, &scope());
    let executions = policy
        .statement
        .iter()
        .find(|one| one.sid == "Executions")
        .unwrap();
    assert_eq!(
        executions.resource,
        [
            "arn:aws:states:eu-west-1:123456789012:execution:map:*",
            "arn:aws:states:eu-west-1:123456789012:execution:map/*",
            "arn:aws:states:eu-west-1:123456789012:mapRun:map/*",
        ]
    );
    let submit = policy
        .statement
        .iter()
        .find(|one| one.sid == "Submit")
        .unwrap();
    assert_eq!(
        submit.resource,
        [
            "arn:aws:batch:eu-west-1:123456789012:job-queue/spot",
            "arn:aws:batch:eu-west-1:123456789012:job-definition/pi",
            "arn:aws:batch:eu-west-1:123456789012:job-definition/pi:*",
        ]
    );
}

"""deploy/croupier.yaml: without errors and warnings, with the state machines as they are executed elsewhere, the table as
the tracker makes it, and policies that are those of `iam`."""

import fnmatch
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from cfnlint.decode import cfn_yaml

from machines import FOLDER
from programs import ROOT, Failed, expect, report, run

TEMPLATE = ROOT / "deploy/croupier.yaml"
# What the CLI sends without a bucket in between.
MOST_BYTES = 51_200
KEY = "arn:aws:kms:eu-west-1:123456789012:key/mine"
MACHINES = [f"arn:aws:states:eu-west-1:123456789012:stateMachine:stack-{name}" for name in ["map", "array"]]
VALUES = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "123456789012",
    "AWS::StackName": "stack",
    "Bucket": "bucket",
    "Bucket.Arn": "arn:aws:s3:::bucket",
    "Table": "shards",
    "Table.Arn": "arn:aws:dynamodb:eu-west-1:123456789012:table/shards",
    "LogGroup.Arn": "arn:aws:logs:eu-west-1:123456789012:log-group:logs:*",
    "MapMachine": MACHINES[0],
    "KmsKeyArn": KEY,
}
# What the template names, as it is said to `iam`.
CALL = [
    *["--store", "s3://bucket/runs", "--tracker", "dynamodb://shards", "--region", "eu-west-1"],
    *["--account", "123456789012", "--job-queue", "stack-spot", "--job-queue", "stack-fargate"],
    *["--job-definition", "stack-work", "--job-definition", "stack-drive"],
    *["--state-machine-arn", MACHINES[0], "--state-machine-arn", MACHINES[1]],
]


def check(folder):
    lint()
    expect("the template is small enough", TEMPLATE.stat().st_size <= MOST_BYTES, True)
    template = cfn_yaml.load(TEMPLATE)
    values = {name: one["Default"] for name, one in template["Parameters"].items() if "Default" in one} | VALUES
    resources = template["Resources"]
    for name, resource in [("map", "MapMachine"), ("array", "ArrayMachine")]:
        check_machine(name, resources[resource]["Properties"])
    for name in ["WorkDefinition", "WorkFargateDefinition", "ReduceDefinition", "DriveDefinition"]:
        check_job(name, resources[name]["Properties"])

    table = resources["Table"]["Properties"]
    keys = [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]]
    expect("keys of the table", keys, [("run", "HASH"), ("shard", "RANGE")])
    types = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
    expect("types of the keys", types, {"run": "S", "shard": "N"})

    for has_key in [True, False]:
        with_key = ["--kms-key-arn", KEY] if has_key else []
        for role in ["submit", "work", "drive", "reduce", "clean"]:
            policies = resources[f"{role.capitalize()}Role"]["Properties"]["Policies"]
            [found] = [one["PolicyDocument"] for one in policies if one["PolicyName"] == role]
            printed = json.loads(run(folder, {}, "pi", "iam", "--role", role, *CALL, *with_key))
            compare(role, resolve(found, values, has_key), printed)

    # What the stack prints is a target of croupier.toml that this program takes.
    target = resolve(template["Outputs"]["Target"]["Value"], values, False)
    (folder / "croupier.toml").write_text(target)
    prod = tomllib.loads(target)["target"]["prod"]
    expect("store", prod["store"], "s3://bucket/runs")
    expect("queue and definition", (prod["job-queue"], prod["job-definition"]), ("stack-spot", "stack-work"))
    forecast = ["launch", "--target", "prod", "--dry-run", "--samples", "1e6", "--seed", "7"]
    expect("shards", report(folder, {}, "pi", *forecast, "--shards", "3")["shards"], 3)


def lint():
    # Beside this environment's Python.
    program = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([program, TEMPLATE], capture_output=True, text=True)
    expect(f"cfn-lint: {done.stdout}{done.stderr}", (done.returncode, done.stdout), (0, ""))


def check_machine(name, properties):
    """The machine is the file that is executed elsewhere, and every placeholder has a value."""
    text = (FOLDER / f"{name}.asl.json").read_text()
    expect(f"{name}: deploy/croupier.yaml and the file are the same", properties["DefinitionString"], text)
    placeholders = set(re.findall(r"\$\{(\w+)\}", text))
    expect(f"{name}: placeholders", placeholders, set(properties["DefinitionSubstitutions"]))


def check_job(name, properties):
    """The rules of retrying in the order that counts, and a last one that ends: what matches none is tried again."""
    rules = properties["RetryStrategy"]["EvaluateOnExit"]
    expected = [
        {"OnStatusReason": "Host EC2*", "Action": "RETRY"},
        {"OnExitCode": "75", "Action": "RETRY"},
        {"OnReason": "*", "Action": "EXIT"},
    ]
    expect(f"{name}: what is tried again", rules, expected)
    expect(f"{name}: it ends", properties["Timeout"]["AttemptDurationSeconds"] is not None, True)


def compare(role, deployed, printed):
    """Both allow the same; the template says which job definitions by a pattern."""
    found = {one["Sid"]: one for one in deployed["Statement"]}
    wanted = {one["Sid"]: one for one in printed["Statement"]}
    expect(f"{role}: statements", sorted(found), sorted(wanted))
    for sid, one in wanted.items():
        other = found[sid]
        for part in ["Effect", "Action", "Condition"]:
            expect(f"{role}: {sid}: {part}", other.get(part), one.get(part))
        if sid != "Submit":
            expect(f"{role}: {sid}: Resource", sorted(other["Resource"]), sorted(one["Resource"]))
            continue
        for resource in one["Resource"]:
            if not any(fnmatch.fnmatchcase(resource, like) for like in other["Resource"]):
                raise Failed(f"{role}: {sid}: {resource} is not in the template")
        for like in other["Resource"]:
            if not any(fnmatch.fnmatchcase(resource, like) for resource in one["Resource"]):
                raise Failed(f"{role}: {sid}: {like} is in the template alone")


def resolve(part, values, has_key):
    """What CloudFormation would make of it, as far as policies and outputs need it."""
    if isinstance(part, list):
        found = [resolve(one, values, has_key) for one in part]
        return [one for one in found if one is not None]
    if not isinstance(part, dict):
        return part
    if len(part) == 1:
        [(function, argument)] = part.items()
        match function:
            case "Ref":
                return None if argument == "AWS::NoValue" else values[argument]
            case "Fn::GetAtt":
                return values[argument if isinstance(argument, str) else ".".join(argument)]
            case "Fn::Sub":
                return re.sub(r"\$\{([\w:.]+)\}", lambda name: str(values[name[1]]), argument)
            case "Fn::If":
                expect("a condition of a policy", argument[0], "HasKey")
                return resolve(argument[1 if has_key else 2], values, has_key)
    return {key: resolve(one, values, has_key) for key, one in part.items()}

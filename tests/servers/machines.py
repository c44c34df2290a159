"""The state machines of deploy/, executed by moto as far as it can.

moto knows no `batch:submitJob.sync`, so that each job is a message to a queue instead, whose body is what Batch would have
been asked. Executed: the defaults, the merging, both Maps, the Choice, what each job is asked, and that the last job follows shards
that failed, all of them or some; and what `launch --on step-functions` starts, by both machines, each message of which is then
performed by the real program, down to a `reduce` that takes or refuses what there is. moto enforces no tolerance, so that no
item makes its distributed Map fail; the Catch is executed once with the Map inline, which a failed item does make fail. Not
executed: Batch itself, the Retry, and the tolerance; of these only the text is looked at. Nor does moto list a Map's items: tests/tests/states has
a service that does, and a tolerance.
"""

import json
import logging
import os
import time
import urllib.request
from unittest import mock
from urllib.parse import urlsplit

import boto3

from programs import DEADLINE_SECONDS, ROOT, Failed, expect, report, run

FOLDER = ROOT / "deploy/state-machines"
SUBMIT = "arn:aws:states:::batch:submitJob.sync"
RUN = "s3://my-bucket/runs/demo"
ROLE = "arn:aws:iam::123456789012:role/any"
SUBSTITUTES = {"WorkDefinition": "work", "FinishDefinition": "reduce", "Threads": "2", "AttemptSeconds": "3600"}
# What Batch's request for a job may be refused with for a while.
THROTTLED = "Batch.TooManyRequestsException"


def check(folder, endpoint):
    """Executes both machines at a server of moto's, which is at `endpoint`, by themselves and as they are launched."""
    # It asks itself for the messages, on this port; and writes a page about a state that fails.
    logging.getLogger("moto").setLevel(logging.CRITICAL)
    with mock.patch.dict(os.environ, MOTO_PORT=str(urlsplit(endpoint).port)):
        body = {"stepfunctions": {"execute_state_machine": True}}
        request = urllib.request.Request(f"{endpoint}/moto-api/config", json.dumps(body).encode())
        urllib.request.urlopen(request).close()
        states, queues = client(endpoint, "stepfunctions"), client(endpoint, "sqs")
        work = queues.create_queue(QueueName="work")["QueueUrl"]
        finish = queues.create_queue(QueueName="finish")["QueueUrl"]
        substitutes = {**SUBSTITUTES, "WorkQueue": work, "FinishQueue": finish}

        def jobs(queue):
            return received(queues, queue)

        check_machines(endpoint, states, jobs, substitutes)
        check_launched(folder, endpoint, states, jobs, substitutes)
        check_failures(folder, endpoint, states, jobs, substitutes)
        check_twice(folder, endpoint, states, substitutes)


def client(endpoint, service):
    return boto3.client(
        service,
        endpoint_url=endpoint,
        aws_access_key_id="any",
        aws_secret_access_key="any",
        region_name="us-east-1",
    )


def received(queues, queue):
    """What the queue's jobs were asked for, by name."""
    found = []
    while messages := queues.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            found.append(json.loads(message["Body"]))
            queues.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return sorted(found, key=lambda job: job["JobName"])


def check_machines(endpoint, states, jobs, substitutes):
    work, finish = substitutes["WorkQueue"], substitutes["FinishQueue"]

    def execute(name, document, status="SUCCEEDED"):
        machine = states.create_state_machine(
            name=name, roleArn=ROLE, definition=executable(definition(name, substitutes))
        )["stateMachineArn"]
        execution = ended(states, machine, document)
        expect(f"{name}: {execution.get('cause')}", execution["status"], status)
        states.delete_state_machine(stateMachineArn=machine)
        return execution

    for name in ["map", "array"]:
        check_structure(name)
        # As it is deployed, it is accepted too.
        states.create_state_machine(name=f"{name}-whole", roleArn=ROLE, definition=definition(name, substitutes))

    shortest = {"run": RUN, "items": [0, 1, 7], "arrays": [{"offset": 0, "size": 200}, {"offset": 200, "size": 1}]}
    last = {
        "JobName": "croupier-finish",
        "JobQueue": finish,
        "JobDefinition": "reduce",
        "ContainerOverrides": {"Command": ["reduce", "--run", RUN]},
        "Tags": {},
    }
    execution = execute("map", shortest)
    expect("output", json.loads(execution["output"]), {})
    expect("jobs", jobs(work), [asked(index, work, index=index) for index in shortest["items"]])
    expect("last job", jobs(finish), [last])
    execute("array", shortest)
    array = asked(0, work, offset=0)
    array["ArrayProperties"] = {"Size": 200}
    expect("arrays", jobs(work), [array, asked(200, work, index=0, offset=200)])
    expect("last job", jobs(finish), [last])

    whole = {
        **shortest,
        "command": ["shard", "--run", RUN, "--round", "2"],
        "jobName": "demo-2",
        "jobDefinition": "mine:3",
        "resources": [{"Type": "VCPU", "Value": "4"}, {"Type": "MEMORY", "Value": "8192"}],
        "threads": 4,
        "attemptSeconds": 900,
        "maxConcurrency": 2,
        "toleratedFailurePercentage": 12.5,
        "tags": {"team": "risk"},
        "finishCommand": ["drive", "--run", RUN],
        "finishDefinition": "drive",
    }
    execute("map", whole)
    found = jobs(work)
    expect("names", [job["JobName"] for job in found], ["demo-2-0", "demo-2-1", "demo-2-7"])
    expect(
        "a job with all that can be said",
        found[0],
        {
            "JobName": "demo-2-0",
            "JobQueue": work,
            "JobDefinition": "mine:3",
            "ContainerOverrides": {
                "Command": whole["command"],
                "ResourceRequirements": whole["resources"],
                "Environment": [
                    {"Name": "CROUPIER_INDEX", "Value": "0"},
                    {"Name": "CROUPIER_THREADS", "Value": "4"},
                    {"Name": "CROUPIER_DEADLINE", "Value": "900s"},
                ],
            },
            "Timeout": {"AttemptDurationSeconds": 900},
            "Tags": {"team": "risk"},
        },
    )
    driver = {**last, "JobName": "demo-2-finish", "JobDefinition": "drive", "Tags": {"team": "risk"}}
    driver["ContainerOverrides"] = {"Command": whole["finishCommand"]}
    expect("last job of that", jobs(finish), [driver])

    # Whatever becomes of the shards, the last job is started.
    for name in ["map", "array"]:
        execute(name, {**shortest, "jobQueue": f"{endpoint}/123456789012/none"})
        expect(f"{name}: jobs", jobs(work), [])
        expect(f"{name}: last job", jobs(finish), [last])
    # And where that fails, so does all.
    execute("array", {**shortest, "finishQueue": f"{endpoint}/123456789012/none"}, "FAILED")
    jobs(work)
    for name in ["map", "array"]:
        execute(name, {"items": [0], "arrays": [{"offset": 0, "size": 2}]}, "FAILED")
    # A machine that is not told what to start starts nothing, and takes nothing for done.
    execute("map", {"run": RUN, "arrays": shortest["arrays"]}, "FAILED")
    execute("array", {"run": RUN, "items": shortest["items"]}, "FAILED")
    expect("jobs of no run", jobs(work) + jobs(finish), [])

    # As many shards as the input has room for.
    many = {"run": RUN, "items": list(range(30_000))}
    expect("bytes of 30,000 items", len(json.dumps(many)) < 240_000, True)


def asked(name, queue, index=None, offset=None):
    """What Batch is asked for a shard's job by the shortest input."""
    variables = {"INDEX": index, "INDEX_OFFSET": offset, "THREADS": 2, "DEADLINE": "3600s"}
    return {
        "JobName": f"croupier-{name}",
        "JobQueue": queue,
        "JobDefinition": "work",
        "ContainerOverrides": {
            "Command": ["shard", "--run", RUN],
            "ResourceRequirements": [],
            "Environment": [
                {"Name": f"CROUPIER_{variable}", "Value": str(value)}
                for variable, value in variables.items()
                if value is not None
            ],
        },
        "Timeout": {"AttemptDurationSeconds": 3600},
        "Tags": {},
    }


def definition(name, substitutes):
    """A machine's definition as CloudFormation would deploy it."""
    text = (FOLDER / f"{name}.asl.json").read_text()
    for key, value in substitutes.items():
        text = text.replace(f"${{{key}}}", value)
    if "${" in text:
        raise Failed(f"{name}: a placeholder is not known: {text[text.index('${'):][:40]}")
    return text


def executable(text, failing=(), mode="DISTRIBUTED"):
    """The same with a message in place of every job; those of the items `failing` have no queue."""
    machine = json.loads(text)
    for task in tasks(machine):
        asked = task["Parameters"]
        task["Resource"] = "arn:aws:states:::sqs:sendMessage"
        task["Parameters"] = {"QueueUrl.$": asked["JobQueue.$"], "MessageBody": asked}
        del task["Retry"]
    for state in machine["States"].values():
        # moto takes a float alone, where AWS takes any number.
        if state.pop("ToleratedFailurePercentagePath", None):
            state["ToleratedFailurePercentage"] = 100.0
    if failing:
        shards = machine["States"]["Shards"]
        shards["ItemSelector"]["ends"] = ["-none" if index in failing else "" for index in range(8)]
        queue = "States.Format('{}{}', $.jobQueue, States.ArrayGetItem($.ends, $.index))"
        shards["ItemProcessor"]["States"]["Shard"]["Parameters"]["QueueUrl.$"] = queue
        if mode == "INLINE":
            shards["ItemProcessor"]["ProcessorConfig"] = {"Mode": mode}
            del shards["ToleratedFailurePercentage"]
    return json.dumps(machine)


def tasks(machine):
    """Every Task, those within Maps included."""
    for state in machine["States"].values():
        if state["Type"] == "Task":
            yield state
        if state["Type"] == "Map":
            yield from tasks(state["ItemProcessor"])


def check_structure(name):
    """What no execution shows: names that lead somewhere, and what is retried and caught."""
    machine = json.loads((FOLDER / f"{name}.asl.json").read_text())

    def walk(part):
        states = part["States"]
        targets = {part["StartAt"]}
        for key, state in states.items():
            following = [choice["Next"] for choice in state.get("Choices", [])]
            following += [catch["Next"] for catch in state.get("Catch", [])]
            following += [state[field] for field in ["Next", "Default"] if field in state]
            is_end = state.get("End", False) or state["Type"] == "Fail"
            expect(f"{name}: {key} ends or goes on", bool(following) != is_end, True)
            targets.update(following)
            if "ItemProcessor" in state:
                walk(state["ItemProcessor"])
        expect(f"{name}: states that are gone to", targets, set(states))

    walk(machine)
    shards = machine["States"]["Shards"]
    if shards["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED":
        caught = [(one["ErrorEquals"], one["Next"]) for one in shards["Catch"]]
        expect(f"{name}: more failures than are tolerated", caught, [(["States.ALL"], "Finish")])
        tolerance = shards["ToleratedFailurePercentagePath"]
        expect(f"{name}: what is tolerated", tolerance, "$.toleratedFailurePercentage")
    for task in tasks(machine):
        expect(f"{name}: resource", task["Resource"], SUBMIT)
        retry = task["Retry"][0]
        expect(f"{name}: retried when throttled", THROTTLED in retry["ErrorEquals"], True)
        expect(f"{name}: jitter", retry["JitterStrategy"], "FULL")
        # A shard that failed is not started again here: that is the job definition's and the policy's.
        expect(f"{name}: what is retried", [error for error in retry["ErrorEquals"] if error.startswith("States.")], [])


def ended(states, machine, document):
    """An execution once it has ended."""
    arn = states.start_execution(stateMachineArn=machine, input=json.dumps(document))["executionArn"]
    return at_its_end(states, arn)


def at_its_end(states, arn):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (execution := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        if time.monotonic() > deadline:
            raise Failed(f"an execution does not end: {execution['input']}")
        time.sleep(0.05)
    return execution


def aws(endpoint):
    """What a program is told of AWS."""
    return {
        "AWS_ENDPOINT_URL_SFN": endpoint,
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def check_launched(folder, endpoint, states, jobs, substitutes):
    """What `launch` starts, each job of which the program then performs; the last one reduces."""
    # A kernel of the tests, beside the examples' directory.
    doomed = "../doomed"
    quiet = report(folder, {}, doomed, "run", "--samples", 3200, "--seed", 7, "--name", "quiet")
    for name in ["map", "array"]:
        machine = states.create_state_machine(
            name=f"{name}-launched", roleArn=ROLE, definition=executable(definition(name, substitutes))
        )["stateMachineArn"]
        on = ["--on", "step-functions", "--state-machine-arn", machine]
        plan = ["--samples", 3200, "--seed", 7, "--shards", 8, "--name", name]
        asked = ["--vcpus", 2, "--memory", 4096, "--attempt-duration-seconds", 900, "--tags", "team=risk"]
        launched = report(folder, aws(endpoint), doomed, "launch", *plan, *on, *asked, "--no-driver")
        expect("started", launched["started"], list(range(8)))
        (execution,) = states.list_executions(stateMachineArn=machine)["executions"]
        execution = at_its_end(states, execution["executionArn"])
        expect(f"{name}: {execution.get('cause')}", execution["status"], "SUCCEEDED")
        found = jobs(substitutes["WorkQueue"])
        title = execution["name"]
        names = [f"{title}-{index}" for index in range(8)] if name == "map" else [f"{title}-0"]
        expect("jobs", [job["JobName"] for job in found], names)
        expect("tags", found[0]["Tags"], {"team": "risk", "croupier:run": name})
        expect("time", found[0]["Timeout"], {"AttemptDurationSeconds": 900})
        resources = [{"Type": "VCPU", "Value": "2"}, {"Type": "MEMORY", "Value": "4096"}]
        expect("resources", found[0]["ContainerOverrides"]["ResourceRequirements"], resources)
        for job in found:
            for index in range(job.get("ArrayProperties", {}).get("Size", 1)):
                perform(folder, doomed, job, {"AWS_BATCH_JOB_ARRAY_INDEX": str(index)} if name == "array" else {})
        (last,) = jobs(substitutes["FinishQueue"])
        perform(folder, doomed, last, {})
        reduced = report(folder, {}, doomed, "wait", "--run", name)
        expect(f"{name}: digest", reduced["digest"], quiet["digest"])
        status = report(folder, aws(endpoint), doomed, "status", "--run", name, *on)
        expect("reasons", status["reasons"], [])
        (line,) = status["overview"]
        expect(f"overview: {line}", line.startswith(f"{title} SUCCEEDED"), True)
        states.delete_state_machine(stateMachineArn=machine)


def check_failures(folder, endpoint, states, jobs, substitutes):
    """Items that fail lead to the last job, and that decides by the policy."""
    doomed = "../doomed"
    failing = [2, 5]
    cases = [
        ("DISTRIBUTED", "complete", 3, "MapStateSucceeded"),
        ("DISTRIBUTED", "tolerate=2", 0, "MapStateSucceeded"),
        ("DISTRIBUTED", "tolerate=1", 3, "MapStateSucceeded"),
        # What AWS's distributed Map does with more failures than are tolerated.
        ("INLINE", "complete", 3, "MapStateFailed"),
    ]
    for number, (mode, policy, exit_code, event) in enumerate(cases):
        name = f"failing-{number}"
        text = executable(definition("map", substitutes), failing, mode)
        machine = states.create_state_machine(name=name, roleArn=ROLE, definition=text)["stateMachineArn"]
        on = ["--on", "step-functions", "--state-machine-arn", machine]
        plan = ["--samples", 3200, "--seed", 7, "--shards", 8, "--policy", policy, "--name", name]
        report(folder, aws(endpoint), doomed, "launch", *plan, *on, "--no-driver")
        (execution,) = states.list_executions(stateMachineArn=machine)["executions"]
        execution = at_its_end(states, execution["executionArn"])
        expect(f"{name}: {execution.get('cause')}", execution["status"], "SUCCEEDED")
        history = states.get_execution_history(executionArn=execution["executionArn"], maxResults=1000)
        events = [one["type"] for one in history["events"]]
        expect(f"{name}: {event} in {events}", event in events, True)
        found = jobs(substitutes["WorkQueue"])
        for job in found:
            perform(folder, doomed, job, {})
        done = [int(job["JobName"].rsplit("-", 1)[1]) for job in found]
        expect(f"{name}: failed items that ran", set(failing) & set(done), set())
        if mode == "DISTRIBUTED":
            (map_run,) = states.list_map_runs(executionArn=execution["executionArn"])["mapRuns"]
            counts = states.describe_map_run(mapRunArn=map_run["mapRunArn"])["itemCounts"]
            expect("items", (counts["succeeded"], counts["failed"], counts["total"]), (6, 2, 8))
            expect("the others", len(done), 6)
        (last,) = jobs(substitutes["FinishQueue"])
        perform(folder, doomed, last, {}, exit_code)
        result = report(folder, {}, doomed, "reduce", "--run", name, exit_code=exit_code)
        expect(f"{name}: missing", result["shards"]["missing"], sorted(set(range(8)) - set(done)))
        states.delete_state_machine(stateMachineArn=machine)


def perform(folder, program, job, variables, exit_code=0):
    """Runs what a job was asked for, as its container would."""
    asked = job["ContainerOverrides"]
    told = {one["Name"]: one["Value"] for one in asked.get("Environment", [])}
    run(folder, {**told, **variables}, program, *asked["Command"], exit_code=exit_code)


def check_twice(folder, endpoint, states, substitutes):
    """An execution that runs is not started again; one that was stopped is, under the next name."""
    doomed = "../doomed"
    held = json.loads(executable(definition("map", substitutes)))
    held["States"]["Hold"] = {"Type": "Wait", "Seconds": 36000, "Next": held["StartAt"]}
    held["StartAt"] = "Hold"
    machine = states.create_state_machine(name="held", roleArn=ROLE, definition=json.dumps(held))["stateMachineArn"]
    on = ["--on", "step-functions", "--state-machine-arn", machine]

    def call(*arguments, **ends):
        return report(folder, aws(endpoint), doomed, *arguments, *on, **ends)

    def executions():
        listed = states.list_executions(stateMachineArn=machine)["executions"]
        return sorted((one["name"], one["status"]) for one in listed)

    plan = ["--samples", 3200, "--seed", 7, "--shards", 8]
    first = call("launch", *plan, "--name", "twice")
    expect("at work", first["at_work"], 8)
    name = first["driver"]
    expect("number", name.endswith("-s0-7-0"), True)
    expect("executions", executions(), [(name, "RUNNING")])
    again = call("launch", "--run", "twice")
    expect("started again", (again["started"], again["at_work"], again["driver"]), ([], 8, name))
    expect("executions", executions(), [(name, "RUNNING")])
    # Another run of the same machine is none of its business, and a driver that nobody leaves is not promised.
    run(folder, aws(endpoint), doomed, "launch", *plan, "--name", "rounds", "--policy", "retry=2", *on, exit_code=2)
    expect("executions", executions(), [(name, "RUNNING")])
    other = call("launch", *plan, "--name", "rounds-by-hand", "--policy", "retry=2", "--no-driver")
    expect("at work", other["at_work"], 8)
    (other,) = [one for one, _ in executions() if one != name]
    call("cancel", "--run", "twice", "--reason", "a test")
    arn = machine.replace(":stateMachine:", ":execution:")
    at_its_end(states, f"{arn}:{name}")
    expect("executions", executions(), sorted([(name, "ABORTED"), (other, "RUNNING")]))
    status = call("status", "--run", "twice")
    expect("overview", [line.split(":")[0].split(";")[0] for line in status["overview"]], [f"{name} ABORTED"])
    # Its name is taken for good.
    resumed = call("launch", "--run", "twice")
    expect("resumed", (resumed["at_work"], resumed["driver"]), (8, f"{name[:-1]}1"))
    for run_name in ["twice", "rounds-by-hand"]:
        call("cancel", "--run", run_name, "--reason", "the end")
    ends = [at_its_end(states, f"{arn}:{one}")["status"] for one, _ in executions()]
    expect("ends", ends, ["ABORTED"] * 3)

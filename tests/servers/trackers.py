"""The tracker in DynamoDB: its suite, and what the table then holds."""

import collections
import os
import random
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import boto3
from moto.dynamodb.responses import DynamoHandler

from programs import expect, report, run, start
from weather import weather

TABLE = "croupier-tracker"
# Of the campaign.
SHARDS = 64
# The longest name that a run may have.
RUN_BYTES = 480
# What one write request unit covers.
UNIT_BYTES = 1024
ATTRIBUTES = "run shard state token attempts attempt host expires updated class message".split()


def check(folder, endpoint):
    """Holds a server of DynamoDB at `endpoint` to the suite."""
    aws = {
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    # Without a server there is nothing to hold, and without credentials nobody to be.
    run(folder, {}, "tracker_conformance", TABLE, exit_code=2)
    nobody = {name: aws[name] for name in aws if "KEY" not in name}
    run(folder, nobody, "tracker_conformance", TABLE, exit_code=1)
    said = run(folder, aws, "tracker_conformance", TABLE).splitlines()
    expect("requests for all shards", said[-1], "requests for 10000 shards: 10")

    client = boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        aws_access_key_id="any",
        aws_secret_access_key="any",
        region_name="us-east-1",
    )
    table = client.describe_table(TableName=TABLE)["Table"]
    keys = [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]]
    expect("keys", keys, [("run", "HASH"), ("shard", "RANGE")])
    types = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
    expect("types of the keys", types, {"run": "S", "shard": "N"})
    expect("billing", table["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST")
    expect("tables", client.list_tables()["TableNames"], [TABLE])
    largest = client.query(
        TableName=TABLE,
        KeyConditionExpression="#run = :run",
        ExpressionAttributeNames={"#run": "run"},
        ExpressionAttributeValues={":run": {"S": "r" * RUN_BYTES}},
        Limit=1,
    )["Items"][0]
    expect("attributes of the largest item", sorted(largest), sorted(ATTRIBUTES))
    expect("it costs one write unit", RUN_BYTES < item_bytes(largest) <= UNIT_BYTES, True)


def check_driven(folder, endpoint):
    """A driven run whose shards are claimed in a table: one worker is killed, and later the table is lost."""
    aws = {
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    # A kernel of the tests, beside the examples' directory.
    doomed = "../doomed"
    quiet = report(folder, {}, doomed, "run", "--samples", 3200, "--seed", 7, "--name", "quiet")
    plan = ["--samples", 3200, "--seed", 7, "--shards", 8, "--name", "demo", "--policy", "retry=2"]
    run(folder, {}, doomed, "plan", *plan)
    drive = ["drive", "--run", "demo", "--every", "200ms", "--tracker", "dynamodb://shards"]
    dying = {**aws, "DIE_AT": "1300", "DIE_ONCE": "died", "SLOW": "500"}
    driven = report(folder, dying, doomed, *drive, "--create-table")
    expect("died", (folder / "died").exists(), True)
    expect("digest", driven["digest"], quiet["digest"])
    expect("rounds", len(list((folder / "croupier-runs/demo/rounds").iterdir())), 1)

    client = boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        aws_access_key_id="any",
        aws_secret_access_key="any",
        region_name="us-east-1",
    )

    def states():
        return [
            (int(item["shard"]["N"]), item["state"]["S"], int(item["attempts"]["N"]))
            for item in sorted(
                client.scan(TableName="shards")["Items"], key=lambda item: int(item["shard"]["N"])
            )
        ]

    expect("states", states(), [(shard, "DONE", 2 if shard == 3 else 1) for shard in range(8)])
    status = report(folder, aws, doomed, "status", "--run", "demo", *drive[-2:])
    expect("status", status["tracked"], {"done": 8})
    # A shard that is done is not run again; a table that is lost is told again.
    run(folder, aws, doomed, "shard", "--run", "demo", "--shard", 2, "--tracker", "dynamodb://shards")
    client.delete_table(TableName="shards")
    again = report(folder, aws, doomed, *drive, "--create-table")
    expect("digest again", again["digest"], quiet["digest"])
    expect("states again", [state for _, state, _ in states()], ["DONE"] * 8)
    # Who has no table is told so.
    run(folder, aws, doomed, *drive[:-1], "dynamodb://nowhere", exit_code=2)


def check_campaign(folder, endpoint, seconds=20, seed=7):
    """Workers that claim their shards in a table are killed at random, and much of what they ask of it goes astray;
    then the run is driven to its end."""
    with weather(endpoint, seed) as (proxy, met):
        campaign(folder, proxy, seconds, seed)
    expect(f"every fault was met: {met}", all(met[fault] > 0 for fault in met if fault != "black hole"), True)


def campaign(folder, endpoint, seconds, seed):
    aws = {
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    doomed = "../doomed"
    samples = ["--samples", 102400, "--seed", 7]
    quiet = report(folder, {}, doomed, "run", *samples, "--name", "quiet-campaign")
    plan = [*samples, "--shards", SHARDS, "--name", "campaign", "--policy", "retry=9"]
    run(folder, {}, doomed, "plan", *plan)
    tracker = ["--tracker", "dynamodb://campaign", "--max-attempts", 1000, "--threads", 1]
    drive = ["drive", "--run", "campaign", "--every", "200ms", "--jobs", 8, *tracker, "--create-table"]
    # Makes the table, and nothing else: the run is stopped.
    run(folder, {}, doomed, "cancel", "--run", "campaign")
    run(folder, aws, doomed, *drive, exit_code=3)
    run(folder, {}, doomed, "retry", "--run", "campaign")

    draw = random.Random(seed)
    slow = {**aws, "SLOW": "2000"}
    workers, ends = [], collections.Counter()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        while len(workers) < 16:
            # Never two at once on one shard: the second would wait for the first one's lease.
            free = sorted(set(range(SHARDS)) - {shard for shard, _ in workers})
            shard = draw.choice(free)
            words = ["shard", "--run", "campaign", "--shard", shard, "--checkpoint", "200ms", *tracker]
            workers.append((shard, start(folder, slow, doomed, *words)))
        time.sleep(draw.uniform(0.1, 0.4))
        shard, worker = workers.pop(draw.randrange(len(workers)))
        if draw.random() < 0.5:
            worker.send_signal(signal.SIGTERM)
        else:
            # The worker itself, below the parent that tells the tracker of it.
            children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children")
            for child in children.read_text().split() if children.exists() else []:
                os.kill(int(child), signal.SIGKILL)
        worker.communicate(timeout=60)
        ends[worker.returncode] += 1
    for _, worker in workers:
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=60)
    expect(f"ends {ends}", set(ends) <= {0, 75, 137} and ends[75] > 3 and ends[137] > 3, True)

    driven = report(folder, aws, doomed, *drive)
    expect("digest", driven["digest"], quiet["digest"])
    expect("samples", driven["samples"]["done"], 102400)
    status = report(folder, aws, doomed, "status", "--run", "campaign", *tracker[:2])
    expect("status", status["tracked"], {"done": SHARDS})


@contextmanager
def one_by_one():
    """moto's DynamoDB, one request after the other.

    It looks at a condition and then writes, with no lock in between, so two of fifty claimants may get one shard.
    DynamoDB does both as one.
    """
    lock = threading.Lock()
    action = DynamoHandler.call_action

    def locked(handler):
        with lock:
            return action(handler)

    with mock.patch.object(DynamoHandler, "call_action", locked):
        yield


def item_bytes(item):
    """The most that an item's size can be, as DynamoDB counts it."""
    size = 0
    for name, value in item.items():
        ((kind, text),) = value.items()
        size += len(name.encode())
        size += len(text.encode()) if kind == "S" else len(text) // 2 + 2
    return size

"""A run in S3 through the real program: planned, dealt to an array, run twice and at once, reduced, verified, removed."""

import boto3

from programs import expect, finish, report, run, start

SAMPLES = ["--samples", "2e7", "--seed", "7", "--block", "65536"]
SHARDS = 16
# Any order; fixed, so that a failure can be repeated.
ORDER = [11, 3, 15, 0, 7, 12, 1, 9, 14, 4, 6, 2, 13, 10, 5, 8]


def check(folder, endpoint, key, secret):
    """Holds a server of S3 at `endpoint` to one digest, that of the same run in a directory."""
    aws = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="my-bucket")
    local = report(folder, {}, "pi", "run", *SAMPLES, "--name", "local")

    place = ["--store", "s3://my-bucket/runs"]
    plan = [*SAMPLES, "--shards", SHARDS, *place]
    planned = report(folder, aws, "pi", "plan", *plan, "--name", "planned")
    uri = "s3://my-bucket/runs/planned"
    expect("the planned run", (planned["run"], planned["is_new"]), (uri, True))
    again = report(folder, aws, "pi", "plan", *plan, "--name", "planned")
    expect("planned again, it is new", again["is_new"], False)
    run(folder, aws, "pi", "plan", *plan[2:], "--samples", "3e7", "--name", "planned", exit_code=2)

    def shard(index, *arguments):
        variables = {**aws, "AWS_BATCH_JOB_ARRAY_INDEX": str(index)}
        return start(folder, variables, "pi", "shard", *arguments)

    # Some before, two at once on each; the rest after a first look at what is there.
    for index in ORDER[:6]:
        for process in [shard(index, "--run", uri), shard(index, "--run", uri)]:
            finish(process)
    some = report(folder, aws, "pi", "reduce", "--run", uri, exit_code=3)
    expect("missing shards", some["shards"]["missing"], sorted(ORDER[6:]))
    expect("accepted", some["accepted"], False)
    for index in ORDER[4:]:
        finish(shard(index, "--run", uri))
    whole = report(folder, aws, "pi", "reduce", "--run", uri)
    expect("digest in S3", whole["digest"], local["digest"])
    expect("estimates in S3", whole["estimates"], local["estimates"])
    expect("shards", whole["shards"], {"planned": SHARDS, "done": SHARDS, "missing": []})

    # Nobody plans: whoever comes first does.
    for process in [shard(index, *plan, "--name", "raced") for index in ORDER]:
        finish(process)
    raced = report(folder, aws, "pi", "reduce", "--run", "s3://my-bucket/runs/raced")
    expect("digest of shards that planned", raced["digest"], local["digest"])

    status = report(folder, aws, "pi", "status", "--run", uri)
    expect("shards by name", status["shards"], {"planned": SHARDS, "done": SHARDS})
    expect("runs", [one["run"] for one in report(folder, aws, "pi", "ls", *place)], [uri, raced["run"]])
    verified = report(folder, aws, "pi", "verify", "--run", uri)
    expect("shards verified", verified["shards"], SHARDS)
    keys = [one["Key"] for one in client.list_objects_v2(Bucket="my-bucket")["Contents"]]
    expect("what is neither of a run nor named", [key for key in keys if "probe" in key], [])
    run(folder, aws, "pi", "rm", "--run", uri, "--yes")
    left = client.list_objects_v2(Bucket="my-bucket", Prefix="runs/planned/")["KeyCount"]
    expect("objects of a run that was removed", left, 0)
    return aws

"""What `launch --on kubernetes` prints, as a reader of YAML 1.1 takes it, which is what kubectl's is."""

import json

import yaml

from programs import expect, report, run

# A kernel of the tests, beside the examples' directory.
DOOMED = "../doomed"
FLAGS = (
    "--samples 3200 --seed 7 --shards 8 --name demo --policy retry=2,tolerate=1 --on kubernetes"
    " --container-image registry.example/doomed:1.10 --namespace on --container-env ANSWER=1e3 --container-env EMPTY= --container-env=NO=no"
    " --resource-requests cpu=1500m,memory=1Gi --parallelism 3"
).split()


def check(folder):
    """Prints the manifests of a run, does by hand what its pods would do, and reduces as its last Job does."""
    text = run(folder, {}, DOOMED, "launch", *FLAGS)
    jobs = list(yaml.safe_load_all(text))
    listed = report(folder, {}, DOOMED, "launch", *FLAGS)
    expect("kinds", (listed["kind"], [job["kind"] for job in jobs]), ("List", ["Job", "Job"]))
    # Nobody has applied the first ones: printed again they are the same.
    expect("the list is the same", jobs, listed["items"])
    shards, last = jobs
    spec = shards["spec"]
    expect("indexes", (spec["completions"], spec["parallelism"]), (8, 3))
    expect("policy", (spec["backoffLimitPerIndex"], spec["maxFailedIndexes"]), (2, 1))
    container = spec["template"]["spec"]["containers"][0]
    variables = [(one["name"], one["value"]) for one in container["env"]]
    expect("variables", variables, [("ANSWER", "1e3"), ("EMPTY", ""), ("NO", "no")])
    expect("namespace", shards["metadata"]["namespace"], "on")

    quiet = report(folder, {}, DOOMED, "run", "--samples", 3200, "--seed", 7, "--name", "quiet")
    # All but the fifth, of which the policy tolerates one.
    for index in [0, 1, 2, 3, 5, 6, 7]:
        run(folder, {"JOB_COMPLETION_INDEX": str(index)}, DOOMED, *container["args"])
    later = list(yaml.safe_load_all(run(folder, {}, DOOMED, "launch", "--run", "demo", *FLAGS[FLAGS.index("--on") :])))
    later_args = later[0]["spec"]["template"]["spec"]["containers"][0]["args"]
    expect("what has holes", later[0]["spec"]["completions"], 1)
    run(folder, {"JOB_COMPLETION_INDEX": "0"}, DOOMED, *later_args)
    wait = last["spec"]["template"]["spec"]["containers"][0]["args"]
    expect("the last job's verb", wait[0], "wait")
    result = json.loads(run(folder, {}, DOOMED, *wait, "--json"))
    expect("digest", result["digest"], quiet["digest"])
    # What is applied elsewhere is not driven from here.
    run(folder, {}, DOOMED, "drive", "--run", "demo", "--on", "kubernetes", exit_code=2)

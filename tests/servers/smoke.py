"""deploy/smoke.sh with an `aws` that runs jobs here: nobody's account, but every line of the script."""

import os
import subprocess
import sys
from pathlib import Path

from programs import DEADLINE_SECONDS, EXAMPLES, ROOT, expect

SCRIPT = ROOT / "deploy/smoke.sh"
# What it knows of the AWS CLI is what the script calls.
AWS = """#!{python}
import json, os, subprocess, sys

flags = dict(zip(sys.argv[3::2], sys.argv[4::2]))

def work(*arguments, **variables):
    environment = {{**os.environ, **variables}}
    return subprocess.run(["{program}", *arguments], env=environment, capture_output=True).returncode

def say(code):
    with open("{folder}/status", "w") as file:
        file.write("SUCCEEDED" if code == 0 else "FAILED")

match sys.argv[1:3]:
    case ["cloudformation", "describe-stacks"]:
        target = 'state-machine-arn = "arn"'
        print("{folder}/store" if "'Store'" in flags["--query"] else target)
    case ["batch", "submit-job"]:
        command = json.loads(flags["--container-overrides"])["command"]
        size = int(flags.get("--array-properties", "size=0").removeprefix("size="))
        children = [{{"AWS_BATCH_JOB_ARRAY_INDEX": str(index)}} for index in range(size)] or [{{}}]
        say(max(work(*command, **variables) for variables in children))
        print("id")
    case ["stepfunctions", "start-execution"]:
        asked = json.loads(flags["--input"])
        items = [str(item) for item in asked["items"]]
        say(max(work("shard", "--run", asked["run"], CROUPIER_INDEX=item) for item in items[{first}:]))
        print("arn")
    case ["batch", "describe-jobs"] | ["stepfunctions", "describe-execution"]:
        print(open("{folder}/status").read())
    case other:
        sys.exit(f"nobody knows {{other}}")
"""


def check(folder):
    expect("arguments are needed", call(folder)[0], 2)
    code, said = smoke(folder / "well", first=0)
    expect(f"smoke.sh: {said}", (code, said.endswith("the digests are the same\n")), (0, True))
    # A shard that never ran is found out.
    code, said = smoke(folder / "badly", first=1)
    expect(f"smoke.sh without a shard: {said}", code != 0, True)
    # And so are other numbers, in either of the two runs.
    for run in ["array", "map"]:
        code, said = smoke(folder / run, first=0, other=f"plan*-{run}")
        expect(f"smoke.sh with others: {said}", (code, "the digests differ" in said), (1, True))
    lint()


def smoke(folder, first, other="none"):
    """Calls it with a program that draws other numbers where its command line is like `other`."""
    folder.mkdir()
    (folder / "store").mkdir()
    aws = folder / "aws"
    aws.write_text(AWS.format(python=sys.executable, program=EXAMPLES / "pi", folder=folder, first=first))
    aws.chmod(0o755)
    program = folder / "program"
    program.write_text(
        f'#!/bin/bash\nif [[ "$*" == {other} ]]; then set -- "${{@/#7/8}}"; fi\nexec "{EXAMPLES / "pi"}" "$@"\n'
    )
    program.chmod(0o755)
    return call(folder, "stack", program)


def call(folder, *arguments):
    done = subprocess.run(
        [SCRIPT, *arguments],
        env={"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder), "SMOKE_PAUSE_SECONDS": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    return done.returncode, done.stdout


def lint():
    program = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([program, SCRIPT], capture_output=True, text=True)
    expect(f"shellcheck: {done.stdout}", done.returncode, 0)

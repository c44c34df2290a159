"""Runs the examples as child processes, with an environment that holds nothing but what a check says."""

import json
import os
import subprocess
from pathlib import Path

EXAMPLES = Path(os.environ["EXAMPLES"])
ROOT = Path(__file__).resolve().parents[2]

# Far longer than anything here takes; it ends what hangs.
DEADLINE_SECONDS = 300


class Failed(Exception):
    """A check does not hold."""


def expect(what, found, expected):
    """Fails unless two values are equal."""
    if found != expected:
        raise Failed(f"{what}: found {found!r}, expected {expected!r}")


def environment(folder, **variables):
    """What a child is given: a search path, a home without configuration, and `variables`."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), **variables}


def start(folder, variables, *arguments):
    """Starts an example: its name, then its arguments."""
    program, *rest = arguments
    return subprocess.Popen(
        [EXAMPLES / program, *map(str, rest)],
        cwd=folder,
        env=environment(folder, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process, exit_code=0):
    """Waits for a program, fails unless it exits with `exit_code`, and gives what it printed."""
    stdout, stderr = process.communicate(timeout=DEADLINE_SECONDS)
    if process.returncode != exit_code:
        words = " ".join(map(str, process.args))
        raise Failed(f"{words}\nexit {process.returncode}, expected {exit_code}\n{stdout}{stderr}")
    return stdout


def run(folder, variables, *arguments, exit_code=0):
    """Runs an example to its end, and gives its stdout."""
    return finish(start(folder, variables, *arguments), exit_code)


def report(folder, variables, *arguments, exit_code=0):
    """Runs an example with `--json`, and gives what it says."""
    return json.loads(run(folder, variables, *arguments, "--json", exit_code=exit_code))


def shell(folder, variables, script):
    """Runs a script as a person would paste it, where the examples are at target/release/examples."""
    target = folder / "target"
    if not target.exists():
        target.symlink_to(EXAMPLES.parents[1])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment(folder, **variables),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    if done.returncode != 0:
        raise Failed(f"{script}\nexit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout

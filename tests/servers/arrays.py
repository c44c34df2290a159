"""Runs on a real Slurm: arrays, shards that fail, a node that goes down, and drivers that are jobs."""

import contextlib
import os
import re
import signal as signals
import subprocess
import time
from pathlib import Path

from programs import DEADLINE_SECONDS, Failed, expect, report, run

# A kernel of the tests, beside the examples' directory.
DOOMED = "../doomed"
SAMPLES = 3200
SHARDS = 8
# More than an array has on this cluster, so that there are two arrays.
ARRAYS = ["0-5", "0-1"]
PLAN = ["--samples", SAMPLES, "--seed", 7]
# A sample takes so many microseconds, and a shard two seconds or four, for a look at what is at work.
SLOW = {"SLOW": "5000"}
SLOWER = {"SLOW": "10000"}


class Cluster:
    """A Slurm cluster, its programs, and the folder that runs are in."""

    def __init__(self, folder, conf):
        self.folder = folder
        self.variables = {"SLURM_CONF": str(conf)}

    def call(self, *words):
        """What one of Slurm's own programs prints."""
        done = subprocess.run(
            [*map(str, words)],
            env={"PATH": os.environ["PATH"], **self.variables},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
        )
        if done.returncode != 0:
            raise Failed(f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def run(self, *words, exit_code=0, **variables):
        return run(self.folder, {**self.variables, **variables}, DOOMED, *words, exit_code=exit_code)

    def report(self, *words, exit_code=0, **variables):
        return report(self.folder, {**self.variables, **variables}, DOOMED, *words, exit_code=exit_code)

    def launch(self, name, *words, policy="retry=2", **variables):
        plan = [*PLAN, "--shards", SHARDS, "--name", name, "--policy", policy]
        return self.report("launch", "--on", "slurm", *plan, *words, **variables)

    def jobs(self, name, states="all"):
        """The jobs of a run that the controller knows, oldest first: id, index, state."""
        lines = self.call(
            "squeue", "-h", "-r", "--all", f"--states={states}", "--format=%F|%K|%T|%j"
        ).splitlines()
        jobs = []
        for line in lines:
            job, index, state, of = line.split("|")
            if of.startswith(f"{name}."):
                role = of.rsplit(".", 1)[1]
                jobs.append((int(job), role, int(index) if index.isdigit() else None, state))
        return sorted(jobs, key=lambda job: (job[0], job[2] or 0))

    def arrays(self, name):
        """How many arrays of a run were submitted, ended or not."""
        return len({job for job, role, _, _ in self.jobs(name) if role != "drive"})

    def drivers(self, name):
        return [state for _, role, _, state in self.jobs(name) if role == "drive"]

    def until(self, what, holds):
        """Waits for something that the scheduler brings about."""
        end = time.monotonic() + DEADLINE_SECONDS
        while not (found := holds()):
            if time.monotonic() > end:
                raise Failed(f"{what} did not come about\n{self.call('squeue', '--states=all')}")
            time.sleep(0.1)
        return found

    def until_over(self, name):
        """Waits until no job of a run is left, its driver neither."""
        self.until(f"the end of {name}", lambda: not self.jobs(name, "pending,running,completing"))

    def working(self, name, shard):
        """Waits until a shard is at work by its own record, and gives its job."""

        def found():
            logs = self.report("logs", shard, "--run", name)
            running = [one for one in logs["attempts"] if one["state"] == "running"]
            return running and running[-1]

        return self.until(f"shard {shard} of {name} at work", found)["scheduler"]["job"]


def check(folder, conf):
    """Holds a cluster to all of it; `conf` is its configuration."""
    cluster = Cluster(folder, conf)
    quiet = cluster.report("run", *PLAN, "--name", "quiet")["digest"]
    # Takes a minute, in which the others are held.
    digest_of_long = begin_deadline(cluster)
    for scenario in [array, lost_answer, failing, failing_always, signal, cancel, node_down]:
        began = time.monotonic()
        scenario(cluster, quiet)
        print(f"tests/servers: slurm: {scenario.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
    end_deadline(cluster, digest_of_long)


def stop(folder):
    """Ends a cluster: its jobs, and once they are gone its daemons."""
    conf = folder / "slurm.conf"
    if conf.exists():
        cluster = Cluster(folder, conf)
        with contextlib.suppress(Failed, subprocess.TimeoutExpired):
            cluster.call("scancel", "--user=root")
            cluster.until("the end of all jobs", lambda: not cluster.call("squeue", "-h"))
    for file in (folder / "run").glob("*.pid"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(file.read_text()), signals.SIGKILL)


def result(cluster, name, count=1):
    """The result that a run's driver has left, of so many: nobody else has reduced it."""
    cluster.until_over(name)
    results = list((cluster.folder / "croupier-runs" / name / "results").glob("*/result.json"))
    expect(f"results of {name} by its driver", len(results), count)
    return cluster.report("reduce", "--run", name)


def array(cluster, quiet):
    """Launched, and launched again by somebody who does not know: two arrays and one driver, which reduces."""
    launched = cluster.launch("array", "--array-limit", 2, **SLOW)
    expect("started", launched["started"], list(range(SHARDS)))
    expect("engine", launched["engine"], "slurm")
    again = cluster.launch("array", **SLOW)
    expect("started again", again["started"], [])
    expect("driver", again["driver"], launched["driver"])
    jobs = cluster.jobs("array")
    running = [state for *_, state in jobs if state == "RUNNING"]
    expect(f"the limit holds: {jobs}", len(running) <= 2, True)
    expect("digest", result(cluster, "array")["digest"], quiet)
    expect("arrays", cluster.arrays("array"), len(ARRAYS))
    expect("drivers", cluster.drivers("array"), ["COMPLETED"])
    said = "".join(log.read_text() for log in cluster.folder.glob("slurm-*.out"))
    expect("threads as asked for", "1 threads: --threads=1" in said, True)


def lost_answer(cluster, quiet):
    """`sbatch` submits, and its answer is lost: nothing is submitted twice."""
    real = cluster.call("sh", "-c", "command -v sbatch").strip()
    folder = cluster.folder / "lossy"
    folder.mkdir()
    lossy = folder / "sbatch"
    lossy.write_text(
        f'#!/bin/sh\n{real} "$@" >/dev/null || exit 1\n'
        'echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2\nexit 1\n'
    )
    lossy.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    cluster.launch("lossy", **SLOW, PATH=path)
    expect("digest", result(cluster, "lossy")["digest"], quiet)
    expect("arrays", cluster.arrays("lossy"), len(ARRAYS))
    expect("drivers", cluster.drivers("lossy"), ["COMPLETED"])


def failing(cluster, quiet):
    """A shard dies once: the driver begins a round, and a second driver ends it."""
    died = cluster.folder / "died"
    cluster.launch("failing", "--walltime", 20, DIE_AT="1300", DIE_ONCE=str(died))
    cluster.until_over("failing")
    expect("died", died.exists(), True)
    expect("digest", result(cluster, "failing")["digest"], quiet)
    expect("drivers", cluster.drivers("failing"), ["COMPLETED", "COMPLETED"])
    expect("arrays", cluster.arrays("failing"), len(ARRAYS) + 1)
    rounds = list((cluster.folder / "croupier-runs/failing/rounds").iterdir())
    expect("rounds", len(rounds), 1)
    # A shard that was done in the end has not ended badly.
    status = cluster.report("status", "--on", "slurm", "--run", "failing")
    expect("reasons", status["reasons"], [])


def failing_always(cluster, _):
    """A shard dies each time: one round, the reason is told, and the policy accepts what is there."""
    cluster.launch("hopeless", policy="retry=1,tolerate=1", DIE_AT="2700")
    reduced = result(cluster, "hopeless")
    expect("missing", reduced["shards"]["missing"], [6])
    status = cluster.report("status", "--on", "slurm", "--run", "hopeless")
    reasons = status["reasons"]
    expect("shards with reasons", [reason["shard"] for reason in reasons], [6])
    expect("state", reasons[0]["state"], "FAILED")
    expect("reason", re.sub("n[1-4]", "n", reasons[0]["reason"]), "exit code 137, on n")
    said = cluster.call("sh", "-c", reasons[0]["logs"])
    expect("log", "about to die at sample 2700" in said, True)


def signal(cluster, quiet):
    """SIGTERM to the batch shell alone, as `--signal=B:TERM` sends it, reaches the program, which stops in time."""
    cluster.launch("signal", **SLOWER)
    job = cluster.working("signal", 2)
    cluster.call("scancel", "--batch", "--signal=TERM", job)
    expect("digest", result(cluster, "signal")["digest"], quiet)
    attempts = cluster.report("logs", 2, "--run", "signal")["attempts"]
    expect("states", [one["state"] for one in attempts], ["stopped", "done"])
    expect("no round", (cluster.folder / "croupier-runs/signal/rounds").exists(), False)


def cancel(cluster, quiet):
    """All is ended in time, what was done is kept, and the run goes on later."""
    slow = {"SLOW": "20000"}
    cluster.launch("cancelled", "--array-limit", 6, **slow)
    cluster.working("cancelled", 0)
    cluster.report("cancel", "--on", "slurm", "--run", "cancelled")
    cluster.until_over("cancelled")
    # With 3, since the policy refuses what is there.
    expect("drivers", cluster.drivers("cancelled"), ["FAILED"])
    kept = list((cluster.folder / "croupier-runs/cancelled/partials").glob("00000-*"))
    expect("shard 0 has published", len(kept) >= 1, True)
    launched = cluster.report("launch", "--on", "slurm", "--run", "cancelled")
    expect("driver", launched["driver"].startswith("job "), True)
    expect("digest", result(cluster, "cancelled", 2)["digest"], quiet)


def node_down(cluster, quiet):
    """A node is set DOWN under a shard: Slurm starts it again elsewhere, and no round is begun."""
    cluster.launch("down", **SLOWER)
    job = cluster.working("down", 3)
    shown = cluster.call("scontrol", "show", "job", "--oneliner", job)
    node = re.search(r" NodeList=(n\d)", shown).group(1)
    cluster.call("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")

    def waiting():
        return [one for one in cluster.jobs("down", "pending") if one[1] != "drive"]

    # A job that is requeued waits two minutes for the rest of it to be gone. Here it is gone.
    cluster.until("requeued", waiting)
    for array, _, index, _ in waiting():
        cluster.call("scontrol", "update", f"JobId={array}_{index}", "StartTime=now")
    expect("digest", result(cluster, "down")["digest"], quiet)
    attempts = cluster.report("logs", 3, "--run", "down")["attempts"]
    starts = [one["scheduler"]["attempt"] for one in attempts]
    expect("starts", starts, ["1", "2"])
    expect("no round", (cluster.folder / "croupier-runs/down/rounds").exists(), False)


LONG = ["--samples", 2400, "--seed", 9]


def begin_deadline(cluster):
    """Shards of a minute and a little, of which a job may take a minute."""
    digest = cluster.report("run", *LONG, "--name", "quiet-long")["digest"]
    plan = [*LONG, "--shards", 2, "--name", "long", "--policy", "complete"]
    cluster.report("launch", "--on", "slurm", *plan, "--walltime", 1, SLOW="50000")
    return digest


def end_deadline(cluster, digest):
    """They stop in time, the driver goes on with them, and no job was ended by Slurm."""
    expect("digest", result(cluster, "long")["digest"], digest)
    for shard in range(2):
        attempts = cluster.report("logs", shard, "--run", "long")["attempts"]
        expect(f"shard {shard}", [one["state"] for one in attempts], ["stopped", "done"])
    states = {state for _, role, _, state in cluster.jobs("long") if role != "drive"}
    expect("states", states, {"FAILED", "COMPLETED"})

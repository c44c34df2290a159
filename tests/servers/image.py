"""The last stage of deploy/Dockerfile, built and run by podman.

Its base can't be pulled everywhere, so that a stand-in has the base's name: the libraries that the program links to and
the certificates, of this machine, and nothing else. It is kept in a storage of its own. The first stage, which compiles,
is replaced by a folder with the program.
"""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import boto3

from programs import DEADLINE_SECONDS, EXAMPLES, ROOT, Failed, expect, report

DOCKERFILE = ROOT / "deploy/Dockerfile"
IMAGE = "localhost/croupier-test"
STORE = "s3://my-bucket/image"
SAMPLES = ["--samples", "4e7", "--seed", "7", "--block", "65536"]
# More than any machine does while a test looks on.
ENDLESS = ["--samples", "2e12", "--seed", "7"]


def check(folder, endpoint):
    """Runs shards in S3 at `endpoint` from the image."""
    podman = Podman(folder, endpoint)
    try:
        check_image(folder, endpoint, podman)
    finally:
        podman("rm", "--all", "--force", "--time", "0")


def check_image(folder, endpoint, podman):
    [base] = re.findall(r"^ARG BASE=(.*)$", DOCKERFILE.read_text(), re.MULTILINE)
    expect("the base that the last stage is from", DOCKERFILE.read_text().count("FROM ${BASE}\n"), 1)
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="any",
        aws_secret_access_key="any",
        region_name="us-east-1",
    )
    stand_in(folder / "base")
    podman("import", "--quiet", archive(folder / "base"), base)
    context = folder / "context"
    (context / "out").mkdir(parents=True)
    shutil.copy(EXAMPLES / "pi", context / "out/program")
    podman("build", "--quiet", "--file", DOCKERFILE, "--build-context", f"build={context}", "--tag", IMAGE, context)

    [image] = json.loads(podman("image", "inspect", IMAGE))
    expect("who runs it", image["Config"]["User"], "65532:65532")
    expect("what is run, without a shell", image["Config"]["Entrypoint"], ["/usr/local/bin/program"])

    local = report(folder, {}, "pi", "run", *SAMPLES, "--name", "local")
    client.create_bucket(Bucket="my-bucket")
    podman.run("plan", *SAMPLES, "--shards", "3", "--store", STORE, "--name", "demo")
    for index in range(3):
        podman.run("shard", "--run", f"{STORE}/demo", AWS_BATCH_JOB_ARRAY_INDEX=index)
    whole = json.loads(podman.run("reduce", "--run", f"{STORE}/demo", "--json"))
    expect("digest of the image's shards", whole["digest"], local["digest"])
    podman.run("shard", "--run", f"{STORE}/demo", exit_code=2)

    podman.run("plan", *ENDLESS, "--shards", "2", "--store", STORE, "--name", "long")

    def partials(shard):
        listed = client.list_objects_v2(Bucket="my-bucket", Prefix=f"image/long/partials/0000{shard}-")
        return listed["KeyCount"]

    def at_work(shard):
        """A worker in a container that has checkpointed once."""
        container = podman.start("shard", "--run", f"{STORE}/long", "--shard", shard, "--checkpoint", "200ms")
        until(lambda: partials(shard) > 0, f"shard {shard} does not checkpoint")
        return container

    worker = at_work(0)
    # The worker has a parent, which is the container's first process. It is told, and hands it on.
    podman("kill", "--signal", "TERM", worker)
    code, said = podman.wait(worker)
    expect(f"exit of a shard that is told to stop: {said}", code, 75)
    expect("it says that it kept what it had", "which are kept" in said, True)

    worker = at_work(1)
    os.kill(podman.child(worker), signal.SIGKILL)
    code, said = podman.wait(worker)
    expect(f"exit of a shard that is killed: {said}", code, 128 + signal.SIGKILL)
    why = json.loads(podman.run("logs", "1", "--run", f"{STORE}/long", "--json"))
    expect("why", [one["death"]["signal"] for one in why["attempts"]], [signal.SIGKILL])


class Podman:
    """Podman with a storage and settings of its own, as a machine without systemd needs them."""

    def __init__(self, folder, endpoint):
        limits = [("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)]
        ulimits = [f'"{name}={size}:{size}"' for name, limit in limits if (size := min(1024, resource.getrlimit(limit)[1]))]
        runtime = 'runtime = "runc"\n' if shutil.which("runc") else ""
        settings = folder / "containers.conf"
        settings.write_text(
            f'[containers]\nnetns = "host"\ndefault_ulimits = [{", ".join(ulimits)}]\n'
            f'[engine]\n{runtime}cgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        )
        self.environment = {**os.environ, "CONTAINERS_CONF": str(settings)}
        self.command = ["podman", "--root", str(folder / "storage"), "--runroot", str(folder / "state")]
        self.variables = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_REGION": "us-east-1",
        }

    def __call__(self, *arguments, exit_code=0, into=subprocess.PIPE, seconds=DEADLINE_SECONDS):
        done = subprocess.run(
            [*self.command, *map(str, arguments)],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=into,
            text=True,
            timeout=seconds,
        )
        if done.returncode != exit_code:
            words = " ".join(map(str, arguments))
            said = f"{done.stdout}{done.stderr or ''}"
            raise Failed(f"podman {words}\nexit {done.returncode}, expected {exit_code}\n{said}")
        return done.stdout

    def run(self, *arguments, exit_code=0, **variables):
        """Runs a container to its end, with a root that nobody can write to."""
        return self("run", "--rm", "--read-only", *self.say(variables), IMAGE, *arguments, exit_code=exit_code)

    def start(self, *arguments):
        return self("run", "--detach", *self.say({}), IMAGE, *arguments).strip()

    def wait(self, container):
        """How it exits, and what it said."""
        code = int(self("wait", container, seconds=60))
        said = self("logs", container, into=subprocess.STDOUT)
        self("rm", container)
        return code, said

    def child(self, container):
        """The worker, as this machine numbers it."""
        parent = self("inspect", "--format", "{{.State.Pid}}", container).strip()
        [child] = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return int(child)

    def say(self, variables):
        said = {**self.variables, **variables}
        return [word for name, value in said.items() for word in ["--env", f"{name}={value}"]]


def until(is_so, otherwise):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise Failed(otherwise)
        time.sleep(0.1)


def stand_in(folder):
    """What the program needs besides itself, from this machine."""
    linked = subprocess.run(["ldd", EXAMPLES / "pi"], capture_output=True, text=True, check=True).stdout
    for library in re.findall(r"(/\S+) \(0x", linked):
        place = folder / library.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, place)
    certificates = Path("/etc/ssl/certs/ca-certificates.crt")
    if certificates.exists():
        (folder / "etc/ssl/certs").mkdir(parents=True)
        shutil.copy(certificates, folder / "etc/ssl/certs")


def archive(folder):
    return shutil.make_archive(str(folder), "tar", folder)

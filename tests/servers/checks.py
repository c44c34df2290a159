"""Runs the checks one after the other and ends with 1 if one fails. A server that does not start is a failure."""

import logging
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from moto.server import ThreadedMotoServer

import arrays
import buckets
import documents
import image
import machines
import manifests
import readers
import smoke
import template
import trackers

# A file to which the names of checks that were skipped are added; unset for none.
SKIPS = os.environ.get("CROUPIER_TESTS_SKIPS")

CEPH = Path(__file__).with_name("ceph")
SLURM = Path(__file__).with_name("slurm")


class Skipped(Exception):
    """A check needs what this machine can't have."""


def streams(_):
    documents.check_streams()


def profile(_):
    documents.check_profile()


def golden(_):
    readers.check_golden()


def arrow(folder):
    readers.check(folder)
    documents.check_format(folder)


def readme(folder):
    digest = documents.check_readme(folder)
    with moto() as endpoint:
        aws = buckets.check(folder, endpoint, "any", "any")
        documents.check_readme_bucket(folder, aws, digest)


def tracker(folder):
    with trackers.one_by_one(), moto() as endpoint:
        trackers.check(folder, endpoint)
        trackers.check_driven(folder, endpoint)
        trackers.check_campaign(folder, endpoint)


def deploy(folder):
    template.check(folder)
    smoke.check(folder)


def states(folder):
    with moto() as endpoint:
        machines.check(folder, endpoint)


def container(folder):
    if os.geteuid() != 0 or not shutil.which("podman"):
        raise Skipped("the image is built by podman as root")
    with moto() as endpoint:
        image.check(folder, endpoint)


def ceph(folder):
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Skipped("Ceph's packages are installed by apt as root")
    port = free_ports(2)
    started = subprocess.run([CEPH, folder / "ceph", str(port)])
    try:
        if started.returncode == 77:
            raise Skipped("apt could not install Ceph's packages")
        if started.returncode != 0:
            raise RuntimeError(f"Ceph did not start: exit {started.returncode}")
        buckets.check(folder, f"http://127.0.0.1:{port}", "CROUPIER", "CROUPIERSECRET")
    finally:
        for file in (folder / "ceph/run").glob("*.pid"):
            os.kill(int(file.read_text()), signal.SIGKILL)


def kubernetes(folder):
    manifests.check(folder)


def slurm(folder):
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Skipped("Slurm's packages are installed by apt as root")
    cluster = folder / "slurm"
    started = subprocess.run([SLURM, cluster, str(free_ports(7))])
    try:
        if started.returncode == 77:
            raise Skipped("apt could not install Slurm's packages")
        if started.returncode != 0:
            raise RuntimeError(f"Slurm did not start: exit {started.returncode}")
        arrays.check(folder, cluster / "slurm.conf")
    finally:
        arrays.stop(cluster)


class moto:
    """moto's services in this process, on a port of its own."""

    def __enter__(self):
        # A line a request otherwise; and where two clients put one object at once, moto may answer one of them with 500,
        # which is what a client must be able to bear.
        logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.server.start()
        host, port = self.server.get_host_and_port()
        return f"http://{host}:{port}"

    def __exit__(self, *_):
        self.server.stop()


def free_ports(count):
    """The first of so many ports in a row, below those that outgoing connections take: one of these would be gone again."""
    while True:
        first = random.randrange(20_000, 32_000)
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue


CHECKS = [streams, profile, golden, arrow, readme, tracker, deploy, states, container, kubernetes, ceph, slurm]


def main(chosen):
    unknown = set(chosen) - {check.__name__ for check in CHECKS}
    if unknown:
        print(f"no check is called {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    failed = []
    skipped = []
    passed = 0
    for check in CHECKS:
        name = check.__name__
        if chosen and name not in chosen:
            continue
        start = time.monotonic()
        outcome = "ok"
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            try:
                check(Path(folder))
                passed += 1
            except Skipped as reason:
                outcome = f"SKIPPED: {reason}"
                skipped.append(name)
            except Exception:
                traceback.print_exc()
                outcome = "FAILED"
                failed.append(name)
        print(f"tests/servers: {name}: {outcome} ({time.monotonic() - start:.1f} s)", flush=True)
    summary = f"{passed} passed"
    for what, names in [("skipped", skipped), ("failed", failed)]:
        if names:
            summary += f", {len(names)} {what} ({', '.join(names)})"
    print(f"tests/servers: {summary}", flush=True)
    if skipped and SKIPS:
        # Whoever asks for it names them again at its end.
        with open(SKIPS, "a") as file:
            file.writelines(f"{name}\n" for name in skipped)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

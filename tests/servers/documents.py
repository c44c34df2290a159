"""What the documentation shows, run as it stands there."""

import contextlib
import io
import json
import re
import tomllib

from programs import ROOT, Failed, expect, shell


def blocks(document, language):
    """The code blocks of a document that are in `language`."""
    text = (ROOT / document).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def block(document, language, *words):
    """The one block that has all the words."""
    [found] = [text for text in blocks(document, language) if all(word in text for word in words)]
    return found


def python(script):
    """What a script prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(script, "a block of the documentation", "exec"), {"__name__": "__main__"})
    return printed.getvalue()


def check_streams():
    """The Python in docs/STREAMS.md prints the test vectors that stand there."""
    [vectors] = blocks("docs/STREAMS.md", "text")
    [script] = blocks("docs/STREAMS.md", "python")
    expect("docs/STREAMS.md: printed", python(script), vectors)


def check_readme(folder):
    """The README's array in a directory, its digest, the run until it is precise, and the lines of Python."""
    readme = (ROOT / "README.md").read_text()
    [digest] = set(re.findall(r"`([0-9a-f]{64})`", readme))
    said = shell(folder, {}, block("README.md", "sh", "for i in", "reduce --run demo\n"))
    expect("README.md: the digest of the array", f"digest  {digest}\n" in said, True)
    driven = shell(folder, {}, block("README.md", "sh", "drive --run driven"))
    expect("README.md: the digest of the driven run", f"digest  {digest}\n" in driven, True)
    precise = shell(folder, {}, block("README.md", "sh", "--until rel"))
    expect("README.md: the looks of the run that is precise enough", "met, looked at after" in precise, True)
    with contextlib.chdir(folder):
        printed = python(block("README.md", "python"))
    result = next((folder / "croupier-runs/demo/results").iterdir()) / "result.json"
    [estimate] = json.loads(result.read_text())["estimates"]
    for expected in [digest, "std_error", f"{estimate['value']:.6f}"]:
        expect(f"README.md: {expected} in what the Python prints", expected in printed, True)
    return digest


def check_readme_bucket(folder, aws, digest):
    """The README's array in S3."""
    said = shell(folder, aws, block("README.md", "sh", "plan", "s3://my-bucket/runs/demo"))
    expect("README.md: the digest of the array in S3", f"digest  {digest}\n" in said, True)


def check_profile():
    """The profile to paste is the workspace's own, but for packages that a kernel's crate has not: Cargo would warn."""
    ours = tomllib.loads((ROOT / "Cargo.toml").read_text())["profile"]
    for ours_alone in ["croupier-tests", "aws-sdk-batch", "aws-sdk-dynamodb", "aws-sdk-sfn", "k8s-openapi"]:
        del ours["release"]["package"][ours_alone]
    pasted = tomllib.loads(block("README.md", "toml", "[profile.release"))["profile"]
    expect("README.md: profile", pasted, ours)


def check_format(folder):
    """Every field and column that the runs in `folder` have stands in docs/FORMAT.md."""
    document = (ROOT / "docs/FORMAT.md").read_text()
    named = set(re.findall(r"`([A-Za-z0-9_.]+)`", document))
    missing = set()
    seen = 0
    for path in sorted((folder / "croupier-runs").rglob("*.json")):
        if path.name == "sources.json":
            continue
        seen += 1
        missing |= {f"{path.name}: {name}" for name in names(json.loads(path.read_text())) if name not in named}
    if seen == 0:
        raise Failed("there is no JSON to compare docs/FORMAT.md with")
    expect("fields that docs/FORMAT.md leaves out", sorted(missing), [])


def names(value):
    """The names of all fields of a JSON value; a kernel's parameters and inputs are its author's."""
    if isinstance(value, list):
        for inner in value:
            yield from names(inner)
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            if name not in ("parameters", "inputs"):
                yield from names(inner)

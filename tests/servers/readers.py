"""What other readers of Arrow make of a run's files, and whether the digests that docs/FORMAT.md describes come out."""

import hashlib
import json
import struct

import numpy
import pandas
import polars
import pyarrow
import pyarrow.ipc

from programs import ROOT, Failed, expect, report

# Every example's tally: sums, integers, options inside structs.
RUNS = [
    ["pi", "--samples", "3e6", "--block", "65536", "--shards", "3"],
    ["european_option", "--samples", "1e5", "--block", "8192", "--shards", "2", "--rate", "-0.01"],
    ["neutron_slab", "--samples", "1e5", "--shards", "2"],
    ["own_tally", "--samples", "1e5", "--block", "1024"],
    ["costly", "--samples", "12", "--customers", "1000", "--shards", "12"],
]


def check(folder):
    """Reads a run of each example by every reader."""
    for program, *arguments in RUNS:
        said = report(folder, {}, program, "run", *arguments, "--seed", "7", "--name", program.replace("_", "-"))
        place = folder / "croupier-runs" / program.replace("_", "-")
        [result] = (place / "results").iterdir()
        expect(f"{program}: result.json", json.loads((result / "result.json").read_text()), said)
        estimates(result / "result.arrow", said["estimates"])
        nodes(result / "tally.arrow", said)
        for partial in sorted((place / "partials").iterdir()):
            nodes(partial, said)
            expect(
                "a partial's name",
                partial.stem.rsplit("-", 1)[1],
                hashlib.sha256(partial.read_bytes()).hexdigest(),
            )
        expect(f"{program}: digest by docs/FORMAT.md", digest(result, said), said["digest"])


def check_golden():
    """Reads the committed files of every format."""
    results = list((ROOT / "tests/golden").glob("*/*/results/*"))
    if not results:
        raise Failed("there are no golden results")
    for result in results:
        said = json.loads((result / "result.json").read_text())
        estimates(result / "result.arrow", said["estimates"])
        for file in [result / "tally.arrow", *result.parents[1].glob("partials/*")]:
            nodes(file, said)
        expect(f"{result.name}: digest by docs/FORMAT.md", digest(result, said), said["digest"])


def estimates(path, expected):
    """The table of estimates, by each reader, equals the JSON to the last bit."""
    expect("pyarrow", read(path).to_pylist(), expected)
    expect("polars", polars.read_ipc(path).to_dicts(), expected)
    frame = pandas.read_feather(path)
    expect("columns", list(frame.columns), list(expected[0]))
    for column in frame.columns:
        values = [row[column] for row in expected]
        if column == "name":
            expect("pandas: name", list(frame[column]), values)
            continue
        numbers = numpy.array([numpy.nan if value is None else value for value in values], float)
        found = frame[column].to_numpy(float)
        if not numpy.array_equal(found, numbers, equal_nan=True):
            raise Failed(f"pandas: {column} is {found}, expected {numbers}")


def nodes(path, said):
    """Nodes of the tree are whole, add up, and are the same for each reader."""
    table = read(path)
    rows = table.to_pylist()
    expect("polars", polars.read_ipc(path).to_dicts(), rows)
    expect("pandas: rows", len(pandas.read_feather(path)), len(rows))
    metadata = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    expect("format", metadata["croupier.format"], "1")
    expect("identity", json.loads(metadata["croupier.identity"]), said["identity"])
    merged = [row for row in rows if not row["witness"]]
    for row in merged:
        expect("alignment", row["first_block"] % 2 ** row["level"], 0)
    if path.name == "tally.arrow":
        [row] = merged
        expect("samples", row["samples"], said["samples"]["done"])
    else:
        blocks = sum(2 ** row["level"] for row in merged)
        expect("blocks by the name", int(path.stem.split("-")[1]), blocks)


def read(path):
    """The whole of a file by pyarrow, every buffer checked."""
    table = pyarrow.ipc.open_file(path).read_all()
    table.validate(full=True)
    return table


def digest(result, said):
    """The result's digest, from its files alone."""
    table = read(result / "tally.arrow")
    [row] = table.to_pylist()
    kinds = {field.name: field.type for field in table.schema}
    identity = content("croupier identity v1", identity_of(said["identity"]))
    failures = fields([
        ("samples", unsigned(row["failed_samples"])),
        ("listed", column(row["failed"], kinds["failed"], False)),
    ])
    merged = sequence([unsigned(row["samples"]), failures, column(row["tally"], kinds["tally"], False)])
    whole = fields([("start", unsigned(0)), ("end", unsigned(said["blocks"]["done"]))])
    return content("croupier result v1", sequence([text(identity), sequence([whole]), b"\x09" + merged]))


def content(label, encoded):
    return hashlib.sha256(text(label) + encoded).hexdigest()


def identity_of(identity):
    encoders = {"seed": text, "parameters": of_json, "inputs": of_json}
    return fields(
        (name, encoders.get(name, optional if name == "domain" else of_json)(value))
        for name, value in identity.items()
    )


def optional(value):
    return b"\x08" if value is None else b"\x09" + of_json(value)


def of_json(value):
    """A JSON value that is none of a struct's."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bool):
        return bytes([1, value])
    if isinstance(value, int):
        return unsigned(value) if value >= 0 else b"\x03" + struct.pack("<q", value)
    if isinstance(value, float):
        return b"\x04" + struct.pack("<d", value)
    if isinstance(value, dict):
        entries = sorted((text(key), of_json(inner)) for key, inner in value.items())
        return b"\x0d" + b"".join(key + inner for key, inner in entries) + b"\x0c"
    if isinstance(value, list):
        return sequence(map(of_json, value))
    return b"\x0a"


def column(value, kind, nullable):
    """A value of an Arrow column."""
    if nullable:
        return b"\x08" if value is None else b"\x09" + column(value, kind, False)
    if pyarrow.types.is_struct(kind):
        parts = [kind.field(number) for number in range(kind.num_fields)]
        return fields((part.name, column(value[part.name], part.type, part.nullable)) for part in parts)
    if pyarrow.types.is_list(kind):
        item = kind.value_field
        return sequence(column(inner, item.type, item.nullable) for inner in value)
    if pyarrow.types.is_unsigned_integer(kind):
        return unsigned(value)
    if pyarrow.types.is_float64(kind):
        return b"\x04" + struct.pack("<d", value)
    if pyarrow.types.is_string(kind):
        return text(value)
    raise Failed(f"no example has a column of type {kind}")


def fields(named):
    return b"\x0e" + b"".join(text(name) + encoded for name, encoded in named) + b"\x0c"


def sequence(encoded):
    return b"\x0b" + b"".join(encoded) + b"\x0c"


def text(value):
    return b"\x06" + struct.pack("<Q", len(value.encode())) + value.encode()


def unsigned(value):
    return b"\x02" + struct.pack("<Q", value)

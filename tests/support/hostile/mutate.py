"""Mutations of files: of their bytes, of their members, and of the values that they describe."""

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from typing import Any

INTEGERS = (0, 1, -1, 2**7, 2**15 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1)
"""Numbers at which sizes overflow."""

NAMES = ("../../outside", "/etc/passwd", "", "a" * 5000, "x\0y", "~root/x", "é\udcff", "con:", ".")
"""Names of files that lead elsewhere, or nowhere."""

Mutate = Callable[[bytes, random.Random], bytes]


def nested(depth: int = 20_000) -> list[Any]:
    """Lists in lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 3, 1_000_000_000, 10**30, -(2**63), 1.5, float("nan"), float("inf")),
    *("", "x", "a" * 200_000, "../../x", "\0", [], [1], [[[[1]]]], {}, {"a": 1}, [None] * 3),
    *({"class_path": "os.system", "init_args": {}}, {"class_path": 3}, {"class_path": "oneleap.x"}),
    *({"class_path": "oneleap.core.MeanFlow", "init_args": 5}, [0] * 5000),
)
"""Values of wrong types and sizes, for any field."""


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    """One to four random changes of bytes."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        n = len(found)
        at, size = rng.randrange(n + 1), min(n, 2 ** rng.randrange(11))
        kind = rng.randrange(9)
        if kind == 0 and n:
            for _ in range(rng.randint(1, 8)):
                found[rng.randrange(n)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            found[at : at + size] = rng.randbytes(min(size, n - at))
        elif kind == 2:
            found[at : at + size] = bytes([rng.choice((0, 255))]) * min(size, n - at)
        elif kind == 3:
            del found[at:]
        elif kind == 4:
            del found[at : at + size]
        elif kind == 5:
            found[at:at] = found[at : at + size]
        elif kind == 6:
            found += rng.randbytes(size)
        else:
            width, order = rng.choice((1, 2, 4, 8)), rng.choice("<>")
            number = rng.choice(INTEGERS) & (2 ** (8 * width) - 1)
            near = rng.randrange(min(n, 256) + 1) if kind == 7 else at
            code = {1: "B", 2: "H", 4: "I", 8: "Q"}[width]
            found[near : near + width] = struct.pack(f"{order}{code}", number)
    return bytes(found)


def mutate_value(value: Any, rng: random.Random) -> Any:
    """Change one random value of nested dictionaries and lists."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        changed = dict(value)
        kind = rng.random()
        if kind < 0.08:
            del changed[key]
        elif kind < 0.14:
            changed[rng.choice(NAMES)] = changed.pop(key)
        else:
            changed[key] = mutate_value(value[key], rng)
        return changed
    if isinstance(value, list) and value and rng.random() < 0.6:
        k = rng.randrange(len(value))
        return [*value[:k], mutate_value(value[k], rng), *value[k + 1 :]]
    return rng.choice(VALUES)


def json_bytes(value: Any, rng: random.Random) -> bytes:
    """A changed description as JSON; now and then something that is none."""
    for _ in range(rng.randint(1, 3)):
        value = mutate_value(value, rng)
    text = json.dumps(value, default=str).encode("utf-8", "surrogatepass")
    if rng.random() < 0.05:
        text = b"[" * 100_000 + text
    return mutate_bytes(text, rng) if rng.random() < 0.15 else text


def mutate_json(data: bytes, rng: random.Random) -> bytes:
    """Change the values of a JSON file."""
    if rng.random() < 0.1:
        return mutate_bytes(data, rng)
    return json_bytes(json.loads(data), rng)


def mutate_yaml(data: bytes, rng: random.Random) -> bytes:
    """Change the values of a YAML file, or put one of YAML's own traps into it."""
    import yaml

    kind = rng.random()
    if kind < 0.15:
        return mutate_bytes(data, rng)
    if kind < 0.25:
        return data + rng.choice(YAML_TRAPS).encode()
    if kind < 0.3:
        return rng.choice(YAML_TRAPS).encode()
    value = yaml.safe_load(data)
    for _ in range(rng.randint(1, 3)):
        value = mutate_value(value, rng)
    return yaml.safe_dump(value).encode("utf-8", "replace")


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefghijklmno", "bcdefghijklmnop", strict=True)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name} {{<<: [*{before}, *{before}]}}\n"
    for before, name in zip("abcdefghijklmnopqrstuvwx", "bcdefghijklmnopqrstuvwxy", strict=True)
)
YAML_TRAPS = (
    LAUGHS,
    MERGES,
    "z: &z [*z]\n",
    "trainer:\n",
    "data:\n",
    "model:\n",
    "trainer: 5\n",
    "seed_everything: 99999999999999999999999999\n",
    "seed: 99999999999999999999999999\n",
    "z: !!python/object/apply:os.system [ls]\n",
    "z: 2026-99-99\n",
    "z: 1:99:99:99\n",
    "? [a]\n: b\n",
    "{" * 5000,
    "[" * 100_000,
    "z: " + "- " * 5000 + "x\n",
    "%YAML 9.9\n---\nz: 1\n",
    "z: 1\n---\nz: 2\n",
    "\x07",
    "z: !!binary '====='\n",
    "z: " + "9" * 5000 + "\n",
)


def mutate_table(data: bytes, rng: random.Random) -> bytes:
    """Change the cells, the names and the lines of a table."""
    kind = rng.random()
    if kind < 0.3:
        return mutate_bytes(data, rng)
    lines = data.split(b"\n")
    for _ in range(rng.randint(1, 3)):
        k = rng.randrange(len(lines))
        mark = b"|" if b"|" in lines[k] else b","
        cells = lines[k].split(mark)
        at = rng.randrange(len(cells))
        name = rng.choice(NAMES).encode("utf-8", "surrogatepass")
        choice = rng.randrange(6)
        if choice == 0:
            cells[at] = name
        elif choice == 1:
            cells[at] = b"x" * 140_000
        elif choice == 2:
            cells[at] = b'"' + cells[at]
        elif choice == 3:
            cells = cells[:at]
        elif choice == 4:
            cells = cells * 50
        else:
            cells[at] = rng.choice((b"nan", b"1e999", b"\xff\xfe", b"\r", b"", b"9" * 5000))
        lines[k] = mark.join(cells)
    return b"\n".join(lines)


def mutate_archive(data: bytes, rng: random.Random, inner: Mutate = mutate_bytes) -> bytes:
    """Change a member of a zip file, its name, or the bytes of the file."""
    if rng.random() < 0.35:
        return mutate_bytes(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        members = [(info, file.read(info)) for info in file.infolist()]
        stored = file.infolist()[0].compress_type
    k = rng.randrange(len(members))
    info, content = members[k]
    name = info.filename
    kind = rng.randrange(6)
    if kind == 0:
        members.pop(k)
    elif kind == 1:
        name = rng.choice(NAMES).replace("\0", "_").replace("\udcff", "_") or "-"
    elif kind == 2:
        content = members[rng.randrange(len(members))][1]
    elif kind == 3:
        content = bytes(10**7)  # unpacks to far more than it stores
        stored = zipfile.ZIP_DEFLATED
    else:
        content = inner(content, rng)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", stored) as file:
        for i, (old, old_content) in enumerate(members):
            changed = old is info
            file.writestr(name if changed else old.filename, content if changed else old_content)
            if i == k and rng.random() < 0.05 and changed:
                file.writestr(f"{name}-2", content)
    return out.getvalue()


def mutate_safetensors(data: bytes, rng: random.Random) -> bytes:
    """Change the header of a safetensors file, or its bytes."""
    if rng.random() < 0.4:
        return mutate_bytes(data, rng)
    size = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    if rng.random() < 0.3:
        at = rng.randrange(max(1, len(body) - 4)) & ~3
        body = body[:at] + rng.choice((b"\0\0\xc0\x7f", b"\0\0\x80\x7f")) + body[at + 4 :]
        text = json.dumps(header).encode()
    elif rng.random() < 0.4:
        name = rng.choice([n for n in header if n != "__metadata__"])
        header[name]["dtype"] = rng.choice(("F16", "BF16", "I64", "BOOL", "F8_E4M3", "C64", "U4"))
        text = json.dumps(header).encode()
    else:
        text = json_bytes(header, rng)
    return len(text).to_bytes(8, "little") + text + body

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from memxc import store
from memxc.errors import MemxcError
from memxc.ir.design import Bus, Design
from memxc.ir.kernel import Kernel
from memxc.ir.stages import Linear
from memxc.ir.windows import identity


def same(a, b):
    """Equal in type and content, all the way down."""
    assert type(a) is type(b)
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert a.tobytes() == b.tobytes()
    elif is_dataclass(a):
        for field in fields(a):
            same(getattr(a, field.name), getattr(b, field.name))
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, tuple):
        assert len(a) == len(b)
        for left, right in zip(a, b, strict=True):
            same(left, right)
    else:
        assert a == b


def test_a_design_comes_back_exactly(design, tmp_path):
    store.save(design, tmp_path)
    same(store.load(tmp_path), design)


def test_a_lowered_design_with_float16_weights_comes_back(tmp_path):
    values = np.arange(6, dtype=np.float16).reshape(1, 6)
    kernel = Kernel(values, None, None, identity(3), identity(2), (1,))
    buses = {"x": Bus("x", (1, 3)), "y": Bus("y", (1, 2))}
    lowered = Design("l", ("x",), ("y",), buses, (Linear("fc", "x", "y", (kernel,)),))
    store.save(lowered, tmp_path)
    same(store.load(tmp_path), lowered)


def test_arrays_come_back_read_only(design, tmp_path):
    store.save(design, tmp_path)
    array = store.load(tmp_path).arrays[0].crossbars[0].g
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 1.0


def test_hostile_names_are_only_text(design, tmp_path):
    name = 'x\n.control\nshell touch pwned "\\ \u2028 \x00'
    buses = {**design.buses, name: Bus(name, (1, 7))}
    store.save(replace(design, name=name, buses=buses), tmp_path)
    loaded = store.load(tmp_path)
    assert loaded.name == name
    assert list(loaded.buses)[-1] == name


def test_equal_arrays_are_stored_once(design, tmp_path):
    store.save(design, tmp_path)
    with zipfile.ZipFile(tmp_path / "design.npz") as archive:
        contents = [archive.read(name) for name in archive.namelist()]
    assert len(set(contents)) == len(contents)


def test_bytes_do_not_depend_on_hash_seed_or_clock(design, tmp_path):
    script = (
        "import sys; from pathlib import Path; from memxc import store\n"
        "store.save(store.load(Path(sys.argv[1])), Path(sys.argv[2]))"
    )
    store.save(design, tmp_path)
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        env = {**os.environ, "PYTHONHASHSEED": seed, "TZ": f"Etc/GMT+{seed}"}
        subprocess.run(
            [sys.executable, "-c", script, tmp_path, tmp_path / seed], check=True, env=env
        )
    for name in ("design.json", "design.npz"):
        first, one, two = ((tmp_path / d / name).read_bytes() for d in (".", "1", "2"))
        assert first == one == two


BROKEN = {
    "not json": lambda tree: "{",
    "another schema": lambda tree: {**tree, "schema": "memxc-design/99"},
    "no design": lambda tree: {"schema": tree["schema"]},
    "a list": lambda tree: [tree],
    "unknown type": lambda tree: {**tree, "design": {**tree["design"], "type": "Popen"}},
    "unknown field": lambda tree: {**tree, "design": {**tree["design"], "extra": 1}},
    "missing field": lambda tree: {
        **tree, "design": {k: v for k, v in tree["design"].items() if k != "outputs"},
    },
    "lost array": lambda tree: json.loads(json.dumps(tree).replace('"a0"', '"a999"')),
    "lost bus": lambda tree: {**tree, "design": {**tree["design"], "outputs": ["nowhere"]}},
    "no limit": lambda tree: json.loads(json.dumps(tree).replace('"limit": 0.25', '"limit": 0.0')),
    "a bus for a design": lambda tree: {
        **tree, "design": {"type": "Bus", "name": "x", "shape": [1], "scale": 1, "limit": 1},
    },
}  # fmt: skip


@pytest.mark.parametrize("change", BROKEN.values(), ids=list(BROKEN))
def test_a_broken_file_is_a_fault(design, tmp_path, change):
    store.save(design, tmp_path)
    path = tmp_path / "design.json"
    changed = change(json.loads(path.read_text()))
    path.write_text(changed if isinstance(changed, str) else json.dumps(changed))
    with pytest.raises(MemxcError) as caught:
        store.load(tmp_path)
    assert caught.value.faults[0].code == "bad-design"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nonsense", b"\x80\x04}."])
def test_a_broken_archive_is_a_fault(design, tmp_path, content):
    store.save(design, tmp_path)
    (tmp_path / "design.npz").write_bytes(content)
    with pytest.raises(MemxcError, match="cannot be read back"):
        store.load(tmp_path)


def test_a_damaged_archive_is_a_fault(design, tmp_path):
    store.save(design, tmp_path)
    path = tmp_path / "design.npz"
    data = bytearray(path.read_bytes())
    for at in range(60, len(data) - 400, 97):
        data[at] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(MemxcError, match="cannot be read back"):
        store.load(tmp_path)


def test_a_pickle_is_never_loaded(design, tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "pwned"),))

    store.save(design, tmp_path)
    np.savez(tmp_path / "design.npz", a0=np.array([Trap()], dtype=object))
    with pytest.raises(MemxcError, match="cannot be read back"):
        store.load(tmp_path)
    assert not (tmp_path / "pwned").exists()


def test_dumps_is_ascii_and_writes_infinity_as_a_word():
    text = store.dumps({"threshold": float("inf"), "who": "Ω", "n": np.int64(3), "l": (1, 2)})
    assert json.loads(text) == {"threshold": "inf", "who": "Ω", "n": 3, "l": [1, 2]}
    assert text.isascii()


def test_what_is_no_design_is_not_stored(design, tmp_path):
    with pytest.raises(TypeError, match="cannot be stored"):
        store.save(replace(design, name=object()), tmp_path)


def stage(tree, kind, **changes):
    """The tree with the first stage of that type changed."""
    parts = [dict(part) for part in tree["design"]["stages"]]
    next(part for part in parts if part["type"] == kind).update(changes)
    return {**tree, "design": {**tree["design"], "stages": parts}}


EDITED = {
    "a word for the gain": lambda tree: stage(tree, "Array", gain="x"),
    "a gain of zero": lambda tree: stage(tree, "Array", gain=0),
    "a negative gain": lambda tree: stage(tree, "Array", gain={"float": "-inf"}),
    "a gain that is no number": lambda tree: stage(tree, "Array", gain={"float": "nan"}),
    "no bias voltage": lambda tree: stage(tree, "Array", v_bias=None),
    "true for the bias voltage": lambda tree: stage(tree, "Array", v_bias=True),
    "an infinite bias voltage": lambda tree: stage(tree, "Array", v_bias={"float": "inf"}),
    "a number for a name": lambda tree: stage(tree, "Array", name=5),
    "an unknown cell": lambda tree: stage(tree, "Array", cell="flash"),
    "an unknown schedule": lambda tree: stage(tree, "Array", schedule="lazy"),
    "an unknown sign": lambda tree: stage(tree, "Array", signed="never"),
    "a number for a source": lambda tree: stage(tree, "Lanes", srcs=[3]),
    "a word for a flag": lambda tree: stage(tree, "Lanes", keeps_scale="no"),
    "numbers for a function": lambda tree: stage(tree, "Lanes", expr=[1, 2]),
    "a bottomless function": lambda tree: stage(tree, "Lanes", expr="-" * 50_000 + "x0"),
    "a number for the index": lambda tree: stage(tree, "Wires", index=0),
    "a number for a design's name": lambda tree: {**tree, "design": {**tree["design"], "name": 5}},
    "a list for the stages": lambda tree: {
        **tree, "design": {**tree["design"], "stages": {"list": tree["design"]["stages"]}},
    },
}  # fmt: skip


@pytest.mark.parametrize("change", EDITED.values(), ids=list(EDITED))
def test_a_value_edited_by_hand_is_a_fault(design, tmp_path, change):
    store.save(design, tmp_path)
    path = tmp_path / "design.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(MemxcError) as caught:
        store.load(tmp_path)
    (fault,) = caught.value.faults
    assert fault.code == "bad-design"
    assert "cannot be read back" in fault.what


NO_CIRCUIT = ["relu\n.control\nshell touch pwned\n.endc\n*", "relu .include /etc/passwd", "", "{x}"]


@pytest.mark.parametrize("name", NO_CIRCUIT)
def test_no_name_of_a_circuit_is_a_card(design, tmp_path, name):
    """It stands in netlists and benches as it is."""
    store.save(design, tmp_path)
    tree = json.loads((tmp_path / "design.json").read_text())
    lanes = next(s for s in tree["design"]["stages"] if s["type"] == "Lanes")
    lanes["circuit"]["name"] = name
    (tmp_path / "design.json").write_text(json.dumps(tree))
    with pytest.raises(MemxcError, match="no circuit is called"):
        store.load(tmp_path)

import json
import os
import re
import subprocess
import sys
import warnings
import zipfile
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pytest
from typing_extensions import TypeAliasType

from memxc.errors import MemxcError
from memxc.ir import store
from memxc.ir.design import Bus, Design
from memxc.ir.kernel import Kernel
from memxc.ir.stages import Linear
from memxc.ir.store import tree
from memxc.ir.windows import identity_windows


def same(a, b):
    """Return whether two values are equal in type and content, at every depth."""
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
    kernel = Kernel(values, None, None, identity_windows(3), identity_windows(2), (1,))
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
        "import sys; from pathlib import Path; from memxc.ir import store\n"
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
    """Return the tree with the first stage of this type changed."""
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
    """Netlists and benches contain the name as it is."""
    store.save(design, tmp_path)
    tree = json.loads((tmp_path / "design.json").read_text())
    lanes = next(s for s in tree["design"]["stages"] if s["type"] == "Lanes")
    lanes["circuit"]["name"] = name
    (tmp_path / "design.json").write_text(json.dumps(tree))
    with pytest.raises(MemxcError, match="is not the name of a circuit"):
        store.load(tmp_path)


def npz(path, *members):
    """Return a zip file of members (name, bytes), written as they are."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, content in members:
            archive.writestr(name, content)
    return path


def npy(header, data=b""):
    """Return the bytes of an array file with a header made by hand."""
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


HEAD = "{'descr': '<f8', 'fortran_order': False, 'shape': (%s), }"
_GOOD = npy(HEAD % "3,", np.arange(3.0).tobytes())
UNSOUND = {
    "no array": (b"not an array", "not a sound .npz"),
    "a cut header": (_GOOD[:40], "not a sound .npz"),
    "a header that is no literal": (npy("{'descr': ("), "not a sound .npz"),
    "a header of code": (npy("__import__('os').getcwd()"), "not a sound .npz"),
    "an axis missing": (_GOOD[:-8], "claims 24 bytes and holds 16"),
    "bytes too many": (_GOOD + b"x", "claims 24 bytes and holds 25"),
    "10^12 numbers": (npy(HEAD % "1000000, 1000000"), "claims 8,000,000,000,000 bytes and holds 0"),
    "a negative axis": (npy(HEAD % "-3, -1", bytes(24)), "negative length"),
    "objects": (npy(HEAD.replace("<f8", "|O") % "3,", bytes(24)), "objects of Python"),
    "names of fields": (b"\x93NUMPY\x03\x00" + _GOOD[8:], "holds no numbers"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "words"), UNSOUND.values(), ids=list(UNSOUND))
def test_an_array_that_is_not_sound(tmp_path, content, words):
    path = npz(tmp_path / "a.npz", ("good.npy", _GOOD))
    assert store.read_npz(path)["good"].tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match=re.escape(words)):
        store.read_npz(npz(tmp_path / "b.npz", ("good.npy", _GOOD), ("x.npy", content)))


@pytest.mark.parametrize("second", ["x", "x.npy"])
def test_an_array_that_is_held_twice(tmp_path, second):
    with pytest.raises(ValueError, match="'x' more than once"):
        store.read_npz(npz(tmp_path / "a.npz", ("x.npy", _GOOD), (second, _GOOD)))


def test_arrays_that_are_packed_too_tightly(tmp_path, monkeypatch):
    """3 MB of zeros in 3 kB: the claimed size is refused before memory is allocated."""
    zeros = npy(HEAD % "400000,", bytes(3_200_000))
    path = npz(tmp_path / "a.npz", ("x.npy", zeros))
    assert store.read_npz(path)["x"].size == 400_000
    monkeypatch.setattr("memxc.ir.store.arrays._FREE", 3_000_000)
    with pytest.raises(ValueError, match=r"3,200,128 bytes.*numpy\.savez"):
        store.read_npz(path)
    plain = tmp_path / "plain.npz"
    np.savez(plain, x=np.zeros(400_000))
    assert store.read_npz(plain)["x"].size == 400_000


def edit(tree, place, value):
    """Change one value in the tree of a design, at a place such as stages.1.gain."""
    *way, last = (int(word) if word.isdigit() else word for word in place.split("."))
    held = tree["design"]
    for word in way:
        held = held[word]
    held[last] = value
    return tree


FIELDS = {
    "stages.1.gain": ("high", r"design\.stages\[1\]\.gain cannot be 'high'"),
    "stages.1.r_f": ({"array": "zz"}, r"design\.stages\[1\]\.r_f is an array 'zz', which"),
    "stages.1.crossbars.0.grid": ([2, "3"], r"design\.stages\[1\]\.crossbars\[0\]\.grid cannot"),
    "stages.1.crossbars.0.taps": (5, r"stages\[1\]\.crossbars\[0\]\.taps cannot be 5"),
    "stages.1.v_bias": (10**400, r"stages\[1\]\.v_bias cannot be 1000"),
    "stages.2.circuit": ({"type": "Popen"}, r"stages\[2\]\.circuit is of no type"),
    "stages.2.circuit.opamps": (-1, "a relu has a negative number of parts"),
    "buses": ([], r"design\.buses cannot be a tuple"),
    "buses.map.0": (["x"], r"design\.buses has an entry that is not a name with a value"),
    "buses.map.0.1": (3, r"design\.buses cannot be a dict"),
    "buses.map.0.1.shape": ([1, -24], "x has a negative axis"),
    "buses.map.1.1.shape": ([1, 1 << 40], "1,099,511,627,776 nets"),
    "buses.map.0.1.scale": (0, "x has a scale of 0 volts"),
    "buses.map.0.1.limit": ({"float": "x"}, r"design\.buses\[0\]\[1\]\.limit is not a number"),
    "buses.map.0.0": ("y", "bus 'y' has another name, 'x'"),
    "inputs": (["nowhere"], "'nowhere' is no bus"),
}  # fmt: skip


@pytest.mark.parametrize(("place", "given"), FIELDS.items(), ids=list(FIELDS))
def test_a_fault_names_the_field(design, tmp_path, place, given):
    value, words = given
    store.save(design, tmp_path)
    path = tmp_path / "design.json"
    path.write_text(json.dumps(edit(json.loads(path.read_text()), place, value)))
    with pytest.raises(MemxcError, match=words) as caught:
        store.load(tmp_path)
    assert [fault.code for fault in caught.value.faults] == ["bad-design"]


VECTORS = ["line", "sign", "column", "polarity", "definition", "g", "cell"]
WINDOWS = ["frame", "origin", "group", "offset"]


def spoilt(name, array):
    """Yield arrays of the wrong length, type or rank, or with a number that is not allowed."""
    yield array[:-1]
    yield array.astype(np.int64 if array.dtype.kind == "i" else np.float32)
    yield array.astype(complex)
    yield np.array(0, array.dtype)
    # A frame may have any shape, and a line that no word line reads is harmless.
    if name != "frame":
        yield array.reshape(*array.shape, 1)
    if name not in ("frame", "offset"):
        yield np.concatenate([array, array[-1:]])
    lowest = {"frame": -9, "cell": -2, "line": -2, "sign": 0, "polarity": 0}.get(name, -1)
    for number in (lowest, 1 << 20) if array.dtype.kind == "i" else (-1.0, np.nan, np.inf):
        # A definition may have any number.
        if (name, number) != ("definition", 1 << 20):
            other = array.copy()
            other.reshape(-1)[-1] = number
            yield other


@pytest.mark.parametrize("name", VECTORS + WINDOWS)
def test_an_array_of_a_design_that_does_not_fit(design, tmp_path, name):
    """The depthwise stage has two blocks of 4 inputs and a bias, at 6 places each."""
    stage = design.stages[1]
    (crossbar,) = stage.crossbars
    held = crossbar if name in VECTORS else crossbar.taps
    for other in spoilt(name, getattr(held, name)):
        changed = replace(held, **{name: other})
        whole = changed if name in VECTORS else replace(crossbar, taps=changed)
        stages = [*design.stages]
        stages[1] = replace(stage, crossbars=(whole,))
        store.save(replace(design, stages=tuple(stages)), tmp_path)
        with pytest.raises(MemxcError, match="cannot be read back"):
            store.load(tmp_path)


def places(tree, way=()):
    """Yield every place in a tree of JSON."""
    parts = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, part in parts:
        yield (*way, key)
        if isinstance(part, dict | list):
            yield from places(part, (*way, key))


def test_whatever_stands_in_a_field_is_a_design_or_a_fault(design, tmp_path):
    """Every place gets each of these other values."""
    values = [None, "x", -1, [], {}, {"float": "nan"}, 10**400, "gone"]
    store.save(design, tmp_path)
    path, faults = tmp_path / "design.json", 0
    whole = path.read_text()
    ways = [*places(json.loads(whole))]
    for k, (*way, last) in enumerate(ways):
        tree = held = json.loads(whole)
        for key in way:
            held = held[key]
        held[last] = values[k % len(values)]
        if held[last] == "gone":
            del held[last]
        path.write_text(json.dumps(tree))
        try:
            store.load(tmp_path)
        except MemxcError as error:
            faults += error.exit_code == 3
    # A name may be any text, and a limit may be None.
    assert faults > 0.9 * len(ways)


def test_without_assertions_no_design_is_read(tmp_path):
    """Assertions check a design; without them a hostile one would reach an engine."""
    path = str(tmp_path)
    code = f"from pathlib import Path; from memxc.ir import store; store.load(Path({path!r}))"
    done = subprocess.run(
        [sys.executable, "-O", "-c", code], check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "error[usage] python -O" in done.stderr


def test_an_array_fits_the_alias_that_newer_numpy_has_for_its_annotation():
    """numpy 2.5's NDArray is `type NDArray[T] = ndarray[..., dtype[T]]`, which is no class."""
    scalar = TypeVar("scalar", bound=np.generic)
    shape = tuple[Any, ...]
    alias = TypeAliasType("alias", np.ndarray[shape, np.dtype[scalar]], type_params=(scalar,))
    for value, fits in ((np.zeros(3), True), (np.zeros(3, np.int32), False), (0.0, False)):
        assert tree._fits(value, alias[np.float64]) == fits
        assert tree._fits(value, alias[np.float64] | str) == fits

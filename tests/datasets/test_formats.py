"""Data sets in the formats of their owners become samples; broken files are faults."""

from __future__ import annotations

import gzip
import pickle
import struct

import numpy as np
import pytest

from memxc.errors import MemxcError
from memxc.library import samples


def idx(array, magic=8):
    head = struct.pack(">BBBB", 0, 0, magic, array.ndim)
    return head + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def mnist(tmp_path):
    """Seven pictures of 3 x 2 for the test, five for training, one of them gzipped."""
    pictures = np.arange(42, dtype=np.uint8).reshape(7, 3, 2)
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pictures)))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(np.arange(7, dtype=np.uint8)))
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(pictures[:5] + 100))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.full(5, 9, np.uint8)))
    return tmp_path


def fault(*args, **kwargs):
    with pytest.raises(MemxcError) as caught:
        samples.load(*args, **kwargs)
    (found,) = caught.value.faults
    return found


def test_mnist_at_equal_distances_and_by_part(mnist):
    x, y = samples.load(mnist, count=3)
    assert (x.shape, x.dtype, y.tolist()) == ((3, 1, 3, 2), np.float32, [0, 2, 4])
    assert x[1, 0] == pytest.approx(np.arange(12, 18).reshape(3, 2) / 255)
    x, y = samples.load(mnist, part="train", mean=0.5, std=0.25)
    assert (len(x), y.tolist()) == (5, [9] * 5)
    assert x[0, 0, 0, 1] == pytest.approx((101 / 255 - 0.5) / 0.25)


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("t10k-labels-idx1-ubyte", idx(np.zeros(6, np.uint8)), "6 labels"),
        ("t10k-labels-idx1-ubyte", idx(np.zeros(7, np.uint8), magic=13), "not an idx file"),
        ("t10k-labels-idx1-ubyte", idx(np.zeros(7, np.uint8))[:-1], "more or fewer"),
        ("t10k-labels-idx1-ubyte", b"\0\0", "not an idx file"),
        ("t10k-images-idx3-ubyte.gz", b"no gzip", "cannot be read"),
        # 2 MB of gzip that claims, and unpacks to, as much as it likes.
        (
            "t10k-images-idx3-ubyte.gz",
            gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12, mtime=0),
            "claims",
        ),
    ],
    ids=["count", "type", "short", "head", "no gzip", "claim"],
)
def test_a_broken_idx_file_is_a_fault_with_its_name(mnist, name, data, told):
    (mnist / name).write_bytes(data)
    found = fault(mnist)
    assert (found.code, name in found.where, told in found.what) == ("bad-samples", True, True)


def test_the_binary_cifar_has_channels_first_and_a_pickle_is_not_read(tmp_path):
    records = np.zeros((4, 1 + 3072), np.uint8)
    records[:, 0] = [3, 1, 4, 1]
    records[2, 1 + 1024 + 32 * 5 + 7] = 255  # green, row 5, column 7
    records.tofile(tmp_path / "test_batch.bin")
    x, y = samples.load(tmp_path)
    assert (x.shape, y.tolist()) == ((4, 3, 32, 32), [3, 1, 4, 1])
    assert np.argwhere(x).tolist() == [[2, 1, 5, 7]]
    records.ravel()[:-1].tofile(tmp_path / "test_batch.bin")
    assert "no number of records" in fault(tmp_path).what
    (tmp_path / "test_batch.bin").unlink()
    (tmp_path / "test_batch").write_bytes(pickle.dumps({"data": 1}))
    assert "pickle" in fault(tmp_path).what


def test_the_labels_of_cifar100_are_the_fine_ones(tmp_path):
    records = np.zeros((2, 2 + 3072), np.uint8)
    records[:, :2] = [[7, 33], [8, 44]]
    records.tofile(tmp_path / "test.bin")
    assert samples.load(tmp_path)[1].tolist() == [33, 44]


def test_a_table_with_and_without_a_head(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,label,b\n0.5,2,-1\n4,0,3e-1\n")
    x, y = samples.load(path)
    assert (x.tolist(), y.tolist()) == ([[0.5, -1.0], [4.0, np.float32(0.3)]], [2, 0])
    path.write_text("1,2,3,4,5,6\n7,8,9,10,11,12\n")
    x, y = samples.load(path, shape=(1, 2, 3), mean=1, std=2)
    assert (x[1].tolist(), y) == ([[[3, 3.5, 4], [4.5, 5, 5.5]]], None)


@pytest.mark.parametrize(
    ("text", "where", "told"),
    [
        ("a,label\n1,0\n2\n", ":3", "has 1 columns, and the head 2"),
        ("a,label\n1,cat\n", ":2", "no number"),
        ("a,label\nx,1\n", ":2", "no number"),
        ("1,2\n3\n", ":2", "has 1 numbers, others 2"),
        ("a,label\n", "table.csv", "has no rows"),
        ("label,pixels\n1,0 1 2\n", "table.csv", "no square of bytes"),
        ("label,pixels\n1,0 1 2 256\n", "table.csv", "no square of bytes"),
    ],
)
def test_a_broken_table_is_a_fault_with_its_line(tmp_path, text, where, told):
    (tmp_path / "table.csv").write_text(text)
    found = fault(tmp_path / "table.csv")
    assert (found.code, found.where.endswith(where), told in found.what) == (
        "bad-samples", True, True,
    )  # fmt: skip


def test_fer2013_by_its_parts(tmp_path):
    path = tmp_path / "fer2013.csv"
    rows = ["3,0 51 102 255,Training", "5,255 0 0 0,PrivateTest", "1,9 9 9 9,PublicTest"]
    path.write_text("\n".join(["emotion,pixels,Usage", *rows]))
    x, y = samples.load(path)
    assert (x.tolist(), y.tolist()) == ([[[[1, 0], [0, 0]]]], [5])
    assert samples.load(path, part="train")[1].tolist() == [3]


def test_an_array_of_bytes_is_pictures_and_other_numbers_stay(tmp_path):
    pictures = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    np.save(tmp_path / "a.npy", pictures)
    assert samples.load(tmp_path / "a.npy")[0].shape == (2, 3, 3, 4)
    np.save(tmp_path / "a.npy", np.full((5, 3, 4, 3), -7.5))
    assert samples.load(tmp_path / "a.npy")[0].tolist() == np.full((5, 3, 4, 3), -7.5).tolist()
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert fault(tmp_path / "a.npy").code == "bad-samples"


@pytest.fixture
def pictures(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for name, value in (("dog/1.png", 10), ("cat/1.png", 20), ("cat/2.png", 30)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        image.fromarray(np.full((4, 6, 3), value, np.uint8)).save(tmp_path / name)
    return tmp_path


def test_folders_of_pictures_are_classes_by_name(pictures):
    x, y = samples.load(pictures)
    assert (x.shape, y.tolist()) == ((3, 3, 4, 6), [0, 0, 1])
    assert (x[:, 0, 0, 0] * 255).round().tolist() == [20, 30, 10]
    assert samples.load(pictures / "cat")[1] is None
    assert samples.load(pictures, size=(2, 3))[0].shape == (3, 3, 2, 3)


def test_every_picture_that_is_none_is_a_fault(pictures):
    (pictures / "cat" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (pictures / "dog" / "2.jpg").write_text("no picture")
    with pytest.raises(MemxcError) as caught:
        samples.load(pictures)
    assert [fault.where[-9:] for fault in caught.value.faults] == ["cat/3.png", "dog/2.jpg"]


def test_pictures_of_two_sizes_need_a_size(pictures):
    image = pytest.importorskip("PIL.Image")
    image.fromarray(np.zeros((8, 6, 3), np.uint8)).save(pictures / "dog" / "2.png")
    assert "--size" in fault(pictures).hint
    assert len(samples.load(pictures, size=(4, 4))[0]) == 4


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"count": 0}, "count"), ({"part": "all"}, "part"), ({"size": (2, 2)}, "size"),
        ({"shape": (1, 6)}, "shape"),
    ],
)  # fmt: skip
def test_wrong_keywords_are_usage_faults(mnist, options, where):
    found = fault(mnist, **options)
    assert (found.code, found.where) == ("usage", where)


def test_what_is_in_no_format_is_told_the_formats(tmp_path):
    found = fault(tmp_path)
    assert "MNIST" in found.hint
    assert ".npy" in found.hint

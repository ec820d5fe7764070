"""The readers of the data sets, on sets of a few pictures in the public forms."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture
def reader(monkeypatch):
    """reader(name): a module of models/, where the scripts import each other by bare names."""
    monkeypatch.syspath_prepend(str(MODELS))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return importlib.import_module


def faces() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (3, 48, 48), dtype=np.uint8)


def test_fer2013_csv(reader, tmp_path: Path) -> None:
    x = faces()
    # 6 is neutral, 4 is sad and 0 is angry in the public file.
    rows = zip((6, 4, 0), x, ("Training", "PrivateTest", "Training"), strict=True)
    lines = [f"{n},{' '.join(map(str, p.ravel()))},{use}" for n, p, use in rows]
    (tmp_path / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *lines]) + "\n")
    fer2013 = reader("fer2013")
    found = fer2013.load(tmp_path / "fer2013.csv")
    np.testing.assert_array_equal(found["Training"][0], x[[0, 2]][:, None])
    assert [fer2013.CLASSES[label] for label in found["Training"][1]] == ["neutral", "angry"]
    assert [fer2013.CLASSES[label] for label in found["PrivateTest"][1]] == ["sad"]
    assert found["PublicTest"][0].shape == (0, 1, 48, 48)


def test_fer2013_npz(reader, tmp_path: Path) -> None:
    x = faces()
    np.savez(tmp_path / "f.npz", x=x, y=np.uint8([5, 0, 2]), split=np.uint8([2, 0, 1]))
    found = reader("fer2013").load(tmp_path / "f.npz")
    np.testing.assert_array_equal(found["PrivateTest"][0][:, 0], x[:1])
    assert [int(labels[0]) for _, labels in found.values()] == [0, 2, 5]


def test_fer2013_folder(reader, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    x = faces()
    names = (
        "train/happy/Training_11.png",
        "train/sad/Training_9.png",
        "test/fear/PublicTest_3.png",
    )
    for pixels, name in zip(x, names, strict=True):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        image.fromarray(pixels).save(tmp_path / name)
    fer2013 = reader("fer2013")
    found = fer2013.load(tmp_path)
    np.testing.assert_array_equal(found["Training"][0][:, 0], x[[1, 0]])
    assert [fer2013.CLASSES[label] for label in found["Training"][1]] == ["sad", "happy"]


def test_nuclei_npz_leaves_the_stained_ones_out(reader, tmp_path: Path) -> None:
    x = np.random.default_rng(2).integers(10, 90, (11, 128, 128), dtype=np.uint8)
    m = x > 50
    np.savez(tmp_path / "n.npz", x=x, m=m, colour=np.arange(11) == 3)
    nuclei = reader("nuclei")
    found, masks = nuclei.load(tmp_path / "n.npz")
    np.testing.assert_array_equal(found, np.delete(x, 3, axis=0))
    train, _, test, test_masks = nuclei.split(found, masks)
    assert (len(train), len(test)) == (8, 2)
    np.testing.assert_array_equal(test, x[[5, 10]])
    np.testing.assert_array_equal(test_masks, m[[5, 10]])


def test_nuclei_folder(reader, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = np.zeros((200, 256), np.uint8)
    pixels[:, 128:] = 200
    halves = np.zeros((2, 200, 256), bool)
    halves[0, :100, 128:] = halves[1, 100:, 128:] = True
    for folder, picture in (("a", np.stack([pixels] * 3, 2)), ("b", np.full((64, 64, 3), 230))):
        for part in ("images", "masks"):
            (tmp_path / folder / part).mkdir(parents=True)
        image.fromarray(picture.astype(np.uint8)).save(tmp_path / folder / "images" / "p.png")
        for number, half in enumerate(halves):
            mask = tmp_path / folder / "masks" / f"{number}.png"
            image.fromarray(half.astype(np.uint8) * 255).save(mask)
    x, m = reader("nuclei").load(tmp_path)
    # The second is bright all over, as a stained one is.
    assert (x.shape, m.shape) == ((1, 128, 128), (1, 128, 128))
    assert not m[0, :, :64].any()
    assert m[0, :, 64:].all()
    assert x[0, :, :62].max() == 0
    assert x[0, :, 66:].min() == 200


def test_stretched_uses_each_pictures_own_range(reader) -> None:
    x = np.full((2, 128, 128), 40, np.uint8)
    x[0, 5, 7], x[1, 3, 2] = 240, 60
    found = reader("nuclei").stretched(x)
    assert (found.shape, found.dtype) == ((2, 1, 128, 128), np.float32)
    assert found[0, 0, 5, 7] == found[1, 0, 3, 2] == 1
    assert found.sum() == 2


def test_dice(reader) -> None:
    wanted, found = np.zeros((2, 2, 1, 8, 8), bool)
    wanted[0, 0, :4] = True  # 32 pixels
    found[0, 0, 2:5] = True  # 24, of which 16 are right
    wanted[1] = True
    np.testing.assert_allclose(reader("nuclei").dice(wanted, found), [32 / 56, 0])


def test_cifar10_npz(reader, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    train, test = (rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8) for n in (3, 2))
    np.savez(tmp_path / "c.npz", x_train=train, y_train=[7, 0, 9], x_test=test, y_test=[1, 2])
    x, y, x_test, y_test = reader("cifar10").load(tmp_path / "c.npz")
    assert (x.shape, x_test.shape) == ((3, 3, 32, 32), (2, 3, 32, 32))
    np.testing.assert_array_equal(x[1, 2], train[1, :, :, 2])
    assert (y.tolist(), y_test.tolist()) == ([7, 0, 9], [1, 2])

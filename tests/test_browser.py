"""The page in headless Chromium: at three widths, light and dark, printed, and without JavaScript.

Nothing may be wider than the window, axe-core may find nothing serious, and tables have to sort.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc.cli import _main

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ROOT = Path(__file__).parent.parent
WIDTHS = (400, 800, 1280)


@pytest.fixture(scope="module")
def browser():
    """Chromium, as Playwright's pages; skips where one of the two is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs memxc[browser]")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as running:
        yield running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture(scope="module")
def url(tmp_path_factory, small):
    """The page of a network of 8 layers, with a sweep."""
    out, data = tmp_path_factory.mktemp("page") / "out", small.with_suffix(".samples.npz")
    assert _main._run(["compile", str(small), "-o", str(out), "--quiet"]) == 0
    sweep = ["--sweep", "device.r_on_sigma=0,0.2", "--draws", "2"]
    assert _main._run(["simulate", str(out), "--data", str(data), *sweep]) == 0
    assert _main._run(["report", str(out)]) == 0
    return (out / "results" / "report.html").as_uri()


def opened(browser, url, width=1280, **options):
    page = browser.new_page(viewport={"width": width, "height": 900}, **options)
    page.goto(url)
    return page


def widest(page):
    return page.evaluate("document.documentElement.scrollWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window_and_axe_finds_nothing_serious(
    browser, url, width, scheme
):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = opened(browser, url, width, color_scheme=scheme)
    assert widest(page) <= width
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    assert widest(page) <= width
    found = axe.run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    page.close()


def test_the_printed_page_is_whole(browser, url):
    """On A4 with margins of 12 mm: 703 pixels. Folded rows are printed, too."""
    page = opened(browser, url, 703)
    page.emulate_media(media="print")
    assert widest(page) <= 703
    over = page.evaluate(
        "[...document.querySelectorAll('.wide')].filter(e => e.scrollWidth > e.clientWidth + 1)"
        ".map(e => e.getAttribute('aria-label'))"
    )
    assert over == []
    page.close()


def test_the_page_reads_without_javascript_and_without_a_network(browser, url):
    page = opened(browser, url, java_script_enabled=False)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    assert asked == [url]
    assert page.locator("table tbody tr").count() > 40
    assert not page.locator("input").first.is_visible()
    page.close()


def test_tables_sort_and_filter(browser, url):
    page = opened(browser, url)
    table = page.locator("#costs ~ [data-sortable]").first
    column = "rows => rows.map(row => Number(row.cells[4].dataset.sort))"
    table.get_by_role("button", name="memristors").first.click()
    rows = table.locator("tbody tr").evaluate_all(column)
    assert rows == sorted(rows, reverse=True)
    assert len(set(rows)) > 2
    table.get_by_role("button", name="memristors").first.click()
    assert table.locator("tbody tr").evaluate_all(column) == sorted(rows)
    page.locator("input").first.fill("pointwise")
    names = table.locator("tbody tr:visible td:first-child").all_inner_texts()
    assert len(names) == 3
    assert all("pointwise" in name for name in names)
    page.close()


def chain(path, count):
    """A network of that many convolutions 2 -> 2, each with a ReLU."""
    rng, nodes, inits, last = np.random.default_rng(3), [], [], "x"
    for n in range(count):
        name = f"/blocks/blocks.{n}/pointwise/conv"
        weight = rng.normal(size=(2, 2, 1, 1)).astype(np.float32)
        inits.append(numpy_helper.from_array(weight, f"w{n}"))
        nodes.append(helper.make_node("Conv", [last, f"w{n}"], [f"a{n}"], name=f"{name}/Conv"))
        nodes.append(helper.make_node("Relu", [f"a{n}"], [f"r{n}"], name=f"{name}/Relu"))
        last = f"r{n}"
    info = helper.make_tensor_value_info
    ends = [info("x", TensorProto.FLOAT, (1, 2, 3, 2))], [info(last, TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "chain", *ends, inits)
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def test_a_page_of_200_stages_has_less_than_two_megabytes(tmp_path):
    pytest.importorskip("matplotlib")
    out = tmp_path / "out"
    model = chain(tmp_path / "chain.onnx", 100)
    options = ["-o", str(out), "--quiet", "--passes", "calibrate,partition,tile,program"]
    assert _main._run(["compile", str(model), *options]) == 0
    assert _main._run(["report", str(out)]) == 0
    text = (out / "results" / "report.html").read_text("utf-8")
    assert "layers of 200 stages" in text
    assert len(text.encode()) < 2_000_000


@pytest.mark.skipif("MEMXC_PICTURES" not in os.environ, reason="MEMXC_PICTURES=1 writes pictures")
def test_pictures_for_the_docs(browser, tmp_path):
    """Write docs/pictures/report-WIDTH.png: MSCCNN with its checks, at three widths.

    The pixels depend on the fonts of this machine, so no test compares them.
    """
    model, out = ROOT / "models" / "msccnn_fashion.onnx", tmp_path / "out"
    data = ["--data", str(model.with_suffix(".samples.npz"))]
    sweep = ["--sweep", "device.r_on_sigma=0,0.1,0.2", "--draws", "3"]
    for command in (
        ["compile", str(model), "-o", str(out), "--quiet"],
        ["lvs", str(out)],
        ["verify", str(out), "--count", "2"],
        ["simulate", str(out), *data],
        ["simulate", str(out), *data, *sweep],
        ["report", str(out)],
    ):
        assert _main._run(command) == 0
    for width, scheme in zip(WIDTHS, ("dark", "light", "light"), strict=True):
        page = opened(
            browser, (out / "results" / "report.html").as_uri(), width, color_scheme=scheme
        )
        clip = {"x": 0, "y": 0, "width": width, "height": 1500}
        place = ROOT / "docs" / "pictures" / f"report-{width}.png"
        page.screenshot(path=place, clip=clip, full_page=True)
        page.close()

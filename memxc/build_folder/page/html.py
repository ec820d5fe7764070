"""report.html: the templates in templates/report/page, filled from the report and the results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from memxc import render
from memxc.build_folder.page import checks
from memxc.build_folder.page.layers import COSTS, LayerCost, layers
from memxc.build_folder.page.outline import outline
from memxc.build_folder.page.results import Results
from memxc.build_folder.report.document import Report
from memxc.build_folder.report.text import sizes

#: Why the page that compile writes has no pictures.
WHY = "The command memxc report DIR draws this, into DIR/results/report.html."
#: Layers in the first table of costs; the others are folded.
_TOP = 10
#: Layers in the part of the drawing that is not folded.
_DRAWN = 24


@dataclass(frozen=True)
class Pictures:
    """The pictures of a page, each an SVG, as `backends.pictures` draws them; "" for none.

    tile_words: what the heat maps show. sweeps: one for each simulation in the results.
    """

    floor: str = ""
    tile: str = ""
    tile_words: str = ""
    conductances: str = ""
    volts: tuple[str, ...] = ()
    sweeps: tuple[str, ...] = ()


def html(
    report: Report,
    results: Results | None = None,
    pictures: Pictures | None = None,
    warnings: tuple[str, ...] = (),
    why: str = WHY,
) -> str:
    """Return the page. The same report, results and pictures give the same bytes.

    pictures: None on the page that compile writes. why: the sentence in place of missing pictures.
    warnings: more of them, about the results.
    """
    results = results or Results()
    found = layers(report)
    ranked = sorted(found, key=lambda layer: (-layer.power_w, layer.number))
    lines = outline(found)
    values: dict[str, Any] = {
        "report": report,
        "sizes": sizes(report),
        "warnings": (*report.warnings, *warnings),
        "verdicts": list(checks.verdicts(report, results)),
        "accuracy": checks.scores(report, results),
        "steps": checks.ladder(report, results),
        "results": results,
        "metrics": checks.METRICS,
        "pictures": pictures,
        "why_no_pictures": why,
        "layers": found,
        "top": ranked[:_TOP],
        "tail": ranked[_TOP:],
        "most": _most(found),
        "largest": {key: max((x.share[key] for x in found), default=0.0) for key in COSTS},
        "drawn": list(zip(found, lines[1:], strict=True)),
        "inputs": lines[0],
        "columns": 1 + max(line.column for line in lines),
        "unfolded": _DRAWN,
    }
    return render.report("report.html", **values)


def _most(found: list[LayerCost]) -> dict[str, LayerCost]:
    """The layer that costs most, by cost; costs that no layer has are left out."""
    most = {key: max(found, key=lambda layer: layer.share[key]) for key in COSTS if found}
    return {key: layer for key, layer in most.items() if layer.share[key]}

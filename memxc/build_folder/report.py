"""The report of a compilation: one tree of plain values, the JSON; pages and text come from it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from memxc import __version__, units
from memxc.backends.cost import area, baselines, latency, paper_rule, plugged, power, resources
from memxc.compiler.forms import tile
from memxc.compiler.ladder import Rung
from memxc.compiler.options import Options
from memxc.compiler.record import PassRecord
from memxc.compiler.run import Compiled
from memxc.compiler.stage_set import parse
from memxc.errors import escaped
from memxc.ir.design import Design
from memxc.ir.graph import Graph
from memxc.ir.stages import Digital

SCHEMA = "memxc-report/1"
#: Options that the report and the manifest do not keep, or keep elsewhere.
_PATHS = ("model", "samples", "target", "cells")
#: Types of shapes, axes and indices in ONNX: constants that say how to compute, not what with.
_NO_PARAMETERS = ("int64", "bool")


def build(compiled: Compiled, sha256: str) -> dict[str, Any]:
    """Everything of report.json. `sha256`: of the model's file."""
    design, target = compiled.design, compiled.target
    ctx, policy = compiled.context, _policy(compiled)
    if compiled.bill:
        bills, watts = compiled.bill.resources, compiled.bill.power
    else:
        bills = resources.measure(design, target.device.g_min, ctx.tile)
        watts = power.measure(design, bills, target.amplifier.power_w)
    time = latency.measure(design, target.crossbar.stage_time_s)
    # Each is the whole network once more.
    older = [] if compiled.report_only else list(baselines.measure(compiled.unlaid, policy, ctx))
    # An estimate has no conductances, which a plug-in may look at.
    costs = {} if compiled.bill else plugged.measure(design, ctx)
    missing = plugged.available() if compiled.bill else ()
    return {
        "schema": SCHEMA,
        "memxc": __version__,
        "model": _model(compiled, sha256),
        "target": target.model_dump(),
        "options": _options(compiled.options),
        "samples": len(next(iter(compiled.samples.values()))),
        "fidelity": {
            "reference": compiled.reference,
            "passed": _passed(compiled),
            "rungs": [_rung(rung) for rung in compiled.rungs],
            "loss": compiled.loss and compiled.loss.as_dict(),
        },
        "passes": [_pass(record) for record in compiled.records],
        "resources": {
            "total": resources.total(bills).as_dict(),
            "stages": [
                {"stage": row.stage, "kind": row.kind, **row.resources.as_dict()} for row in bills
            ],
            "layouts": paper_rule.layouts(compiled.unlaid, policy, ctx),
            "per_kernel": compiled.per_kernel.as_dict(),
            "sub_images": paper_rule.measure(compiled.unlaid, ctx),
        },
        "power": _power(watts, time),
        "latency": _latency(time),
        "area": _area(area.measure(bill.resources, target) for bill in bills),
        "baselines": [_baseline(found) for found in older if not found.fault],
        **({"costs": costs} if costs else {}),
        "digital": _digital(design),
        "warnings": [
            *compiled.warnings,
            *(f"no baseline {found.name}: {found.fault}" for found in older if found.fault),
            *(f"no cost {name}: it is measured without --report-only only" for name in missing),
        ],
    }


def text(report: Mapping[str, Any]) -> str:
    """The report in a few plain lines and one table."""
    return "\n".join([*summary(report), "", _table(report), *_notes(report)])


def summary(report: Mapping[str, Any]) -> list[str]:
    """What a user wants to know first, a line each."""
    total, watts, time = report["resources"]["total"], report["power"], report["latency"]
    used = "" if total["utilisation"] is None else f", {total['utilisation']:.1%} of their places"
    return [
        f"{total['crossbars']:,} unit crossbars of {sizes(report)}, "
        f"{total['memristors']:,} memristors{used}",
        f"{total['opamps']:,} op-amps, {total['inverters']:,} of them inverters; "
        f"{units.area(report['area']['total_m2'])}",
        f"{units.text(watts['total_w'], 'W')}: crossbars {units.text(watts['crossbar_w'], 'W')}, "
        f"amplifiers {units.text(watts['amplifier_w'], 'W')}",
        f"{units.text(time['inference_s'], 's')} an inference: {time['critical_path_stages']} "
        f"stages on the critical path, {time['periods']} periods, "
        f"{units.text(watts['energy_per_inference_j'], 'J')}",
        *_distance(report),
        *_lost(report["fidelity"]["loss"]),
    ]


def sizes(report: Mapping[str, Any]) -> str:
    """The sizes of the unit crossbars, the largest first: "128x128 and 16x8".

    Those that stages stand on; the target's where none does.
    """
    unit = report["target"]["crossbar"]
    own = {
        stage: tile(value)
        for stage, key, value in map(parse, report["options"]["stage_set"])
        if key == "tile"
    }
    usual = unit["rows"], unit["columns"]
    stages = report["resources"]["stages"]
    found = {own.get(row["stage"], usual) for row in stages if row["crossbars"]} or {usual}
    *most, last = (f"{rows}x{columns}" for rows, columns in sorted(found, reverse=True))
    return f"{', '.join(most)} and {last}" if most else last


def _distance(report: Mapping[str, Any]) -> list[str]:
    rungs = report["fidelity"]["rungs"]
    if not rungs:
        return []
    # In report.json what is no number stands as a word; it is worse than any number.
    steps = [(float(rung["max_rel_error"]), rung["to"]) for rung in rungs]
    error, end = max(steps, key=lambda step: (math.isnan(step[0]), step[0]))
    return [f"largest relative error of a step: {error:.1e} ({end})"]


def _lost(loss: Mapping[str, Any] | None) -> list[str]:
    """What all lossy passes together cost."""
    if loss is None:
        return []
    before, after, lost = (float(loss[key]) for key in ("before", "after", "lost"))
    over = f"over {loss['samples']} samples, all passes together"
    if loss["metric"] == "error":
        return [f"relative error of the outputs: {units.small(after)} {over}"]
    name = {"top1": "accuracy", "dice": "Dice"}[str(loss["metric"])]
    points = f"{100 * abs(lost):.2f} points {'gained' if round(lost, 4) < 0 else 'lost'}"
    return [f"{name}: {before:.2%} before, {after:.2%} after, {points}, {over}"]


def _table(report: Mapping[str, Any]) -> str:
    rows = []
    stages, powers = report["resources"]["stages"], report["power"]["stages"]
    shown = units.names(row["stage"] for row in stages)
    for name, row, drawn in zip(shown, stages, powers, strict=True):
        counts = [f"{row[key]:,}" for key in ("crossbars", "memristors", "opamps", "periods")]
        total = units.text(drawn["total_w"], "W")
        rows.append([name, row["kind"], *counts, total])
    head = ["stage", "kind", "crossbars", "memristors", "op-amps", "periods", "power"]
    return units.table(rows, head)


def _notes(report: Mapping[str, Any]) -> list[str]:
    lines = [f"stays digital: {row['stage']} ({row['function']})" for row in report["digital"]]
    lines += [f"warning: {warning}" for warning in report["warnings"]]
    return ["", *map(escaped, lines)] if lines else []


def _passed(compiled: Compiled) -> bool | None:
    """Whether the circuit computes what the original network does; None where nobody looked."""
    looked = compiled.reference is not None or compiled.fault is not None
    return compiled.fault is None if looked else None


def _model(compiled: Compiled, sha256: str) -> dict[str, Any]:
    graph = compiled.graph
    return {
        "name": compiled.options.model.stem,
        "sha256": sha256,
        "opset": graph.opset,
        "parameters": _parameters(graph),
        "macs": compiled.macs,
        "inputs": _tensors(graph, graph.inputs),
        "outputs": _tensors(graph, graph.outputs),
    }


def _parameters(graph: Graph) -> int:
    """Numbers in the constant tensors: weights, biases, statistics of normalisations, zeros too.

    Each tensor once; of quantised networks the integers of up to 32 bits, too. Those of int64 and
    bool are none.
    """
    return sum(a.size for a in graph.weights.values() if a.dtype.name not in _NO_PARAMETERS)


def _tensors(graph: Graph, names: Iterable[str]) -> list[dict[str, Any]]:
    return [{"name": name, "shape": list(graph.shapes[name])} for name in names]


def _options(options: Options) -> dict[str, Any]:
    # No path is part of a result: the same model compiled elsewhere gives the same bytes.
    fields = {f.name: getattr(options, f.name) for f in dataclasses.fields(options)}
    return {key: v for key, v in fields.items() if key not in _PATHS}


def _rung(rung: Rung) -> dict[str, Any]:
    return {
        "from": rung.start,
        "to": rung.end,
        "max_abs_error": rung.max_abs_error,
        "max_rel_error": rung.max_rel_error,
    }


def _pass(record: PassRecord) -> dict[str, Any]:
    return {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}


def _power(rows: Sequence[power.Row], time: latency.Latency) -> dict[str, Any]:
    total = power.total(rows)
    return {
        **_watts(total),
        "energy_per_inference_j": total.total_w * time.inference_s,
        "assumptions": list(power.ASSUMPTIONS),
        "stages": [{"stage": row.stage, **_watts(row.power)} for row in rows],
    }


def _baseline(found: baselines.Baseline) -> dict[str, Any]:
    time, watts = found.latency, found.power
    energy = {"energy_per_inference_j": watts.total_w * time.inference_s}
    return {
        "name": found.name,
        "resources": found.resources.as_dict(),
        "power": {**_watts(watts), **energy},
        "latency": _latency(time),
    }


def _latency(time: latency.Latency) -> dict[str, Any]:
    return {**dataclasses.asdict(time), "inference_s": time.inference_s}


def _policy(compiled: Compiled) -> str:
    """How kernels were laid out: im2col, where a pipeline of the user's own has no partition."""
    policies = [r.options["policy"] for r in compiled.records if r.name == "partition"]
    return str(policies[0]) if policies else "none"


def _watts(found: power.Power) -> dict[str, float]:
    return {"total_w": found.total_w, **dataclasses.asdict(found)}


def _area(parts: Iterable[area.Area]) -> dict[str, float]:
    found = sum(parts, area.Area())
    return {"total_m2": found.total_m2, **dataclasses.asdict(found)}


def _digital(design: Design) -> list[dict[str, Any]]:
    return [
        {"stage": stage.name, "function": stage.function, "options": dict(stage.options)}
        for stage in design.stages
        if isinstance(stage, Digital)
    ]

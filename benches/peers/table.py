"""From samples to a table: medians, ratios to the best peer, geometric means."""

import math
import statistics

OURS = ("ridge", "ridge pdl")
NO_PEERS = ("copy", *OURS, "hf eager")


def median(samples, name, kind="chain"):
    """A contender's median in us, or None where it did not run."""
    values = samples.get(name, {}).get(kind)
    return statistics.median(values) if values else None


def best_peer(samples, kind="chain"):
    """`(name, us)` of the fastest peer, or None."""
    peers = [(median(samples, name, kind), name) for name in samples if name not in NO_PEERS]
    peers = [(time, name) for time, name in peers if time is not None]
    return (min(peers)[1], min(peers)[0]) if peers else None


def speedup(samples, name, kind="chain"):
    """How many times as fast as the best peer, or None."""
    best, own = best_peer(samples, kind), median(samples, name, kind)
    return best[1] / own if best and own else None


def geometric_mean(values):
    """Of the values that are there, or None."""
    values = [value for value in values if value]
    return math.exp(statistics.fmean(math.log(value) for value in values)) if values else None


def _number(value, digits=2, suffix=""):
    return "–" if value is None else f"{value:.{digits}f}{suffix}"


def _alone(samples):
    """The best peer's and our time alone: of ours the launch without PDL, which suits a foreign predecessor."""
    best = best_peer(samples, "alone")
    own = [median(samples, name, "alone") for name in OURS]
    own = [time for time in own if time is not None]
    if not best or not own:
        return "–"
    return f"{best[1]:.2f} → {min(own):.2f} ({best[1] / min(own):.2f}×)"


def markdown(result):
    """The whole result as Markdown."""
    about = result["about"]
    names = [name for name in result["contenders"] if name not in ("copy", *OURS)]
    lines = [
        f"# Peers on one {about.get('device', '?')}, {about['date']}",
        "",
        f"Driver {about.get('driver', '?')}, CUDA {about.get('cuda', '?')}, torch {about.get('torch', '?')}"
        + "".join(f", {name} {version}" for name, version in sorted(about.get("versions", {}).items()))
        + f"; {about['rounds']} interleaved rounds, medians, µs. *chain*: a graph of calls over rotating sets of five",
        "L2s, after a foreign read before each replay. *alone*: one cold call after a foreign kernel. × is the best",
        "peer's time over ours, without and with programmatic dependent launch (PDL), which gains only where the kernel",
        "before triggers early. `~`: a candidate tuned for the nearest shape.",
        "",
        "| operation (shape) | copy | " + " | ".join(names) + " | ridge | ridge PDL | × | × PDL | % of copy | alone: best peer → ridge |",
        "|" + "---|" + "--:|" * (len(names) + 7),
    ]
    for cell in result["cells"]:
        samples = cell["samples"]
        if "failed" in cell:
            continue
        copy = median(samples, "copy")
        ours = [time for time in (median(samples, name) for name in OURS) if time is not None]
        share = f"{100 * copy / min(ours):.0f}" if copy and ours else "–"
        marks = {name: "~" if cell["nearest"].get(name) else "" for name in OURS}
        row = [
            title(cell),
            _number(copy),
            *(_number(median(samples, name)) for name in names),
            *(marks[name] + _number(median(samples, name)) for name in OURS),
            *(_number(speedup(samples, name)) for name in OURS),
            share,
            _alone(samples),
        ]
        lines.append("| " + " | ".join(row) + " |")
    lines += ["", *_summary(result)]
    return "\n".join(lines) + "\n"


def merged(results):
    """One result with the cells of all; of a cell that is there twice, the later."""
    whole = {**results[0], "about": dict(results[0]["about"]), "contenders": [], "missing": {}}
    cells = {}
    for result in results:
        whole["contenders"] += [name for name in result["contenders"] if name not in whole["contenders"]]
        whole["missing"].update(result["missing"])
        cells.update({title(cell): cell for cell in result["cells"]})
    dates = sorted({result["about"]["date"] for result in results})
    whole["about"]["date"] = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return {**whole, "cells": list(cells.values())}


def _summary(result):
    cells = [cell["samples"] for cell in result["cells"]]
    lines = []
    for name, text in (("ridge", "without PDL"), ("ridge pdl", "with PDL")):
        values = [value for value in (speedup(samples, name) for samples in cells) if value]
        if values:
            lines.append(
                f"- {text}: {geometric_mean(values):.3f} × the best peer on the geometric mean of {len(values)} cells, "
                f"{min(values):.3f} to {max(values):.3f}; {sum(value < 1 for value in values)} below 1."
            )
    alone = []
    for samples in cells:
        values = [value for value in (speedup(samples, name, "alone") for name in OURS) if value]
        alone += [max(values)] if values else []
    if alone:
        lines.append(f"- alone: {geometric_mean(alone):.3f} × on the geometric mean of {len(alone)} cells.")
    for cell in result["cells"]:
        for name, reason in sorted(cell["left_out"].items()):
            lines.append(f"- left out of {title(cell)}: {name}, {reason}")
        for note in cell.get("notes", []):
            lines.append(f"- {title(cell)} was tried again after: {note}")
    for name, reason in sorted(result["missing"].items()):
        lines.append(f"- not there: {name}, {reason}")
    return lines


def title(cell):
    """The operation and its shape."""
    return f"{cell['operation']} ({', '.join(map(str, cell['shape']))})"


def line(cell):
    """One cell for the terminal."""
    samples = cell["samples"]
    parts = [f"{name} {median(samples, name):.2f}" for name in samples if median(samples, name) is not None]
    parts += [f"left out: {name} ({reason})" for name, reason in cell["left_out"].items()]
    parts += [f"failed: {cell['failed']}"] if "failed" in cell else []
    return f"{title(cell)}: " + ", ".join(parts)

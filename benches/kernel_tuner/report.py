"""The comparison as a page of Markdown."""

import statistics


def label(candidate):
    """A candidate as Ridge writes it."""
    return ",".join(f"{name}={candidate[name]}" for name in sorted(candidate))


def report(answer):
    ridge, theirs = answer["ridge"], answer["kernel_tuner"]
    axes = " × ".join(str(size) for size in answer["workload"]["axes"].values())
    types = ", ".join(answer["workload"]["types"].values())
    lines = [f"# {answer['kernel']} {axes} {types}: Ridge beside Kernel Tuner", ""]
    lines += [
        f"{answer['device'] or 'No GPU'}. The space has {answer['space_size']} candidates"
        + (f", restricted to {', '.join(answer['space'])}" if answer["space"] else "")
        + ". Both exhaustive, both verifying every candidate.",
        "",
    ]
    versions = theirs.get("versions", {})
    lines += ["| | Ridge | Kernel Tuner |", "| --- | --- | --- |"]
    row = lambda name, ours, other: lines.append(f"| {name} | {ours} | {other} |")
    row("version", ridge["version"], f"{versions.get('kernel_tuner')} on CuPy {versions.get('cupy')}")
    row(
        "wall time, process",
        f"{ridge['seconds']:.1f} s",
        f"{theirs['seconds']:.1f} s" + (" (stopped)" if theirs["stopped"] else ""),
    )
    row("inside `tune_kernel`", "", f"{theirs['seconds_in_tune_kernel']:.1f} s")
    row("candidates", ridge["candidates"], f"{theirs['candidates']} of {theirs['of']}")
    row(
        "rejected",
        words(ridge["rejected"]),
        words(
            theirs["failed"]
            | ({"wrong": len(theirs["wrong"])} if theirs["wrong"] else {})
            | ({"ended the campaign": len(theirs["ended"])} if theirs["ended"] else {})
        ),
    )
    row(
        "winner",
        f"`{label(ridge['winner'])}`" if ridge["winner"] else "none",
        f"`{label(theirs['winner'])}`" if theirs["winner"] else "none",
    )
    row(
        "its own time for it",
        f"{ridge['winner_us']:.2f} µs" if ridge["winner"] else "",
        f"{theirs['winner_us']:.2f} µs" if theirs["winner"] else "",
    )
    ratio = theirs["seconds_in_tune_kernel"] / ridge["seconds"]
    lines += [
        "",
        f"Kernel Tuner's `tune_kernel` takes {'more than ' if theirs['stopped'] else ''}{ratio:.1f} times "
        "Ridge's wall time.",
    ]
    if theirs["stopped"] and theirs["candidates"]:
        whole = theirs["seconds_in_tune_kernel"] * theirs["of"] / theirs["candidates"]
        lines.append(
            f"At its pace the whole space would take it {whole:.0f} s, {whole / ridge['seconds']:.1f} times as long."
        )
    if "remeasured" in answer:
        lines += report_remeasured(answer["remeasured"])
    return "\n".join(lines) + "\n"


def words(counts):
    return ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())) or "none"


def report_remeasured(remeasured):
    protocol = remeasured["protocol"]
    lines = ["", "## The winners by one protocol", ""]
    lines += [
        f"Graphs of {protocol['calls']} calls over {protocol['sets']} sets, a foreign read before each replay, "
        f"{protocol['rounds']} interleaved rounds; "
        "medians, and the first and third quartile. *Alone* is one cold call after somebody else's kernel.",
        "",
    ]
    lines += [
        "| | chain, µs | quartiles | alone, µs | quartiles | worst error ÷ tolerance |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, one in remeasured["contenders"].items():
        cells = []
        for kind in ("chain", "alone"):
            low, middle, high = statistics.quantiles(one[kind], n=4)
            cells += [f"{middle:.3f}", f"{low:.3f} to {high:.3f}"]
        ratio = one["worst_ratio"]
        ratio = f"{ratio:.3f}" if isinstance(ratio, float) else ratio or ""
        lines.append(f"| {name} | {' | '.join(cells)} | {ratio} |")
    return lines

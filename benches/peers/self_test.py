"""Tries what needs no GPU: arguments, expressions, campaigns' folders, children that fail, and the table from
made-up times; with torch also what `self_test_torch` has."""

import contextlib
import io
import json
import pathlib
import sys
import tempfile

import campaigns
import protocol
import supervisor
import table
from operations import OPERATIONS

SPEC = """
schema = 1
[kernel]
name = "rmsnorm"
[axes]
rows = "dynamic"
cols = "specialized"
[inputs]
x = { shape = ["rows", "cols"], dtype = "T" }
eps = { dtype = "f32", default = 1e-6 }
[outputs]
y = { shape = ["rows", "cols"], dtype = "T" }
[launch]
arguments = ["x", "y", "rows", "eps"]
grid = ["ceil_div(rows, rows_per_block)"]
block = ["threads", "rows_per_block"]
shared_memory_bytes = "(hold == \\"shared\\") * align_up(cols * sizeof(T), 16) / 2"
programmatic = "pdl != \\"off\\" && !(rows == 1)"
"""
MANIFEST = {
    "entry_symbol": "kernel",
    "parameters": [{"size_bytes": size} for size in (8, 8, 4, 4)],
}


def _record(digest, pdl, outcome, artifact):
    return {
        "digest": digest,
        "kernel": "rmsnorm",
        "spec": "s",
        "workload": {"axes": {"rows": 64, "cols": 96}, "types": {"T": "bf16"}},
        "candidate": {"threads": 32, "rows_per_block": 4, "hold": "shared", "pdl": pdl},
        "outcome": outcome,
        "artifact": artifact,
    }


def _campaign(folder):
    kernel = folder / "kernels" / "rmsnorm"
    kernel.mkdir(parents=True)
    (kernel / "kernel.toml").write_text(SPEC)
    out = folder / "out"
    for name in ("a1", "a2"):
        (out / "artifacts" / name).mkdir(parents=True)
        (out / "artifacts" / name / "kernel.cubin").write_bytes(b"cubin")
        (out / "artifacts" / name / "manifest.json").write_text(json.dumps(MANIFEST))
    cached = folder / "cache" / "artifacts" / "key"
    cached.mkdir(parents=True)
    (cached / "manifest.json").write_text(json.dumps({"compiled": {"digest": "a3", "manifest": MANIFEST}}))
    records = [
        _record("r1", "early", {"measured": {"latency_ns": [3000, 1000, 2000]}}, "a1"),
        _record("r2", "off", {"predicted": {"time_ns": 2500}}, "a2"),
        _record("r3", "off", {"predicted": {"time_ns": 2400}}, "a3"),
        _record("r4", "off", {"rejected": {"kind": "race"}}, "a2"),
    ]
    text = "".join(json.dumps(record) + "\n" for record in records) + '{"torn'
    (out / "records.jsonl").write_text(text)
    (out / "tuned.toml").write_text(
        'schema = 1\n[[entry]]\nkernel = "rmsnorm"\nspec = "s"\naxes = { rows = 64, cols = 96 }\n'
        'types = { T = "bf16" }\nartifact = "a1"\nrecord = "r1"\n'
    )
    return out


def _check_campaigns():
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        out = _campaign(folder)
        campaign = campaigns.Campaign(out, folder / "kernels")
        pdl, plain = campaign.choices("rmsnorm", {"rows": 64, "cols": 96}, {"T": "bf16"})
        assert (pdl.programmatic, pdl.tuned_ns, pdl.exact) == (True, 2000, True), pdl
        assert (plain.programmatic, plain.tuned_ns) == (False, 2500.0), plain
        assert pdl.grid == (16, 1, 1) and pdl.block == (32, 4, 1), pdl
        assert pdl.shared_memory_bytes == 96 and pdl.arguments[2] == ("rows", 4), pdl
        cached = campaigns.Campaign(out, folder / "kernels", folder / "cache")
        plain = cached.choices("rmsnorm", {"rows": 64, "cols": 96}, {"T": "bf16"})[1]
        assert plain.tuned_ns == 2400.0, plain
        near = campaign.choices("rmsnorm", {"rows": 70, "cols": 96}, {"T": "bf16"})[0]
        assert not near.exact and near.grid == (18, 1, 1), near
        assert campaign.choices("rmsnorm", {"rows": 64, "cols": 97}, {"T": "bf16"}) == []
        assert campaign.choices("softmax", {"rows": 64, "cols": 96}, {"T": "bf16"}) == []
        try:
            campaigns.Campaign(folder, folder / "kernels")
        except campaigns.CampaignError as error:
            assert "tuned.toml" in str(error)
        else:
            raise AssertionError("a folder without tuned.toml was read")


def _check_table():
    def samples(**times):
        return {
            name.replace("_", " "): {"chain": [time, time, 9 * time], "alone": [time + 1.0]}
            for name, time in times.items()
        }

    cells = [
        samples(copy=4.0, torch=8.0, compile=6.0, ridge=5.0, ridge_pdl=4.0),
        samples(copy=4.0, torch=5.0, ridge=5.0),
        samples(copy=4.0, torch=5.0),
    ]
    result = {
        "about": {
            "device": "device", "date": "today", "driver": "1", "cuda": "2", "torch": "3", "versions": {"liger": "4"},
            "rounds": 3,
        },
        "contenders": ["copy", "torch", "compile", "ridge", "ridge pdl"],
        "missing": {"quack": "ImportError: no"},
        "cells": [
            {
                "operation": "rmsnorm", "shape": [1, 2], "samples": cell, "left_out": {"liger": "wrong"},
                "nearest": {"ridge": place == 1},
            }
            for place, cell in enumerate(cells)
        ],
    }
    text = table.markdown(result)
    expected = "| rmsnorm (1, 2) | 4.00 | 8.00 | 6.00 | 5.00 | 4.00 | 1.20 | 1.50 | 100 | 7.00 → 5.00 (1.40×) |"
    assert expected in text, text
    assert "| 4.00 | 5.00 | – | ~5.00 | – | 1.00 | – | 80 | 6.00 → 6.00 (1.00×) |" in text, text
    assert "without PDL: 1.095 ×" in text and "with PDL: 1.500 ×" in text, text
    assert "not there: quack" in text and "left out of rmsnorm (1, 2): liger, wrong" in text, text
    widths = {row.count("|") for row in text.splitlines() if row.startswith("|")}
    assert len(widths) == 1, widths
    assert "torch 5.00" in table.line(result["cells"][1])
    failed = {**result["cells"][0], "shape": [7, 2], "samples": {}, "failed": "it broke", "notes": ["it broke"]}
    other = {**result, "cells": [{**result["cells"][0], "shape": [9, 2]}, failed], "contenders": ["copy", "liger"]}
    whole = table.merged([result, other])
    assert [cell["shape"][0] for cell in whole["cells"]] == [1, 9, 7], whole
    assert "rmsnorm (7, 2) was tried again after: it broke" in table.markdown(whole)
    assert table.line(failed).endswith("failed: it broke")
    assert "rmsnorm (9, 2)" in table.markdown(whole) and whole["contenders"].count("copy") == 1


def _check_arguments():
    import peers

    options = peers.parse(["--shape", "4096x128", "--operation", "softmax"])
    assert options.shape == [(4096, 128)]
    one = peers.parse(["--cell", "qk-norm-rope:64x32x8x128", "--only", "ridge pdl", "--check-each"])
    assert list(peers.work(one, [])) == [("qk_norm_rope", (64, 32, 8, 128))] and one.check_each
    wrong = (
        ["--shape", "4096"], ["--rounds", "0"], ["--operation", "none"], ["--cell", "softmax:4096"], ["--cell", "none:1x1"],
        ["--cell", "softmax"], ["--only", "nobody"],
    )
    for arguments in wrong:
        arguments = [*arguments, "--operation", "softmax"] if arguments[0] == "--shape" else arguments
        with contextlib.redirect_stderr(io.StringIO()):
            try:
                peers.parse(arguments)
            except SystemExit as stop:
                assert stop.code == 2
            else:
                raise AssertionError(f"{arguments} was accepted")
    assert len(list(peers.work(peers.parse([]), []))) == sum(len(one.shapes) for one in OPERATIONS.values())
    assert list(peers.work(peers.parse(["--only-tuned"]), [])) == []


# A worker without a GPU: `bad` breaks the device some steps later, unless every step is waited for; `mute` hangs.
WORKER = """
import json, os, sys, time
def send(**answer):
    print(json.dumps(answer), flush=True)
send(ready={"device": "rehearsal", "process": os.getpid()})
for line in sys.stdin:
    job = json.loads(line)
    for who in job["only"]:
        if who in job["exclude"]:
            continue
        send(step=f"{who}: capturing")
        if who == "mute":
            time.sleep(60)
        if who == "bad" and job["check_each"]:
            send(failed="an illegal access", step="bad: capturing")
            os._exit(3)
        if who == "dies":
            os._exit(9)
    if "bad" in job["only"] and "bad" not in job["exclude"]:
        send(failed="an illegal access", step="good: timing")
        os._exit(3)
    cell = {"operation": job["operation"], "shape": job["shape"], "samples": {}, "left_out": {}}
    send(cell=cell, missing={}, tainted="taints" in job["only"])
"""


def _check_supervisor():
    supervisor.FAREWELL_SECONDS = 1
    children = supervisor.Supervisor([sys.executable, "-c", WORKER], silence=2)
    with contextlib.redirect_stderr(io.StringIO()):
        fine = children.cell("rmsnorm", (4, 8), ["copy", "good"])["cell"]
        assert fine["notes"] == [] and fine["shape"] == [4, 8], fine
        first = children.facts["process"]
        found = children.cell("rmsnorm", (4, 8), ["bad", "good"])["cell"]
        assert found["left_out"] == {"bad": "an illegal access, at “bad: capturing”"}, found
        assert [note.split("“")[1] for note in found["notes"]] == ["good: timing”", "bad: capturing”"], found
        assert children.facts["process"] != first
        both = children.cell("rmsnorm", (4, 8), ["dies", "good", "mute"])["cell"]
        assert set(both["left_out"]) == {"dies", "mute"} and "silent for 2 s" in both["left_out"]["mute"], both
        second = children.facts["process"]
        children.cell("rmsnorm", (4, 8), ["taints"])
        children.cell("rmsnorm", (4, 8), ["good"])
        assert children.facts["process"] != second
        children.close()
        try:
            supervisor.Supervisor([sys.executable, "-c", "pass"]).cell("rmsnorm", (4, 8), ["good"])
        except supervisor.Lost as lost:
            assert "status 0" in lost.reason, lost
        else:
            raise AssertionError("a worker that never began went unnoticed")


def _check_torch():
    try:
        import torch  # noqa: F401
    except ImportError:
        return "without torch: formulas, lifetimes and whole cells were not tried"
    import self_test_torch

    self_test_torch.run(pathlib.Path(__file__).resolve().parents[2] / "kernels")
    return "with torch"


def run():
    """Runs every check; an assertion says what is wrong."""
    scope = {"a": 7, "b": 2, "T": "bf16", "name": "x"}
    for text, value in (
        ("ceil_div(a, b) * sizeof(T)", 8), ("a / b", 3), ('name != "y" && !(a < b)', 1), ("max(a, b) % 4", 3),
        ("is_power_of_two(b) || a", 1),
    ):
        assert campaigns.evaluate(text, scope) == value, text
    assert (protocol.n_sets(16384, 60 << 20), protocol.n_sets(10**9, 60 << 20)) == (128, 3)
    assert (protocol.n_calls(3), protocol.n_calls(128), protocol.n_calls(5)) == (18, 128, 20)
    _check_campaigns()
    _check_table()
    _check_arguments()
    _check_supervisor()
    print("self-test passed,", _check_torch())
    return 0

#!/usr/bin/env python3
"""Ridge's kernels and their peers side by side: one process, one GPU, the same data.

    python3 benches/peers/peers.py --ours ridge-out/rmsnorm-h200 [--ours …] --out peers-h200

Needs torch; compares with Liger and QuACK where they can be imported. Writes `PREFIX.md` and `PREFIX.json`.
Every contender's outputs are compared with a double-precision reference before they are timed, ours on every
set again afterwards; who is wrong is left out by name. A long comparison may be run in parts, by operation
or shape, and put together by `--merge PART.json …`. `--self-test` tries all that needs no GPU.
"""

import argparse
import datetime
import gc
import importlib.metadata
import json
import pathlib
import sys

import campaigns
import contenders
import protocol
import table
from cases import EPS, OPERATIONS, empty_outputs, worst_error

HERE = pathlib.Path(__file__).resolve().parent


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", action="append", default=[], metavar="DIR", help="a campaign's folder; repeatable")
    parser.add_argument("--kernels", default=HERE.parents[1] / "kernels", metavar="DIR", help="the kernel library")
    parser.add_argument("--cache", metavar="DIR", help="Ridge's cache, for artifacts that the campaigns did not keep")
    parser.add_argument("--operation", action="append", choices=sorted(OPERATIONS), help="default: all")
    parser.add_argument("--shape", action="append", metavar="ROWSxCOLS", help="default: the operation's shapes")
    parser.add_argument("--peer", action="append", choices=contenders.WANTED, help="default: all")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seed", type=int, default=None, help="default: drawn from the clock")
    parser.add_argument("--out", default="peers", metavar="PREFIX")
    parser.add_argument("--only-tuned", action="store_true", help="leave out shapes that no campaign covers")
    parser.add_argument("--merge", nargs="+", metavar="JSON", help="make one table of earlier runs' results")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    options.shape = [shape(text, parser) for text in options.shape or []]
    return options


def shape(text, parser):
    """`ROWSxCOLS` as two numbers."""
    rows, _, cols = text.partition("x")
    if not (rows.isdigit() and cols.isdigit() and int(rows) and int(cols)):
        parser.error(f"`{text}` is no shape: write ROWSxCOLS, such as 4096x4096")
    return int(rows), int(cols)


class Cell:
    """One operation on one shape: its data, and who competes."""

    def __init__(self, torch, clock, operation, rows, cols, seed):
        self.torch, self.clock = torch, clock
        self.operation, self.rows, self.cols = operation, rows, cols
        self.bytes = operation.bytes_moved(rows, cols)
        self.sets = protocol.n_sets(self.bytes, clock.l2_bytes)
        self.calls = protocol.n_calls(self.sets)
        generator = torch.Generator(device="cuda").manual_seed(seed)
        self.inputs = [operation.inputs(torch, generator, rows, cols) for _ in range(self.sets)]
        self.graphs, self.left_out, self.errors, self.chosen = {}, {}, {}, {}

    def error(self, outputs, i):
        expected = self.operation.reference(self.inputs[i])
        return worst_error(self.torch, self.operation, outputs, expected)

    def add(self, name, call, outputs=None):
        """Captures a contender and checks it on the first and the last set."""
        try:
            graphs = self.clock.capture(call, self.sets, self.calls)
            if outputs is not None:
                graphs.outputs = outputs
            graphs.chain.replay()
            self.torch.cuda.synchronize()
            worst = max(self.error(graphs.outputs[i], i) for i in (0, self.sets - 1))
        except Exception as error:  # noqa: BLE001 (a peer may fail in any way, and the others go on)
            self.left_out[name] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            return
        self.errors[name] = worst
        if worst > 1.0:
            self.left_out[name] = f"wrong: an error of {worst:.3g} times what is allowed"
            return
        self.graphs[name] = graphs

    def add_copy(self):
        """A copy that reads and writes as many bytes together."""
        torch, half = self.torch, -(-self.bytes // 2)
        buffers = [
            (torch.zeros(half, device="cuda", dtype=torch.uint8), torch.empty(half, device="cuda", dtype=torch.uint8))
            for _ in range(self.sets)
        ]

        def call(i):
            buffers[i][1].copy_(buffers[i][0])

        self.graphs["copy"] = self.clock.capture(call, self.sets, self.calls)

    def add_peers(self, wanted):
        functions, missing = contenders.peers(self.torch, wanted, self.operation.name)
        for name, function in functions.items():
            self.add(name, lambda i, function=function: function(**self.inputs[i]))
        return missing

    def add_ours(self, driver, tuned):
        from driver import Function

        name = "ridge pdl" if tuned.programmatic else "ridge"
        if name in self.graphs:
            return
        try:
            function = Function(driver, tuned)
        except Exception as error:  # noqa: BLE001
            self.left_out[name] = str(error)
            return
        # 0xff bytes are not-a-number in every format, so that what is not written is seen.
        outputs = [empty_outputs(self.torch, self.operation, self.rows, self.cols, 0xFF) for _ in range(self.sets)]
        launches = [
            function.bind({**tuned.axes, "eps": EPS, **self.inputs[i], **outputs[i]})
            for i in range(self.sets)
        ]
        self.add(name, lambda i: launches[i](self.torch.cuda.current_stream().cuda_stream), outputs)
        self.chosen[name] = tuned

    def run(self, rounds):
        """Samples of all; ours are checked on every set again."""
        samples = protocol.interleaved(self.clock, self.graphs, rounds)
        self.torch.cuda.synchronize()
        for name in table.OURS:
            if name not in self.graphs:
                continue
            outputs = self.graphs[name].outputs
            worst = max(self.error(outputs[i], i) for i in range(self.sets))
            self.errors[name] = max(self.errors[name], worst)
            if worst > 1.0:
                self.left_out[name] = f"wrong after timing: an error of {worst:.3g} times what is allowed"
                del samples[name]
        return samples

    def result(self, samples):
        return {
            "operation": self.operation.name,
            "rows": self.rows,
            "cols": self.cols,
            "bytes": self.bytes,
            "sets": self.sets,
            "calls": self.calls,
            "samples": samples,
            "worst_error": self.errors,
            "left_out": self.left_out,
            "candidates": {name: tuned.label() for name, tuned in self.chosen.items()},
            "nearest": {name: not tuned.exact for name, tuned in self.chosen.items()},
        }


def about(torch, options):
    versions = {}
    for package in ("liger-kernel", "quack-kernels", "triton"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    driver = pathlib.Path("/proc/driver/nvidia/version")
    words = driver.read_text().split() if driver.is_file() else []
    numbers = [word for word in words if word[:1].isdigit() and "." in word]
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "device": torch.cuda.get_device_name(0),
        "driver": numbers[0] if numbers else "?",
        "cuda": torch.version.cuda,
        "torch": torch.__version__,
        "versions": versions,
        "rounds": options.rounds,
        "seed": options.seed,
        "campaigns": [pathlib.Path(folder).name for folder in options.ours],
    }


def work(options, ours):
    """The cells to run: `(operation, rows, cols, our candidates)`."""
    for name in options.operation or OPERATIONS:
        operation = OPERATIONS[name]
        for rows, cols in options.shape or operation.shapes:
            axes, types = operation.axes(rows, cols), {"T": "bf16"}
            tuned = [choice for campaign in ours for choice in campaign.choices(operation.kernel, axes, types)]
            # Several campaigns may know a kernel: the shape's own before its neighbour's.
            tuned.sort(key=lambda choice: (not choice.exact, choice.tuned_ns))
            if tuned or not options.only_tuned:
                yield operation, rows, cols, tuned


def main(arguments):
    options = parse(arguments)
    if options.self_test:
        import self_test

        return self_test.run()
    if options.merge:
        return merge(options)
    try:
        import torch
    except ImportError:
        print("torch is missing: it makes the data and is one of the peers", file=sys.stderr)
        return 2
    if not torch.cuda.is_available():
        print("torch finds no GPU", file=sys.stderr)
        return 2
    from driver import Driver

    if options.seed is None:
        options.seed = datetime.datetime.now().microsecond
    try:
        ours = [campaigns.Campaign(folder, options.kernels, options.cache) for folder in options.ours]
    except (campaigns.CampaignError, OSError, KeyError, ValueError) as error:
        print(f"--ours: {error}", file=sys.stderr)
        return 2
    wanted = options.peer or list(contenders.WANTED)
    result = {
        "schema": 1,
        "about": about(torch, options),
        "contenders": ["copy", *wanted, *table.OURS],
        "missing": {},
        "cells": [],
    }
    torch.zeros(1, device="cuda")
    clock, driver = protocol.Clock(torch), Driver()
    with torch.no_grad():
        for operation, rows, cols, tuned in work(options, ours):
            cell = Cell(torch, clock, operation, rows, cols, options.seed)
            cell.add_copy()
            result["missing"].update(cell.add_peers(wanted))
            for choice in tuned:
                cell.add_ours(driver, choice)
            result["cells"].append(cell.result(cell.run(options.rounds)))
            print(table.line(result["cells"][-1]), file=sys.stderr, flush=True)
            # What is there is written after every cell: a run that is cut off keeps its table.
            write(options.out, result)
            del cell
            gc.collect()
            torch.cuda.empty_cache()
    for name, reason in result["missing"].items():
        print(f"not there: {name}: {reason}", file=sys.stderr)
    return 0


def merge(options):
    """Writes one result of several: cells in the order given, of one device."""
    try:
        results = [json.loads(pathlib.Path(path).read_text()) for path in options.merge]
        devices = {result["about"]["device"] for result in results}
        if len(devices) != 1:
            raise ValueError(f"results of several devices: {', '.join(sorted(devices))}")
        write(options.out, table.merged(results))
    except (OSError, ValueError, KeyError) as error:
        print(f"--merge: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return 0


def write(prefix, result):
    pathlib.Path(f"{prefix}.json").write_text(json.dumps(result, indent=1) + "\n")
    pathlib.Path(f"{prefix}.md").write_text(table.markdown(result))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

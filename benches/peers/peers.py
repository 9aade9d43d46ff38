#!/usr/bin/env python3
"""Ridge's kernels and their peers side by side: one process, one GPU, the same data.

    python3 benches/peers/peers.py --ours ridge-out/rmsnorm-h200 [--ours …] --out peers-h200

Needs torch; compares with Liger and QuACK where they can be imported. Writes `PREFIX.md` and `PREFIX.json`.
Every contender's outputs are compared with a double-precision reference before they are timed, ours on every
set again afterwards; who is wrong is left out by name. The GPU belongs to a child process: a cell that fails
is tried again step by step, and whoever broke it is left out. `--resume` goes on where a run was cut off;
parts, by operation or shape, are put together by `--merge PART.json …`. `--self-test` tries all that needs
no GPU. To look into one cell: `--cell rmsnorm:4096x4096 --only copy --only torch --check-each`.
"""

import argparse
import datetime
import json
import pathlib
import sys
import time

import campaigns
import contenders
import supervisor
import table
from operations import OPERATIONS

HERE = pathlib.Path(__file__).resolve().parent
SCHEMA = 2
EVERYBODY = ("copy", *contenders.WANTED, *table.OURS)


def parser():
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--ours", action="append", default=[], metavar="DIR", help="a campaign's folder; repeatable")
    made.add_argument("--kernels", default=str(HERE.parents[1] / "kernels"), metavar="DIR", help="the kernel library")
    made.add_argument("--cache", metavar="DIR", help="Ridge's cache, for artifacts that the campaigns did not keep")
    made.add_argument("--operation", action="append", choices=sorted(OPERATIONS), help="default: all")
    made.add_argument("--shape", action="append", metavar="AxB…", help="default: the operation's shapes")
    made.add_argument("--cell", action="append", metavar="OPERATION:AxB…", help="only this one; repeatable")
    made.add_argument("--only", action="append", metavar="WHO", choices=EVERYBODY, help="default: everybody")
    made.add_argument("--check-each", action="store_true", help="wait and compare after every step")
    made.add_argument("--fresh", action="store_true", help="a new process for every cell")
    made.add_argument("--silence", type=int, default=300, metavar="SECONDS", help="then a process counts as lost")
    made.add_argument("--seconds", type=float, metavar="SECONDS", help="begin no cell after this time")
    made.add_argument("--resume", action="store_true", help="keep the cells that `PREFIX.json` has")
    made.add_argument("--rounds", type=int, default=12)
    made.add_argument("--seed", type=int, default=None, help="default: drawn from the clock")
    made.add_argument("--out", default="peers", metavar="PREFIX")
    made.add_argument("--only-tuned", action="store_true", help="leave out shapes that no campaign covers")
    made.add_argument("--merge", nargs="+", metavar="JSON", help="make one table of earlier runs' results")
    made.add_argument("--self-test", action="store_true")
    made.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return made


def parse(arguments):
    made = parser()
    options = made.parse_args(arguments)
    if options.rounds < 1:
        made.error("--rounds must be at least 1")
    options.shape = [shape(text, made) for text in options.shape or []]
    options.cell = [cell(text, made) for text in options.cell or []]
    for name in options.operation or []:
        for one in options.shape:
            if len(one) != len(OPERATIONS[name].dims):
                made.error(f"`{name}` has the axes {', '.join(OPERATIONS[name].dims)}")
    return options


def shape(text, made):
    """`AxB…` as numbers."""
    parts = text.split("x")
    if not all(part.isdigit() and int(part) for part in parts):
        made.error(f"`{text}` is no shape: write AxB, such as 4096x4096")
    return tuple(map(int, parts))


def cell(text, made):
    """`OPERATION:AxB…`, the operation also by its kernel's name."""
    name, _, rest = text.partition(":")
    names = {operation.kernel: operation.name for operation in OPERATIONS.values()}
    operation = OPERATIONS.get(names.get(name, name))
    if operation is None:
        made.error(f"`{name}` is no operation: {', '.join(sorted(OPERATIONS))}")
    found = shape(rest, made)
    if len(found) != len(operation.dims):
        made.error(f"`{text}`: `{operation.name}` has the axes {', '.join(operation.dims)}")
    return operation.name, found


def choices(ours, operation, dims):
    """Our candidates for a shape, of all campaigns: the shape's own before its neighbour's."""
    axes = operation.named(dims)
    found = [choice for campaign in ours for choice in campaign.choices(operation.kernel, axes, operation.types)]
    return sorted(found, key=lambda choice: (not choice.exact, choice.tuned_ns))


def work(options, ours):
    """The cells to run: `(operation, shape)`."""
    for name in [] if options.cell else options.operation or OPERATIONS:
        operation = OPERATIONS[name]
        given = [one for one in options.shape if len(one) == len(operation.dims)]
        for dims in given if options.shape else operation.shapes:
            if not options.only_tuned or choices(ours, operation, dims):
                yield name, dims
    yield from options.cell


def load(options):
    return [campaigns.Campaign(folder, options.kernels, options.cache) for folder in options.ours]


def serve(options):
    """The child: owns the GPU."""
    import torch

    import worker

    ours = load(options)
    return worker.serve(torch, options, lambda operation, dims: choices(ours, operation, dims), sys.stdin)


def started(options, only):
    """The result so far: of the run before where it is resumed."""
    path = pathlib.Path(f"{options.out}.json")
    if options.resume and path.is_file():
        result = json.loads(path.read_text())
        if result.get("schema") == SCHEMA:
            return result
    about = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "rounds": options.rounds,
        "seed": options.seed,
        "campaigns": [pathlib.Path(folder).name for folder in options.ours],
    }
    return {"schema": SCHEMA, "about": about, "contenders": list(only), "missing": {}, "cells": []}


def compare(options, arguments):
    """The parent: runs every cell and writes the table after each. 1 if somebody broke a cell."""
    begun, only = time.monotonic(), [name for name in EVERYBODY if name in (options.only or EVERYBODY)]
    cells = list(work(options, load(options)))
    result = started(options, only)
    done = {(one["operation"], tuple(one["shape"])) for one in result["cells"] if "failed" not in one}
    result["cells"] = [one for one in result["cells"] if "failed" not in one]
    command = supervisor.command_of([*arguments, "--seed", str(options.seed)])
    children = supervisor.Supervisor(command, options.check_each, options.fresh, options.silence)
    try:
        for name, dims in cells:
            if (name, dims) in done:
                continue
            if options.seconds and time.monotonic() - begun > options.seconds:
                print("--seconds are over: --resume goes on", file=sys.stderr)
                break
            answer = children.cell(name, dims, only)
            result["about"].update(children.facts or {})
            result["missing"].update(answer["missing"])
            result["cells"].append(answer["cell"])
            print(table.line(answer["cell"]), file=sys.stderr, flush=True)
            # What is there is written after every cell: a run that is cut off keeps its table.
            write(options.out, result)
    finally:
        children.close()
    for name, reason in result["missing"].items():
        print(f"not there: {name}: {reason}", file=sys.stderr)
    return int(any("failed" in one for one in result["cells"]))


def merge(options):
    """Writes one result of several: cells in the order given, of one device."""
    try:
        results = [json.loads(pathlib.Path(path).read_text()) for path in options.merge]
        if any(result.get("schema") != SCHEMA for result in results):
            raise ValueError(f"a result whose schema is not {SCHEMA}")
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


def main(arguments):
    options = parse(arguments)
    if options.self_test:
        import self_test

        return self_test.run()
    if options.merge:
        return merge(options)
    if options.worker:
        return serve(options)
    if options.seed is None:
        options.seed = datetime.datetime.now().microsecond
    try:
        return compare(options, arguments)
    except (campaigns.CampaignError, OSError, KeyError, ValueError) as error:
        print(f"--ours: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    except supervisor.Lost as error:
        print(f"no process could use the GPU: {error.reason}, at “{error.step}”", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

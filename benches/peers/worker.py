"""The process that owns the GPU: it is told cells, one JSON object a line, and answers in the same way.

It first answers `{"ready": {…}}`, what the machine is. A job is `{"operation", "shape", "only": [contender, …],
"exclude": [contender, …], "check_each": bool}`. Answers are `{"step": text}` before each step, then
`{"cell": result, "missing": {…}, "tainted": bool}` or `{"failed": text, "step": text}`, after which the process
ends: a lost device does not come back.
"""

import importlib.metadata
import json
import os
import pathlib
import sys
import traceback

import contenders
import protocol
from cell import COPY, Cell
from operations import OPERATIONS


class Channel:
    """Answers to the parent, on what was stdout; whatever libraries print goes to stderr."""

    def __init__(self):
        self.stream = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def send(self, **answer):
        self.stream.write(json.dumps(answer) + "\n")
        self.stream.flush()


def evaluate(torch, clock, driver, job, choices, options, report):
    """One cell from its inputs to its samples; answers the cell, its result and who is missing."""
    only = set(job["only"]) - set(job["exclude"])
    operation = OPERATIONS[job["operation"]]
    cell = Cell(torch, clock, operation, job["shape"], options.seed, job["check_each"], report)
    if COPY in only:
        cell.add_copy()
    missing = cell.add_peers([name for name in contenders.WANTED if name in only])
    for choice in choices:
        if ("ridge pdl" if choice.programmatic else "ridge") in only:
            cell.add_ours(driver, choice)
    return cell, cell.result(cell.run(options.rounds)), missing


def serve(torch, options, choices_of, lines):
    """Answers jobs until there are no more, or one fails."""
    from driver import Driver

    channel, steps = Channel(), []

    def report(step):
        steps.append(step)
        channel.send(step=step)

    torch.zeros(1, device="cuda")
    torch.cuda.synchronize()
    clock, driver = protocol.Clock(torch), Driver()
    channel.send(ready=facts(torch))
    for line in lines:
        job = json.loads(line)
        try:
            choices = choices_of(OPERATIONS[job["operation"]], job["shape"])
            with torch.no_grad():
                cell, result, missing = evaluate(torch, clock, driver, job, choices, options, report)
                tainted = cell.tainted
                cell.close()
                del cell
        except Exception as error:  # noqa: BLE001 (the parent decides what to do without this cell)
            traceback.print_exc()
            text = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            channel.send(failed=text, step=steps[-1] if steps else "the start")
            # Not through the interpreter's end: destructors would use the device that is lost.
            sys.stderr.flush()
            os._exit(3)
        channel.send(cell=result, missing=missing, tainted=tainted)
    return 0


def facts(torch):
    """What the table says of the machine."""
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
        "device": torch.cuda.get_device_name(0),
        "driver": numbers[0] if numbers else "?",
        "cuda": torch.version.cuda,
        "torch": torch.__version__,
        "versions": versions,
    }


#!/usr/bin/env python3
"""Records whole spaces: an exhaustive campaign for each kernel and workload, as compressed logs.

    python3 landscapes/record.py --ridge target/release/ridge --device cuda:all --out landscapes/h200

One `ridge tune` a workload to be tuned. A log that is there already and was made from this version
of the kernel is left alone, and an interrupted campaign goes on where it stopped; so the command
may be given again until it ends with 0. `--seconds` stops before the next campaign once they have
passed. Standard library only.
"""

import argparse
import functools
import gzip
import json
import pathlib
import subprocess
import sys
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[1]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ridge", type=pathlib.Path, default=ROOT / "target/release/ridge")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("recording"), help="folder of campaigns not yet ended")
    parser.add_argument("--kernel", action="append", help="only these folders of kernels/, such as rmsnorm or cube/rmsnorm")
    parser.add_argument("--workload", action="append", help="only workloads of these names")
    parser.add_argument("--budget", type=int, help="evaluations for each workload, in place of the whole space")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--list", action="store_true", help="say what would run, and end")
    return parser.parse_args()


def to_tune(options: argparse.Namespace) -> list[tuple[pathlib.Path, str]]:
    names = options.kernel or sorted(path.parent.name for path in (ROOT / "kernels").glob("*/kernel.toml"))
    pairs = []
    for name in names:
        folder = ROOT / "kernels" / name
        spec = tomllib.loads((folder / "kernel.toml").read_text())
        for workload in spec["workloads"]:
            if workload["role"] == "tune" and (not options.workload or workload["name"] in options.workload):
                pairs.append((folder, workload["name"]))
    return pairs


def log_of(options: argparse.Namespace, folder: pathlib.Path, workload: str) -> pathlib.Path:
    name = str(folder.relative_to(ROOT / "kernels")).replace("/", "-")
    return options.out / f"{name}--{workload}.jsonl.gz"


def specs_in(log: pathlib.Path) -> set[str]:
    if not log.exists():
        return set()
    with gzip.open(log, "rt") as lines:
        return {json.loads(line).get("spec") for line in lines}


@functools.cache
def current_spec(ridge: pathlib.Path, folder: pathlib.Path) -> str | None:
    """The digest that records of this kernel would have: a check of its default on a small workload says it."""
    workloads = tomllib.loads((folder / "kernel.toml").read_text())["workloads"]
    small = next((one for one in workloads if one["role"] == "verify"), workloads[0])
    command = [ridge, "check", folder, "--workload", small["name"], "--format", "json"]
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        return json.loads(done.stdout).get("spec")
    except json.JSONDecodeError:
        return None


def record(options: argparse.Namespace, folder: pathlib.Path, workload: str) -> dict:
    log = log_of(options, folder, workload)
    work = options.work / log.name.removesuffix(".jsonl.gz")
    command = [options.ridge, "tune", folder, "--workload", workload, "--device", options.device, "--out", work, "--format", "json"]
    command += ["--budget", options.budget] if options.budget else []
    started = time.monotonic()
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    said = {"kernel": folder.name, "workload": workload, "seconds": round(time.monotonic() - started, 1), "status": done.returncode}
    try:
        answer = json.loads(done.stdout)
    except json.JSONDecodeError:
        return said | {"error": "no answer"}
    if "error" in answer:
        return said | {"error": answer["error"]}
    found = answer["workloads"][0]
    log.parent.mkdir(parents=True, exist_ok=True)
    # Without a time stamp, so that the same log is the same file.
    log.write_bytes(gzip.compress((work / "records.jsonl").read_bytes(), 9, mtime=0))
    best = found["best"][0] if found["best"] else {}
    return said | {
        "evaluated": found["n_evaluated"],
        "legal": found["n_legal"],
        "rejected": found["rejected"],
        "best_ns": best.get("time_ns"),
        "copy_ns": best.get("measurement", {}).get("copy_ns"),
        "candidate": best.get("candidate"),
    }


def main() -> int:
    options = arguments()
    begun, ended_well, left = time.monotonic(), True, 0
    for folder, workload in to_tune(options):
        log = log_of(options, folder, workload)
        if log.exists() and specs_in(log) == {current_spec(options.ridge, folder)}:
            continue
        if options.list or time.monotonic() - begun > options.seconds:
            print(json.dumps({"kernel": folder.name, "workload": workload, "left": True}), flush=True)
            left += 1
            continue
        said = record(options, folder, workload)
        ended_well &= said["status"] == 0
        print(json.dumps(said), flush=True)
    return 0 if ended_well and left == 0 else 1


if __name__ == "__main__":
    sys.exit(main())

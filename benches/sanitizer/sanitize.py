#!/usr/bin/env python3
"""Runs every kernel of the library under NVIDIA's compute-sanitizer, on a GPU.

    python3 benches/sanitizer/sanitize.py --ridge target/release/ridge --out sanitizer-h200

For each kernel the default candidate and the winners of the recorded campaigns run on the small
workloads of the spec, once under each tool. A control comes first: a kernel that stores far outside
of its tensor, which must be found, so that a sanitizer that never saw the GPU does not pass.
`--self-test` needs neither a GPU nor the sanitizer. Standard library only. Writes OUT.json and OUT.md.

Exit status: 0 all clean, 1 something was found, 2 the control was not found or a tool did not run.
"""

import argparse
import gzip
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ["memcheck", "racecheck", "initcheck", "synccheck"]
SUMMARY = re.compile(r"^=+ (?:ERROR|RACECHECK) SUMMARY: (\d+)", re.MULTILINE)
CONTROL_SPEC = """schema = 1
[kernel]
name = "control"
language = "cuda"
source = "control.cu"
entry = "control"
[axes]
n = "dynamic"
[inputs]
x = { shape = ["n"], dtype = "f32" }
[outputs]
y = { shape = ["n"], dtype = "f32" }
[reference]
math = "y = x"
[tolerance]
absolute = 0.0
relative = 0.0
[space.parameters]
threads = [128]
[launch]
arguments = ["x", "y", "n"]
grid = ["ceil_div(n, threads)"]
block = ["threads"]
[[workloads]]
name = "small"
axes = { n = 1000 }
role = "verify"
"""
CONTROL_SOURCE = """extern "C" __global__ void control(const float* x, float* y, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i + (size_t(1) << 42)] = x[i];
}
"""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ridge", default=ROOT / "target/release/ridge", type=pathlib.Path)
    parser.add_argument("--sanitizer", default="compute-sanitizer", help="the program, or a path to it")
    parser.add_argument("--device", default="cuda:0", help="as `ridge check --device` has it")
    parser.add_argument("--tool", action="append", choices=TOOLS, help="only these tools")
    parser.add_argument("--kernel", action="append", help="only these folders of kernels/, such as rmsnorm or cube/rmsnorm")
    parser.add_argument("--records", default=ROOT / "landscapes/h200", type=pathlib.Path, help="logs whose winners are run too")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("sanitizer"))
    parser.add_argument("--self-test", action="store_true")
    return parser.parse_args()


def folders(only: list[str] | None) -> list[pathlib.Path]:
    found = sorted((ROOT / "kernels").glob("*/kernel.toml")) + sorted((ROOT / "kernels/cube").glob("*/kernel.toml"))
    names = [str(path.parent.relative_to(ROOT / "kernels")) for path in found]
    return [ROOT / "kernels" / name for name in names if not only or name in only]


def small_workloads(folder: pathlib.Path) -> list[str]:
    spec = tomllib.loads((folder / "kernel.toml").read_text())
    return [workload["name"] for workload in spec["workloads"] if workload["role"] == "verify"]


def winners(folder: pathlib.Path, records: pathlib.Path) -> list[dict]:
    """The fastest finalist of each log of the kernel, each candidate once."""
    name = str(folder.relative_to(ROOT / "kernels")).replace("/", "-")
    found: list[dict] = []
    for log in sorted(records.glob(f"{name}--*.jsonl.gz")):
        with gzip.open(log, "rt") as lines:
            finals = [one for one in map(json.loads, lines) if one["protocol"]["name"].endswith(".final")]
        timed = [one for one in finals if "measured" in one["outcome"]]
        if timed:
            best = min(timed, key=lambda one: statistics.median(one["outcome"]["measured"]["latency_ns"]))
            if best["candidate"] not in found:
                found.append(best["candidate"])
    return found


def found_by(text: str) -> int | None:
    """Errors that the tool reported, over all processes; None where no process was watched to its end."""
    counts = [int(count) for count in SUMMARY.findall(text)]
    return sum(counts) if counts else None


def run(options: argparse.Namespace, tool: str, folder: pathlib.Path, workloads: list[str], candidate: dict) -> dict:
    command = [options.sanitizer, "--tool", tool, "--target-processes", "all"]
    command += [options.ridge, "check", folder, "--device", options.device, "--format", "json"]
    for workload in workloads:
        command += ["--workload", workload]
    if candidate:
        command += ["--candidate", ",".join(f"{name}={value}" for name, value in candidate.items())]
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return {"tool": tool, "candidate": candidate, "errors": found_by(done.stdout), "status": done.returncode, "said": done.stdout[-2000:]}


def control(options: argparse.Namespace) -> bool:
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        (folder / "kernel.toml").write_text(CONTROL_SPEC)
        (folder / "control.cu").write_text(CONTROL_SOURCE)
        return bool(run(options, "memcheck", folder, ["small"], {})["errors"])


def table(rows: list[dict], tools: list[str]) -> str:
    lines = ["| kernel | candidates | " + " | ".join(tools) + " |", "| --- " * (2 + len(tools)) + "|"]
    for kernel in dict.fromkeys(row["kernel"] for row in rows):
        mine = [row for row in rows if row["kernel"] == kernel]
        cells = []
        for tool in tools:
            errors = [row["errors"] for row in mine if row["tool"] == tool]
            cells.append("did not run" if None in errors else str(sum(errors)))
        lines.append(f"| {kernel} | {len(mine) // len(tools)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def self_test() -> int:
    watched = "========= COMPUTE-SANITIZER\n========= ERROR SUMMARY: 0 errors\n========= ERROR SUMMARY: 3 errors\n"
    raced = "========= RACECHECK SUMMARY: 2 hazards displayed (2 errors, 0 warnings)\n"
    assert found_by(watched) == 3 and found_by(raced) == 2 and found_by("no such program") is None
    assert all(small_workloads(folder) for folder in folders(None)), "a kernel without a small workload"
    assert tomllib.loads(CONTROL_SPEC)["launch"]["arguments"] == ["x", "y", "n"]
    rows = [{"kernel": "k", "tool": tool, "errors": errors} for tool, errors in (("memcheck", 0), ("racecheck", None))]
    assert "| k | 1 | 0 | did not run |" in table(rows, ["memcheck", "racecheck"])
    print("self-test passed")
    return 0


def main() -> int:
    options = arguments()
    if options.self_test:
        return self_test()
    if not control(options):
        print("the control, a store far outside of its tensor, was not found: nothing below would mean anything", file=sys.stderr)
        return 2
    tools, rows = options.tool or TOOLS, []
    for folder in folders(options.kernel):
        name = str(folder.relative_to(ROOT / "kernels"))
        for candidate in [{}, *winners(folder, options.records)]:
            for tool in tools:
                row = {"kernel": name} | run(options, tool, folder, small_workloads(folder), candidate)
                rows.append(row)
                print(json.dumps({key: row[key] for key in ("kernel", "tool", "candidate", "errors", "status")}), flush=True)
                pathlib.Path(f"{options.out}.json").write_text(json.dumps(rows, indent=1))
                pathlib.Path(f"{options.out}.md").write_text(table(rows, tools))
    if any(row["errors"] is None for row in rows):
        return 2
    return 1 if any(row["errors"] or row["status"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())

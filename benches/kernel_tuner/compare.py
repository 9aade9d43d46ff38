#!/usr/bin/env python3
"""Ridge beside Kernel Tuner: one source, one space, one machine, one run.

Both tune exhaustively and verify every candidate; then both winners are measured by the protocol of
`../peers/protocol.py`, in one process, interleaved. Writes `comparison.json` and `comparison.md`.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent / "peers")]

import campaigns  # noqa: E402 (from ../peers)
import report  # noqa: E402
import tuner  # noqa: E402
from report import label  # noqa: E402

CPP_TYPES = {
    "bf16": "__nv_bfloat16",
    "f16": "__half",
    "f32": "float",
    "f64": "double",
    "i32": "int",
    "i64": "long long",
}
RESTARTS_MAX = 32


def main():
    arguments = parse_arguments()
    if arguments.self_test:
        return self_test()
    work = pathlib.Path(tempfile.mkdtemp(prefix="ridge-kernel-tuner-"))
    arguments.out.mkdir(parents=True, exist_ok=True)
    folder = restrict(arguments.kernel, arguments.space, work)
    spec = tomllib.loads((folder / "kernel.toml").read_text())
    workload = find_workload(spec, arguments.workload)
    answer = {
        "schema": 1,
        "kernel": spec["kernel"]["name"],
        "workload": workload,
        "space": arguments.space,
        "seed": arguments.seed,
        "device": device_name(),
    }
    save = lambda: (arguments.out / "comparison.json").write_text(json.dumps(answer, indent=1) + "\n")
    answer["ridge"], records, campaign = run_ridge(arguments, folder, workload, work)
    save()
    job = describe(spec, folder, workload, records, campaign.artifacts, arguments)
    answer["space_size"] = len(job["launches"])
    answer["kernel_tuner"] = run_kernel_tuner(arguments, job, work / "kernel_tuner")
    save()
    if not arguments.no_remeasure:
        import winners

        plans = winners.contenders(folder, answer, records, campaign)
        answer["remeasured"] = winners.remeasure(job, plans, arguments.rounds)
    save()
    text = report.report(answer)
    (arguments.out / "comparison.md").write_text(text)
    print(text)
    shutil.rmtree(work, ignore_errors=True)
    return 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ridge", default="ridge", help="the `ridge` binary")
    parser.add_argument(
        "--ridge-flag", action="append", default=[], help="one more flag for `ridge tune`, such as --threads=16"
    )
    parser.add_argument(
        "--kernel", type=pathlib.Path, default=REPOSITORY / "kernels" / "rmsnorm", help="the kernel's folder"
    )
    parser.add_argument("--workload", help="name of the workload [default: the first to tune]")
    parser.add_argument(
        "--space",
        action="append",
        default=[],
        metavar="NAME=V,V",
        help="tune only these values of a parameter, on both sides",
    )
    parser.add_argument("--device", default="cuda:0", help="Ridge's device; Kernel Tuner takes device 0")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kernel-tuner-limit", type=float, metavar="S", help="stop Kernel Tuner after that time")
    parser.add_argument("--rounds", type=int, default=15, help="rounds of the final measurement")
    parser.add_argument("--no-remeasure", action="store_true")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--self-test", action="store_true", help="try what needs no GPU")
    return parser.parse_args()


def restrict(kernel, space, work):
    """A copy of the kernel's folder, under the kernel's name, in which parameters have fewer values."""
    text = (kernel / "kernel.toml").read_text()
    to = work / tomllib.loads(text)["kernel"]["name"]
    shutil.copytree(kernel, to)
    path = to / "kernel.toml"
    head, parameters = text.split("[space.parameters]", 1)
    for one in space:
        name, values = one.split("=", 1)
        known = tomllib.loads(text)["space"]["parameters"].get(name)
        if known is None:
            raise SystemExit(f"`{name}` is no parameter of `{kernel}`")
        kept = [value for value in known if str(value) in values.split(",")]
        parameters, n = re.subn(
            rf"(?m)^{re.escape(name)}\s*=.*$",
            lambda _, kept=kept, name=name: f"{name} = {json.dumps(kept)}",
            parameters,
            count=1,
        )
        if n != 1 or not kept:
            raise SystemExit(f"`{one}` leaves no value, or its list is not on one line")
    path.write_text(head + "[space.parameters]" + parameters)
    return to


def find_workload(spec, name):
    found = [one for one in spec["workloads"] if one["name"] == name or (name is None and one.get("role") == "tune")]
    if not found:
        raise SystemExit(f"there is no workload `{name}`")
    return {"name": found[0]["name"], "axes": found[0]["axes"], "types": found[0].get("types", {})}


def device_name():
    found = shutil.which("nvidia-smi")
    run = found and subprocess.run(
        [found, "--query-gpu=name,driver_version", "--format=csv,noheader"], capture_output=True, text=True
    )
    return run.stdout.splitlines()[0].strip() if run and run.returncode == 0 and run.stdout else None


# Ridge


def run_ridge(arguments, folder, workload, work):
    """A campaign over the whole space with an empty cache of candidates."""
    out, cache = work / "campaign", work / "cache"
    command = [
        arguments.ridge,
        "tune",
        str(folder),
        "--workload",
        workload["name"],
        "--device",
        arguments.device,
        "--strategy",
        "exhaustive",
        "--seed",
        str(arguments.seed),
        "--out",
        str(out),
        "--cache",
        str(cache),
        *arguments.ridge_flag,
    ]
    start = time.perf_counter()
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seconds = time.perf_counter() - start
    if not (out / "records.jsonl").is_file():
        raise SystemExit(f"`{' '.join(command)}` ended with {run.returncode}:\n{run.stdout}")
    campaign = campaigns.Campaign(out, folder.parent, cache)
    records = [record for record in campaign.records if record["workload"]["name"] == workload["name"]]
    entry = next((entry for entry in campaign.entries if entry["workload"] == workload["name"]), None)
    winner = next((record for record in records if entry and record["digest"] == entry["record"]), None)
    latest = {label(record["candidate"]): record for record in records}
    rejected = {}
    for record in latest.values():
        if "rejected" in record["outcome"]:
            kind = record["outcome"]["rejected"]
            kind = kind.get("kind", next(iter(kind))) if isinstance(kind, dict) else str(kind)
            rejected[kind] = rejected.get(kind, 0) + 1
    answer = {
        "seconds": seconds,
        "exit_status": run.returncode,
        "candidates": len(latest),
        "rejected": rejected,
        "winner": winner and winner["candidate"],
        "winner_us": winner and campaigns._median_ns(winner["outcome"]) / 1e3,
        "compile_s": sum(record["phases"].get("compile_ns", 0) for record in records) / 1e9,
        "version": winner and winner.get("tool_version"),
        "last_words": run.stdout.replace(str(out), "campaign").splitlines()[-8:],
    }
    return answer, records, campaign


# Kernel Tuner


def describe(spec, folder, workload, records, artifacts, arguments):
    """What Kernel Tuner is told: everything comes from the spec and from the launches Ridge recorded."""
    axes, types = workload["axes"], workload["types"]
    names = list(spec["space"]["parameters"])
    launches = {}
    for record in records:
        if record.get("launch"):
            launches[label(record["candidate"])] = {"candidate": record["candidate"], **record["launch"]}
    if not launches:
        raise SystemExit("the campaign recorded no launch")
    dtype = lambda declaration: types.get(declaration["dtype"], declaration["dtype"])
    tensors = {name: one for name, one in {**spec["inputs"], **spec["outputs"]}.items() if "shape" in one}
    extent = lambda one: [campaigns.evaluate(str(size), axes) for size in one["shape"]]
    sizes = parameter_sizes(records, artifacts)
    arguments_of = []
    for at, name in enumerate(spec["launch"]["arguments"]):
        declaration = spec["inputs"].get(name)
        if name in tensors:
            arguments_of.append({"name": name})
        elif declaration is not None:
            arguments_of.append({"name": name, "dtype": dtype(declaration), "value": declaration["default"]})
        else:
            arguments_of.append(
                {
                    "name": name,
                    "dtype": "i64" if sizes[at] == 8 else "i32",
                    "value": campaigns.evaluate(name, {**types, **axes}),
                }
            )
    fixed = {name: axes[name] for name, kind in spec["axes"].items() if kind == "specialized"}
    fixed |= {name: CPP_TYPES[one] for name, one in types.items()}
    entry = spec["kernel"]["entry"]
    # Kernel Tuner puts values where a parameter's name stands as a word of its own.
    for name in re.findall(r"\{(\w+)\}", entry):
        entry = entry.replace("{" + name + "}", str(fixed.get(name, name)))
    tolerance = spec["tolerance"]
    return {
        "kernel": spec["kernel"]["name"],
        "kernel_name": entry,
        "source": (folder / spec["kernel"]["source"]).read_text(),
        "parameters": spec["space"]["parameters"],
        "defines": {f"RIDGE_{name.upper()}": str(value) for name, value in fixed.items()}
        | {f"RIDGE_{name.upper()}": name for name in names},
        "block": spec["launch"]["block"],
        "launches": list(launches.values()),
        "excluded": [],
        "arguments": arguments_of,
        "inputs": {name: extent(one) for name, one in tensors.items() if name in spec["inputs"]},
        "dtypes": {name: dtype(one) for name, one in tensors.items()},
        "scalars": {name: one["default"] for name, one in spec["inputs"].items() if "shape" not in one},
        "tolerance": {"absolute": tolerance["absolute"], "relative": tolerance["relative"]},
        "compiler_options": ["-std=c++20"],
        "seed": arguments.seed,
    }


def parameter_sizes(records, artifacts):
    for record in records:
        found = artifacts.find(record.get("artifact"))
        if found:
            return [parameter["size_bytes"] for parameter in found[1]["parameters"]]
    raise SystemExit("no artifact of the campaign is left")


def run_kernel_tuner(arguments, job, folder):
    """Kernel Tuner in a process of its own, begun again after each candidate that ends it."""
    folder.mkdir()
    environment = os.environ | {
        "CUPY_CACHE_DIR": str(folder / "cupy"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")])),
    }
    ended, in_tune, versions, stopped = [], 0.0, {}, False
    start = time.perf_counter()
    for _ in range(RESTARTS_MAX):
        (folder / "answer.json").unlink(missing_ok=True)
        (folder / "current.json").unlink(missing_ok=True)
        (folder / "job.json").write_text(json.dumps(job))
        begun = time.perf_counter()
        left = (
            None if arguments.kernel_tuner_limit is None else max(1.0, arguments.kernel_tuner_limit - (begun - start))
        )
        with (folder / "output.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, str(HERE / "tuner.py"), str(folder)],
                stdout=log,
                stderr=log,
                env=environment,
                cwd=folder,
            )
            try:
                status = process.wait(timeout=left)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                stopped = True
        last = json.loads((folder / "answer.json").read_text()) if (folder / "answer.json").exists() else {}
        in_tune += last.get("seconds", time.perf_counter() - begun)
        versions = last.get("versions", versions)
        if stopped or (last and not last["error"]):
            break
        current = json.loads((folder / "current.json").read_text()) if (folder / "current.json").exists() else None
        words = (folder / "output.log").read_text()[-1500:]
        ended.append(
            {
                "candidate": current,
                "error": last.get("error") or f"exit status {status}",
                "output": None if current else words,
            }
        )
        if current is None:
            break  # it did not get as far as a candidate: the next start would not either
        job["excluded"].append(current)
    seconds = time.perf_counter() - start
    wrong = tuner.read_wrong(folder)
    summary = summarise(job, tuner.read_cache(folder / "cache.json"), wrong, seconds, in_tune)
    return summary | {"ended": ended, "wrong": wrong, "stopped": stopped, "versions": versions}


def summarise(job, cache, wrong, seconds, in_tune):
    names = list(job["parameters"])
    refused = {tuner.key(candidate, names) for candidate in wrong}
    failed, best = {}, None
    for entry in cache.values():
        if isinstance(entry["time"], str) or "__error__" in entry:
            kind = str(entry.get("__error__", entry["time"]))
            failed[kind] = failed.get(kind, 0) + 1
        elif tuner.key(entry, names) not in refused and (best is None or entry["time"] < best["time"]):
            best = entry
    total = lambda field: sum(entry.get(field) or 0 for entry in cache.values()) / 1e3
    return {
        "seconds": seconds,
        "seconds_in_tune_kernel": in_tune,
        "candidates": len(cache),
        "of": len(job["launches"]),
        "failed": failed,
        "winner": best and {name: best[name] for name in names},
        "winner_us": best and best["time"] * 1e3,
        "compile_s": total("compile_time"),
        "verify_s": total("verification_time"),
        "benchmark_s": total("benchmark_time"),
    }


def self_test():
    import self_test

    self_test.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())

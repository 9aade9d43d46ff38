#!/usr/bin/env python3
"""The emulator against a GPU: outputs bit by bit, counters against Nsight Compute.

Runs the `parity` example of `ridge-benches`, which must have been built, and writes `parity.json`
and `parity.md`. README.md says how.
"""

import argparse
import csv
import io
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time
import tomllib

import metrics

HERE = pathlib.Path(__file__).resolve().parent
LIBRARY = HERE.parent.parent / "kernels"
# Units in the last place that `.approx` instructions may cost an output of a type; the ISA's bounds
# on them are some units of single precision, which rounding to 16 or 8 bits turns into one at most.
APPROX_ULPS = {"f8e4m3": 1, "f8e5m2": 1, "bf16": 1, "f16": 1, "f32": 8, "f64": 0}


def main():
    arguments = parse_arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    answer = {
        "schema": 1,
        "device": device_facts(),
        "arguments": {"seed": arguments.seed, "candidates": arguments.candidates},
    }
    save = lambda: (arguments.out / "parity.json").write_text(to_json(answer))
    if "outputs" not in arguments.skip:
        answer["outputs"] = compare_outputs(arguments)
        save()
    if "counters" not in arguments.skip:
        answer["profiler"] = profiler = Profiler(arguments).facts
        answer["formulas"] = metrics.definitions()
        answer["cases"] = []
        for case in load_cases(arguments):
            answer["cases"].append(compare_counters(case, arguments, profiler))
            save()
    save()
    text = report(answer)
    (arguments.out / "parity.md").write_text(text)
    print(text)
    return 0 if is_good(answer) else 1


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parity", type=pathlib.Path, required=False, help="the built example `parity`")
    parser.add_argument(
        "--out", type=pathlib.Path, default=pathlib.Path("."), help="folder for parity.json and parity.md"
    )
    parser.add_argument("--device", default="cuda:0", help="`emulator` tries this script without a GPU")
    parser.add_argument("--ncu", default="ncu", help="Nsight Compute's command line")
    parser.add_argument("--candidates", type=int, default=6, help="of each kernel and workload")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=pathlib.Path, default=HERE / "cases.toml")
    parser.add_argument("--skip", action="append", default=[], choices=["outputs", "counters"])
    parser.add_argument("--self-test", action="store_true", help="try what needs no GPU, no profiler and no build")
    arguments = parser.parse_args()
    if arguments.self_test:
        self_test()
        sys.exit(0)
    if arguments.parity is None:
        parser.error("--parity is needed")
    arguments.parity = arguments.parity.resolve()
    return arguments


def to_json(answer):
    """JSON with one line a run or a row: small, and readable in a diff."""
    text = json.dumps(answer, indent=1, ensure_ascii=False)
    flat = lambda match: re.sub(r"\s*\n\s*", " ", match.group(0))
    return re.sub(r"\{[^{}\[\]]*\}|\[[^{}\[\]]*\]", flat, text) + "\n"


def device_facts():
    query = "name,driver_version,compute_cap"
    run = shutil.which("nvidia-smi") and subprocess.run(
        ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"], capture_output=True, text=True
    )
    if not run or run.returncode != 0:
        return None
    return dict(zip(query.split(","), (part.strip() for part in run.stdout.splitlines()[0].split(","))))


def kernel_folder(name):
    own = HERE / "kernels" / name
    return own if own.is_dir() else LIBRARY / name


def all_kernels():
    folders = [path.parent for root in (LIBRARY, HERE / "kernels") for path in sorted(root.glob("*/kernel.toml"))]
    cuda = lambda folder: tomllib.loads((folder / "kernel.toml").read_text())["kernel"].get("language") == "cuda"
    return [folder for folder in folders if cuda(folder)]


# Outputs


def compare_outputs(arguments):
    command = [
        arguments.parity,
        "outputs",
        *all_kernels(),
        "--candidates",
        arguments.candidates,
        "--seed",
        arguments.seed,
        "--device",
        arguments.device,
    ]
    start = time.monotonic()
    run = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    lines = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    kernels = {}
    for line in lines:
        kernel = kernels.setdefault(
            line["kernel"],
            {
                "candidates": set(),
                "approx": set(),
                "verdicts": {},
                "elements": 0,
                "different": 0,
                "max_ulps": {},
                "n_runs": 0,
                "others": [],
                "equal": {},
            },
        )
        verdict = judge_outputs(line)
        kernel["verdicts"][verdict] = kernel["verdicts"].get(verdict, 0) + 1
        kernel["candidates"].add(line["candidate"])
        kernel["approx"].update(line.get("approx", []))
        for output in line.get("outputs", []):
            kernel["elements"] += output["elements"]
            kernel["different"] += output["different"]
            most = kernel["max_ulps"].get(output["dtype"], 0)
            ulps = output["max_ulps"]
            kernel["max_ulps"][output["dtype"]] = None if ulps is None or most is None else max(most, ulps)
        kernel["n_runs"] += 1
        if verdict == "equal":
            equal = kernel["equal"].setdefault(f"{line['workload']}, {line['distribution']}", [])
            equal.append(line["candidate"])
            continue
        run_line = {key: line[key] for key in ("workload", "candidate", "distribution")} | {"verdict": verdict}
        run_line |= {key: line[key] for key in ("reason", "device_refused") if line.get(key)}
        run_line["outputs"] = [output for output in line.get("outputs", []) if output["different"]]
        findings = [one for side in ("emulator_findings", "device_findings") for one in line.get(side, [])]
        run_line["findings"] = [one.get("message") for one in findings[:4]]
        kernel["others"].append(run_line)
    for kernel in kernels.values():
        kernel["candidates"] = len(kernel["candidates"])
        kernel["approx"] = sorted(kernel["approx"])
        kernel["equal"] = merged(kernel["equal"])
    return {"exit_status": run.returncode, "seconds": round(time.monotonic() - start, 1), "kernels": kernels}


def merged(equal):
    """One entry for all inputs of a workload on which the same candidates are equal."""
    inputs = {}
    for name, candidates in equal.items():
        workload, distribution = name.split(", ")
        inputs.setdefault((workload, tuple(candidates)), []).append(distribution)
    return {f"{workload}: {', '.join(names)}": list(candidates) for (workload, candidates), names in inputs.items()}


def judge_outputs(line):
    """`equal`: bit for bit. `within approx`: the kernel uses `.approx` instructions, and no output is
    further apart than they explain. `differs`: anything else that was compared."""
    if line["status"] != "compared":
        return line["status"]
    outputs = line["outputs"]
    if all(output["different"] == 0 and output["same_size"] for output in outputs):
        return "equal"
    explained = lambda output: (
        output["max_ulps"] is not None and output["max_ulps"] <= APPROX_ULPS.get(output["dtype"], 0)
    )
    return "within approx" if line["approx"] and all(map(explained, outputs)) else "differs"


# Counters


class Profiler:
    """Nsight Compute, and which of the metrics it has."""

    def __init__(self, arguments):
        self.facts = {"version": None, "missing_metrics": [], "listed_metrics": []}
        if shutil.which(arguments.ncu) is None:
            self.facts["error"] = f"`{arguments.ncu}` is not found"
            self.facts["metrics"] = []
            return
        version = subprocess.run([arguments.ncu, "--version"], capture_output=True, text=True).stdout
        self.facts["version"] = next(
            (line for line in version.splitlines() if line.startswith("Version")), version.strip()
        )
        queried = subprocess.run([arguments.ncu, "--query-metrics"], capture_output=True, text=True).stdout
        names = set(re.findall(r"^((?:l1tex|smsp|sm|lts|dram|idc|gpc|gpu)__\w+)", queried, re.MULTILINE))
        known = lambda metric: not names or metric.startswith("launch__") or metric.rsplit(".", 1)[0] in names
        self.facts["n_queried"] = len(names)
        self.facts["metrics"] = [metric for metric in metrics.wanted() if known(metric)]
        self.facts["missing_metrics"] = [metric for metric in metrics.wanted() if not known(metric)]
        self.facts["listed_metrics"] = sorted(name for name in names if any(part in name for part in metrics.LISTED))


def load_cases(arguments):
    return tomllib.loads(arguments.cases.read_text())["case"]


def compare_counters(case, arguments, profiler):
    words = [kernel_folder(case["kernel"]), "--workload", case["workload"], "--seed", arguments.seed]
    words += ["--candidate", case["candidate"]] if case["candidate"] else []
    words = [str(word) for word in words]
    emulated = subprocess.run([arguments.parity, "counters", *words], capture_output=True, text=True)
    if emulated.returncode != 0:
        return case | {"error": emulated.stderr.strip()}
    answer = json.loads(emulated.stdout)
    if not answer["counters"] or answer["findings"]:
        return case | {"error": f"the emulator found {answer['findings'][:1]}"}
    result = case | {
        "candidate": answer["candidate"],
        "entry": answer["entry"],
        "launch": answer["launch"],
        "counters": answer["counters"],
    }
    if not profiler["metrics"]:
        return result | {
            "error": profiler.get("error", "no metric is known"),
            "rows": metrics.compare(answer["counters"], {}),
        }
    launch = [arguments.parity, "launch", *words, "--device", arguments.device]
    measured, error = profile(arguments, profiler, launch, answer["entry"])
    result["measured"] = measured
    if error:
        result["error"] = error
    rows = metrics.compare(answer["counters"], measured)
    idle = [row for row in rows if row["emulator"] == 0 and row["device"] == 0]
    return result | {
        "rows": [row for row in rows if row not in idle],
        "equal_at_zero": [row["counter"] for row in idle],
    }


def profile(arguments, profiler, launch, entry):
    """The metrics of the one kernel; those that the profiler refuses are dropped and named."""
    log = arguments.out / "ncu.log"
    for _ in range(8):
        log.unlink(missing_ok=True)
        command = [
            arguments.ncu,
            "--clock-control",
            "none",
            "--target-processes",
            "all",
            "--kernel-name-base",
            "mangled",
            "--kernel-name",
            entry,
            "--launch-count",
            "1",
            "--print-units",
            "base",
            "--csv",
            "--page",
            "raw",
            "--log-file",
            log,
            "--metrics",
            ",".join(profiler["metrics"]),
            *launch,
        ]
        run = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        text = log.read_text() if log.exists() else ""
        log.unlink(missing_ok=True)
        measured, _ = read_csv(text)
        wrong = set(
            re.findall(
                r"\b((?:l1tex|smsp|sm|lts|launch)__[\w.]+)",
                "\n".join(line for line in text.splitlines() if "ERROR" in line or "WARNING" in line),
            )
        )
        drop = [metric for metric in profiler["metrics"] if metric in wrong and metric not in measured]
        profiler["missing_metrics"] += drop
        profiler["metrics"] = [metric for metric in profiler["metrics"] if metric not in drop]
        if measured or not drop:
            break
    if measured:
        return measured, None
    words = [line for line in (text + run.stderr + run.stdout).splitlines() if "==" in line or "parity:" in line]
    return {}, f"the profiler gave no numbers (exit status {run.returncode}): " + " | ".join(words[-4:])


def read_csv(text):
    """The values of the first kernel of a raw page, and the metrics that have none."""
    lines = text.splitlines()
    start = next((at for at, line in enumerate(lines) if line.startswith('"ID"')), None)
    if start is None:
        return {}, []
    rows = list(csv.reader(io.StringIO("\n".join(line for line in lines[start:] if line.startswith('"')))))
    header, values = rows[0], next((row for row in rows[1:] if row and row[0].strip().isdigit()), [])
    measured, absent = {}, []
    for name, value in zip(header, values, strict=False):
        if "__" not in name:
            continue
        try:
            number = float(value.replace(",", ""))
            measured[name] = int(number) if number.is_integer() else number
        except ValueError:
            absent.append(name)
    return measured, absent


# The report


def is_good(answer):
    outputs = answer.get("outputs", {"exit_status": 0, "kernels": {}})
    good = outputs["exit_status"] == 0 and all(
        set(kernel["verdicts"]) <= {"equal", "within approx"} for kernel in outputs["kernels"].values()
    )
    rows = [row for case in answer.get("cases", []) for row in case.get("rows", [])]
    return (
        good
        and not any("error" in case for case in answer.get("cases", []))
        and not any(row["exact"] and row["verdict"] == "differs" for row in rows)
    )


def report(answer):
    device = answer["device"]
    lines = [
        "# The emulator against a GPU",
        "",
        f"Device: {device['name']}, driver {device['driver_version']}." if device else "No GPU was found.",
        "",
    ]
    if "outputs" in answer:
        lines += report_outputs(answer["outputs"])
    if "cases" in answer:
        lines += report_counters(answer)
    return "\n".join(lines) + "\n"


def report_outputs(outputs):
    lines = [
        "## Outputs",
        "",
        "Runs on the same artifact and inputs. `approx` names instructions whose last bits the ISA leaves open.",
        "",
    ]
    lines += [
        "| kernel | candidates | runs | verdicts | elements that differ | largest distance, ulp | approx |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, kernel in outputs["kernels"].items():
        verdicts = ", ".join(f"{n} {verdict}" for verdict, n in sorted(kernel["verdicts"].items()))
        ulps = [f"{dtype} {'NaN' if most is None else most}" for dtype, most in sorted(kernel["max_ulps"].items())]
        approx = ", ".join(f"`{one}`" for one in kernel["approx"]) or "none"
        differ = f"{kernel['different']} of {kernel['elements']}"
        cells = [name, kernel["candidates"], kernel["n_runs"], verdicts, differ, ", ".join(ulps), approx]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    runs = [(name, run) for name, kernel in outputs["kernels"].items() for run in kernel["others"]]
    bad = [(name, run) for name, run in runs if run["verdict"] not in ("equal", "within approx")]
    lines.append("")
    for name, run in bad[:20]:
        seen = json.dumps(run.get("outputs") or run.get("findings") or run.get("reason") or run.get("device_refused"))
        lines.append(
            f"- {name} `{run['candidate']}` on {run['workload']}, {run['distribution']}: {run['verdict']} {seen}"
        )
    if outputs["exit_status"] != 0:
        lines.append(
            f"- The comparison ended with exit status {outputs['exit_status']}: what follows its last line was not run."
        )
    return lines + [""]


def report_counters(answer):
    profiler, cases = answer["profiler"], answer["cases"]
    lines = ["## Counters", "", f"Nsight Compute: {profiler['version'] or profiler.get('error')}.", ""]
    if profiler["missing_metrics"]:
        lines += [
            "Metrics it does not have here: "
            + ", ".join(f"`{metric}`" for metric in profiler["missing_metrics"])
            + ".",
            "",
        ]
    lines += [
        "| kernel | candidate | workload | equal | by another formula | differ |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for case in cases:
        judged = [row for row in case.get("rows", []) if row["exact"]]
        count = [row["verdict"] for row in judged].count
        shown = (
            f"{count('equal')} | {count('equal by another formula')} | {count('differs')}"
            if not case.get("error")
            else f"{case['error'][:160].replace('|', '/')} | |"
        )
        lines.append(f"| {case['kernel']} | `{case['candidate'] or 'default'}` | {case['workload']} | {shown} |")
    for case in cases:
        shown = [
            row for row in case.get("rows", []) if row["device"] is not None and (row["emulator"] or row["device"])
        ]
        if not shown:
            continue
        lines += ["", f"### {case['kernel']} on {case['workload']}: {case['shows']}", "", f"`{case['candidate']}`", ""]
        lines += ["| counter | emulator | device | |", "| --- | --- | --- | --- |"]
        for row in shown:
            verdict = row["verdict"] if row["exact"] else "not judged"
            verdict += " (" + " + ".join(row["equal_to"]) + ")" if "equal_to" in row else ""
            lines.append(f"| {row['counter']} | {row['emulator']} | {row['device']} | {verdict} |")
    return lines


def self_test():
    text = "\n".join(
        [
            "==PROF== Connected",
            '"ID","Process ID","Kernel Name","smsp__inst_executed.sum","launch__grid_size","l1tex__x.sum"',
            '"","","","inst","",""',
            '"0","12","k","1,234","19","n/a"',
        ]
    )
    assert read_csv(text) == ({"smsp__inst_executed.sum": 1234, "launch__grid_size": 19}, ["l1tex__x.sum"])
    assert read_csv("==ERROR== nothing") == ({}, [])
    shared = {"requests": 4, "wavefronts": 9, "wavefronts_ideal": 5}
    counters = {
        "global_load": {"requests": 3, "sectors": 12},
        "shared_load": shared,
        "warp_instructions": {"memory": 1, "integer": 2},
        "blocks": 2,
    }
    measured = {
        "l1tex__t_requests_pipe_lsu_mem_global_op_ld.sum": 3,
        "l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum": 10,
        "launch__grid_size": 2,
        "l1tex__data_bank_conflicts_pipe_lsu_mem_shared_op_ld.sum": 4,
        "smsp__inst_executed.sum": 9,
    }
    rows = {row["counter"]: row for row in metrics.compare(counters, measured)}
    assert rows["global load requests"]["verdict"] == "equal"
    assert rows["global load sectors"]["verdict"] == "differs"
    assert rows["shared load bank conflicts"]["verdict"] == "equal"
    assert rows["shared load wavefronts"]["verdict"] == "no metric"
    assert rows["warp instructions"]["emulator"] == 3 and not rows["warp instructions"]["exact"]
    output = {"different": 1, "max_ulps": 1, "dtype": "bf16", "same_size": True}
    assert judge_outputs({"status": "compared", "approx": [], "outputs": [output]}) == "differs"
    assert judge_outputs({"status": "compared", "approx": ["ex2.approx.f32"], "outputs": [output]}) == "within approx"
    lists = {"a, normal": ["c"], "a, edge-values": ["c"], "b, normal": ["c", "d"]}
    assert merged(lists) == {"a: normal, edge-values": ["c"], "b: normal": ["c", "d"]}
    assert judge_outputs({"status": "device refused"}) == "device refused"
    assert len(load_cases(argparse.Namespace(cases=HERE / "cases.toml"))) >= 8
    assert all(
        (kernel_folder(case["kernel"]) / "kernel.toml").is_file()
        for case in load_cases(argparse.Namespace(cases=HERE / "cases.toml"))
    )
    print("self-test passed")


if __name__ == "__main__":
    sys.exit(main())

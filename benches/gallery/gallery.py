#!/usr/bin/env python3
"""Tunes every kernel of kernels/cube and writes the gallery: what was written, what came out.

Each kernel there is mathematics alone. With no GPU the times are predictions of the emulator's
counts; with `--device cuda:0` they are measured, beside a copy of the same bytes and, with
`--templates`, beside the hand-written kernel of the same name in kernels/, tuned in the same
session on the same shapes.

    python3 benches/gallery/gallery.py --ridge target/release/ridge --budget 64 --out gallery

Standard library only. Writes OUT/gallery.json (every answer, whole) and OUT/gallery.md.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ridge", default=ROOT / "target/release/ridge", type=pathlib.Path)
    parser.add_argument("--device", default="emulator", help="as `ridge tune --device` has it")
    parser.add_argument("--target", help="as `ridge tune --target` has it; h200 without a GPU")
    parser.add_argument("--budget", type=int, default=64, help="evaluations for each workload")
    parser.add_argument("--kernel", action="append", help="only these folders of kernels/cube")
    parser.add_argument("--workload", action="append", help="only workloads of these names")
    parser.add_argument("--templates", action="store_true", help="tune the hand-written kernels beside")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("gallery"))
    return parser.parse_args()


def spec_of(folder: pathlib.Path) -> dict:
    return tomllib.loads((folder / "kernel.toml").read_text())


def tune(options: argparse.Namespace, folder: pathlib.Path, workload: str) -> dict:
    """The answer of one `ridge tune`: what it says when it fails is an answer too."""
    out = options.out / "tuned" / f"{folder.parent.name}-{folder.name}"
    command = [options.ridge, "tune", folder, "--workload", workload, "--device", options.device]
    command += ["--budget", str(options.budget), "--out", out, "--format", "json"]
    target = options.target or ("h200" if options.device == "emulator" else None)
    command += ["--target", target] if target else []
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError:
        return {"schema": 1, "error": {"code": "no-answer", "message": f"exit status {done.returncode}"}}


def same_shape(cube: dict, template: dict) -> str | None:
    """The template's workload of the same axes and types, by extents in order."""
    wanted = (list(cube["axes"].values()), list(cube["types"].values()))
    for workload in template["workloads"]:
        if (list(workload["axes"].values()), list(workload["types"].values())) == wanted:
            return workload["name"]
    return None


def row(folder: pathlib.Path, spec: dict, workload: dict, answer: dict) -> dict:
    line = {
        "kernel": folder.name,
        "math": spec["reference"]["math"].strip(),
        "workload": workload["name"],
        "axes": workload["axes"],
        "types": workload["types"],
        "answer": answer,
    }
    found = answer.get("workloads", [{}])[0]
    if found.get("best"):
        best = found["best"][0]
        line |= {
            "n_legal": found["n_legal"],
            "n_evaluated": found["n_evaluated"],
            "rejected": found["rejected"],
            "time_us": best["time_ns"] / 1000,
            "fraction_of_roofline": best["fraction_of_roofline"],
            "basis": "measured" if "measurement" in best else "predicted",
        }
        if "measurement" in best:
            line["copy_us"] = best["measurement"]["copy_ns"] / 1000
    return line


def table(rows: list[dict]) -> str:
    measured = any("copy_us" in line for line in rows)
    head = ["kernel", "mathematics", "shape", "evaluated of legal", "µs", "of roofline"]
    head += ["of copy", "template, µs"] if measured else []
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    shown = None
    for line in rows:
        shape = " × ".join(str(extent) for extent in line["axes"].values())
        texts = [text for text in line["math"].splitlines() if text and not text.startswith("#")]
        math = "<br>".join(f"`{text}`" for text in texts).replace("|", "\\|")
        # A kernel's further shapes stand below its first.
        cells = ["", "", shape] if line["kernel"] == shown else [line["kernel"], math, shape]
        shown = line["kernel"]
        if "time_us" not in line:
            error = line["answer"].get("error", {"code": "none passed"})
            lines.append("| " + " | ".join([*cells, error["code"], "", ""]) + " |")
            continue
        cells += [f"{line['n_evaluated']} of {line['n_legal']}", f"{line['time_us']:.2f}"]
        cells += [f"{line['fraction_of_roofline']:.1%}"]
        if measured:
            cells += [f"{line['copy_us'] / line['time_us']:.1%}" if "copy_us" in line else ""]
            cells += [f"{line['template_us']:.2f}" if "template_us" in line else ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for folder in sorted(path.parent for path in (ROOT / "kernels/cube").glob("*/kernel.toml")):
        spec = spec_of(folder)
        if options.kernel and folder.name not in options.kernel:
            continue
        for workload in spec["workloads"]:
            if workload["role"] != "tune" or options.workload and workload["name"] not in options.workload:
                continue
            rows.append(row(folder, spec, workload, tune(options, folder, workload["name"])))
            by_hand = ROOT / "kernels" / folder.name
            if options.templates and (by_hand / "kernel.toml").exists():
                name = same_shape(workload, spec_of(by_hand))
                answer = tune(options, by_hand, name) if name else {}
                best = answer.get("workloads", [{}])[0].get("best")
                if best:
                    rows[-1] |= {"template_us": best[0]["time_ns"] / 1000, "template": answer}
            print(json.dumps({key: rows[-1].get(key) for key in ("kernel", "workload", "time_us", "copy_us", "template_us")}))
            sys.stdout.flush()
            (options.out / "gallery.json").write_text(json.dumps({"schema": 1, "rows": rows}, indent=1) + "\n")
            (options.out / "gallery.md").write_text(table(rows))
    return 0 if rows and all("time_us" in line for line in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

"""What `ridge tune` wrote: candidates, how they are launched, and their CUBINs.

Reads `tuned.toml`, `records.jsonl` and `artifacts/<digest>/` of campaign folders, and the kernel's spec
for the launch rule. Needs neither torch nor a GPU.
"""

import dataclasses
import json
import pathlib
import re
import statistics
import tomllib

SIZES = {
    "f64": 8, "f32": 4, "f16": 2, "bf16": 2, "f8e4m3": 1, "f8e5m2": 1, "i64": 8, "i32": 4, "i16": 2, "i8": 1, "u32": 4,
    "u8": 1, "bool": 1,
}


class CampaignError(Exception):
    """A campaign's folder that does not hold what `ridge tune` writes."""


@dataclasses.dataclass(frozen=True)
class Tuned:
    """One candidate with all that launching it on one workload takes."""

    kernel: str
    axes: dict
    types: dict
    candidate: dict
    artifact: pathlib.Path
    tuned_ns: float
    exact: bool  # tuned for this very shape, or for the nearest one
    grid: tuple
    block: tuple
    cluster: tuple
    shared_memory_bytes: int
    programmatic: bool
    arguments: tuple  # (name, size in bytes) in order
    scalars: dict  # axes, derived ones too, and the defaults of scalar inputs
    symbol: str

    def label(self):
        return ",".join(f"{name}={value}" for name, value in sorted(self.candidate.items()))


def evaluate(expression, scope):
    """The value of one of the spec's integer expressions, for names in `scope`."""
    text = expression.replace("&&", " and ").replace("||", " or ")
    text = re.sub(r"!(?!=)", " not ", text)
    text = re.sub(r"(?<!/)/(?!/)", "//", text)
    functions = {
        "ceil_div": lambda a, b: -(-a // b),
        "align_up": lambda a, b: -(-a // b) * b,
        "is_power_of_two": lambda a: int(a > 0 and a & (a - 1) == 0),
        "sizeof": lambda dtype: SIZES[dtype],
        "min": min,
        "max": max,
    }
    return int(eval(text, {"__builtins__": {}}, {**functions, **scope}))  # noqa: S307 (the repository's own specs)


def _extent(expressions, scope):
    values = [evaluate(str(expression), scope) for expression in expressions]
    return tuple(values + [1] * (3 - len(values)))


def _cluster(expressions, scope):
    """The blocks of a cluster along x, y and z; none where a cluster is one block."""
    extent = _extent(expressions, scope)
    return () if extent == (1, 1, 1) else extent


def _median_ns(outcome):
    if "measured" in outcome:
        return statistics.median(outcome["measured"]["latency_ns"])
    if "predicted" in outcome:
        return float(outcome["predicted"]["time_ns"])
    return None


class Kernel:
    """A kernel's spec, as far as launching needs it."""

    def __init__(self, folder):
        self.spec = tomllib.loads((pathlib.Path(folder) / "kernel.toml").read_text())
        self.name = self.spec["kernel"]["name"]
        self.launch = self.spec["launch"]

    def defaults(self):
        """The defaults of the scalar inputs, as numbers of their kind."""
        found = {}
        for name, one in self.spec["inputs"].items():
            if "shape" not in one and "default" in one:
                kind = float if one["dtype"].startswith(("f", "bf")) else int
                found[name] = kind(one["default"])
        return found

    def with_derived(self, axes, types):
        """The axes, and those that the spec derives from them."""
        whole = dict(axes)
        for name, kind in self.spec["axes"].items():
            if isinstance(kind, dict):
                whole[name] = evaluate(kind["expression"], {**types, **whole})
        return whole

    def plan(self, record, manifest, artifact, axes, exact):
        """The record's candidate, launched for `axes`."""
        candidate, types = record["candidate"], record["workload"]["types"]
        whole = self.with_derived(axes, types)
        scope = {**types, **whole, **candidate}
        sizes = [parameter["size_bytes"] for parameter in manifest["parameters"]]
        names = self.launch["arguments"]
        if len(sizes) != len(names):
            raise CampaignError(f"`{artifact}` takes {len(sizes)} arguments, the spec gives {len(names)}")
        return Tuned(
            kernel=self.name,
            axes=dict(axes),
            types=dict(types),
            candidate=dict(candidate),
            artifact=artifact,
            tuned_ns=_median_ns(record["outcome"]),
            exact=exact,
            grid=_extent(self.launch["grid"], scope),
            block=_extent(self.launch["block"], scope),
            cluster=_cluster(self.launch.get("cluster", []), scope),
            shared_memory_bytes=evaluate(str(self.launch.get("shared_memory_bytes", 0)), scope),
            programmatic=bool(evaluate(str(self.launch.get("programmatic", 0)), scope)),
            arguments=tuple(zip(names, sizes, strict=True)),
            scalars={**self.defaults(), **whole},
            symbol=manifest["entry_symbol"],
        )


class Artifacts:
    """Artifacts by their digest: those beside the records, then those in Ridge's cache."""

    def __init__(self, campaign, cache=None):
        self.campaign = pathlib.Path(campaign) / "artifacts"
        self.cache = {}
        if cache is None:
            return
        for path in pathlib.Path(cache).glob("artifacts/*/manifest.json"):
            entry = json.loads(path.read_text())
            if entry.get("compiled"):
                self.cache[entry["compiled"]["digest"]] = (path.parent, entry["compiled"]["manifest"])

    def find(self, digest):
        """The artifact's folder and manifest, or None."""
        folder = self.campaign / str(digest)
        if (folder / "kernel.cubin").is_file():
            return folder, json.loads((folder / "manifest.json").read_text())
        return self.cache.get(digest)


class Campaign:
    """A folder that `ridge tune` wrote."""

    def __init__(self, folder, kernels, cache=None):
        self.folder = pathlib.Path(folder)
        for name in ("tuned.toml", "records.jsonl"):
            if not (self.folder / name).is_file():
                raise CampaignError(f"`{self.folder}` has no {name}: it is no campaign's folder")
        self.artifacts = Artifacts(self.folder, cache)
        self.entries = tomllib.loads((self.folder / "tuned.toml").read_text()).get("entry", [])
        self.records = []
        for line in (self.folder / "records.jsonl").read_text().splitlines():
            try:
                self.records.append(json.loads(line))
            except json.JSONDecodeError:
                continue  # a torn last line
        names = {entry["kernel"] for entry in self.entries}
        self.kernels = {name: Kernel(pathlib.Path(kernels) / name) for name in names}

    def choices(self, kernel, axes, types):
        """The matrix's choice for a shape, then the fastest with the other kind of launch.

        A shape without an entry takes the nearest in the axes that one artifact serves. Answers at most
        one candidate without and one with programmatic launch, the matrix's first.
        """
        if kernel not in self.kernels:
            return []
        spec = self.kernels[kernel]
        entry = self._nearest(spec, kernel, axes, types)
        if entry is None:
            return []
        exact = entry["axes"] == axes
        first = [record for record in self.records if record["digest"] == entry["record"]]
        others = [
            record
            for record in self.records
            if record["kernel"] == kernel
            and record["spec"] == entry["spec"]
            and record["workload"]["axes"] == entry["axes"]
            and record["workload"]["types"] == entry["types"]
            and _median_ns(record["outcome"]) is not None
        ]
        others.sort(key=lambda record: _median_ns(record["outcome"]))
        chosen = {}
        for record in first + others:
            found = self.artifacts.find(record.get("artifact"))
            if found is None:
                continue
            plan = spec.plan(record, found[1], found[0], axes, exact)
            chosen.setdefault(plan.programmatic, plan)
            if len(chosen) == 2:
                break
        return list(chosen.values())

    def _nearest(self, spec, kernel, axes, types):
        fixed = [name for name, kind in spec.spec["axes"].items() if kind == "specialized"]
        best = None
        for entry in self.entries:
            if entry["kernel"] != kernel or entry.get("types", {}) != types:
                continue
            if any(entry["axes"].get(name) != axes.get(name) for name in fixed if name in axes):
                continue
            distance = sum(
                max(entry["axes"][name], axes[name]) / min(entry["axes"][name], axes[name])
                for name in axes
                if name in entry["axes"]
            )
            if best is None or distance < best[0]:
                best = (distance, entry)
        return None if best is None else best[1]

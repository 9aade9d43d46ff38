"""What the emulator counts, and what Nsight Compute calls the same.

A `Pairing` holds the value of one emulator counter and the formulas over Nsight Compute's metrics
that may mean the same. The first formula is the definition; a later one that alone is equal says
how the profiler accounts for instructions that belong to two kinds, such as asynchronous copies.
"""

from dataclasses import dataclass

GLOBAL = "l1tex__t_{what}_pipe_lsu_mem_global_op_{op}.sum"
SHARED_WAVEFRONTS = "l1tex__data_pipe_lsu_wavefronts_mem_shared_op_{op}.sum"
SASS_WAVEFRONTS = "smsp__sass_l1tex_data_pipe_lsu_wavefronts_mem_shared_op_{op}.sum"
CONFLICTS = "l1tex__data_bank_conflicts_pipe_lsu_mem_shared_op_{op}.sum"
SASS_CONFLICTS = "smsp__sass_l1tex_data_bank_conflicts_pipe_lsu_mem_shared_op_{op}.sum"
EXECUTED = "smsp__inst_executed_op_{op}.sum"


@dataclass(frozen=True)
class Pairing:
    """A counter, where it is in the emulator's answer, and the formulas that may equal it.

    `exact` says whether the two must agree: instructions are PTX on one side and machine code on
    the other, so their numbers are shown and not judged.
    """

    name: str
    counter: tuple  # path into the counters; `-` in front of a path subtracts it
    formulas: tuple  # each a tuple of metrics to add
    exact: bool = True


def _global(what, kind, counter):
    metric = lambda op: GLOBAL.format(what=what, op=op)
    if kind == "load":
        formulas = (
            (metric("ld"), metric("ldgsts")),
            (metric("ld"),),
            (metric("ld"), metric("ldgsts_cache_access"), metric("ldgsts_cache_bypass")),
        )
    elif kind == "store":
        formulas = ((metric("st"),),)
    else:
        formulas = ((metric("red"), metric("atom")), (metric("red"),), (metric("atom"),))
    return Pairing(f"global {kind} {what}", (f"global_{kind}.{counter}",), formulas)


def _shared(kind, op):
    base = f"shared_{kind}"
    fills = kind == "store"  # asynchronous copies write shared memory without a store

    def formulas(template, extra):
        own = template.format(op=op)
        return ((own, template.format(op="ldgsts")), (own,)) + extra if fills else ((own,),) + extra

    copies = ("smsp__inst_executed_op_ldgsts.sum",)
    executed = EXECUTED.format(op=f"shared_{op}")
    return [
        Pairing(
            f"shared {kind} requests",
            (f"{base}.requests",),
            ((executed, *copies), (executed,)) if fills else ((executed,),),
        ),
        Pairing(
            f"shared {kind} wavefronts",
            (f"{base}.wavefronts",),
            formulas(SASS_WAVEFRONTS, formulas(SHARED_WAVEFRONTS, ())),
        ),
        Pairing(
            f"shared {kind} bank conflicts",
            (f"{base}.wavefronts", f"-{base}.wavefronts_ideal"),
            formulas(SASS_CONFLICTS, formulas(CONFLICTS, ())),
        ),
    ]


PAIRINGS = [
    _global("requests", "load", "requests"),
    _global("sectors", "load", "sectors"),
    _global("requests", "store", "requests"),
    _global("sectors", "store", "sectors"),
    _global("requests", "atomic", "requests"),
    _global("sectors", "atomic", "sectors"),
    Pairing(
        "global load instructions",
        ("global_load.requests",),
        (
            ("smsp__inst_executed_op_global_ld.sum", "smsp__inst_executed_op_ldgsts.sum"),
            ("smsp__inst_executed_op_global_ld.sum",),
        ),
    ),
    Pairing("global store instructions", ("global_store.requests",), (("smsp__inst_executed_op_global_st.sum",),)),
    Pairing(
        "global atomic instructions",
        ("global_atomic.requests",),
        (
            ("smsp__inst_executed_op_global_red.sum", "smsp__inst_executed_op_global_atom.sum"),
            ("smsp__inst_executed_op_global_red.sum",),
            ("smsp__inst_executed_op_global_atom.sum",),
        ),
    ),
    *_shared("load", "ld"),
    *_shared("store", "st"),
    *_shared("atomic", "atom"),
    Pairing(
        "shared wavefronts of all kinds",
        ("shared_load.wavefronts", "shared_store.wavefronts", "shared_atomic.wavefronts"),
        (
            ("smsp__sass_l1tex_data_pipe_lsu_wavefronts_mem_shared.sum",),
            ("l1tex__data_pipe_lsu_wavefronts_mem_shared.sum",),
        ),
    ),
    Pairing(
        "local requests",
        ("local.requests",),
        (("l1tex__t_requests_pipe_lsu_mem_local_op_ld.sum", "l1tex__t_requests_pipe_lsu_mem_local_op_st.sum"),),
        exact=False,
    ),
    Pairing("warp instructions", ("warp_instructions.*",), (("smsp__inst_executed.sum",),), exact=False),
    Pairing("thread instructions", ("thread_instructions",), (("smsp__thread_inst_executed.sum",),), exact=False),
    Pairing("blocks", ("blocks",), (("launch__grid_size",),)),
]

# Metrics that are listed in the answer where the profiler has them, beyond those of the pairings.
LISTED = ("ldgsts", "mem_shared", "mem_global_op")


def wanted():
    """Every metric of every formula, in order, once."""
    return list(dict.fromkeys(metric for pairing in PAIRINGS for formula in pairing.formulas for metric in formula))


def definitions():
    """The definition of each counter in the profiler's metrics, which are added."""
    return {pairing.name: pairing.formulas[0] for pairing in PAIRINGS}


def counter(counters, path):
    """The value at a path of the emulator's counters; `a.*` is the sum of `a`'s fields."""
    sign = -1 if path.startswith("-") else 1
    value = counters
    for name in path.lstrip("-").split("."):
        value = sum(value.values()) if name == "*" else value.get(name, 0) if isinstance(value, dict) else 0
    return sign * value


def compare(counters, measured):
    """Rows of the emulator's counters beside the metrics of the same meaning.

    A formula counts only where the profiler has all of its metrics; where it has them of none, the
    first metric of each has to do, and `instead` names what was added.
    """
    rows = []
    for pairing in PAIRINGS:
        ours = sum(counter(counters, path) for path in pairing.counter)
        formulas = []
        for formula in pairing.formulas:
            there = [metric for metric in formula if metric in measured]
            if there and there[0] == formula[0]:
                formulas.append(
                    {
                        "metrics": there,
                        "without": [m for m in formula if m not in measured],
                        "value": sum(measured[m] for m in there),
                    }
                )
        complete = [f for f in formulas if not f["without"]] or formulas
        first = complete[0] if complete else None
        equal = [f for f in complete if f["value"] == ours]
        row = {
            "counter": pairing.name,
            "exact": pairing.exact,
            "emulator": ours,
            "device": first and first["value"],
        }
        row["verdict"] = (
            "no metric"
            if first is None
            else "equal"
            if first["value"] == ours
            else "equal by another formula"
            if equal
            else "differs"
        )
        if first and tuple(first["metrics"]) != pairing.formulas[0]:
            row["instead"] = first["metrics"]  # the definition's metrics are not all there
        if row["verdict"] == "equal by another formula":
            row["equal_to"] = equal[0]["metrics"]
        if row["verdict"] == "differs" and len(complete) > 1:
            row["other_formulas"] = [{"metrics": f["metrics"], "value": f["value"]} for f in complete[1:]]
        rows.append(row)
    return rows

"""Device time of published kernels beside what the campaigns measured, in a chain and alone."""

import statistics

import timing
import torch

# What must hold.
DEVICE_RATIO = 1.01


def device_time(published):
    """Device time of every tuned shape in a chain, beside what the campaign measured."""
    flush = timing.Flush()
    with published.in_situation("chain"):
        answers = [_timed(published, entry, flush) for entry in published.tuned]
    return {"holds": all(case["holds"] for case in answers), "cases": answers}


def alone_time(published):
    """Device time of a call behind a foreign read, as calls are by default and as one in a chain.

    Where the shape has a kernel for calls alone, it must be the faster one of the two. The campaign's
    time is told beside: the foreign kernel before it was another.
    """
    flush = timing.Flush()
    answers = [_timed_alone(published, entry, flush) for entry in published.tuned]
    return {"holds": all(case["holds"] for case in answers), "cases": answers}


class Sets:
    """Sets of a shape's tensors that together are several caches, and calls on them."""

    def __init__(self, published, entry, flush):
        arguments = published.arguments(entry.axes, entry.types)
        choice = published.module.why(*arguments)
        self.case = {"workload": entry.workload, "axes": entry.axes, "rule": choice.rule}
        result = published.function(*arguments)
        result = result if isinstance(result, tuple) else (result,)
        tensors = [*(a for a in arguments if torch.is_tensor(a)), *result]
        set_bytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        self.n_sets = timing.n_sets(set_bytes, flush.l2_bytes)
        self._function = published.function
        self._inputs = [
            [a.clone() if torch.is_tensor(a) else a for a in arguments] for _ in range(self.n_sets)
        ]
        self.outputs = [
            tuple(torch.empty_like(tensor) for tensor in result) for _ in range(self.n_sets)
        ]

    def call(self, place):
        """Calls the kernel on a set."""
        out = self.outputs[place]
        self._function(*self._inputs[place], out=out if len(out) > 1 else out[0])


def _timed(published, entry, flush):
    sets = Sets(published, entry, flush)
    samples = timing.device_ns(sets.call, sets.n_sets, sets.outputs, flush, entry.median_ns)
    case = sets.case | {"campaign_ns": entry.median_ns, "sets": sets.n_sets}
    case |= _summary(samples)
    case["ratio"] = case["median_ns"] / entry.median_ns
    case["holds"] = case["ratio"] <= DEVICE_RATIO or entry.basis != "measured"
    del sets
    torch.cuda.empty_cache()
    return case


def _timed_alone(published, entry, flush):
    second = published.alone.get(published.key(entry))
    sets = Sets(published, entry, flush)
    case = sets.case | {"two_kernels": second is not None}
    case |= _summary(timing.alone_ns(sets.call, sets.n_sets, sets.outputs, flush))
    case["holds"] = True
    if second is not None:
        with published.in_situation("chain"):
            samples = timing.alone_ns(sets.call, sets.n_sets, sets.outputs, flush)
        case["chain_kernel"] = _summary(samples)
        case["campaign_ns"] = second.median_ns
        case["ratio"] = case["median_ns"] / second.median_ns
        case["holds"] = case["median_ns"] < case["chain_kernel"]["median_ns"]
    del sets
    torch.cuda.empty_cache()
    return case


def _summary(samples):
    quarters = statistics.quantiles(samples, n=4)
    return {
        "samples": len(samples),
        "median_ns": round(statistics.median(samples)),
        "quartiles_ns": [round(quarters[0]), round(quarters[2])],
    }

"""Both winners by one protocol: that of `../peers/protocol.py`, in one process, interleaved."""

import dataclasses
import math

import campaigns
import references
from report import label


def remeasure(job, plans, rounds):
    """Times every plan, and a copy of as many bytes. The CUBINs are Ridge's: one compiler for all."""
    import torch
    from driver import Driver, Function
    from protocol import Clock, interleaved, n_calls, n_sets

    inputs, expected = references.problem(job)
    first = make_set(torch, job, inputs, expected)
    size = sum(one.nbytes for one in first.values())
    clock, driver = Clock(torch), Driver()
    sets = n_sets(size, clock.l2_bytes)
    tensors = [{name: one.clone() for name, one in first.items()} for _ in range(sets)]
    scalars = {one["name"]: one["value"] for one in job["arguments"] if "value" in one}
    graphs, errors = {}, {}
    for name, plan in plans.items():
        function = Function(driver, plan)
        launches = [function.bind({**scalars, **own}) for own in tensors]

        def call(at, launches=launches):
            launches[at](torch.cuda.current_stream().cuda_stream)

        for own in tensors:
            for output in expected:
                own[output].fill_(float("nan"))
        graphs[name] = clock.capture(call, sets, n_calls(sets))
        # What the captured launches leave is what is judged.
        for own in tensors:
            for output in expected:
                own[output].fill_(float("nan"))
        graphs[name].chain.replay()
        torch.cuda.synchronize()
        errors[name] = worst_ratio(job, tensors, expected)
    half = torch.empty(size // 2, dtype=torch.uint8, device="cuda")
    pairs = [(torch.empty_like(half), torch.empty_like(half)) for _ in range(sets)]

    def copy(at):
        pairs[at][1].copy_(pairs[at][0])

    graphs["copy of as many bytes"] = clock.capture(copy, sets, n_calls(sets))
    samples = interleaved(clock, graphs, rounds)
    contenders = {name: {**samples[name], "worst_ratio": errors.get(name)} for name in graphs}
    for name, plan in plans.items():
        contenders[name] |= {"candidate": label(plan.candidate), "programmatic": plan.programmatic}
    protocol = {"rounds": rounds, "sets": sets, "calls": n_calls(sets), "bytes": size}
    return {"protocol": protocol, "contenders": contenders}


def make_set(torch, job, inputs, expected):
    """The tensors of one call on the device, outputs empty."""
    types = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}
    tensors = {}
    for name, one in inputs.items():
        # NumPy has no bfloat16: its bits travel as integers.
        plain = one.view("int16") if job["dtypes"][name] == "bf16" else one
        tensors[name] = torch.from_numpy(plain).cuda().view(types[job["dtypes"][name]])
    for name, one in expected.items():
        tensors[name] = torch.empty(one.shape, dtype=types[job["dtypes"][name]], device="cuda")
    return tensors


def worst_ratio(job, tensors, expected):
    """The largest error of any set over what the tolerance allows; text where something is no number."""
    worst = 0.0
    for own in tensors:
        for name, values in expected.items():
            found = own[name].float().cpu().numpy()
            bound = job["tolerance"]["absolute"] + job["tolerance"]["relative"] * abs(values)
            ratio = float((abs(found - values) / bound).max())
            if math.isnan(ratio):
                return "not a number"
            worst = max(worst, ratio)
    return worst


def contenders(folder, answer, records, campaign):
    """Ridge's winner twice, for the noise, and Kernel Tuner's as CuPy launches it and as the spec does."""
    kernel = campaigns.Kernel(folder)

    def plan(candidate):
        record = next(one for one in records if one["candidate"] == candidate and one.get("artifact"))
        found = campaign.artifacts.find(record["artifact"])
        if found is None:
            raise SystemExit(f"the artifact of `{label(candidate)}` is gone")
        return kernel.plan(record, found[1], found[0], record["workload"]["axes"], True)

    plans = {}
    if answer["ridge"]["winner"]:
        plans["ridge"] = plan(answer["ridge"]["winner"])
        plans["ridge, again"] = plans["ridge"]
        if plans["ridge"].programmatic:
            plans["ridge, launched plainly"] = dataclasses.replace(plans["ridge"], programmatic=False)
    if answer["kernel_tuner"]["winner"]:
        theirs = plan(answer["kernel_tuner"]["winner"])
        plans["kernel tuner"] = dataclasses.replace(theirs, programmatic=False)
        if theirs.programmatic:
            plans["kernel tuner, launched as the spec says"] = theirs
    return plans

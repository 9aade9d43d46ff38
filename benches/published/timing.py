"""Device time and host cost of calls.

*Device time* follows the procedure `cold-graph-1` of the campaigns that tuned the kernels: CUDA graphs
of n and of 2n launches over rotating sets of tensors, random bytes in the outputs and a read of a
foreign buffer before each replay, and the difference of the two over n, so that the cost of starting
a replay cancels.

*Time alone* is that of one launch behind a foreign read, its start included: graphs of a few pairs of
a read and a call, less graphs of the reads.

*Host cost* is what a call keeps the thread busy: many calls between two readings of a clock, on
shapes so small that the GPU is never waited for.
"""

import gc
import random
import statistics
import time

import torch

L2_TIMES = 5
FLUSH_TIMES = 4
SETS_MAX = 256
REPLAY_NS = 300_000
ROUNDS = 40
WARM_UP_ROUNDS = 2

# As the campaigns' companion `alone` has it.
ALONE_LAUNCHES = 8
ALONE_BYTES = 96 << 20
ALONE_ROUNDS = 20
ALONE_WARM_UP_ROUNDS = 1

HOST_CALLS = 300
HOST_ROUNDS = 40


class Flush:
    """A foreign buffer of several second-level caches."""

    def __init__(self):
        self.l2_bytes = torch.cuda.get_device_properties(0).L2_cache_size
        self._buffer = torch.ones(FLUSH_TIMES * self.l2_bytes // 4, device="cuda")
        self._part = self._buffer[: ALONE_BYTES // 4]

    def read(self):
        self._buffer.sum()

    def read_part(self):
        """What comes before a launch that is timed alone."""
        self._part.sum()


def n_sets(set_bytes, l2_bytes):
    """Sets that together are several caches."""
    return max(2, min(SETS_MAX, -(-L2_TIMES * l2_bytes // max(1, set_bytes))))


def n_launches(launch_ns, sets):
    """Launches of the shorter graph: about `REPLAY_NS`, whole turns over the sets where that fits."""
    wanted = round(min(512, max(2, REPLAY_NS / max(100, launch_ns))))
    return wanted // sets * sets if wanted > sets else wanted


def device_ns(call, sets, outputs, flush, about_ns):
    """Samples of nanoseconds a launch, in the order taken.

    call: takes the number of a set; outputs: of each set the tensors it writes; about_ns: what a
    launch should take.
    """
    launches = n_launches(about_ns, sets)
    for place in range(sets):
        call(place)
    torch.cuda.synchronize()
    short, long = _record(call, sets, launches), _record(call, sets, 2 * launches)
    samples = []
    for turn in range(ROUNDS + WARM_UP_ROUNDS):
        order = [(short, 0), (long, 1)]
        random.shuffle(order)
        times = [0.0, 0.0]
        for graph, place in order:
            times[place] = _replay(graph, outputs, flush)
        sample = (times[1] - times[0]) / launches
        if turn >= WARM_UP_ROUNDS and sample > 0:
            samples.append(sample)
    return samples


def alone_ns(call, sets, outputs, flush):
    """Samples of nanoseconds of one launch behind a foreign read, in the order taken."""
    for place in range(sets):
        call(place)
    torch.cuda.synchronize()

    def pair(place):
        flush.read_part()
        call(place)

    reads = _record(lambda place: flush.read_part(), sets, ALONE_LAUNCHES)
    pairs = _record(pair, sets, ALONE_LAUNCHES)
    without, together = [], []
    for turn in range(ALONE_ROUNDS + ALONE_WARM_UP_ROUNDS):
        times = _replay(reads, outputs, flush), _replay(pairs, outputs, flush)
        if turn >= ALONE_WARM_UP_ROUNDS:
            without.append(times[0])
            together.append(times[1])
    middle = statistics.median_high(without)
    samples = [(ns - middle) / ALONE_LAUNCHES for ns in together]
    return [ns for ns in samples if ns > 0]


def _record(call, sets, launches):
    graph = torch.cuda.CUDAGraph()
    torch.cuda.synchronize()
    with torch.cuda.graph(graph):
        for place in range(launches):
            call(place % sets)
    torch.cuda.synchronize()
    return graph


def _replay(graph, outputs, flush):
    """Nanoseconds of one replay on random outputs and a foreign cache."""
    for tensors in outputs:
        for tensor in tensors:
            tensor.view(torch.uint8).random_()
    flush.read()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    graph.replay()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) * 1e6


def host_ns(calls, synchronize, n_calls=HOST_CALLS):
    """Median nanoseconds a call of each of `{name: function}`, taken in turn."""
    samples = {name: [] for name in calls}
    for call in calls.values():
        for _ in range(50):
            call()
    names = list(calls)
    gc.collect()
    gc.disable()
    try:
        for turn in range(HOST_ROUNDS):
            shift = turn % len(names)
            for name in names[shift:] + names[:shift]:
                synchronize()
                samples[name].append(_host_round(calls[name], n_calls))
    finally:
        gc.enable()
    return {name: statistics.median(values) for name, values in samples.items()}


def _host_round(call, n_calls):
    before = time.perf_counter_ns()
    for _ in range(n_calls):
        call()
    return (time.perf_counter_ns() - before) / n_calls

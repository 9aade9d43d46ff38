"""How calls are timed: CUDA graphs over rotating sets, a foreign read before each replay, interleaved rounds.

*chain*: a graph of K calls over sets that together are five times the L2, replayed after a read of a foreign
buffer; the time between two events around the replay, over K. It holds the fixed cost of a replay (about
2.5 us over K) for everyone alike.

*alone*: a graph of eight pairs of (foreign read, call), less the same graph without the calls, over eight: what
one cold call costs after somebody else's kernel.
"""

import dataclasses
import statistics

L2_TIMES = 5
SETS_MAX = 128
CALLS_MIN = 16
FLUSH_BYTES = 256 << 20
ALONE_FLUSH_BYTES = 96 << 20
ALONE_CALLS = 8
DRAWS = 5  # the first is discarded


def n_sets(bytes_per_set, l2_bytes):
    """Sets that together are `L2_TIMES` the L2, at least 3 and at most `SETS_MAX`."""
    return max(3, min(SETS_MAX, -(-L2_TIMES * l2_bytes // bytes_per_set)))


def n_calls(sets):
    """Calls in a graph: every set equally often, `CALLS_MIN` at least."""
    return sets * -(-CALLS_MIN // sets)


@dataclasses.dataclass
class Graphs:
    """A contender's captured graphs, and the outputs that the chain leaves behind."""

    chain: object
    alone: object
    calls: int
    outputs: list


class Clock:
    """Captures and times on one device."""

    def __init__(self, torch):
        self.torch = torch
        self.l2_bytes = torch.cuda.get_device_properties(0).L2_cache_size
        self.flush = torch.ones(FLUSH_BYTES // 4, device="cuda", dtype=torch.float32)
        self.foreign = torch.ones(ALONE_FLUSH_BYTES // 4, device="cuda", dtype=torch.float32)
        self.alone_base = None

    def capture(self, call, sets, calls):
        """Graphs of `call(i)`, which answers the outputs of set i, or None where it owns them."""
        torch = self.torch
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            # Compilation, autotuning and caches of every set happen here.
            for _ in range(2):
                for i in range(sets):
                    call(i)
        torch.cuda.current_stream().wait_stream(stream)
        torch.cuda.synchronize()
        # Outputs that a call allocates live until their set comes round again, so that they rotate too.
        outputs = [None] * sets
        chain = torch.cuda.CUDAGraph()
        with torch.cuda.graph(chain):
            for i in range(calls):
                outputs[i % sets] = call(i % sets)
        alone_outputs = [None] * sets
        alone = torch.cuda.CUDAGraph()
        with torch.cuda.graph(alone):
            for i in range(ALONE_CALLS):
                self.foreign.sum()
                alone_outputs[i % sets] = call(i % sets)
        return Graphs(chain=chain, alone=alone, calls=calls, outputs=outputs)

    def base(self):
        """The graph of the foreign reads alone."""
        if self.alone_base is None:
            self.alone_base = self.torch.cuda.CUDAGraph()
            self.foreign.sum()
            with self.torch.cuda.graph(self.alone_base):
                for _ in range(ALONE_CALLS):
                    self.foreign.sum()
        return self.alone_base

    def draw(self, graph, flushed=True):
        """Times of `DRAWS` replays in us, the first left out; all are queued before the first begins."""
        torch = self.torch
        events = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(DRAWS)]
        torch.cuda._sleep(1_000_000)  # the host gets ahead of the device
        for start, end in events:
            if flushed:
                self.flush.sum()
            start.record()
            graph.replay()
            end.record()
        torch.cuda.synchronize()
        return [start.elapsed_time(end) * 1e3 for start, end in events][1:]


def interleaved(clock, graphs, rounds):
    """Samples of every contender in us a call: `{name: {"chain": [...], "alone": [...]}}`, a median a round.

    Each round times everybody once; who begins rotates.
    """
    names = list(graphs)
    samples = {name: {"chain": [], "alone": []} for name in names}
    for turn in range(rounds):
        shift = turn % len(names)
        base = statistics.median(clock.draw(clock.base(), flushed=False))
        for name in names[shift:] + names[:shift]:
            graph = graphs[name]
            chain = statistics.median(clock.draw(graph.chain)) / graph.calls
            alone = (statistics.median(clock.draw(graph.alone, flushed=False)) - base) / ALONE_CALLS
            samples[name]["chain"].append(chain)
            samples[name]["alone"].append(alone)
    return samples

"""How calls are timed: CUDA graphs over rotating sets, a foreign read before each replay, interleaved rounds.

*chain*: a graph of K calls over sets that together are five times the L2, replayed after a read of a foreign
buffer; the time between two events around the replay, over K. It holds the fixed cost of a replay (about
2.5 us over K) for everyone alike.

*alone*: a graph of eight pairs of (foreign read, call), less the same graph without the calls, over eight: what
one cold call costs after somebody else's kernel.

A graph knows addresses, not tensors. Whatever it reads and writes has to live as long as the graph does, and
torch hands the memory of a tensor that is gone to the next one, or back to the driver before a capture begins:
then a replay reads and writes other people's data, or ends in an illegal memory access. So `Graphs` holds all
of it: the call that was captured, with everything that it refers to, and every output.
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
    """A contender's captured graphs, and all that they point at."""

    call: object  # keeps alive what the captured calls refer to
    chain: object = None
    alone: object = None
    calls: int = 0
    outputs: list = dataclasses.field(default_factory=list)  # of each set, as the chain leaves them
    alone_outputs: list = dataclasses.field(default_factory=list)


class CaptureError(Exception):
    """A capture that broke off; torch's allocator may not have recovered from it."""


class Clock:
    """Captures and times on one device."""

    def __init__(self, torch, device="cuda"):
        self.torch, self.device = torch, device
        self.l2_bytes = torch.cuda.get_device_properties(0).L2_cache_size
        self.flush = torch.ones(FLUSH_BYTES // 4, device=device, dtype=torch.float32)
        self.foreign = torch.ones(ALONE_FLUSH_BYTES // 4, device=device, dtype=torch.float32)
        self.alone_base = None

    def warm(self, call, sets):
        """Compilation, autotuning and caches of every set happen here, beside the stream of captures."""
        torch = self.torch
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(2):
                for i in range(sets):
                    call(i)
        torch.cuda.current_stream().wait_stream(stream)
        torch.cuda.synchronize()

    def _record(self, calls, sets, call, between=None):
        """A graph of `calls` calls, and what those of each set answered last."""
        torch = self.torch
        # Outputs that a call allocates live until their set comes round again, so that they rotate too.
        outputs = [None] * sets
        graph = torch.cuda.CUDAGraph()
        # Nothing may be under way in what the capture is about to give back to the driver.
        torch.cuda.synchronize()
        try:
            with torch.cuda.graph(graph):
                for i in range(calls):
                    if between is not None:
                        between()
                    outputs[i % sets] = call(i % sets)
        except Exception as error:
            raise CaptureError(f"{type(error).__name__}: {error}") from error
        torch.cuda.synchronize()
        return graph, outputs

    def capture(self, call, sets, calls):
        """Graphs of `call(i)`, which answers the outputs of set i."""
        made = Graphs(call=call, calls=calls)
        made.chain, made.outputs = self._record(calls, sets, call)
        made.alone, made.alone_outputs = self._record(ALONE_CALLS, sets, call, self.foreign.sum)
        return made

    def base(self):
        """The graph of the foreign reads alone."""
        if self.alone_base is None:
            self.foreign.sum()
            self.alone_base, _ = self._record(ALONE_CALLS, 1, lambda i: None, self.foreign.sum)
        return self.alone_base

    def draw(self, graph, flushed=True):
        """Times of `DRAWS` replays in us, the first left out; all are queued before the first begins."""
        torch = self.torch
        events = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(DRAWS)]
        torch.cuda._sleep(2_000_000)  # about a millisecond, in which the host gets ahead of the device
        for start, end in events:
            if flushed:
                self.flush.sum()
            start.record()
            graph.replay()
            end.record()
        torch.cuda.synchronize()
        return [start.elapsed_time(end) * 1e3 for start, end in events][1:]


def interleaved(clock, graphs, rounds, at=lambda step: None):
    """Samples of every contender in us a call: `{name: {"chain": [...], "alone": [...]}}`, a median a round.

    Each round times everybody once; who begins rotates. `at` hears what comes next.
    """
    names = list(graphs)
    samples = {name: {"chain": [], "alone": []} for name in names}
    for turn in range(rounds):
        shift = turn % max(1, len(names))
        base = statistics.median(clock.draw(clock.base(), flushed=False))
        for name in names[shift:] + names[:shift]:
            graph = graphs[name]
            at(f"{name}: timing the chain, round {turn}")
            chain = statistics.median(clock.draw(graph.chain)) / graph.calls
            at(f"{name}: timing it alone, round {turn}")
            alone = (statistics.median(clock.draw(graph.alone, flushed=False)) - base) / ALONE_CALLS
            samples[name]["chain"].append(chain)
            samples[name]["alone"].append(alone)
    at("after timing")
    return samples

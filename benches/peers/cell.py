"""One operation on one shape: its data, who competes, and what they answer."""

import gc
import sys

import contenders
import protocol
import table
from cases import Draw, checksum, empty_outputs, poison, worst_error

COPY = "copy"


class CellError(Exception):
    """A cell that cannot go on: the device is lost, or data changed that nobody may change. Says at which step."""


class Cell:
    """Contenders are added one by one, each checked before the next, and timed together.

    `at(step)` names every step before it is taken, to `report` too. With `check_each` it first waits for the
    step before and compares: all inputs, and the outputs of all who are done. Without, errors of the device
    may show some steps later than they are made.
    """

    def __init__(self, torch, clock, operation, shape, seed, check_each=False, report=None):
        self.torch, self.clock, self.operation, self.shape = torch, clock, operation, tuple(shape)
        self.check_each, self.report, self.step = check_each, report or (lambda step: None), "the start"
        self.dims = operation.named(shape)
        self.bytes = operation.bytes_moved(**self.dims)
        self.sets = protocol.n_sets(self.bytes, clock.l2_bytes)
        self.calls = protocol.n_calls(self.sets)
        self.graphs, self.left_out, self.errors, self.chosen = {}, {}, {}, {}
        self.input_sums, self.sums = {}, {}
        self.tainted = False  # a capture broke off: the process should not time another cell
        self.at("making the inputs")
        draw = Draw(torch, clock.device, seed)
        self.inputs = []
        for _ in range(self.sets):
            drawn = operation.inputs(draw, **self.dims)
            drawn.update({name: self.inputs[0][name] for name in operation.shared if self.inputs})
            self.inputs.append(drawn)
        self.input_sums = self.sums_of(self.unshared())
        self.at("the inputs are there")

    def at(self, step):
        """The next step; see the class."""
        if self.check_each:
            self.synchronize()
            self.compare(f"after “{self.step}”")
        self.step = step
        self.report(step)

    def synchronize(self):
        try:
            self.torch.cuda.synchronize()
        except Exception as error:
            raise CellError(f"“{self.step}”: {str(error).splitlines()[0]}") from error

    def unshared(self):
        """The inputs of each set; those that all have in common, in the first only."""
        shared = self.operation.shared
        first, *others = self.inputs
        return [first, *({name: one[name] for name in one if name not in shared} for one in others)]

    def sums_of(self, sets):
        """A checksum for each tensor of each set, as `{(set, name): sum}`."""
        places = [(i, name) for i, tensors in enumerate(sets) for name in tensors]
        sums = [checksum(self.torch, sets[i][name]) for i, name in places]
        return dict(zip(places, self.torch.stack(sums).tolist(), strict=True))

    def compare(self, when):
        """Raises where an input, or an output of somebody who is done, is no longer what it was."""
        if self.input_sums:
            self.compare_sums(f"{when}: input", self.input_sums, self.unshared())
        for owner, sums in self.sums.items():
            # Who has just run may have changed its own.
            if not self.step.startswith(f"{owner}:"):
                self.compare_sums(f"{when}: of {owner}, output", sums, self.graphs[owner].outputs)

    def compare_sums(self, what, sums, sets):
        for (i, name), now in self.sums_of(sets).items():
            if now != sums[i, name]:
                raise CellError(f"{what} `{name}` of set {i} has changed")

    def remember(self, name):
        if self.check_each:
            self.sums[name] = self.sums_of(self.graphs[name].outputs)

    def error(self, outputs, i):
        return worst_error(self.torch, self.operation, outputs, self.operation.reference(self.inputs[i]))

    def poison(self, outputs, i):
        """Overwrites outputs, but not where a contender answers one of its inputs."""
        inputs = {tensor.untyped_storage().data_ptr() for tensor in self.inputs[i].values()}
        for tensor in outputs.values():
            if tensor.untyped_storage().data_ptr() not in inputs and tensor.is_contiguous():
                poison(self.torch, tensor)

    def captured(self, name, call):
        """Warms a contender up, captures it and replays both graphs once over poisoned outputs."""
        self.at(f"{name}: warming up")
        self.clock.warm(call, self.sets)
        self.at(f"{name}: capturing")
        graphs = self.clock.capture(call, self.sets, self.calls)
        self.at(f"{name}: first replay, alone")
        graphs.alone.replay()
        self.synchronize()
        self.at(f"{name}: first replay, chain")
        for i in range(self.sets):
            self.poison(graphs.outputs[i], i)
        graphs.chain.replay()
        self.synchronize()
        return graphs

    def add(self, name, call):
        """Captures a contender and checks it on the first and the last set. True if it may be timed."""
        try:
            graphs = self.captured(name, call)
            self.at(f"{name}: comparing with the reference")
            worst = max(self.error(graphs.outputs[i], i) for i in {0, self.sets - 1})
        except CellError:
            raise
        except Exception as error:  # noqa: BLE001 (a peer may fail in any way, and the others go on)
            self.tainted |= isinstance(error, protocol.CaptureError)
            self.left_out[name] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            self.synchronize()  # if this fails, the device is lost, and so is the cell
            return False
        self.errors[name] = worst
        if worst > 1.0:
            self.left_out[name] = f"wrong: an error of {worst:.3g} times what is allowed"
            return False
        self.graphs[name] = graphs
        self.remember(name)
        return True

    def add_copy(self):
        """A copy that reads and writes as many bytes together."""
        torch, half = self.torch, -(-self.bytes // 2)
        self.at(f"{COPY}: making its buffers")
        sources = [torch.randint(256, (half,), device=self.clock.device, dtype=torch.uint8) for _ in range(self.sets)]
        targets = [torch.empty_like(source) for source in sources]

        def call(i):
            targets[i].copy_(sources[i])
            return {"copied": targets[i]}

        graphs = self.captured(COPY, call)
        if not all(torch.equal(source, target) for source, target in zip(sources, targets, strict=True)):
            raise CellError(f"“{self.step}”: the copy is not equal to its source")
        self.graphs[COPY] = graphs
        self.remember(COPY)

    def add_peers(self, wanted):
        """Adds the peers that know the operation; answers `{contender: reason}` of those that are not there."""
        functions, missing = contenders.peers(self.torch, wanted, self.operation.name)
        for name, function in functions.items():
            self.add(name, lambda i, function=function: function(**self.inputs[i]))
        return missing

    def add_ours(self, driver, tuned):
        """Adds one of our candidates, unless one of its kind is there."""
        from driver import Function, Launch

        name = "ridge pdl" if tuned.programmatic else "ridge"
        if name in self.graphs:
            return
        self.at(f"{name}: loading")
        try:
            function = Function(driver, tuned)
            # 0xff bytes are not-a-number in every format, so that what is not written is seen.
            written = [empty_outputs(self.torch, self.operation, self.dims, self.clock.device, 0xFF) for _ in range(self.sets)]
            scalars = {**tuned.scalars, **self.operation.scalars}
            launches = [Launch(function, {**scalars, **self.inputs[i], **written[i]}) for i in range(self.sets)]
        except Exception as error:  # noqa: BLE001
            self.left_out[name] = str(error)
            return
        finish = self.operation.finish or (lambda outputs: outputs)

        def call(i):
            launches[i](self.torch.cuda.current_stream().cuda_stream)
            return finish(written[i])

        if self.add(name, call):
            self.chosen[name] = tuned

    def run(self, rounds):
        """Samples of all; ours are checked on every set again, and so are the inputs."""
        samples = protocol.interleaved(self.clock, self.graphs, rounds, self.at)
        self.synchronize()
        self.compare("after timing")
        for name in table.OURS:
            if name not in self.graphs:
                continue
            outputs = self.graphs[name].outputs
            worst = max(self.error(outputs[i], i) for i in range(self.sets))
            self.errors[name] = max(self.errors[name], worst)
            if worst > 1.0:
                self.left_out[name] = f"wrong after timing: an error of {worst:.3g} times what is allowed"
                del samples[name]
        return samples

    def result(self, samples):
        return {
            "operation": self.operation.name,
            "shape": list(self.shape),
            "bytes": self.bytes,
            "sets": self.sets,
            "calls": self.calls,
            "samples": samples,
            "worst_error": self.errors,
            "left_out": self.left_out,
            "candidates": {name: tuned.label() for name, tuned in self.chosen.items()},
            "nearest": {name: not tuned.exact for name, tuned in self.chosen.items()},
        }

    def close(self):
        """Gives everything back: graphs before what they point at, and nothing while a replay is under way."""
        self.synchronize()
        for graphs in self.graphs.values():
            graphs.chain.reset()
            graphs.alone.reset()
        self.graphs.clear()
        self.inputs.clear()
        # Compiled functions only now: a graph launches their kernels.
        if "torch._dynamo" in sys.modules:
            sys.modules["torch._dynamo"].reset()
        gc.collect()
        self.torch.cuda.empty_cache()

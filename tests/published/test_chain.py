"""Calls alone and in a chain: which entry they take, and who is in a chain."""

import asyncio
import copy
import threading
import unittest

import render
import torch
from support import Published

BF16 = torch.bfloat16

# Parts of the symbols of the two kernels.
IN_CHAIN, ALONE = "Hold0", "Hold2"


def manifest():
    """The example with a second kernel for its shape, for calls alone."""
    data = render.example()
    chain, default = data["entries"]
    chain["situation"] = "chain"
    chain["legal"] = default["legal"] = []
    alone = copy.deepcopy(chain)
    alone |= {"situation": "alone", "median_ns": 19000, "interval_ns": [18950, 19050]}
    alone |= {key: default[key] for key in ("artifact", "candidate", "launch")}
    data["entries"] = [chain, alone, default]
    return data


class Chain(unittest.TestCase):
    def setUp(self):
        self.published = Published(manifest())
        self.module = self.published.module
        self.x, self.weight = torch.randn(4096, 4096, dtype=BF16), torch.randn(4096, dtype=BF16)

    def check(self, kernel, call=None):
        """Twice: the first call may make a launcher, the second finds it."""
        for _ in range(2):
            (call or self.module.rmsnorm)(self.x, self.weight)
            self.assertIn(kernel, self.published.last().symbol)

    def test_a_call_is_alone_unless_it_is_said(self):
        self.check(ALONE)
        with self.module.chain():
            self.check(IN_CHAIN)
            with self.module.chain():
                self.check(IN_CHAIN)
            self.check(IN_CHAIN)
        self.check(ALONE)

    def test_an_error_ends_the_chain(self):
        chain = self.module.chain()
        with self.assertRaises(TypeError), chain:
            self.module.rmsnorm(None, self.weight)
        self.check(ALONE)
        with chain, chain:
            self.check(IN_CHAIN)
        self.check(ALONE)

    def test_the_first_launcher_is_not_that_of_the_other_situation(self):
        with self.module.chain():
            self.check(IN_CHAIN)
        self.check(ALONE)
        self.assertFalse(self.published.last().programmatic)

    def test_a_copy_on_the_way_changes_nothing(self):
        wide = torch.randn(4096, 8192, dtype=BF16)
        self.x = wide[:, :4096]
        self.check(ALONE)
        with self.module.chain():
            self.check(IN_CHAIN)

    def test_what_the_operator_runs(self):
        def operator(x, weight):
            return self.published.kernel.direct(x, weight, 1e-6, None)

        self.check(ALONE, operator)
        with self.module.chain():
            self.check(IN_CHAIN, operator)

    def test_other_threads_are_not_in_it(self):
        entered, leave, found = threading.Event(), threading.Event(), []

        def other():
            with self.module.chain():
                entered.set()
                leave.wait(10)
                found.append(self.module.why(self.x, self.weight).situation)

        thread = threading.Thread(target=other)
        thread.start()
        self.assertTrue(entered.wait(10))
        self.check(ALONE)
        leave.set()
        thread.join()
        self.assertEqual(found, ["chain"])

    def test_other_tasks_are_not_in_it(self):
        async def in_chain(entered, leave):
            with self.module.chain():
                entered.set()
                await leave.wait()
                return self.module.why(self.x, self.weight).situation

        async def both():
            entered, leave = asyncio.Event(), asyncio.Event()
            task = asyncio.create_task(in_chain(entered, leave))
            await entered.wait()
            own = self.module.why(self.x, self.weight).situation
            leave.set()
            return own, await task

        self.assertEqual(asyncio.run(both()), ("alone", "chain"))

    def test_other_kernels_are_not_in_it(self):
        other = Published(manifest())
        with other.module.chain():
            self.assertEqual(self.module.why(self.x, self.weight).situation, "alone")

    def test_why_says_both(self):
        alone = self.module.why(self.x, self.weight)
        self.assertEqual((alone.situation, alone.rule), ("alone", "exact_shape"))
        self.assertEqual(alone.entry.candidate["hold"], "reread")
        self.assertEqual(alone.other.candidate["hold"], "registers")
        self.assertIn("; called alone, in a chain `qwen3-8b-prefill-4096` on", str(alone))
        with self.module.chain():
            chain = self.module.why(self.x, self.weight)
        self.assertEqual((chain.entry, chain.other), (alone.other, alone.entry))
        self.assertIn("; called in a chain, alone `qwen3-8b-prefill-4096` on", str(chain))
        elsewhere = self.module.why(self.x, self.weight, device=("NVIDIA H100", (9, 0)))
        self.assertEqual(elsewhere.rule, "same_architecture")
        self.assertEqual(elsewhere.entry, alone.entry)

    def test_an_entry_for_both_serves_both(self):
        published = Published(render.example())
        for _ in range(2):
            choice = published.module.why(self.x, self.weight)
            self.assertIs(choice.other, choice.entry)
            self.assertIn("; called alone, in a chain the same", str(choice))
            with published.module.chain():
                published.function(self.x, self.weight)
        self.assertIn(IN_CHAIN, published.last().symbol)

    def test_an_entry_that_cannot_be_launched_leaves_the_other(self):
        data = manifest()
        data["entries"][1]["legal"] = ["(rows <= 8)"]
        published = Published(data)
        choice = published.module.why(self.x, self.weight)
        self.assertEqual((choice.rule, choice.entry.situation), ("exact_shape", "chain"))
        self.assertIn("`(rows <= 8)` does not hold", str(choice))

    def test_capture_and_replay_keep_what_was_captured(self):
        self.published.platform.capturing = True
        with self.module.chain():
            self.check(IN_CHAIN)
        self.check(ALONE)


class Compiled(unittest.TestCase):
    """What is compiled reads the situation when it runs."""

    @classmethod
    def setUpClass(cls):
        cls.published = Published(manifest())
        cls.module = cls.published.module
        cls.seen = []
        library = torch.library.Library(cls.module.__name__, "IMPL")
        kernel = cls.published.kernel

        def run(x, weight, eps):
            cls.seen.append(kernel.chain.situation())
            return torch.empty_like(x)

        library.impl("rmsnorm", run, "CPU", allow_override=True)
        cls.library = library

    def setUp(self):
        torch._dynamo.reset()
        self.seen.clear()
        self.x, self.weight = torch.randn(8, 4096, dtype=BF16), torch.randn(4096, dtype=BF16)

    def test_a_compiled_function_called_in_it(self):
        function = torch.compile(self.module.rmsnorm, fullgraph=True, backend="aot_eager")
        function(self.x, self.weight)
        with self.module.chain():
            function(self.x, self.weight)
        function(self.x, self.weight)
        self.assertEqual(self.seen, ["alone", "chain", "alone"])

    def test_it_in_a_compiled_function(self):
        def two(x, weight):
            y = self.module.rmsnorm(x + 1, weight)
            with self.module.chain():
                y = self.module.rmsnorm(y, weight)
            return self.module.rmsnorm(y * 2, weight)

        function = torch.compile(two, backend="aot_eager")
        for _ in range(2):
            self.seen.clear()
            function(self.x, self.weight)
            self.assertEqual(self.seen, ["alone", "chain", "alone"])
        # It ends the graph, so there is none of all of it.
        torch._dynamo.reset()
        with self.assertRaises(Exception) as caught:
            torch.compile(two, backend="aot_eager", fullgraph=True)(self.x, self.weight)
        self.assertIn("chain", str(caught.exception))


if __name__ == "__main__":
    unittest.main()

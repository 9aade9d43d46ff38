"""Expressions, the manifest and the rule that picks an entry; no torch needed."""

import copy
import json
import sys
import tempfile
import unittest
from pathlib import Path

import render

sys.path.insert(0, str(render.PYTHON))

from _ridge import manifest as manifests  # noqa: E402
from _ridge.choice import Device, candidates, capability_of, configure  # noqa: E402
from _ridge.choice import runs_binary, runs_ptx  # noqa: E402
from _ridge.expression import Expression  # noqa: E402
from _ridge.signature import Binding  # noqa: E402


class Expressions(unittest.TestCase):
    def check(self, text, expected, **extents):
        self.assertEqual(int(Expression(text, ("rows", "cols"))(extents)), expected, text)

    def test_values(self):
        self.check("ceil_div(rows, 4)", 5, rows=17)
        self.check("align_up(rows * 2, 16)", 48, rows=17)
        self.check("(is_power_of_two(rows) * 8)", 8, rows=64)
        self.check("is_power_of_two(0)", 0)
        self.check("min(rows, cols, 3)", 2, rows=2, cols=9)
        self.check("(truth(rows and (not cols)) * 5)", 5, rows=3, cols=0)
        self.check("((rows <= 4) * 7)", 7, rows=4)

    def test_division_truncates_as_in_c(self):
        for a, b, quotient, rest in (
            (7, 2, 3, 1),
            (-7, 2, -3, -1),
            (7, -2, -3, 1),
            (-7, -2, 3, -1),
        ):
            self.check(f"div({a}, {b})", quotient)
            self.check(f"rem({a}, {b})", rest)
        with self.assertRaises(ZeroDivisionError):
            Expression("div(1, rows)", ("rows",))({"rows": 0})

    def refuse(self, text, message):
        with self.assertRaisesRegex(ValueError, message):
            Expression(text, ("rows",))

    def test_refuses_everything_else(self):
        self.refuse("rows // 2", "`FloorDiv`")
        self.refuse("rows / 2", "`Div`")
        self.refuse("rows ** 9", "`Pow`")
        self.refuse("rows.real", "`Attribute`")
        self.refuse("__import__('os')", "calls what is not a function")
        self.refuse("(lambda: 1)()", "calls what is not a function")
        self.refuse("[rows][0]", "`Subscript`|`List`")
        self.refuse("1.5", "not an integer")
        self.refuse("True", "not an integer")
        self.refuse("cols", "`cols`, which is not an axis")
        self.refuse("rows +", "not an expression")
        self.refuse("min", "`min`, which is not an axis")


class Architectures(unittest.TestCase):
    def test_which_binaries_run_where(self):
        self.assertEqual(capability_of("sm_100f"), ((10, 0), "f"))
        for built, capability, binary, ptx in (
            ("sm_90a", (9, 0), True, True),
            ("sm_90a", (10, 0), False, False),
            ("sm_80", (8, 6), True, True),
            ("sm_86", (8, 0), False, False),
            ("sm_80", (9, 0), False, True),
            ("sm_90", (12, 0), False, True),
            ("sm_100f", (10, 3), True, True),
            ("sm_100f", (12, 0), False, False),
        ):
            self.assertEqual(runs_binary(built, capability), binary, (built, capability))
            self.assertEqual(runs_ptx(built, capability), ptx, (built, capability))


def tuned(base, device, rows, cols=4096, **changes):
    entry = copy.deepcopy(base)
    axes = {"rows": rows, "cols": cols}
    return {**entry, "device": device, "axes": axes, "workload": f"{device}-{rows}", **changes}


class Rule(unittest.TestCase):
    def setUp(self):
        data = render.example()
        base, default = data["entries"]
        base["legal"] = []
        data["entries"] = [
            tuned(base, "H100", 64),
            tuned(base, "H200", 1),
            tuned(base, "H200", 16),
            tuned(base, "H200", 1024, legal=["(1000 <= rows)"]),
            tuned(base, "H200", 1024, cols=8192),
            tuned(base, "H200", 32, types={"T": "f16"}),
            default,
        ]
        self.manifest = self.read(data)

    def read(self, data):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "kernel.json").write_text(json.dumps(data))
            return manifests.read(Path(folder))

    def check(self, rows, device, *expected, cols=4096, dtype="bf16", capability=(9, 0)):
        binding = Binding({"rows": rows, "cols": cols}, {"T": dtype}, (rows,))
        device = Device(device, capability)
        found = [
            (rule, entry.workload or "default")
            for rule, entry in candidates(self.manifest.entries, device, binding)
            if configure(entry, device, binding.extents)[0] is not None
        ]
        self.assertEqual(found[: len(expected)], list(expected))
        return found

    def test_this_device_and_shape(self):
        self.check(16, "H200", ("exact_shape", "H200-16"), ("nearest_shape", "H200-1"))

    def test_nearest_shape_in_log_space(self):
        # 4 is as far from 1 as from 16: the first in the file's order.
        self.check(4, "H200", ("nearest_shape", "H200-1"))
        self.check(5, "H200", ("nearest_shape", "H200-16"))
        self.check(4000, "H200", ("nearest_shape", "H200-1024"))

    def test_nearest_that_is_legal(self):
        self.check(900, "H200", ("nearest_shape", "H200-16"))

    def test_same_architecture(self):
        self.check(16, "H800", ("same_architecture", "H200-16"), ("same_architecture", "H100-64"))
        self.check(64, "H100", ("exact_shape", "H100-64"), ("same_architecture", "H200-16"))

    def test_fixed_axes_and_types_must_agree(self):
        self.check(1024, "H200", ("exact_shape", "H200-1024"), cols=8192)
        self.assertEqual(self.check(1024, "H200", cols=128), [])
        self.check(32, "H200", ("exact_shape", "H200-32"), dtype="f16")

    def test_default_elsewhere(self):
        self.check(16, "B200", ("default", "default"), capability=(10, 0))

    def test_the_situation_comes_after_the_rule(self):
        data = render.example()
        base, default = data["entries"]
        base["legal"] = []

        def entry(device, rows, kind, situation=None, programmatic=True):
            made = tuned(base, device, rows, workload=f"{device}-{rows}-{kind}")
            made["launch"] = {**base["launch"], "programmatic": programmatic}
            return made if situation is None else {**made, "situation": situation}

        data["entries"] = [
            entry("H200", 1, "chain", "chain"),
            entry("H200", 1, "alone", "alone", False),
            # Faster alone, and launched early all the same.
            entry("H200", 16, "chain", "chain"),
            entry("H200", 16, "alone", "alone"),
            entry("H200", 256, "both"),
            # Of two entries for both, a plain one is for calls alone.
            entry("GH200", 8, "early"),
            entry("GH200", 8, "plain", None, False),
            default,
        ]
        self.manifest = self.read(data)

        def check(rows, device, situation, *names):
            binding = Binding({"rows": rows, "cols": 4096}, {"T": "bf16"}, (rows,))
            found = candidates(self.manifest.entries, Device(device, (9, 0)), binding, situation)
            found = [entry.workload or "default" for _, entry in found]
            self.assertEqual(found[: len(names)], list(names))

        check(1, "H200", "alone", "H200-1-alone", "H200-1-chain", "H200-16-alone")
        check(1, "H200", "chain", "H200-1-chain", "H200-1-alone", "H200-16-chain")
        # As near to 1 as to 16: the first in the file, whatever the situation.
        check(4, "H200", "alone", "H200-1-alone", "H200-1-chain", "H200-16-alone")
        check(4, "H200", "chain", "H200-1-chain", "H200-1-alone", "H200-16-chain")
        for situation in ("alone", "chain"):
            check(256, "H200", situation, "H200-256-both", f"H200-16-{situation}")
        check(8, "GH200", "alone", "GH200-8-plain", "GH200-8-early", "H200-16-alone")
        check(8, "GH200", "chain", "GH200-8-early", "GH200-8-plain", "H200-16-chain")
        check(8, "H800", "chain", "GH200-8-early", "GH200-8-plain", "H200-16-chain")

    def test_an_unknown_situation_is_refused(self):
        data = render.example()
        data["entries"][0]["situation"] = "rain"
        with self.assertRaisesRegex(ValueError, "for a situation 'rain'"):
            self.read(data)

    def test_limits(self):
        entry = self.manifest.entries[-1]
        device = Device("H200", (9, 0))
        for rows, reason in (
            (0, "`(1 <= rows)` does not hold"),
            (1 << 31, "its grid would be"),
            ((1 << 31) - 1, None),
        ):
            config, words = configure(entry, device, {"rows": rows, "cols": 4096})
            self.assertEqual(config is None, reason is not None)
            self.assertIn(reason or "", words or "")

    def test_other_schemas_are_refused(self):
        with self.assertRaisesRegex(ValueError, "has schema 2; this package reads 1"):
            self.read({**render.example(), "schema": 2})


if __name__ == "__main__":
    unittest.main()

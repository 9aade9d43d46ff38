"""What reaches the driver, for calls of every kind."""

import copy
import gc
import threading
import unittest
import warnings
import weakref

import render
import torch
from support import Published

BF16 = torch.bfloat16


def rmsnorm_manifest():
    return render.example()


def tensors(*shape, dtype=BF16, cols=4096):
    return torch.randn(*shape, cols, dtype=dtype), torch.randn(cols, dtype=dtype)


class Launch(unittest.TestCase):
    def setUp(self):
        self.published = Published(rmsnorm_manifest())

    def check(self, x, weight, eps, grid, symbol="Hold0"):
        """Calls twice: the first call makes the launcher, the second takes the short way."""
        rows = x.numel() // weight.numel()
        for _ in range(2):
            before = len(self.published.stub.launches())
            y = self.published.function(x, weight, eps)
            self.assertEqual(len(self.published.stub.launches()), before + 1)
            launch = self.published.last()
            self.assertEqual(launch.grid, grid)
            self.assertIn(symbol, launch.symbol)
            a, b, c, n, value = launch.values("QQQif")
            self.assertEqual((a, b, c), (x.data_ptr(), weight.data_ptr(), y.data_ptr()))
            self.assertEqual(n, rows)
            self.assertAlmostEqual(value, eps, places=9)
            self.assertEqual((y.shape, y.dtype), (x.shape, x.dtype))
            self.assertTrue(y.is_contiguous())
        return launch

    def test_exact_shape(self):
        launch = self.check(*tensors(4096), 1e-6, (1024, 1, 1))
        self.assertEqual(launch.block, (32, 4, 1))
        self.assertTrue(launch.programmatic)
        self.assertIsNone(launch.cluster)

    def test_nearest_shape(self):
        self.check(*tensors(17), 1e-5, (5, 1, 1))

    def test_illegal_neighbour_gives_the_default_candidate(self):
        x, weight = tensors(3)
        self.check(x, weight, 1e-6, (3, 1, 1), "Hold2")
        choice = self.published.module.why(x, weight)
        self.assertEqual(choice.rule, "default")
        self.assertIn("`(4 <= rows)` does not hold", str(choice))

    def test_several_dimensions_in_place_of_rows(self):
        self.check(*tensors(2, 5, 4), 1e-6, (10, 1, 1))

    def test_no_dimension_in_place_of_rows(self):
        x, weight = tensors(1)
        self.check(x[0], weight, 1e-6, (1, 1, 1), "Hold2")

    def test_stream_of_the_call(self):
        x, weight = tensors(16)
        self.published.function(x, weight)
        for stream in (0, 7, 7, 1 << 40, 0):
            self.published.platform.stream = stream
            self.published.function(x, weight)
            self.assertEqual(self.published.last().stream, stream)

    def test_strided_and_misaligned_inputs_are_copied(self):
        wide = torch.randn(16, 8192, dtype=BF16)
        storage = torch.randn(4097, dtype=BF16)
        weight = storage[1:]
        for x, w in ((wide[:, ::2], storage[:4096]), (wide[:, :4096], weight)):
            for _ in range(2):
                y = self.published.function(x, w)
                a, b, c, n, _ = self.published.last().values("QQQif")
                self.assertNotEqual(a, x.data_ptr())
                self.assertEqual((a | b | c) % 16, 0)
                self.assertEqual(n, 16)
                self.assertEqual(y.shape, x.shape)
        self.assertIn("`x` is copied: it is not contiguous", str(self.published.module.why(x, w)))
        self.assertIn("no multiple of 16", str(self.published.module.why(wide[:, :4096], weight)))

    def test_out_is_written_directly_where_it_can_be(self):
        x, weight = tensors(16)
        out = torch.empty_like(x)
        for _ in range(2):
            self.assertIs(self.published.function(x, weight, out=out), out)
            self.assertEqual(self.published.last().values("QQQif")[2], out.data_ptr())

    def test_out_that_overlaps_or_has_strides_gets_a_copy(self):
        x, weight = tensors(16)
        strided = torch.empty(4096, 16, dtype=BF16).t()
        for out in (x, strided, torch.empty(16 * 4096 + 1, dtype=BF16)[1:].view(16, 4096)):
            for _ in range(2):
                self.assertIs(self.published.function(x, weight, out=out), out)
                self.assertNotEqual(self.published.last().values("QQQif")[2], out.data_ptr())

    def test_out_of_the_wrong_kind_is_refused(self):
        x, weight = tensors(16)
        with self.assertRaisesRegex(ValueError, r"`out` must have shape \[16, 4096\]"):
            self.published.function(x, weight, out=torch.empty(15, 4096, dtype=BF16))
        with self.assertRaisesRegex(ValueError, "bfloat16"):
            self.published.function(x, weight, out=torch.empty(16, 4096))
        with self.assertRaisesRegex(TypeError, "^rmsnorm: `out` must be a torch.Tensor, got int"):
            self.published.function(x, weight, out=3)

    def test_another_current_device(self):
        x, weight = tensors(16)
        self.published.function(x, weight)
        self.published.platform.device = 3
        self.published.function(x, weight)
        self.assertEqual(len(self.published.stub.launches()), 2)
        self.assertEqual(self.published.platform.device, 3)

    def test_a_thread_without_a_context(self):
        x, weight = tensors(16)
        self.published.function(x, weight)
        failures = []

        def run():
            try:
                self.published.function(x, weight)
            except Exception as error:
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(len(self.published.stub.launches()), 2)

    def test_threads_do_not_share_a_launch(self):
        inputs = [tensors(16) for _ in range(4)]
        for x, weight in inputs:
            self.published.function(x, weight)
        wrong = []

        def run(x, weight):
            for _ in range(200):
                self.published.function(x, weight)

        threads = [threading.Thread(target=run, args=pair) for pair in inputs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pairs = {(x.data_ptr(), weight.data_ptr()) for x, weight in inputs}
        count = self.published.stub.library.stub_launches()
        for number in range(max(0, count - 60), count):
            values = self.published.stub._launch(number).values("QQQif")
            if values[:2] not in pairs:
                wrong.append(values)
        self.assertEqual(wrong, [])
        self.assertEqual(count, 804)

    def test_launch_that_the_driver_refuses(self):
        x, weight = tensors(16)
        self.published.function(x, weight)
        self.published.stub.library.stub_fail_launch(700)
        with self.assertRaisesRegex(RuntimeError, "rmsnorm: cuLaunchKernelEx: CUDA_ERROR_ILLEGAL"):
            self.published.function(x, weight)

    def test_module_is_loaded_once(self):
        for rows in (4096, 16, 8, 4096):
            self.published.function(*tensors(rows))
        self.assertEqual(self.published.stub.library.stub_modules(), 1)

    def test_refused_binary_gives_the_ptx(self):
        self.published.stub.library.stub_fail_load(209)
        self.published.function(*tensors(16))
        self.assertEqual(self.published.stub.library.stub_image(), b"ptx:sm_90a")

    def test_small_blocks_only(self):
        self.published.stub.library.stub_threads_per_block(64)
        x, weight = tensors(16)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            y = self.published.function(x, weight)
            self.published.function(x, weight)
        self.assertEqual(self.published.stub.library.stub_launches(), 0)
        self.assertEqual(len(caught), 1)
        self.assertIn("blocks of 128 threads do not fit, 64 would", str(caught[0].message))
        expected = torch.nn.functional.rms_norm(x, (4096,), weight, 1e-6)
        torch.testing.assert_close(y, expected, atol=1e-2, rtol=1e-2)

    def test_other_types_run_in_torch_with_one_warning(self):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for rows in (4, 5, 6):
                self.published.function(*tensors(rows, dtype=torch.float32))
            self.published.function(*tensors(4, cols=128))
        self.assertEqual(self.published.stub.library.stub_launches(), 0)
        self.assertEqual(
            [str(warning.message) for warning in caught],
            [
                f"rmsnorm runs in torch: no entry for T={kind}, cols={cols} on NVIDIA H200 (9.0)"
                for kind, cols in (("f32", 4096), ("bf16", 128))
            ],
        )

    def test_nothing_to_do(self):
        y = self.published.function(*tensors(0))
        self.assertEqual(y.shape, (0, 4096))
        self.assertEqual(self.published.stub.library.stub_launches(), 0)

    def test_modes_see_the_operator(self):
        from torch.utils._python_dispatch import TorchDispatchMode

        seen = []

        class Watch(TorchDispatchMode):
            def __torch_dispatch__(self, function, types, arguments=(), options=None):
                seen.append(str(function))
                return torch.empty_like(arguments[0])

        x, weight = tensors(16)
        self.published.function(x, weight)
        with Watch():
            self.published.function(x, weight)
        self.assertEqual(len(seen), 1)
        self.assertIn("rmsnorm", seen[0])
        self.assertEqual(len(self.published.stub.launches()), 1)

    def test_gradients_are_refused_with_what_to_do(self):
        x, weight = tensors(16)
        self.published.function(x, weight)
        weight = torch.nn.Parameter(weight)
        with torch.no_grad():
            self.published.function(x, weight)
            self.published.function(x, weight)
        with self.assertRaisesRegex(RuntimeError, "`weight` requires gradients.*torch.no_grad"):
            self.published.function(x, weight)
        self.assertEqual(len(self.published.stub.launches()), 3)

    def test_no_tensor_is_kept(self):
        x, weight = tensors(16)
        self.published.function(x, weight)
        y = self.published.function(x, weight)
        kept = [weakref.ref(tensor) for tensor in (x, weight, y)]
        del x, weight, y
        gc.collect()
        self.assertEqual([reference() for reference in kept], [None] * 3)

    def test_inference_tensors(self):
        x, weight = tensors(16)
        self.published.function(x, weight)
        with torch.inference_mode():
            self.published.function(x.clone(), weight)
            self.published.function(x.clone(), weight)
        self.assertEqual(len(self.published.stub.launches()), 3)


class StartsEarly(unittest.TestCase):
    """A launch may start before the kernel before it has ended only with weights left alone."""

    def setUp(self):
        self.published = Published(rmsnorm_manifest())
        self.x, self.weight = tensors(16)

    def check(self, expected, weight=None):
        self.published.function(self.x, self.weight if weight is None else weight)
        self.assertEqual(self.published.last().programmatic, expected)

    def test_from_the_second_launch_on(self):
        self.check(False)
        self.check(True)
        self.x = torch.randn(64, 4096, dtype=BF16)
        self.check(True)

    def test_not_after_the_weights_were_written(self):
        self.check(False)
        self.weight.mul_(2)
        self.check(False)
        self.check(True)

    def test_each_layer_has_its_own_weights(self):
        weights = [torch.randn(4096, dtype=BF16) for _ in range(3)]
        for expected in (False, True, True):
            for weight in weights:
                self.check(expected, weight)

    def test_several_weights_of_one_kernel(self):
        manifest = rmsnorm_manifest()
        manifest["inputs"].insert(2, {"name": "bias", "dtype": "T", "shape": ["cols"]})
        self.published = Published(manifest, reference=None)
        bias = torch.randn(4096, dtype=BF16)
        for expected in (False, True):
            self.published.function(self.x, self.weight, bias)
            self.assertEqual(self.published.last().programmatic, expected)

    def test_never_with_weights_made_for_the_call(self):
        wide = self.weight.float()
        for _ in range(3):
            self.check(False, wide.to(BF16))
        with torch.inference_mode():
            self.weight = self.weight.clone()
            for _ in range(3):
                self.check(False)

    def test_another_stream_begins_anew_unless_it_is_captured(self):
        self.check(False)
        for capturing, expected in ((False, False), (True, True)):
            self.published.platform.stream += 8
            self.published.platform.capturing = capturing
            self.check(expected)
            self.check(True)

    def test_a_write_within_a_capture(self):
        self.check(False)
        self.published.platform.capturing = True
        self.weight.add_(1)
        self.check(False)


class OtherLaunches(unittest.TestCase):
    def test_outputs_unlike_the_inputs(self):
        manifest = rmsnorm_manifest()
        manifest["outputs"].append({"name": "scale", "shape": ["rows"], "dtype": "f32"})
        for artifact in manifest["artifacts"].values():
            artifact["parameters"].append({"offset_bytes": 32, "size_bytes": 8})
        for entry in manifest["entries"]:
            entry["launch"]["arguments"].append({"kind": "tensor", "name": "scale"})
        published = Published(manifest)
        x, weight = tensors(2, 8)
        for _ in range(2):
            y, scale = published.function(x, weight)
            self.assertEqual((scale.shape, scale.dtype), ((2, 8), torch.float32))
            self.assertEqual(published.last().values("QQQifQ")[5], scale.data_ptr())
        out = (torch.empty_like(y), torch.empty_like(scale))
        for _ in range(2):
            results = published.function(x, weight, out=out)
            self.assertTrue(all(a is b for a, b in zip(results, out)))
            self.assertEqual(published.last().values("QQQifQ")[5], out[1].data_ptr())
        with self.assertRaisesRegex(ValueError, "`out` must be 2 tensors, got 1"):
            published.function(x, weight, out=out[0])

    def test_large_shared_memory_and_clusters(self):
        manifest = rmsnorm_manifest()
        launch = manifest["entries"][0]["launch"]
        launch["shared_memory_bytes"] = "(rows * 16)"
        launch["cluster"] = ["2", "1", "1"]
        published = Published(manifest)
        for rows in (4096, 8192):
            x, weight = tensors(rows)
            published.function(x, weight)
            published.function(x, weight)
            self.assertEqual(published.last().shared, rows * 16)
            self.assertEqual(published.last().dynamic_shared, rows * 16)
            self.assertEqual(published.last().cluster, (2, 1, 1))
            self.assertTrue(published.last().programmatic)
        # 16384 rows need more than there is, 4100 rows a grid that the cluster does not divide.
        for rows in (16384, 4100):
            choice = published.module.why(*tensors(rows))
            self.assertEqual(choice.rule, "default", choice)

    def test_other_devices(self):
        cases = [
            ("NVIDIA H100 PCIe", (9, 0), "same_architecture", "sm_90a"),
            ("NVIDIA B200", (10, 0), "reference", ""),
            ("NVIDIA L4", (8, 9), "reference", ""),
        ]
        for name, (major, minor), rule, image in cases:
            published = Published(rmsnorm_manifest(), device=name)
            published.stub.library.stub_capability(major, minor)
            x, weight = tensors(16)
            self.assertEqual(published.module.why(x, weight).rule, rule)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                published.function(x, weight)
            self.assertEqual(published.stub.library.stub_image().decode(), image)

    def test_ptx_of_no_special_architecture_runs_on_newer_devices(self):
        manifest = rmsnorm_manifest()
        for artifact in manifest["artifacts"].values():
            artifact["ptx"]["target"] = "sm_90"
        published = Published(manifest, device="NVIDIA B200")
        published.stub.library.stub_capability(10, 0)
        x, weight = tensors(16)
        self.assertEqual(published.module.why(x, weight).rule, "default")
        published.function(x, weight)
        self.assertEqual(published.stub.library.stub_image(), b"ptx:sm_90")

    def test_scalars_of_every_dtype(self):
        cases = [
            ("f64", 8, "d", 0.5),
            ("f32", 4, "f", 0.5),
            ("f16", 2, "e", 0.5),
            ("bf16", 2, "H", 0.5),
            ("i64", 8, "q", -5),
            ("i32", 4, "i", -5),
            ("u32", 4, "I", 5),
            ("u8", 1, "B", 5),
            ("bool", 1, "?", True),
        ]
        for dtype, size, letter, value in cases:
            manifest = copy.deepcopy(rmsnorm_manifest())
            manifest["inputs"][2] = {"name": "eps", "dtype": dtype, "shape": None}
            for artifact in manifest["artifacts"].values():
                artifact["parameters"][4] = {"offset_bytes": 32, "size_bytes": size}
            for entry in manifest["entries"]:
                entry["launch"]["arguments"][4]["dtype"] = dtype
            published = Published(manifest)
            for _ in range(2):
                published.function(*tensors(16), value)
                got = published.last().values("QQQi" + letter)[4]
                self.assertEqual(got, 0x3F00 if dtype == "bf16" else value, dtype)


if __name__ == "__main__":
    unittest.main()

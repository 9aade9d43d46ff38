"""The operator under torch's compilers, tracers and modes; layers; the variant for any device."""

import contextlib
import types
import unittest
import warnings

import render
import torch
from support import Published, fresh_folder, load
from torch import nn

BF16 = torch.bfloat16


def inputs(*shape):
    return torch.randn(*shape, 4096, dtype=BF16), torch.randn(4096, dtype=BF16)


def expected(x, weight, eps=1e-6):
    return nn.functional.rms_norm(x, (4096,), weight, eps)


def close(result, reference):
    torch.testing.assert_close(result, reference, atol=2e-2, rtol=2e-2)


@contextlib.contextmanager
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Operator(unittest.TestCase):
    """On tensors of the CPU, where the operator runs the mathematics in torch."""

    @classmethod
    def setUpClass(cls):
        cls.module = Published(render.example()).module
        home = cls.module.__file__
        cls.module = load(home.removesuffix("__init__.py"), cls.module.__name__)

    def test_compiles_without_a_break(self):
        x, weight = inputs(2, 3)
        with quiet():
            compiled = torch.compile(self.module.rmsnorm, fullgraph=True, backend="aot_eager")
            close(compiled(x, weight), expected(x, weight))
            out = torch.empty_like(x)
            self.assertIs(compiled(x, weight, 1e-5, out=out), out)
            close(out, expected(x, weight, 1e-5))

    def test_compiles_for_any_number_of_rows(self):
        graphs = []

        def backend(graph, example_inputs):
            graphs.append(graph)
            return graph.forward

        compiled = torch.compile(self.module.rmsnorm, fullgraph=True, backend=backend, dynamic=True)
        with quiet():
            for rows in (2, 7, 30):
                x, weight = inputs(rows)
                close(compiled(x, weight), expected(x, weight))
        self.assertEqual(len(graphs), 1)

    def test_keeps_torchs_promises_for_operators(self):
        x, weight = inputs(3)
        with quiet():
            tests = ("test_schema", "test_faketensor", "test_aot_dispatch_dynamic")
            torch.library.opcheck(self.module._operator, (x, weight, 1e-6), test_utils=tests)

    def test_exports(self):
        class Model(nn.Module):
            def __init__(self, module):
                super().__init__()
                self.module = module
                self.weight = nn.Parameter(torch.ones(4096, dtype=BF16), requires_grad=False)

            def forward(self, x):
                return self.module.rmsnorm(x, self.weight) * 2

        x, _ = inputs(3)
        program = torch.export.export(Model(self.module), (x,))
        calls = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
        self.assertIn(f"{self.module.__name__}.rmsnorm.default", calls)
        with quiet():
            close(program.module()(x), 2 * expected(x, torch.ones(4096, dtype=BF16)))

    def test_fake_tensors(self):
        from torch._subclasses import FakeTensorMode

        with FakeTensorMode():
            y = self.module.rmsnorm(
                torch.empty(5, 6, 4096, dtype=BF16), torch.empty(4096, dtype=BF16)
            )
        self.assertEqual((y.shape, y.dtype), ((5, 6, 4096), BF16))

    def test_out_on_another_device_is_refused(self):
        x, weight = inputs(3)
        with quiet(), self.assertRaisesRegex(ValueError, "^rmsnorm: `out` must be on cpu, got meta"):
            self.module.rmsnorm(x, weight, out=torch.empty_like(x, device="meta"))

    def test_meta_tensors(self):
        x, weight = inputs(3)
        y = self.module.rmsnorm(x.to("meta"), weight.to("meta"))
        self.assertEqual((y.shape, y.device.type), ((3, 4096), "meta"))

    def test_function_modes_are_left_alone(self):
        x, weight = inputs(3)
        with torch.device("cpu"), quiet():
            close(self.module.rmsnorm(x, weight), expected(x, weight))

    def test_vmap(self):
        x, weight = inputs(2, 3)
        with quiet():
            close(torch.vmap(self.module.rmsnorm, (0, None))(x, weight), expected(x, weight))

    def test_refuses_gradients_when_compiled(self):
        x, weight = inputs(3)
        compiled = torch.compile(self.module.rmsnorm, fullgraph=True, backend="aot_eager")
        with self.assertRaisesRegex(Exception, "`x` requires gradients"):
            compiled(x.requires_grad_(), weight)

    def test_same_build_imported_twice(self):
        again = load(self.module.__file__.removesuffix("__init__.py"), self.module.__name__)
        x, weight = inputs(3)
        with quiet():
            close(again.rmsnorm(x, weight), expected(x, weight))
            close(again._operator(x, weight, 1e-6), expected(x, weight))

    def test_compat_package(self):
        home = self.module.__file__.removesuffix("__init__.py")
        compat = load(home + "rmsnorm", "compat_rmsnorm")
        x, weight = inputs(3)
        with quiet():
            close(compat.rmsnorm(x, weight), expected(x, weight))
        self.assertEqual(compat.__all__, ["chain", "layers", "reference", "rmsnorm", "why"])


class Refusals(unittest.TestCase):
    def setUp(self):
        self.published = Published(render.example())

        # What is known already must not hide what is wrong.
        for rows in (2, 2):
            self.published.function(*inputs(rows))

    def check(self, error, message, *arguments):
        for call in (self.published.function, self.published.module.why):
            with self.assertRaises(error) as caught:
                call(*arguments)
            self.assertEqual(str(caught.exception), f"rmsnorm: {message}")

    def test_what_is_no_tensor(self):
        x, weight = inputs(2)
        self.check(TypeError, "`x` must be a torch.Tensor, got list", [1.0], weight)
        self.check(TypeError, "`weight` must be a torch.Tensor, got NoneType", x, None)
        array = x.float().numpy()
        self.check(TypeError, "`x` must be a torch.Tensor, got ndarray", array, weight)
        message = "`x` must be a dense tensor, got torch.sparse_coo"
        self.check(TypeError, message, x.to_sparse(), weight)

    def test_dtypes(self):
        x, weight = inputs(2)
        allowed = "torch.bfloat16 or torch.float16 or torch.float32"
        self.check(TypeError, f"`x` must be {allowed}, got torch.int64", x.long(), weight)
        message = "`weight` must be torch.bfloat16 as `x` is, got torch.float32"
        self.check(TypeError, message, x, weight.float())

    def test_shapes(self):
        x, weight = inputs(2)
        message = "`weight` must have 4096 along `cols` as `x` has, got 2048"
        self.check(ValueError, message, x, weight[:2048])
        message = "`weight` must have the axes [cols], got shape [1, 4096]"
        self.check(ValueError, message, x, weight[None])
        axes = "[rows, cols], or other dimensions in place of the first"
        message = f"`x` must have the axes {axes}, got shape []"
        self.check(ValueError, message, x[0, 0], weight)

    def test_scalars(self):
        x, weight = inputs(2)
        message = "`eps` must be of type float, got "
        self.check(TypeError, f"{message}a tensor", x, weight, torch.tensor(1e-6))
        self.check(TypeError, f"{message}'1e-6'", x, weight, "1e-6")
        self.check(TypeError, f"{message}True", x, weight, True)
        self.check(ValueError, "`eps` must fit in f32, got 1e+39", x, weight, 1e39)
        self.published.function(x, weight, 1)
        self.assertEqual(self.published.last().values("QQQif")[4], 1.0)

    def test_other_devices_asked_about(self):
        x, weight = inputs(2)
        for device in ("H200", ("NVIDIA H200", 9), (9, 0), 5, ("NVIDIA H200", ("9", "0"))):
            with self.assertRaisesRegex(TypeError, "^rmsnorm: `device` must be a board's name"):
                self.published.module.why(x, weight, device=device)
        there = self.published.module.why(x, weight, device=["NVIDIA H200", [9, 0]])
        self.assertEqual(there.rule, "default")

    def test_devices(self):
        x, weight = inputs(2)
        message = "`weight` must be on cpu as `x` is, got meta"
        with self.assertRaisesRegex(ValueError, message):
            self.published.module.why(x, weight.to("meta"))


class Layers(unittest.TestCase):
    def test_kernelize_replaces_a_models_norm(self):
        import kernels

        @kernels.use_kernel_forward_from_hub("RMSNorm")
        class LlamaRMSNorm(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.rand(4096, dtype=BF16))
                self.variance_epsilon = 1e-5

            def forward(self, hidden_states):
                raise AssertionError("the model's own")

        folder = fresh_folder()
        render.variant(folder, render.example(), "cuda", render.RMSNORM_REFERENCE, "layers0")
        repository = kernels.LocalLayerRepository(folder, layer_name="RMSNorm")
        mapping = {"RMSNorm": {"cuda": repository, "cpu": repository}}
        for mode in (kernels.Mode.INFERENCE, kernels.Mode.INFERENCE | kernels.Mode.TORCH_COMPILE):
            model = nn.Sequential(LlamaRMSNorm())
            with kernels.use_kernel_mapping(mapping):
                model = kernels.kernelize(model, mode=mode, device="cpu")
            x = torch.randn(2, 3, 4096, dtype=BF16)
            with torch.no_grad(), quiet():
                close(model(x), expected(x, model[0].weight, 1e-5))
        with kernels.use_kernel_mapping(mapping), self.assertRaises(AssertionError):
            # No backward: in training the model keeps its own.
            kernels.kernelize(model, mode=kernels.Mode.TRAINING, device="cpu")(x)


class Benchmark(unittest.TestCase):
    def test_script_runs_and_verifies_as_kernels_does(self):
        manifest = render.example()
        manifest["entries"][0]["axes"]["rows"] = 8
        published = Published(manifest)
        module = load_text(render.fill("benchmark.py", render.placeholders(manifest, True, True)))
        names = [name for name in dir(module.Tuned) if name.startswith("benchmark_")]
        shape = "benchmark_qwen3_8b_prefill_4096"
        self.assertEqual(names, [shape, f"{shape}_chain"])
        for name in dir(module.Tuned):
            if not name.startswith("benchmark_"):
                continue
            workload = name.removeprefix("benchmark_")
            instance = module.Tuned()
            instance.kernel = load(published.home, published.module.__name__)
            getattr(instance, f"setup_{workload}")()
            with quiet():
                getattr(instance, name)()
                expected = getattr(instance, f"verify_{workload}")()
            self.assertTrue(torch.allclose(instance.out, expected, atol=1e-2))


def load_text(text):
    """A module of this text."""
    module = types.ModuleType("benchmark")
    exec(compile(text, "benchmark.py", "exec"), module.__dict__)
    return module


class Universal(unittest.TestCase):
    def setUp(self):
        reference = render.RMSNORM_REFERENCE
        home = render.variant(fresh_folder(), render.example(), "universal", reference)
        self.module = load(home, f"universal_{home.parents[1].name}")

    def test_runs_and_differentiates(self):
        x, weight = inputs(2, 3)
        weight.requires_grad_()
        y = self.module.rmsnorm(x, weight)
        close(y, expected(x, weight))
        y.sum().backward()
        self.assertEqual(weight.grad.shape, weight.shape)
        self.assertEqual(self.module.why(x, weight).rule, "reference")

    def test_compiles_without_a_break(self):
        x, weight = inputs(2, 3)
        compiled = torch.compile(self.module.rmsnorm, fullgraph=True, backend="aot_eager")
        close(compiled(x, weight), expected(x, weight))

    def test_checks_its_arguments(self):
        x, weight = inputs(2)
        with self.assertRaisesRegex(ValueError, "`weight` must have 4096 along `cols`"):
            self.module.rmsnorm(x, weight[:5])


if __name__ == "__main__":
    unittest.main()

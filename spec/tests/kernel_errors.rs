//! What is said about a spec that is wrong: every rule, as its author would see it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod kernel_fixture;

use std::fmt::Write as _;

use kernel_fixture::{EXAMPLE, draw, edited};
use ridge_spec::kernel::KernelSpec;

/// A title, and what to replace in the example.
type Case = (&'static str, &'static [(&'static str, &'static str)]);

#[track_caller]
fn check(snapshot: &str, cases: &[Case]) {
    let mut text = String::new();
    for (title, edits) in cases {
        let spec = edited(edits);
        let drawn = match KernelSpec::parse("kernel.toml", &spec) {
            Ok(_) => panic!("{title}: the spec is accepted"),
            Err(diagnostics) => {
                for diagnostic in &diagnostics {
                    assert!(diagnostic.location.is_some(), "{title}: no place: {diagnostic}");
                    assert!(!diagnostic.code.is_empty(), "{title}: no code: {diagnostic}");
                    assert!(!diagnostic.message.ends_with('.'), "{title}: {diagnostic}");
                }
                draw(&diagnostics)
            }
        };
        writeln!(text, "# {title}\n{drawn}").unwrap();
    }
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(snapshot, text) });
}

#[test]
fn the_example_is_right() {
    KernelSpec::parse("kernel.toml", EXAMPLE).unwrap_or_else(|errors| panic!("{}", draw(&errors)));
}

#[test]
fn documents() {
    check(
        "documents",
        &[
            ("a line that is not TOML", &[("schema = 1", "schema 1")]),
            ("a key given twice", &[("tags =", "name = \"other\"\ntags =")]),
            ("an open string", &[("source = \"rmsnorm.cu\"", "source = \"rmsnorm.cu")]),
            ("no schema", &[("schema = 1\n", "")]),
            ("another schema", &[("schema = 1", "schema = 2")]),
            ("a schema that is no number", &[("schema = 1", "schema = \"1\"")]),
            ("a misspelt section", &[("[tolerance]", "[tolerence]")]),
            (
                "misspelt keys, all of them",
                &[
                    ("description =", "descripton ="),
                    ("constraints =", "constraint ="),
                    ("grid =", "gird ="),
                    ("role = \"verify\"", "role = \"verify\"\nweight = 2"),
                ],
            ),
            (
                "a section that is a value",
                &[
                    ("[types]\nT = [\"bf16\", \"f16\", \"f32\"]", ""),
                    ("schema = 1", "schema = 1\ntypes = \"bf16\""),
                ],
            ),
            (
                "wrong types",
                &[
                    ("name = \"rmsnorm\"", "name = 5"),
                    ("tags = [\"norm\", \"model:qwen3-8b\"]", "tags = [\"norm\", 1.5]"),
                    ("default = 1e-6", "default = \"small\""),
                    ("rows = 4096", "rows = 4096.5"),
                    ("absolute = 1e-2", "absolute = nan"),
                    ("cols = 4096 }", "cols = 99999999999999999999 }"),
                ],
            ),
            (
                "no outputs",
                &[("[outputs]\ny = { shape = [\"rows\", \"cols\"], dtype = \"T\" }", "")],
            ),
        ],
    );
}

#[test]
fn kernels() {
    check(
        "kernels",
        &[
            ("names that no Hub takes", &[("name = \"rmsnorm\"", "name = \"RMS_norm\"")]),
            ("an unknown language", &[("language = \"cuda\"", "language = \"cuba\"")]),
            ("no source, no entry", &[("source = \"rmsnorm.cu\"\n", ""), ("entry = ", "# ")]),
            (
                "a path that leaves the folder",
                &[("source = \"rmsnorm.cu\"", "source = \"../rmsnorm.cu\"")],
            ),
            ("an absolute path", &[("source = \"rmsnorm.cu\"", "source = \"/etc/passwd\"")]),
            (
                "a template of a name that is not there",
                &[("{rows_per_block}", "{rows_per_blocks}")],
            ),
            ("a template of a dynamic axis", &[("{half}", "{rows}")]),
            ("a template of an axis derived from a dynamic one", &[("{half}", "{blocks}")]),
            ("an open brace", &[("{T}", "{T")]),
            ("a closing brace in an option", &[("{registers}", "registers}")]),
            (
                "a cube kernel with a source and a launch",
                &[("language = \"cuda\"", "language = \"cube\"")],
            ),
            ("no launch", &[("[launch]", "[[ignored]]")]),
        ],
    );
}

#[test]
fn declarations() {
    check(
        "declarations",
        &[
            ("an unknown dtype", &[("\"bf16\", \"f16\"", "\"bfloat16\", \"fp16\"")]),
            ("no dtypes, and one twice", &[("T = [", "S = []\nT = [\"f32\", ")]),
            ("a type variable named like a dtype", &[("T = [", "f16 = [\"f16\"]\nT = [")]),
            (
                "a name that is no identifier",
                &[("rows = \"dynamic\"", "\"the rows\" = \"dynamic\"\nrows = \"dynamic\"")],
            ),
            (
                "a reserved name",
                &[("rows = \"dynamic\"", "sizeof = \"dynamic\"\nrows = \"dynamic\"")],
            ),
            (
                "one name for an axis, an input and a parameter",
                &[("weight = {", "rows = {"), ("registers = [", "x = [")],
            ),
            (
                "names that are one macro",
                &[
                    ("threads_per_row = [", "t = [1]\nthreads_per_row = ["),
                    ("{ threads_per_row = 128", "{ t = 1, threads_per_row = 128"),
                ],
            ),
            ("an unknown kind of axis", &[("rows = \"dynamic\"", "rows = \"dynamc\"")]),
            ("an axis with both kinds", &[("half = { ", "half = { kind = \"dynamic\", ")]),
            ("a derived axis of an unknown one", &[("\"cols / 2\"", "\"col / 2\"")]),
            (
                "a derived axis that asks the device",
                &[("\"cols / 2\"", "\"cols / device.warp_size\"")],
            ),
            (
                "derived axes in a circle",
                &[("\"cols / 2\"", "\"blocks + 1\""), ("\"ceil_div(rows, 2)\"", "\"half + 1\"")],
            ),
        ],
    );
}

#[test]
fn tensors() {
    check(
        "tensors",
        &[
            (
                "a shape with unknown axes",
                &[("x = { shape = [\"rows\", \"cols\"]", "x = { shape = [\"row\", \"2 * cols\"]")],
            ),
            (
                "a shape with an axis twice",
                &[("x = { shape = [\"rows\", \"cols\"]", "x = { shape = [\"cols\", \"cols\"]")],
            ),
            (
                "an unknown dtype of a tensor",
                &[(
                    "weight = { shape = [\"cols\"], dtype = \"T\" }",
                    "weight = { shape = [\"cols\"], dtype = \"U\" }",
                )],
            ),
            (
                "no dtype",
                &[(
                    "weight = { shape = [\"cols\"], dtype = \"T\" }",
                    "weight = { shape = [\"cols\"] }",
                )],
            ),
            (
                "a tensor with a default",
                &[(
                    "weight = { shape = [\"cols\"], dtype = \"T\" }",
                    "weight = { shape = [\"cols\"], dtype = \"T\", default = 1 }",
                )],
            ),
            (
                "an output without a shape",
                &[("y = { shape = [\"rows\", \"cols\"], dtype = \"T\" }", "y = { dtype = \"T\" }")],
            ),
            (
                "an output and a scalar that are constant, and a tensor that is more than that",
                &[
                    (
                        "y = { shape = [\"rows\", \"cols\"],",
                        "y = { constant = true, shape = [\"rows\", \"cols\"],",
                    ),
                    ("default = 1e-6", "default = 1e-6, constant = false"),
                    (
                        "weight = { shape = [\"cols\"],",
                        "weight = { constant = \"yes\", shape = [\"cols\"],",
                    ),
                ],
            ),
        ],
    );
}

#[test]
fn references() {
    check(
        "references",
        &[
            ("no reference", &[("[reference]\nmath", "unused")]),
            (
                "two references",
                &[("[reference]\n", "[reference]\npython = \"reference.py::run\"\n")],
            ),
            (
                "a Python reference without a function",
                &[(
                    "math = \"\"\"\nmean_square = mean(x * x, cols)\ny = x * rsqrt(mean_square + eps) * weight\n\"\"\"",
                    "python = \"reference.py\"",
                )],
            ),
            (
                "a golden file outside",
                &[(
                    "math = \"\"\"\nmean_square = mean(x * x, cols)\ny = x * rsqrt(mean_square + eps) * weight\n\"\"\"",
                    "golden = \"../golden.safetensors\"",
                )],
            ),
            (
                "math with an unknown name, placed in the string",
                &[("mean_square + eps", "mean_squares + eps")],
            ),
            (
                "math in an escaped string",
                &[(
                    "math = \"\"\"\nmean_square = mean(x * x, cols)\ny = x * rsqrt(mean_square + eps) * weight\n\"\"\"",
                    "math = \"y = x\\u0020* rsqrt(mean(x * x, cols) + epsilon) * weight\"",
                )],
            ),
            (
                "tolerances of outputs that are none",
                &[
                    (
                        "matched_ratio = 1.0",
                        "outputs = { x = { relative = 1.0 }, yy = {}, y = { absolute = -1.0, outputs = {} } }",
                    ),
                    (
                        "tolerance = { absolute = 1e-5",
                        "tolerance = { outputs = { z = {}, y = 1 }, absolute = 1e-5",
                    ),
                ],
            ),
            (
                "tolerances that are none",
                &[
                    ("absolute = 1e-2", "absolute = -1e-2"),
                    ("relative = 1e-2\n", ""),
                    ("matched_ratio = 1.0", "matched_ratio = 1.5"),
                    (
                        "tolerance = { absolute = 1e-5",
                        "tolerance = { matched_ratio = 0, absolute = 1e-5",
                    ),
                ],
            ),
        ],
    );
}

#[test]
fn spaces() {
    check(
        "spaces",
        &[
            ("a parameter without values", &[("registers = [32, 64, 128]", "registers = []")]),
            (
                "names that may be a generated kernel's parameters",
                &[
                    ("language = \"cuda\"", "language = \"cube\""),
                    ("source = \"rmsnorm.cu\"\n", ""),
                    ("options = [\"--maxrregcount={registers}\"]\n", ""),
                    ("threads_per_row = [32, 64, 128, 256, 512]", "threads_per_row = [32, 64]"),
                    ("hold = [\"registers\", \"shared\"]\n", ""),
                ],
            ),
            (
                "a value twice, and a text with a space",
                &[("registers = [32, 64, 128]", "registers = [32, 32, \"a b\"]")],
            ),
            (
                "a value of another type",
                &[("registers = [32, 64, 128]", "registers = [32, 64, 1.5]")],
            ),
            (
                "a constraint on an unknown name",
                &[("cols % (threads_per_row * 8)", "cols % (thread_per_row * 8)")],
            ),
            (
                "a constraint on a tensor",
                &[("cols % (threads_per_row * 8)", "eps % (threads_per_row * 8)")],
            ),
            (
                "a constraint on an unknown device value",
                &[("device.threads_per_block", "device.threads")],
            ),
            ("a constraint on an unknown type", &[("cols * sizeof(T) <=", "cols * sizeof(U) <=")]),
            (
                "a chained comparison",
                &[("cols % (threads_per_row * 8) == 0", "1 < threads_per_row <= 64")],
            ),
            (
                "a constraint that is not closed",
                &[("cols % (threads_per_row * 8) == 0", "cols % (threads_per_row * 8 == 0")],
            ),
            (
                "a value that a parameter never has",
                &[("hold == 'shared' ||", "hold == 'share' ||")],
            ),
            (
                "a default of unknown names and values",
                &[(
                    "{ threads_per_row = 128, rows_per_block = 1,",
                    "{ thread_per_row = 128, rows_per_block = 3,",
                )],
            ),
            ("a default that is illegal", &[("threads_per_row * 256", "threads_per_row * 32")]),
            (
                "a default at which a constraint faults",
                &[("cols % (threads_per_row * 8) == 0", "cols % (rows_per_block - 1) == 0")],
            ),
        ],
    );
}

#[test]
fn launches() {
    check(
        "launches",
        &[
            ("arguments that name nothing", &[("\"rows\", \"eps\"", "\"row\", \"epsilon\"")]),
            ("a text as an argument", &[("\"rows\", \"eps\"", "\"hold\", \"T\"")]),
            ("an output that is not passed", &[("\"weight\", \"y\"", "\"weight\"")]),
            (
                "no sizes, and four of them",
                &[
                    ("grid = [\"ceil_div(rows, rows_per_block)\"]", "grid = []"),
                    ("block = [\"threads", "block = [\"1\", \"1\", \"threads"),
                ],
            ),
            ("no grid", &[("grid = [\"ceil_div(rows, rows_per_block)\"]\n", "")]),
            (
                "an unknown function",
                &[("ceil_div(rows, rows_per_block)", "cdiv(rows, rows_per_block)")],
            ),
            ("a cost over parameters", &[("2 * rows * cols", "2 * rows * registers")]),
        ],
    );
}

#[test]
fn slices() {
    check(
        "slices",
        &[
            (
                "a slice beyond its axis",
                &[(
                    "mean_square = mean(x * x, cols)",
                    "low = x[cols: 0 .. 9999 as part]\nmean_square = mean(low * low, part)",
                )],
            ),
            (
                "a slice that begins before its axis",
                &[(
                    "mean_square = mean(x * x, cols)",
                    "low = x[cols: -4 .. 4 as part]\nmean_square = mean(low * low, part)",
                )],
            ),
        ],
    );
}

#[test]
fn workloads() {
    check(
        "workloads",
        &[
            (
                "no workloads at all",
                &[
                    (
                        "[[workloads]]\nname = \"qwen3-prefill\"",
                        "[[other]]\nname = \"qwen3-prefill\"",
                    ),
                    ("[[workloads]]\nname = \"ragged\"", "[[other]]\nname = \"ragged\""),
                ],
            ),
            (
                "an axis that is missing, one that is derived, one that is not",
                &[(
                    "axes = { rows = 37, cols = 4096 }",
                    "axes = { row = 37, half = 3, cols = 4096 }",
                )],
            ),
            (
                "extents that are none",
                &[("axes = { rows = 37, cols = 4096 }", "axes = { rows = 0, cols = -4096 }")],
            ),
            ("a derived axis of extent 0", &[("\"cols / 2\"", "\"cols / 8192\"")]),
            (
                "a derived axis that overflows",
                &[("\"cols / 2\"", "\"cols * 9223372036854775807\"")],
            ),
            (
                "a tensor past every memory",
                &[(
                    "axes = { rows = 37, cols = 4096 }",
                    "axes = { rows = 1099511627776, cols = 1099511627776 }",
                )],
            ),
            (
                "types that are not allowed, or unknown, or missing",
                &[
                    ("types = { T = \"f32\" }", "types = { T = \"f64\", U = \"f32\" }"),
                    ("types = { T = \"bf16\" }\n", ""),
                ],
            ),
            (
                "scalars that are none",
                &[("scalars = { eps = 1e-5 }", "scalars = { epsilon = 1e-5 }")],
            ),
            ("a scalar without a value", &[("dtype = \"f32\", default = 1e-6", "dtype = \"f32\"")]),
            ("an unknown role", &[("role = \"tune\"", "role = \"tuning\"")]),
            ("a name twice", &[("name = \"ragged\"", "name = \"qwen3-prefill\"")]),
            (
                "one workload twice",
                &[
                    ("axes = { rows = 37, cols = 4096 }", "axes = { rows = 4096, cols = 4096 }"),
                    ("types = { T = \"f32\" }", "types = { T = \"bf16\" }"),
                    ("scalars = { eps = 1e-5 }\n", ""),
                ],
            ),
            ("a name that is none", &[("name = \"ragged\"", "name = \"two words\"")]),
        ],
    );
}

/// Checks the first thing said of a text.
#[track_caller]
fn check_first(text: &str, expected: &str) {
    let diagnostics = KernelSpec::parse("kernel.toml", text).unwrap_err();
    let first = &diagnostics[0];
    assert_eq!(format!("{}: {}", first.code, first.message), expected);
    assert!(first.location.is_some());
    assert!(diagnostics.len() <= 50);
}

#[test]
fn sizes() {
    check_first("", "spec.missing-key: the spec lacks `schema`");
    check_first(
        &"#".repeat(300_000),
        "spec.too-long: the spec has 300000 bytes, and 262144 are allowed",
    );
    let axes: String = (0..300).map(|i| format!("a{i} = \"dynamic\"\n")).collect();
    check_first(
        &edited(&[("half =", &format!("{axes}half ="))]),
        "spec.too-many: there are 304 axes, and 256 are allowed",
    );
    let constraints = "\"1 == 1\", ".repeat(2000);
    check_first(
        &edited(&[("constraints = [", &format!("constraints = [{constraints}"))]),
        "spec.too-many: there are 2003 constraints, and 1024 are allowed",
    );
    check_first(
        &edited(&[("entry = \"", &format!("entry = \"{}", "{x}".repeat(4000)))]),
        "spec.too-many: there are 12105 bytes of `entry` and `options`, and 8192 are allowed",
    );
    let keys: String = (0..1000).map(|i| format!("k{i} = 1\n")).collect();
    check_first(
        &edited(&[("[cost]\n", &format!("[cost]\n{keys}"))]),
        "spec.unknown-key: there is no key `k0` in `cost`",
    );
}

//! From a spec, a workload and a candidate to sizes, names and a launch.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod kernel_fixture;

use std::collections::BTreeMap;

use kernel_fixture::{edited, example, profile, read};
use ridge_spec::dtype::Dtype;
use ridge_spec::kernel::{Bindings, Instance, KernelSpec, Role};
use ridge_spec::launch::Argument;
use ridge_spec::outcome::Rejection;
use ridge_spec::space::Candidate;

fn bind(spec: &KernelSpec, workload: &str) -> Instance {
    spec.bind(spec.workload(workload).unwrap(), &profile()).unwrap()
}

fn candidate(text: &str) -> Candidate {
    Candidate::parse(text).unwrap()
}

#[test]
fn an_instance_has_every_size() {
    let spec = example();
    let instance = bind(&spec, "ragged");
    let axes: Vec<_> = instance.axes().iter().map(|(name, n)| (name.as_str(), *n)).collect();
    assert_eq!(axes, [("rows", 37), ("cols", 4096), ("half", 2048), ("blocks", 19)]);
    assert_eq!(instance.specialized().collect::<Vec<_>>(), [("cols", 4096), ("half", 2048)]);
    let names: Vec<_> = instance.inputs().iter().map(|input| input.name.as_str()).collect();
    assert_eq!(names, ["x", "weight"]);
    let x = instance.tensor("x").unwrap();
    assert_eq!(
        (x.shape.as_slice(), x.elements(), x.size_bytes()),
        ([37, 4096].as_slice(), 151_552, 606_208)
    );
    assert_eq!(x.axes, ["rows", "cols"]);
    let y = &instance.outputs()[0];
    assert_eq!((y.name.as_str(), y.dtype), ("y", Dtype::F32));
    let eps = &instance.scalars()[0];
    assert_eq!(
        (eps.name.as_str(), eps.dtype, eps.value.to_bits()),
        ("eps", Dtype::F32, 1e-5f64.to_bits())
    );
    assert_eq!(instance.tolerance().absolute.to_bits(), 1e-5f64.to_bits());
    assert_eq!(instance.tolerance().matched_ratio.to_bits(), 1.0f64.to_bits());
    assert_eq!(instance.bytes_min(), 2 * 37 * 4096 * 4);
    assert_eq!(instance.flops(), 4 * 37 * 4096);
    assert_eq!(instance.workload().role, Role::Verify);
    assert_eq!(instance.workload().to_string(), "cols=4096,rows=37,T=f32,eps=1e-5");
}

#[test]
fn an_input_is_constant_where_no_axis_is_dynamic_or_the_author_says_so() {
    let constants = |edits: &[(&str, &str)]| {
        let instance = bind(&read(&edited(edits)), "ragged");
        let names = instance.inputs().iter().filter(|input| input.constant);
        names.map(|input| input.name.clone()).collect::<Vec<_>>().join(" ")
    };
    let (x, weight) = ("x = { shape = [\"rows\", \"cols\"]", "weight = { shape = [\"cols\"]");
    assert_eq!(constants(&[]), "weight");
    assert_eq!(constants(&[(x, &format!("{x}, constant = true"))]), "x weight");
    assert_eq!(constants(&[(weight, &format!("{weight}, constant = false"))]), "");
    // Derived from a specialized axis, from a dynamic one, and without axes.
    let shaped =
        |axes: &str| constants(&[(x, &format!("t = {{ shape = [{axes}], dtype = \"T\" }}\n{x}"))]);
    assert_eq!(shaped("\"half\""), "t weight");
    assert_eq!(shaped("\"half\", \"blocks\""), "weight");
    assert_eq!(shaped(""), "t weight");
}

#[test]
fn a_tolerance_of_an_output_comes_before_a_general_one_and_a_workloads_before_the_specs() {
    let found = |of_spec: &str, of_workload: &str| {
        let spec = read(&edited(&[
            ("matched_ratio = 1.0", &format!("matched_ratio = 1.0\n{of_spec}")),
            ("tolerance = { absolute = 1e-5, relative = 1e-5 }", of_workload),
        ]));
        let own = bind(&spec, "ragged").output_tolerances()[0];
        (own.absolute, own.relative, own.matched_ratio)
    };
    let (general, none) = ("tolerance = { absolute = 1e-5, relative = 1e-5 }", "");
    let of_spec = "outputs = { y = { relative = 1e-7 } }";
    assert_eq!(found(none, none), (1e-2, 1e-2, 1.0));
    assert_eq!(found(none, general), (1e-5, 1e-5, 1.0));
    assert_eq!(found(of_spec, none), (1e-2, 1e-7, 1.0));
    assert_eq!(found(of_spec, general), (1e-2, 1e-7, 1.0));
    let own = "tolerance = { absolute = 1e-5, outputs = { y = { matched_ratio = 0.5 } } }";
    assert_eq!(found(none, own), (1e-5, 1e-2, 0.5));
    assert_eq!(found(of_spec, own), (1e-2, 1e-7, 0.5));
    let own = "tolerance = { outputs = { y = { absolute = 3.0 } } }";
    assert_eq!(found(none, own), (3.0, 1e-2, 1.0));
    assert_eq!(found(of_spec, own), (3.0, 1e-7, 1.0));
}

#[test]
fn without_a_cost_every_tensor_moves_once_and_the_math_is_counted() {
    let text = kernel_fixture::EXAMPLE;
    let spec = read(&text[..text.find("[cost]").unwrap()]);
    let instance = bind(&spec, "qwen3-prefill");
    assert_eq!(instance.bytes_min(), (2 * 4096 * 4096 + 4096) * 2);
    assert!(instance.flops() >= 3 * 4096 * 4096, "{}", instance.flops());
}

#[test]
fn a_candidate_becomes_a_launch() {
    let spec = example();
    let instance = bind(&spec, "ragged");
    let candidate = candidate("threads_per_row=64,rows_per_block=8,hold=shared,registers=32");
    let plan = spec.launch(&instance, &candidate);
    // 8 rows of 4096 f32 and 128 bytes: within the device's 232,448.
    let plan = plan.unwrap();
    assert_eq!(plan.config.grid, [5, 1, 1]);
    assert_eq!(plan.config.block, [64, 8, 1]);
    assert_eq!(plan.config.shared_memory_bytes, 8 * 4096 * 4 + 128);
    // Clusters of one block are none.
    assert_eq!(plan.config.cluster, None);
    assert!(plan.config.programmatic);
    let tensor = |name: &str| Argument::Tensor { name: name.to_owned() };
    let integer = |name: &str, value| Argument::Integer { name: name.to_owned(), value };
    let eps = Argument::Scalar { name: "eps".to_owned(), dtype: Dtype::F32, value: 1e-5 };
    let expected = [
        tensor("x"),
        tensor("weight"),
        tensor("y"),
        integer("rows", 37),
        eps,
        integer("cols * sizeof(T)", 16384),
    ];
    assert_eq!(plan.arguments, expected);
}

/// Checks why the example's launch is refused after an edit.
#[track_caller]
fn check_refused(old: &str, new: &str, expected: &str) {
    let spec = read(&edited(&[(old, new)]));
    let instance = bind(&spec, "qwen3-prefill");
    let candidate = spec.space.default.clone().unwrap();
    let found = match spec.launch(&instance, &candidate).unwrap_err() {
        Rejection::Launch { message } => message,
        Rejection::Resources { resource, required, limit } => {
            format!("{resource:?}: {required} of {limit}")
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(found, expected);
}

#[test]
fn clusters_of_several_blocks_are_part_of_the_launch() {
    let spec = read(&kernel_fixture::EXAMPLE.replace("cluster = [\"1\"]", "cluster = [\"4\"]"));
    let candidate = candidate("threads_per_row=64,rows_per_block=8,hold=shared,registers=32");
    let plan = spec.launch(&bind(&spec, "qwen3-prefill"), &candidate).unwrap();
    assert_eq!(plan.config.cluster, Some([4, 1, 1]));
}

#[test]
fn a_launch_that_cannot_be_is_a_value() {
    let grid = "ceil_div(rows, rows_per_block)";
    let block = "block = [\"threads_per_row\", \"rows_per_block\"]";
    let shared = "* sizeof(T) + 128\"";
    let cluster = "cluster = [\"1\"]";
    check_refused(grid, "rows - 4096", "`grid` is 0 along x: `rows - 4096`");
    check_refused(grid, "1\", \"-2", "`grid` is -2 along y: `-2`");
    check_refused(grid, "rows * rows * rows", "GridBlocks: 68719476736 of 2147483647");
    check_refused(grid, "1\", \"70000", "GridBlocks: 70000 of 65535");
    check_refused(block, "block = [\"threads_per_row * 16\"]", "ThreadsPerBlock: 2048 of 1024");
    check_refused(
        block,
        "block = [\"1\", \"1\", \"128\"]",
        "`block` is 128 along z, and 64 is the most",
    );
    check_refused(shared, "+ 232449\"", "SharedMemoryPerBlock: 232449 of 232448");
    check_refused(shared, "- 1\"", "`shared_memory_bytes` is -1");
    check_refused(
        cluster,
        "cluster = [\"3\"]",
        "`grid` is 4096 along x, which clusters of 3 do not divide",
    );
    check_refused(cluster, "cluster = [\"16\"]", "ClusterBlocks: 16 of 8");
    check_refused(
        grid,
        "rows / (rows_per_block - 1)",
        "`rows / (rows_per_block - 1)` divides by zero with rows = 4096, rows_per_block = 1",
    );
}

#[test]
fn the_source_sees_types_specialized_axes_and_parameters() {
    let spec = example();
    let instance = bind(&spec, "qwen3-prefill");
    let bindings = spec.bindings(&instance, spec.space.default.as_ref().unwrap());
    let names: Vec<&str> = bindings.iter().map(|(name, _)| name).collect();
    let expected = ["T", "cols", "half", "threads_per_row", "rows_per_block", "hold", "registers"];
    assert_eq!(names, expected);
    assert_eq!(names, spec.bound_names());
    let spell = |dtype: Dtype| format!("<{dtype}>");
    let expanded: Vec<String> =
        spec.templates().iter().map(|text| bindings.expand(text, spell).unwrap()).collect();
    assert_eq!(
        expanded,
        ["rmsnorm<<bf16>, 4096, 2048, 128, 1, Hold::registers>", "--maxrregcount=64"]
    );
    assert_eq!(bindings.expand("a{{{hold}}}b", spell).unwrap(), "a{registers}b");
    assert_eq!(bindings.expand("{holt}", spell).unwrap_err().hint.unwrap(), "did you mean `hold`?");
    assert_eq!(Bindings::macro_name("threads_per_row"), "RIDGE_THREADS_PER_ROW");
}

#[test]
fn a_foreign_workload_is_checked_when_bound() {
    let spec = example();
    let own = spec.workload("ragged").unwrap().clone();
    let check = |edit: &dyn Fn(&mut ridge_spec::kernel::Workload), expected: &str| {
        let mut workload = own.clone();
        edit(&mut workload);
        let diagnostic = spec.bind(&workload, &profile()).unwrap_err();
        assert_eq!(format!("{}: {}", diagnostic.code, diagnostic.message), expected);
    };
    check(
        &|w| w.axes.retain(|name, _| name != "rows"),
        "spec.workload-axis: workload `ragged` gives no `rows`",
    );
    check(
        &|w| w.axes.extend([("half".to_owned(), 2)]),
        "spec.workload-axis: workload `ragged` gives the derived axis `half`",
    );
    check(
        &|w| w.axes.extend([("row".to_owned(), 2)]),
        "spec.workload-axis: workload `ragged` gives `row`, which is no axis",
    );
    check(
        &|w| w.axes.extend([("rows".to_owned(), 0)]),
        "spec.extent: `rows` is 0 in workload `ragged`",
    );
    check(
        &|w| w.axes.extend([("cols".to_owned(), 1)]),
        "spec.extent: `half` is 0 in workload `ragged`",
    );
    check(
        &|w| w.types.extend([("T".to_owned(), Dtype::I8)]),
        "spec.workload-type: workload `ragged` has `T = i8`",
    );
    check(
        &|w| w.types = BTreeMap::new(),
        "spec.workload-type: workload `ragged` gives no type `T`",
    );
    check(
        &|w| w.scalars.extend([("x".to_owned(), 1.0)]),
        "spec.workload-scalar: workload `ragged` gives `x`, which is no scalar input",
    );
    check(
        &|w| w.axes.extend([("rows".to_owned(), i64::MAX)]),
        "spec.tensor-size: `x` would have 9223372036854775807 × 4096 elements",
    );
}

#[test]
fn the_space_is_legal_for_the_instance() {
    let spec = example();
    let instance = bind(&spec, "qwen3-prefill");
    let legal = spec.space.legal(instance.scope()).unwrap();
    assert_eq!((legal.product_size(), legal.len()), (120, 102));
    assert!(legal.find(spec.space.default.as_ref().unwrap()).is_some());
}

#[test]
fn identity_is_content_and_files() {
    let spec = example();
    let file = |text: &str| BTreeMap::from([("rmsnorm.cu".to_owned(), text.as_bytes().to_vec())]);
    let digest = spec.digest(&file("a"));
    // Comments, spacing and the order of sections mean nothing.
    let moved = format!("# a comment\n{}", kernel_fixture::EXAMPLE.replace(" = ", "   =  "));
    assert_eq!(read(&moved).digest(&file("a")), digest);
    assert_ne!(spec.digest(&file("b")), digest);
    assert_ne!(spec.digest(&BTreeMap::new()), digest);
    assert_ne!(read(&edited(&[("rows = 4096", "rows = 4097")])).digest(&file("a")), digest);
    assert_ne!(read(&edited(&[("[32, 64, 128]", "[64, 32, 128]")])).digest(&file("a")), digest);
    assert_eq!(spec.files(), ["rmsnorm.cu"]);
    insta::assert_snapshot!("canonical", spec.canonical());
    // What is stored refers to this digest: a change of it orphans every record.
    insta::assert_snapshot!("digest", digest.to_string());
}

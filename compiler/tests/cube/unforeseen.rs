//! Mathematics that nobody wrote for a generator.

use std::fmt::Write as _;

use ridge_compiler::cube::{self, Fusion};
use ridge_spec::kernel::KernelSpec;

use super::support::{rows, source};

const WIDE: &str = "y = { shape = [\"rows\", \"cols\"], dtype = \"T\" }";

fn completed(text: &str) -> KernelSpec {
    cube::complete(&KernelSpec::parse("kernel.toml", text).unwrap()).unwrap()
}

/// The default candidate's kernel for this math.
fn text(math: &str) -> String {
    source(&completed(&rows(math, WIDE)), "w", "").unwrap().text
}

/// A walk that follows every use of a value would take 2^650 steps, and one that calls itself needs
/// a deep stack.
#[test]
fn values_used_twice_in_a_long_chain_are_written_once() {
    let mut math = "v0 = x\n".to_owned();
    for n in 1..650 {
        writeln!(math, "v{n} = v{} * 0.9 + tanh(v{})", n - 1, n - 1).unwrap();
    }
    assert!(text(&format!("{math}y = v649")).len() < 4 << 20);
}

/// CUDA's approximate power goes by the logarithm: NaN for a base below 0.
#[test]
fn powers_are_approximate_only_where_a_base_below_0_has_none() {
    let check = |exponent: &str, approximate: bool, function: bool| {
        let text = text(&format!("y = pow(x, {exponent})"));
        assert_eq!(text.contains("__powf("), approximate, "{exponent}");
        assert_eq!(text.contains("pow"), function, "{exponent}");
    };
    check("4", false, false);
    check("7", false, false);
    check("-2", false, false);
    check("0", false, false);
    check("100", false, true);
    check("inf", false, true);
    check("index(cols)", false, true);
    check("2.5", true, true);
}

#[test]
fn a_kernel_may_be_called_what_cpp_keeps_for_itself() {
    let text = rows("y = x * 2", WIDE);
    for name in ["int", "union", "max", "int32", "float-2"] {
        let spec = completed(&text.replace("name = \"case\"", &format!("name = \"{name}\"")));
        let expected = format!("ridge::{}_kernel", name.replace('-', "_"));
        assert_eq!(source(&spec, "w", "").unwrap().entry, expected);
    }
}

/// A sum that is the same for every row is made by every row, not by one block for all.
#[test]
fn what_keeps_no_axis_leaves_the_rows() {
    let text = rows("y = x / sum(shares, cols)", WIDE);
    let inputs = "[inputs]\nshares = { shape = [\"cols\"], dtype = \"f32\" }";
    let spec = completed(&text.replace("[inputs]", inputs));
    assert_eq!(Fusion::of(&spec).unwrap().rows, ["rows"]);
    source(&spec, "w", "").unwrap();
}

#[test]
fn a_narrowed_space_has_a_legal_default() {
    let text = rows("y = sum(x, cols)", "y = { shape = [\"rows\"], dtype = \"f32\" }");
    let check = |space: &str, expected: &str| {
        let spec = KernelSpec::parse("kernel.toml", &format!("{text}\n{space}")).unwrap();
        let found = match cube::complete(&spec) {
            Ok(spec) => {
                let own = spec.space.default.unwrap();
                format!(
                    "{} {}",
                    own.get("threads_per_row").unwrap(),
                    own.get("rows_per_block").unwrap()
                )
            }
            Err(errors) => errors[0].message.clone(),
        };
        assert!(found.starts_with(expected), "{space}: {found}");
    };
    let lists = "[space.parameters]\nthreads_per_row = [32, 64]\nrows_per_block = [1, 2, 4]";
    check(lists, "32 4");
    check(&format!("[space]\nconstraints = [\"rows_per_block == 2\"]\n{lists}"), "64 2");
    check(
        &format!("[space]\ndefault = {{ threads_per_row = 64, rows_per_block = 2 }}\n{lists}"),
        "64 2",
    );
    check(
        &format!("[space]\ndefault = {{ threads_per_row = 32, rows_per_block = 1 }}\n{lists}"),
        "the default is not legal",
    );
}

//! What cannot be one kernel is refused with its place and what to write instead.

use std::fmt::Write as _;

use ridge_compiler::cube;
use ridge_spec::kernel::KernelSpec;

use super::support::rows;

/// What a spec with this math is refused with.
fn refusal(math: &str, outputs: &str) -> String {
    shown(&rows(math, outputs))
}

fn shown(text: &str) -> String {
    let spec = KernelSpec::parse("kernel.toml", text);
    let errors = match spec {
        Ok(spec) => match cube::complete(&spec) {
            Ok(_) => return "accepted\n".to_owned(),
            Err(errors) => errors,
        },
        Err(errors) => errors,
    };
    let mut shown = String::new();
    for error in errors {
        let place = error
            .location
            .as_ref()
            .map_or_else(|| "-".to_owned(), |at| format!("{}:{}", at.line, at.column));
        writeln!(shown, "{place} {}: {}", error.code, error.message).unwrap();
        if let Some(hint) = error.hint {
            writeln!(shown, "    {hint}").unwrap();
        }
    }
    shown
}

#[test]
fn refusals_name_the_node_and_what_to_write() {
    let row = "y = { shape = [\"rows\"], dtype = \"f32\" }";
    let wide = "y = { shape = [\"rows\", \"cols\"], dtype = \"T\" }";
    let cases = [
        ("along an outer axis", "y = sum(turned, cols)", row),
        ("the transpose", "y = turned * 2", wide),
        ("a reduction of rows", "y = sum(x, rows)", "y = { shape = [\"cols\"], dtype = \"f32\" }"),
        ("a reduction of reductions", "m = mean(x, cols)\ny = x - mean(m, rows)", wide),
        ("a row of unknown length", "y = sum(long, free)", row),
        (
            "one output behind another",
            "y = x * 2\nz = long * 2",
            "y = { shape = [\"rows\", \"cols\"], dtype = \"T\" }\nz = { shape = [\"rows\", \"free\"], dtype = \"T\" }",
        ),
        ("another row's reduction", "y = x - take(max(x, cols), index(rows) * 0, rows)", wide),
        (
            "an output without rows",
            "y = sum(x, cols)\nz = index(cols) + 0",
            "y = { shape = [\"rows\"], dtype = \"f32\" }\nz = { shape = [\"cols\"], dtype = \"f32\" }",
        ),
        (
            "a cut that only the launch knows",
            "y = x[cols: 0 .. free as part]",
            "y = { shape = [\"rows\", \"part\"], dtype = \"T\" }",
        ),
    ];
    let mut all = String::new();
    for (name, math, outputs) in cases {
        write!(all, "== {name}\n{}", refusal(math, outputs)).unwrap();
    }
    insta::assert_snapshot!(all);
}

#[test]
fn what_is_written_narrows_the_space() {
    let text = rows("y = x * 2", "y = { shape = [\"rows\", \"cols\"], dtype = \"T\" }");
    let with = |space: &str| shown(&format!("{text}\n[space.parameters]\n{space}"));
    let mut all = String::new();
    for space in [
        "threads_per_block = [128]",
        "threads = [128]",
        "threads_per_block = [100]",
        "unroll = [\"two\"]",
    ] {
        write!(all, "== {space}\n{}", with(space)).unwrap();
    }
    insta::assert_snapshot!(all);
}

#[test]
fn an_axis_may_not_bear_a_parameters_name() {
    let text = rows("y = x * 2", "y = { shape = [\"rows\", \"cols\"], dtype = \"T\" }");
    let text = text.replace("cols", "unroll");
    insta::assert_snapshot!(shown(&text));
}

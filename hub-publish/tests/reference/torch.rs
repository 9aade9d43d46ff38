//! Runs the generated code, where there is a Python with torch.

use std::path::PathBuf;
use std::process::Command;

use ridge_hub_publish::reference;

use super::{cases, spec, specs};

/// A Python that imports torch: `RIDGE_TEST_PYTHON`, or `python3`.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("RIDGE_TEST_PYTHON").map_or("python3".into(), PathBuf::from);
    let tried = Command::new(&python).args(["-c", "import torch"]).output();
    if tried.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    println!("skipped: no Python with torch; set RIDGE_TEST_PYTHON to one");
    None
}

/// Programs with what the library does not use.
fn programs() -> Vec<(String, ridge_spec::kernel::KernelSpec)> {
    let declarations = "[axes]\na = \"dynamic\"\nb = \"specialized\"\nhalf = { expression = \"b / 2\" }\n\
        [inputs]\nx = { shape = [\"a\", \"b\"], dtype = \"f32\" }\nv = { shape = [\"b\"], dtype = \"f64\" }\n\
        n = { shape = [\"b\", \"a\"], dtype = \"i32\" }\nm = { shape = [\"a\"], dtype = \"bool\" }\n\
        s = { dtype = \"f32\", default = 0.5 }\n\
        [outputs]\ny = { shape = [\"b\", \"a\"], dtype = \"f32\" }\n\
        [[workloads]]\nname = \"w\"\naxes = { a = 5, b = 6 }\nrole = \"verify\"\n";
    let maths = [
        "y = where(m && x > 0, x * v, s) + sqrt(b) * n",
        "y = max(x, v) - min(x, 0.25) + pow(abs(x), 2) + sum(x, a, b) + n * v * m",
        "part = x[b: 0 .. half as half]\ny = broadcast(concat(part, part, half as b) + v * m + n * 0, a)",
        "y = x[b: 2] + v * 2 + 0 * n - index(b) * index(a) + floor(x) + !m",
        "y = cast(x * 100, i8) + cast(v, f8e4m3) * m + n * (n > 3) + cast(s, bf16)",
        "y = exp(1 - s) * log(2 + abs(x)) + erf(x) - erfc(v) * tanh(s) + cos(x) * sin(v) + round(x * 4) * m + n",
        "y = take(x, index(a), a) * v + n * m + take(v, index(b), b) + sum(n, a) + mean(n, b) + max(n, a)",
    ];
    maths
        .iter()
        .enumerate()
        .map(|(number, math)| (format!("program-{number}"), spec(declarations, math)))
        .collect()
}

#[test]
fn torch_computes_what_the_interpreter_does() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut count = 0;
    for (name, spec) in specs().into_iter().chain(programs()) {
        let Some(text) = reference::python(&spec) else { continue };
        std::fs::write(folder.path().join(format!("{name}.py")), text).unwrap();
        for case in cases::of(&name, &spec) {
            let path = folder.path().join(format!("{}.json", case.name));
            std::fs::write(path, case.content.to_string()).unwrap();
            count += 1;
        }
    }
    assert!(count > 40, "{count}");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/compare.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains(&format!("{count} cases")), "{text}");
}

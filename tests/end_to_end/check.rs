//! `ridge check`: verdicts, lines, exit status.

use super::ridge::{Scratch, toolkit_is_there};

/// Checks the library's rms norm with some of its source replaced; answers the status and the
/// codes of the rejections, with the source line each names.
#[track_caller]
fn check(replacements: &[(&str, &str)], expected_status: i32, expected: &[(&str, &str)]) {
    let scratch = Scratch::new();
    if !toolkit_is_there(&scratch) {
        return;
    }
    scratch.kernel("rmsnorm", replacements);
    let run = scratch.run(&["check", "rmsnorm", "--workload", "ragged-rows", "--format", "json"]);
    assert_eq!(run.status, Some(expected_status), "{}{}", run.stdout, run.stderr);
    let source = std::fs::read_to_string(scratch.path().join("rmsnorm/rmsnorm.cu")).unwrap();
    let answer = run.json();
    let mut found = Vec::new();
    for workload in answer["candidates"][0]["workloads"].as_array().unwrap() {
        let rejection = &workload["rejection"];
        let Some(kind) = rejection["kind"].as_str() else { continue };
        let line = rejection["finding"]["source"]["line"]
            .as_u64()
            .and_then(|line| source.lines().nth(usize::try_from(line).unwrap() - 1))
            .map_or("", str::trim);
        found.push((kind.to_owned(), line.to_owned()));
    }
    let found: Vec<(&str, &str)> = found.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(found, expected, "{}", run.stdout);
}

#[test]
fn the_library_passes() {
    check(&[], 0, &[]);
}

#[test]
fn a_missing_barrier_is_a_race_between_its_two_lines() {
    check(
        &[("        __syncthreads();\n", "")],
        1,
        &[("race", "if (threadIdx.x % 32 == 0) mine[threadIdx.x / 32] = value;")],
    );
}

#[test]
fn a_wrong_result_is_incorrect() {
    check(&[("* (1.0f / kCols)", "* (1.1f / kCols)")], 1, &[("incorrect", "")]);
}

#[test]
fn a_source_that_does_not_compile_names_its_line() {
    let scratch = Scratch::new();
    if !toolkit_is_there(&scratch) {
        return;
    }
    scratch.kernel("rmsnorm", &[("const float scale = rsqrtf", "const float scale = rsqrtff")]);
    let run = scratch.run(&["check", "rmsnorm", "--workload", "one-row", "--format", "json"]);
    assert_eq!(run.status, Some(1), "{}{}", run.stdout, run.stderr);
    let rejection = &run.json()["candidates"][0]["workloads"][0]["rejection"];
    assert_eq!(rejection["kind"], "compile", "{rejection}");
    assert_eq!(rejection["diagnostics"][0]["file"], "rmsnorm.cu", "{rejection}");
    let source = std::fs::read_to_string(scratch.path().join("rmsnorm/rmsnorm.cu")).unwrap();
    let line = source.lines().position(|line| line.contains("rsqrtff")).unwrap() + 1;
    assert_eq!(rejection["diagnostics"][0]["line"], line, "{rejection}");
}

#[test]
fn a_file_outside_cannot_be_read_through_an_error() {
    let scratch = Scratch::new();
    if !toolkit_is_there(&scratch) {
        return;
    }
    scratch.write("secret.txt", "the secret text\n");
    let secret = scratch.path().join("secret.txt").display().to_string();
    for include in [format!("\"{secret}\""), "\"../secret.txt\"".to_owned()] {
        scratch
            .kernel("rmsnorm", &[("struct __half", &format!("#include {include}\nstruct __half"))]);
        let run = scratch.run(&["check", "rmsnorm", "--workload", "one-row"]);
        assert_eq!(run.status, Some(1), "{}{}", run.stdout, run.stderr);
        assert!(!run.stdout.contains("the secret text"), "{}", run.stdout);
        assert!(run.stdout.contains("include"), "{}", run.stdout);
    }
}

#[test]
fn a_kernel_that_never_ends_is_stopped_and_its_loop_named() {
    let scratch = Scratch::new();
    if !toolkit_is_there(&scratch) {
        return;
    }
    scratch.kernel(
        "rmsnorm",
        &[(
            "    W* target =",
            "    while (*reinterpret_cast<volatile const float*>(&scale) == scale) {\n    }\n    W* target =",
        )],
    );
    let run = scratch.run(&["check", "rmsnorm", "--workload", "one-row", "--format", "json"]);
    assert_eq!(run.status, Some(1), "{}{}", run.stdout, run.stderr);
    let rejection = &run.json()["candidates"][0]["workloads"][0]["rejection"];
    assert_eq!(rejection["kind"], "timeout", "{rejection}");
    assert!(rejection["finding"]["source"]["line"].is_u64(), "{rejection}");
}

//! `ridge tune`: what it writes, and that a killed campaign goes on as if it had not been.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use super::ridge::{Run, Scratch, toolkit_is_there};

const BUDGET: &str = "10";

/// Another of the same artifacts, for a campaign on two.
const SECOND: &str = "qwen3-8b-decode-16";

/// One workload of the library's, so that the tests do not tune all of them.
pub(crate) const WORKLOAD: &str = "qwen3-8b-prefill-4096";

fn tune(scratch: &Scratch, out: &str) -> Run {
    scratch.run(&[
        "tune",
        "rmsnorm",
        "--workload",
        WORKLOAD,
        "--target",
        "h200",
        "--budget",
        BUDGET,
        "--seed",
        "7",
        "--out",
        out,
        "--format",
        "json",
    ])
}

/// Each record in order, without what depends on when and how fast it was made.
fn trajectory(folder: &Path) -> Vec<serde_json::Value> {
    let log = std::fs::read_to_string(folder.join("records.jsonl")).unwrap();
    log.lines()
        .map(|line| {
            let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
            let fields = record.as_object_mut().unwrap();
            for field in ["digest", "phases", "environment"] {
                assert!(fields.remove(field).is_some(), "{field}");
            }
            record
        })
        .collect()
}

/// The files of a campaign's priors, by name.
fn priors(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(folder.join("priors"))
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
        })
        .collect()
}

#[test]
fn writes_records_matrix_and_report() {
    let scratch = Scratch::new();
    if !toolkit_is_there(&scratch) {
        return;
    }
    scratch.kernel("rmsnorm", &[]);
    let run = tune(&scratch, "out");
    assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
    let answer = run.json();
    assert_eq!(answer["found"], true);
    let workload = &answer["workloads"][0];
    assert_eq!(workload["n_evaluated"], 10);
    let matrix = std::fs::read_to_string(scratch.path().join("out/tuned.toml")).unwrap();
    assert!(matrix.contains("basis = \"predicted\""), "{matrix}");
    let best = workload["best"][0]["artifact"].as_str().unwrap();
    assert!(matrix.contains(best), "the best artifact is not in\n{matrix}");
    let artifact = scratch.path().join("out/artifacts").join(best);
    for file in ["manifest.json", "kernel.ptx", "kernel.cubin"] {
        assert!(artifact.join(file).is_file(), "{file}");
    }
    let report = std::fs::read_to_string(scratch.path().join("out/report.html")).unwrap();
    assert!(report.contains("<svg"), "no figure");
    assert!(!report.contains("http"), "the report fetches something");
}

#[test]
fn the_same_command_again_evaluates_nothing() {
    let scratch = Scratch::new();
    if !toolkit_is_there(&scratch) {
        return;
    }
    scratch.kernel("rmsnorm", &[]);
    let first = tune(&scratch, "out").json();
    let log = std::fs::read(scratch.path().join("out/records.jsonl")).unwrap();
    let again = tune(&scratch, "out").json();
    assert_eq!(again["workloads"][0]["n_resumed"], 10);
    assert_eq!(again["workloads"][0]["best"], first["workloads"][0]["best"]);
    assert_eq!(std::fs::read(scratch.path().join("out/records.jsonl")).unwrap(), log);
}

/// A campaign on two workloads: the second begins with what the first found.
fn tune_two(out: &str) -> [&str; 13] {
    [
        "tune",
        "rmsnorm",
        "--workload",
        WORKLOAD,
        "--workload",
        SECOND,
        "--budget",
        "8",
        "--seed",
        "7",
        "--out",
        out,
        "--format=json",
    ]
}

#[test]
fn a_killed_campaign_goes_on_to_the_same_records() {
    let scratch = Scratch::new();
    if !toolkit_is_there(&scratch) {
        return;
    }
    scratch.kernel("rmsnorm", &[]);
    let whole = scratch.run(&tune_two("whole"));
    assert_eq!(whole.status, Some(0), "{}{}", whole.stdout, whole.stderr);
    let expected = trajectory(&scratch.path().join("whole"));
    let prior = &whole.json()["workloads"][1]["prior"]["campaigns"];
    assert_eq!(prior.as_array().map(Vec::len), Some(1), "{prior}");
    let log = scratch.path().join("killed/records.jsonl");
    // Killed wherever it is, again and again; the last time in the middle of a write.
    let mut state = 2026u64;
    for _ in 0..6 {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let delay = Duration::from_millis(30 + (state >> 33) % 1500);
        let mut child = scratch.command(&tune_two("killed")).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(delay);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let mut bytes = std::fs::read(&log).unwrap_or_default();
    bytes.extend(b"{\"schema\":1,\"torn");
    std::fs::write(&log, bytes).unwrap();
    let run = scratch.run(&tune_two("killed"));
    assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
    assert_eq!(trajectory(&scratch.path().join("killed")), expected);
    let (killed, whole) = (scratch.path().join("killed"), scratch.path().join("whole"));
    let without_paths = |files: BTreeMap<String, Vec<u8>>| -> Vec<(String, String)> {
        let text = |bytes| String::from_utf8(bytes).unwrap().replace("killed/", "whole/");
        files.into_iter().map(|(name, bytes)| (name, text(bytes))).collect()
    };
    assert_eq!(without_paths(priors(&killed)), without_paths(priors(&whole)));
}

#[test]
fn says_why_it_stopped_and_what_it_began_with() {
    let scratch = Scratch::new();
    if !toolkit_is_there(&scratch) {
        return;
    }
    scratch.kernel("rmsnorm", &[]);
    let tune = |more: &[&str]| {
        let mut arguments = vec!["tune", "rmsnorm", "--workload", WORKLOAD, "--format", "json"];
        arguments.extend(more);
        let run = scratch.run(&arguments);
        assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
        run.json()["workloads"][0].clone()
    };
    let near = tune(&["--out", "near", "--until", "0.01"]);
    assert_eq!(near["stopped_because"]["code"], "roofline");
    assert_eq!(near["strategy"], "portfolio");
    let cold = tune(&["--out", "cold", "--budget", "3", "--no-prior"]);
    assert_eq!(cold["stopped_because"]["code"], "evaluations");
    assert!(cold["prior"].is_null(), "{cold}");
    assert!(!scratch.path().join("cold/priors").exists());
    let warm = tune(&["--out", "warm", "--budget", "3", "--prior", "cold", "near"]);
    let sources = warm["prior"]["campaigns"].as_array().unwrap();
    assert_eq!(sources.len(), 2, "{sources:?}");
    assert!(sources.iter().all(|source| source["share"].as_f64() > Some(0.0)), "{sources:?}");
}

#[test]
fn garbage_in_the_log_is_reported_and_the_records_kept() {
    let scratch = Scratch::new();
    if !toolkit_is_there(&scratch) {
        return;
    }
    scratch.kernel("rmsnorm", &[]);
    tune(&scratch, "out");
    let log = scratch.path().join("out/records.jsonl");
    let mut bytes = b"this is no record\n".to_vec();
    bytes.extend(std::fs::read(&log).unwrap());
    std::fs::write(&log, bytes).unwrap();
    let run = tune(&scratch, "out");
    assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("records.jsonl:1"), "{}", run.stderr);
    assert_eq!(run.json()["workloads"][0]["n_resumed"], 10);
}

#[test]
fn one_bad_kernel_does_not_end_the_campaign() {
    let scratch = Scratch::new();
    if !toolkit_is_there(&scratch) {
        return;
    }
    // Candidates of one kind are wrong; the others win.
    scratch.kernel(
        "rmsnorm",
        &[(
            "    const float scale =",
            "    if (kHold == Hold::shared) __trap();\n    const float scale =",
        )],
    );
    let run = tune(&scratch, "out");
    assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
    let answer = run.json();
    let rejected = answer["workloads"][0]["rejected"].as_object().unwrap();
    assert!(rejected.keys().all(|code| code == "crash"), "{rejected:?}");
    let best = &answer["workloads"][0]["best"][0]["candidate"];
    assert_ne!(best["hold"], "shared");
}

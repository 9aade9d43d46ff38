//! `ridge doctor`, and a machine that has nothing.

use super::ridge::{Scratch, toolkit_is_there};

#[test]
fn every_target_is_proved_by_running_it() {
    let scratch = Scratch::new();
    if !toolkit_is_there(&scratch) {
        return;
    }
    let answer = scratch.run(&["doctor", "--format", "json"]).json();
    let checks = answer["checks"].as_array().unwrap();
    for target in ["h200", "h100", "a100", "l4", "rtx4090", "b200"] {
        let check = checks.iter().find(|check| {
            check["name"]
                .as_str()
                .unwrap()
                .replace(['-', '_'], "")
                .contains(&format!("target {target}"))
        });
        assert_eq!(check.map(|check| &check["works"]), Some(&true.into()), "{target}: {answer}");
    }
}

#[test]
fn what_calibration_times_is_right_in_the_emulator() {
    let scratch = Scratch::new();
    if !toolkit_is_there(&scratch) {
        return;
    }
    let run = scratch.run(&["doctor", "--calibrate", "--device", "emulator", "--format", "json"]);
    assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
    let answer = run.json();
    assert_eq!(answer["probes_checked"], 18, "{answer}");
    assert_eq!(answer["figures"], serde_json::json!([]));
    assert!(answer["profile"].is_null(), "{answer}");
}

#[test]
fn a_calibration_without_a_gpu_is_no_answer() {
    let scratch = Scratch::new();
    let run = scratch.run(&["doctor", "--calibrate", "--device", "cuda:99", "--format", "json"]);
    assert_eq!(run.status, Some(2), "{}{}", run.stdout, run.stderr);
    assert_eq!(run.json()["error"]["code"], "device.none");
}

#[test]
fn without_network_and_toolkit_it_says_what_to_try() {
    let mut scratch = Scratch::new();
    scratch.kernel("rmsnorm", &[]);
    let nowhere = scratch.path().join("nowhere").display().to_string();
    for name in ["HOME", "RIDGE_CACHE"] {
        scratch.set(name, &nowhere);
    }
    for name in
        ["CUDA_HOME", "CUDA_PATH", "RIDGE_TOOLKIT", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONPATH"]
    {
        scratch.set(name, "");
    }
    // An index that nothing answers for stands for a network that is not there.
    scratch.set("PIP_INDEX_URL", "http://127.0.0.1:9/simple");
    scratch.set("PIP_RETRIES", "0");
    scratch.set("PIP_NO_INDEX", "1");
    scratch.set("PIP_FIND_LINKS", &nowhere);
    let run = scratch.run(&["tune", "rmsnorm", "--format", "json"]);
    if run.status == Some(0) {
        println!("skipped: this machine has a CUDA toolkit where every program finds it");
        return;
    }
    assert_eq!(run.status, Some(2), "{}{}", run.stdout, run.stderr);
    let error = &run.json()["error"];
    assert!(error["code"].as_str().unwrap().starts_with("toolchain."), "{error}");
    assert!(error["hint"].is_string(), "{error}");
}

/// Workers compile in another folder than the one that a relative path begins in.
#[test]
fn folders_may_be_relative() {
    let scratch = Scratch::new();
    if !toolkit_is_there(&scratch) {
        return;
    }
    let answer = scratch.run(&["doctor", "--format", "json"]).stdout;
    let library = answer
        .split('"')
        .flat_map(|text| text.split(' '))
        .find(|text| text.contains("libnvrtc.so") && text.starts_with('/'));
    let folder = std::path::Path::new(library.unwrap()).ancestors().nth(2).unwrap();
    std::os::unix::fs::symlink(folder, scratch.path().join("toolkit")).unwrap();
    let run = scratch.run(&["doctor", "--toolkit", "toolkit", "--cache", "cache"]);
    assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("/toolkit/lib/libnvrtc.so"), "{}", run.stdout);
}

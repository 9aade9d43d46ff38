//! `ridge simulate`: landscapes in, a comparison out.

use super::ridge::{Run, Scratch, library};

/// A Kernel Tuner cache of 120 configurations, whole or cut off in its last entry.
fn write_cache(scratch: &Scratch, file: &str, device: &str, whole: bool) {
    let mut entries = Vec::new();
    for x in 1..=12 {
        for y in 1..=10 {
            let time = match (x + y) % 9 {
                8 => "\"RuntimeFailedConfig\"".to_owned(),
                _ => format!("{}.5", 10 + (x - 7i32).abs() * 3 + (y - 4i32).abs() * 2),
            };
            entries.push(format!("\"{x},{y}\": {{\"x\": {x}, \"y\": {y}, \"time\": {time}}}"));
        }
    }
    let mut text = format!(
        "{{\"device_name\": \"{device}\", \"kernel_name\": \"gemm\", \"problem_size\": [64],\n\
         \"tune_params_keys\": [\"x\", \"y\"], \"tune_params\": {{}},\n\"cache\": {{\n{}}}}}\n",
        entries.join(",\n")
    );
    if !whole {
        text.truncate(text.len() - 20);
    }
    scratch.write(file, &text);
}

#[track_caller]
fn check_refused(run: &Run, code: &str) {
    assert_eq!(run.status, Some(2), "{}{}", run.stdout, run.stderr);
    assert_eq!(run.json()["error"]["code"], code, "{}", run.stdout);
}

#[test]
fn compares_strategies_and_says_which_is_best() {
    let scratch = Scratch::new();
    write_cache(&scratch, "spaces/a.json", "A100", true);
    write_cache(&scratch, "spaces/b.json", "H200", true);
    let flags = ["simulate", "spaces", "--seeds", "5", "--budget", "60", "--out", "curves.html"];
    let run = scratch.run(&flags);
    assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("gemm on A100, 64: 120 candidates"), "{}", run.stdout);
    assert!(run.stdout.contains("\nbest: "), "{}", run.stdout);
    assert!(scratch.path().join("curves.html").exists());
    let json = |threads: &str| {
        let more = ["--threads", threads, "--format", "json"];
        let mut run = scratch.run(&[&flags[..], &more[..]].concat());
        assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
        run.stderr.clear();
        run
    };
    let (one, two) = (json("1"), json("2"));
    assert_eq!(one.stdout, two.stdout);
    let answer = one.json();
    assert_eq!(answer["schema"], 1);
    let strategies = answer["strategies"].as_array().unwrap();
    assert_eq!(strategies[0]["strategy"], answer["best"]);
    let random = strategies.iter().find(|strategy| strategy["strategy"] == "random").unwrap();
    let area = |strategy: &serde_json::Value| strategy["overall"]["area"].as_f64().unwrap();
    assert!(area(&strategies[0]) > area(random), "{answer}");
    assert_eq!(random["per_landscape"].as_array().unwrap().len(), 2);
    assert_eq!(random["overall"]["reached"][2]["evaluations"], 50);
}

#[test]
fn a_torn_cache_is_read_with_a_warning() {
    let scratch = Scratch::new();
    write_cache(&scratch, "torn.json", "A100", false);
    let flags = ["simulate", "torn.json", "--seeds", "1", "--strategy", "descent"];
    let run = scratch.run(&[&flags[..], &["--format", "json"]].concat());
    assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
    let answer = run.json();
    assert_eq!(answer["landscapes"][0]["n_candidates"], 119);
    assert_eq!(answer["warnings"][0]["code"], "landscape.torn");
    assert_eq!(answer["warnings"][0]["location"]["file"], "torn.json");
    assert!(run.stderr.contains("torn.json"), "{}", run.stderr);
}

#[test]
fn bad_input_is_refused_with_its_place() {
    let scratch = Scratch::new();
    scratch.write("other.json", "{\n\"a\": 1}\n");
    scratch.write("broken.json", "{\"cache\": {},\n \"tune_params_keys\": 7}\n");
    let run = |flags: &[&str]| scratch.run(&[&["simulate", "--format", "json"], flags].concat());
    check_refused(&run(&["other.json"]), "landscape.unknown-format");
    check_refused(&run(&["no-such.json"]), "landscape.read");
    let broken = run(&["broken.json"]);
    check_refused(&broken, "landscape.syntax");
    let diagnostic = &broken.json()["error"]["diagnostics"][0];
    assert_eq!(diagnostic["location"]["line"], 2, "{diagnostic}");
    write_cache(&scratch, "a.json", "A100", true);
    check_refused(&run(&["a.json", "--strategy", "magic"]), "strategy.unknown");
    check_refused(&run(&["a.json", "--out", "curves.png"]), "simulate.plot");
}

#[test]
fn the_cost_model_is_judged_on_recorded_campaigns() {
    let scratch = Scratch::new();
    let landscapes = library().parent().unwrap().join("landscapes/h200");
    let file = |name: &str| landscapes.join(name).display().to_string();
    let (small, large) =
        (file("softmax--rows-1024.jsonl.gz"), file("softmax--square-4096.jsonl.gz"));
    let run = scratch.run(&["simulate", "--cost-model", &small, &large, "--format", "json"]);
    assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
    let evaluations = run.json()["evaluations"].as_array().unwrap().clone();
    // One kernel: only shapes can be left out. One other shape teaches nothing.
    assert_eq!(evaluations.len(), 1);
    assert_eq!(evaluations[0]["held_out"], "shape");
    assert_eq!(evaluations[0]["guarded"], evaluations[0]["analytic"]);
    assert!(evaluations[0]["analytic"]["kendall_tau"].as_f64() > Some(0.5), "{evaluations:?}");
    let text = scratch.run(&["simulate", "--cost-model", &small, &large]);
    assert!(text.stdout.contains("median of 2"), "{}", text.stdout);
    let none = scratch.run(&["simulate", "--cost-model", "no/such.jsonl"]);
    assert_eq!(none.status, Some(2));
}

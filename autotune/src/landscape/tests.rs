use super::record_fixture::record;
use super::*;

const RECORDED: &str = r#"{"schema": 1, "device": "D", "kernel": "k", "time_unit": "ns",
 "problem_size": [64, 32],
 "params": {"y": [1, 2], "x": ["a", true]}, "suspect": null,
 "columns": ["value_indices", "status", "median"],
 "rows": [[[1, 0], "ok", 30], [[0, 1], "ok", 20],
 [[0, 0], "compile", null]]}"#;

const CACHE: &str = r#"{
"device_name": "D", "kernel_name": "k", "problem_size": "64",
"tune_params_keys": ["x", "unroll"], "tune_params": {"x": [16, 32], "unroll": [false, true]},
"objective": "time",
"cache": {
"16,False": {"x": 16, "unroll": false, "time": 0.5, "times": [0.75, 0.5, 0.25], "GFLOP/s": NaN},
"32,False": {"x": 32, "unroll": false, "time": "RuntimeFailedConfig"},
"16,True": {"x": 16, "unroll": true, "time": "InvalidConfig"},
"32,True": {"time": 0.125, "times": []}}}"#;

const RESULTS: &str = r#"{"schema_version": "1.0.0", "metadata": {"timeunit": "miliseconds"},
"results": [
{"configuration": {"x": 16}, "times": {"compilation": 1.0, "runtimes": [2.0, 4.0]},
 "invalidity": "correct", "correctness": 1, "measurements": [{"name": "time", "value": 9, "unit": "ms"}]},
{"configuration": {"x": 32}, "times": {"compilation_time": 1.0, "runtimes": []},
 "invalidity": "compile", "correctness": 0, "measurements": []},
{"configuration": {"x": 64}, "times": {"runtimes": []},
 "invalidity": "correct", "correctness": 1, "measurements": [{"name": "time", "value": 1.5, "unit": "ms"}]}]}"#;

/// What a file holds, one landscape a line, and the codes of its warnings.
fn summary(text: &str) -> Result<String, Diagnostic> {
    let reading = read("dir/file.json", text.as_bytes())?;
    let mut lines: Vec<String> = reading
        .landscapes
        .iter()
        .map(|landscape| {
            let points: Vec<String> = (0..landscape.space().len())
                .map(|index| {
                    let outcome = landscape.outcome(index);
                    let what = outcome
                        .time_ns()
                        .map_or_else(|| outcome.code().to_owned(), |time| time.to_string());
                    format!("{} {what}", landscape.space().candidate(index))
                })
                .collect();
            format!("{landscape}: {}", points.join("; "))
        })
        .collect();
    lines.extend(reading.warnings.iter().map(|warning| format!("warning {}", warning.code)));
    Ok(lines.join("\n"))
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(summary(text).unwrap_or_else(|error| panic!("{error:?}")), expected);
}

#[test]
fn reads_the_recorded_format() {
    check(RECORDED, "k on D, 64 x 32: x=a,y=1 compile; x=1,y=1 20; x=a,y=2 30");
}

#[test]
fn reads_kernel_tuner_caches_whole_and_torn() {
    check(
        CACHE,
        "k on D, 64: unroll=0,x=16 500000; unroll=1,x=16 launch; unroll=0,x=32 crash; \
         unroll=1,x=32 125000",
    );
    let two = "k on D, 64: unroll=0,x=16 500000; unroll=0,x=32 crash\nwarning landscape.torn";
    let third = CACHE.find("\"16,True\"").unwrap();
    // Cut right after the comma, inside a key, inside a value.
    for end in [third - 1, third + 4, third + 40] {
        check(&CACHE[..end], two);
    }
}

#[test]
fn every_cut_of_a_cache_is_read_or_refused() {
    for end in 0..CACHE.len() {
        if let Err(error) = summary(&CACHE[..end]) {
            assert!(error.code.starts_with("landscape."), "{end}: {error}");
            assert!(error.location.is_some(), "{end}: {error}");
        }
    }
}

#[test]
fn reads_results() {
    check(RESULTS, "file on file: x=16 3000000; x=32 compile; x=64 1500000");
}

#[track_caller]
fn check_refused(text: &str, from: &str, to: &str, code: &str, line: u32) {
    assert!(text.contains(from), "{from}");
    let error = summary(&text.replace(from, to)).unwrap_err();
    assert_eq!(error.code, code, "{error}");
    assert_eq!(error.location.map_or(0, |place| place.line), line, "{code}");
}

#[test]
fn refuses_what_is_no_landscape() {
    check_refused(RECORDED, "\"schema\": 1", "\"schema\": 2", "landscape.schema", 1);
    check_refused(RECORDED, "\"ns\"", "\"ms\"", "landscape.schema", 1);
    check_refused(RECORDED, "\"median\"]", "\"mean\"]", "landscape.syntax", 4);
    check_refused(RECORDED, "{\"schema\"", "[\"schema\"", "landscape.unknown-format", 1);
    check_refused(RECORDED, "20],", "20],,", "landscape.syntax", 5);
    check_refused(RECORDED, "[[0, 0], \"compile\"", "[[0, 7], \"compile\"", "landscape.row", 6);
    check_refused(RECORDED, "[[1, 0], \"ok\", 30]", "[[1], \"ok\", 30]", "landscape.row", 5);
    check_refused(RECORDED, "[[1, 0], \"ok\", 30]", "[[1, 0], \"ok\", 0]", "landscape.row", 5);
    check_refused(RECORDED, "\"ok\"", "\"runtime\"", "landscape.empty", 5);
    check_refused(CACHE, "\"time\": 0.125, ", "", "landscape.row", 9);
    check_refused(CACHE, "\"32,True\": {", "\"32\": {", "landscape.row", 9);
    check_refused(CACHE, "\"tune_params_keys\"", "\"keys\"", "landscape.syntax", 9);
    check_refused(RESULTS, "\"1.0.0\"", "\"2.0.0\"", "landscape.schema", 1);
    check_refused(RESULTS, "\"miliseconds\"", "\"fortnights\"", "landscape.schema", 1);
    check_refused(RESULTS, "{\"x\": 32}", "{\"y\": 32}", "landscape.row", 5);
    check_refused("{\"a\": 1}", "", "", "landscape.unknown-format", 1);
    check_refused("", "", "", "landscape.unknown-format", 1);
    assert_eq!(read("f", b"\xff").unwrap_err().code, "landscape.not-text");
}

#[test]
fn reads_records_one_landscape_for_each_device_and_workload() {
    let lines = [
        ("H200", 64, "x=1,y=2", 30),
        ("H200", 64, "x=2,y=2", 20),
        ("H200", 128, "x=1,y=2", 50),
        ("A100", 64, "x=1,y=2", 70),
        // A finalist that was refused.
        ("H200", 64, "x=2,y=2", 0),
        ("H200", 64, "x=2", 10),
        ("T4", 64, "x=1,y=2", 0),
    ];
    let log: String = lines
        .iter()
        .map(|&(device, rows, candidate, time)| {
            ridge_spec::record::to_line(&record(device, rows, candidate, time))
        })
        .collect();
    let expected = "k on H200, rows=64: x=1,y=2 30; x=2,y=2 launch\n\
         k on H200, rows=128: x=1,y=2 50\n\
         k on A100, rows=64: x=1,y=2 70\n\
         warning landscape.mixed\nwarning landscape.empty";
    check(&log, expected);
    // Torn, and with a line that is no record.
    let whole = &log[..log.len() - 1];
    let torn = format!("{{\"outcome\": 1, \"candidate\": 2}}\n{whole}");
    let found = summary(&torn).unwrap();
    assert!(found.contains("k on A100") && found.contains("warning record."), "{found}");
    let first = &log[..log.find('\n').unwrap()];
    assert_eq!(summary(first).unwrap_err().code, "landscape.empty");
}

//! A device in a worker process, and what planted faults cost there.

#![allow(
    clippy::unwrap_used,
    clippy::exit,
    clippy::cast_possible_truncation,
    reason = "a test that cannot go on fails; a worker ends as a process; tensors are small"
)]

mod isolated_support;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use isolated_support::launches::{
    N, arguments, artifact, check_images, config, kernel, plan, request, tensor, words,
};
use isolated_support::{Emulated, PROTOCOL};
use ridge_runtime::device::{
    BlockSelection, Buffer, BufferContent, Device, DeviceError, Execution,
};
use ridge_runtime::measure::{Attempt, Contested, Evaluation, Layout, TimingDevice, TimingPlan};
use ridge_runtime::verify::Launch;
use ridge_runtime::worker::{IsolatedDevice, IsolationLimits, WorkerCommand, serve};
use ridge_spec::artifact::Artifact;
use ridge_spec::dtype::Dtype;
use ridge_spec::launch::{Argument, LaunchConfig};
use ridge_spec::outcome::{Limit, Phase, Rejection};

/// This test as a worker: the harness's own output goes elsewhere. `before` is shell.
fn worker(before: &str) -> WorkerCommand {
    let run = "RIDGE_TEST_ROLE=worker exec \"$0\" --exact acts_as_a_worker --nocapture 3>&1 1>&2";
    let arguments = [
        OsString::from("-c"),
        format!("{before}\n{run}").into(),
        std::env::current_exe().unwrap().into(),
    ];
    WorkerCommand { program: "sh".into(), arguments: arguments.into() }
}

fn role(name: &str) -> bool {
    std::env::var_os("RIDGE_TEST_ROLE").is_some_and(|role| role == name)
}

/// The worker's process, which other tests start.
#[test]
fn acts_as_a_worker() {
    if !role("worker") {
        return;
    }
    let open = |device: &str| -> Result<Box<dyn TimingDevice>, String> {
        match device {
            "emulated" => Ok(Box::new(Emulated::new("emulated"))),
            "changing" => Ok(Box::new(Emulated::new(&std::process::id().to_string()))),
            other => Err(format!("there is no device `{other}`")),
        }
    };
    let output = File::options().write(true).open(PROTOCOL).unwrap();
    // As the command line's worker does, whose exit status says so.
    if serve(open, BufReader::new(io::stdin()), output).is_err() {
        std::process::exit(1);
    }
    std::process::exit(0);
}

fn limits() -> IsolationLimits {
    let execute = Duration::from_millis(700);
    IsolationLimits { execute, starts: 2, ..IsolationLimits::default() }
}

fn isolated() -> IsolatedDevice {
    IsolatedDevice::start_with(worker(""), "emulated", limits()).unwrap()
}

mod conformance {
    ridge_runtime::device_conformance!(super::isolated());
}

#[track_caller]
fn check_evaluation(layout: &Layout, evaluation: &Attempt<Evaluation>) {
    let evaluation = evaluation.as_ref().unwrap();
    assert_eq!(evaluation.timing, isolated_support::timing());
    assert_eq!(evaluation.later.len(), 2);
    let again = evaluation.again.as_ref().unwrap();
    check_images(layout, [&evaluation.first, again].into_iter().chain(&evaluation.later));
}

/// Evaluates a candidate with that fault: it is rejected, and the next one is not.
#[track_caller]
fn check(device: &IsolatedDevice, faulty: &Artifact) -> Rejection {
    let mut stage = device.stage(request()).unwrap();
    let arguments = arguments();
    let launch = |artifact| Launch { artifact, config: config(), arguments: &arguments };
    let rejection = stage.evaluate(&launch(faulty), &plan()).unwrap().unwrap_err();
    let honest = kernel("honest");
    for _ in 0..2 {
        let evaluation = stage.evaluate(&launch(&honest), &plan()).unwrap();
        check_evaluation(stage.layout(), &evaluation);
    }
    *rejection
}

#[track_caller]
fn check_crash(fault: &str, expected_phase: Phase, expected: &str) {
    match check(&isolated(), &kernel(&format!("fault: {fault}"))) {
        Rejection::Crash { phase, message, finding: None } => {
            assert_eq!(phase, expected_phase, "{message}");
            assert!(message.contains(expected), "{message}");
        }
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn workers_that_die_cost_one_candidate_with_the_phase_they_died_in() {
    check_crash("abort", Phase::Verify, "was killed by signal 6 (SIGABRT)");
    check_crash("load-abort", Phase::Load, "signal 6");
    check_crash("measure-abort", Phase::Measure, "signal 6");
    check_crash("kill", Phase::Verify, "was killed by signal 9 (SIGKILL)");
    check_crash("exit", Phase::Verify, "ended with exit status 3");
    check_crash("panic", Phase::Verify, "a planted panic");
    check_crash("child", Phase::Verify, "ended with exit status 4");
}

#[test]
fn workers_that_say_what_they_should_not_cost_one_candidate() {
    check_crash("nonsense", Phase::Verify, "answered nonsense");
    check_crash("not-text", Phase::Verify, "answered nonsense");
    check_crash("truncated", Phase::Verify, "ended with exit status 0");
    check_crash("endless-line", Phase::Verify, "answered without end");
    check_crash("closed", Phase::Verify, "closed its output");
    check_crash("other-request", Phase::Verify, "nonsense");
    check_crash("other-answer", Phase::Measure, "no evaluation");
    check_crash("huge-set", Phase::Measure, "an image of set 4294967295 of 3");
    check_crash("many-images", Phase::Measure, "10000 images instead of 2");
    check_crash("shortened", Phase::Measure, "nonsense");
    check_crash("surplus", Phase::Measure, "ended with exit status 1");
}

#[test]
fn workers_that_hang_cost_one_candidate_its_time() {
    let endless = artifact("", "\nagain:\n  bra again;");
    let chatter = kernel("fault: endless-lines");
    for (faulty, expected) in [(endless, Phase::Verify), (chatter, Phase::Load)] {
        match check(&isolated(), &faulty) {
            Rejection::Timeout {
                phase,
                limit: Some(Limit::TimeNs(500_000_000)),
                finding: None,
            } => {
                assert_eq!(phase, expected);
            }
            other => unreachable!("{other:?}"),
        }
    }
}

#[test]
fn a_device_that_is_lost_once_and_found_again_costs_one_candidate() {
    check_crash("lost", Phase::Verify, "fell off the bus");
}

#[test]
fn what_kernels_print_is_no_answer() {
    let device = isolated();
    let mut stage = device.stage(request()).unwrap();
    let (artifact, arguments) = (kernel("fault: print"), arguments());
    let launch = Launch { artifact: &artifact, config: config(), arguments: &arguments };
    check_evaluation(&stage.layout().clone(), &stage.evaluate(&launch, &plan()).unwrap());
}

#[test]
fn a_rejection_by_the_device_is_passed_on_and_the_stage_put_back() {
    let device = isolated();
    let before = device.worker_id();
    let rejection = check(&device, &kernel("fault: clobber-rejected"));
    assert!(rejection.summary().contains("illegal address"), "{rejection:?}");
    let misaligned = artifact(
        "",
        "\n .reg .b64 p; .reg .b32 v;\n ld.param.u64 p, [in];\n ld.global.u32 v, [p+2];\n ret;",
    );
    assert_eq!(check(&device, &misaligned).code(), "misaligned");
    assert_eq!(device.worker_id(), before, "neither took the worker down");
}

#[test]
fn a_stage_is_put_back_when_the_judge_wants_it() {
    let device = isolated();
    let mut stage = device.stage(request()).unwrap();
    let arguments = arguments();
    let launch = |artifact| Launch { artifact, config: config(), arguments: &arguments };
    let (clobber, honest) = (kernel("fault: clobber"), kernel("honest"));
    stage.evaluate(&launch(&clobber), &plan()).unwrap().unwrap();
    let damaged = stage.evaluate(&launch(&honest), &plan()).unwrap().unwrap();
    assert_eq!(tensor(stage.layout(), &damaged.first, "in")[..4], [0xee; 4]);
    device.recycle(damaged.first);
    device.restore_stage();
    let evaluation = stage.evaluate(&launch(&honest), &plan()).unwrap();
    check_evaluation(stage.layout(), &evaluation);
}

#[test]
fn a_worker_whose_device_is_used_up_is_replaced() {
    let device = isolated();
    let before = device.worker_id();
    let mut stage = device.stage(request()).unwrap();
    let arguments = arguments();
    for comment in ["fault: unusable", "honest"] {
        let artifact = kernel(comment);
        let launch = Launch { artifact: &artifact, config: config(), arguments: &arguments };
        let evaluation = stage.evaluate(&launch, &plan()).unwrap();
        check_evaluation(stage.layout(), &evaluation);
    }
    assert_ne!(device.worker_id(), before);
    assert!(device.is_usable());
}

#[test]
fn a_worker_killed_while_it_waits_costs_nobody_anything() {
    let device = isolated();
    let mut stage = device.stage(request()).unwrap();
    let (artifact, arguments) = (kernel("honest"), arguments());
    let launch = Launch { artifact: &artifact, config: config(), arguments: &arguments };
    for _ in 0..2 {
        let evaluation = stage.evaluate(&launch, &plan()).unwrap();
        check_evaluation(stage.layout(), &evaluation);
        let worker = rustix::process::Pid::from_raw(device.worker_id().cast_signed()).unwrap();
        rustix::process::kill_process(worker, rustix::process::Signal::KILL).unwrap();
        while is_alive(device.worker_id()) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Whether there is such a process that has not ended, with all of its threads.
fn is_alive(process: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).map_or(0, Iterator::count);
    let is_zombie = std::fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")));
    threads > 1 || threads == 1 && !is_zombie
}

#[test]
fn stages_take_turns() {
    let device = isolated();
    let mut first = device.stage(request()).unwrap();
    let mut other = request();
    other.contents = vec![vec![words(1000).into()], vec![words(5000).into()]];
    let mut second = device.stage(other).unwrap();
    let (artifact, arguments) = (kernel("honest"), arguments());
    let launch = Launch { artifact: &artifact, config: config(), arguments: &arguments };
    for _ in 0..2 {
        for stage in [&mut first, &mut second] {
            let evaluation = stage.evaluate(&launch, &plan()).unwrap();
            check_evaluation(stage.layout(), &evaluation);
        }
    }
}

/// Contests candidates with those comments: what is said of each, empty for nothing bad.
fn contest(device: &IsolatedDevice, comments: &[&str]) -> Vec<String> {
    let mut stage = device.stage(request()).unwrap();
    let artifacts: Vec<Artifact> = comments.iter().map(|comment| kernel(comment)).collect();
    let arguments = arguments();
    let launches: Vec<Launch<'_>> = artifacts
        .iter()
        .map(|artifact| Launch { artifact, config: config(), arguments: &arguments })
        .collect();
    let attempts: Vec<Attempt<Contested>> = stage.contest(&launches, &plan()).unwrap();
    for contested in attempts.iter().flatten() {
        assert_eq!(contested.later.len(), 2);
        check_images(stage.layout(), &contested.later);
    }
    attempts
        .iter()
        .map(|one| one.as_ref().err().map_or_else(String::new, |r| r.summary()))
        .collect()
}

#[test]
fn a_contest_is_held_in_a_worker_that_has_run_nothing() {
    let device = isolated();
    assert_eq!(contest(&device, &[]), Vec::<String>::new());
    let fresh = device.worker_id();
    assert_eq!(contest(&device, &["a", "b"]), ["", ""]);
    assert_eq!(device.worker_id(), fresh, "it had only staged");
    assert_eq!(contest(&device, &["a"]), [""]);
    assert_ne!(device.worker_id(), fresh);
}

#[test]
fn a_contest_goes_on_without_those_that_take_the_worker_down() {
    let device = isolated();
    let found = contest(&device, &["a", "fault: abort", "c", "fault: exit"]);
    assert!(found[1].contains("SIGABRT") && found[3].contains("exit status 3"), "{found:?}");
    assert_eq!((found[0].as_str(), found[2].as_str()), ("", ""));
    let found = contest(&device, &["fault: abort", "b"]);
    assert!(found[0].contains("SIGABRT") && found[1].is_empty(), "{found:?}");
    let found = contest(&device, &["a", "fault: with-others", "c"]);
    assert!(found.iter().all(|one| one.contains("SIGABRT")), "{found:?}");
}

#[test]
fn an_execution_that_takes_the_worker_down_is_refused() {
    let device = isolated();
    let buffers = [
        Buffer {
            name: "in".to_owned(),
            dtype: Dtype::U32,
            content: BufferContent::Input(words(1).into()),
            constant: false,
        },
        Buffer {
            name: "out".to_owned(),
            dtype: Dtype::U32,
            content: BufferContent::Output { size_bytes: u64::from(N) * 4 },
            constant: false,
        },
    ];
    let run = |comment: &str| {
        device.execute(&Execution {
            artifact: &kernel(comment),
            launch: config(),
            arguments: &arguments(),
            buffers: &buffers,
            blocks: BlockSelection::All,
            instructions_per_block: 1000,
        })
    };
    for (fault, expected) in [
        ("abort", "crashed while being checked: the worker was killed by signal 6 (SIGABRT)"),
        ("sleep", "ran out of time (700 ms) while being checked"),
        ("nonsense", "crashed while being checked: the worker answered nonsense"),
    ] {
        let report = run(&format!("fault: {fault}")).unwrap();
        let summary = report.refused.unwrap().summary();
        assert!(summary.starts_with(expected), "{summary}");
        assert_eq!(report.outputs[0].bytes.len(), N as usize * 4);
        assert!(!report.outputs[0].is_written(0, 1));
        let report = run("honest").unwrap();
        assert!(report.refused.is_none() && report.findings.is_empty());
        assert!(report.outputs[0].bytes == words(2) && report.outputs[0].is_written(0, 256));
    }
}

#[track_caller]
fn check_lost<T>(result: Result<T, DeviceError>, expected: &str) {
    match result.err() {
        Some(DeviceError::Lost { reason }) => assert!(reason.contains(expected), "{reason}"),
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn what_does_not_start_is_no_device() {
    let start = |command| IsolatedDevice::start_with(command, "emulated", limits());
    check_lost(IsolatedDevice::start(worker(""), "nothing"), "there is no device `nothing`");
    let missing = WorkerCommand { program: "/nowhere/worker".into(), arguments: Vec::new() };
    check_lost(start(missing), "`/nowhere/worker` does not start");
    check_lost(start(worker("echo hello; read line; exit 0")), "does not greet");
    check_lost(start(worker("echo no memory >&2; exit 9")), "exit status 9: no memory");
    let limits = IsolationLimits { start: Duration::from_millis(100), ..limits() };
    let slow = IsolatedDevice::start_with(worker("sleep 60"), "emulated", limits);
    check_lost(slow, "did not get ready in 100ms");
}

#[test]
fn a_device_that_does_not_come_back_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let once = format!(
        "if [ -e {0} ]; then echo fell off >&2; exit 7; fi; touch {0}",
        folder.path().join("started").display()
    );
    let device = IsolatedDevice::start_with(worker(&once), "emulated", limits()).unwrap();
    let mut stage = device.stage(request()).unwrap();
    let arguments = arguments();
    let launch = |artifact| Launch { artifact, config: config(), arguments: &arguments };
    let (faulty, honest) = (kernel("fault: abort"), kernel("honest"));
    assert_eq!(stage.evaluate(&launch(&faulty), &plan()).unwrap().unwrap_err().code(), "crash");
    check_lost(stage.evaluate(&launch(&honest), &plan()), "ended with exit status 7: fell off");
    assert!(!device.is_usable());
    check_lost(device.stage(request()).map(drop), "exit status 7");
}

#[test]
fn another_device_in_its_place_is_not_taken_for_it() {
    let device = IsolatedDevice::start_with(worker(""), "changing", limits()).unwrap();
    let mut stage = device.stage(request()).unwrap();
    let (artifact, arguments) = (kernel("fault: lost"), arguments());
    let launch = Launch { artifact: &artifact, config: config(), arguments: &arguments };
    check_lost(stage.evaluate(&launch, &plan()), "another device");
}

/// A parent that others kill: it lets its worker hang.
#[test]
fn acts_as_a_parent() {
    if !role("parent") {
        return;
    }
    let device = isolated();
    let mut out = File::options().write(true).open("/proc/self/fd/1").unwrap();
    io::Write::write_all(&mut out, format!("\nworker {}\n", device.worker_id()).as_bytes())
        .unwrap();
    let mut stage = device.stage(request()).unwrap();
    let (artifact, arguments) = (kernel("fault: sleep"), arguments());
    let launch = Launch { artifact: &artifact, config: config(), arguments: &arguments };
    let plan = TimingPlan { time_limit_ns: u64::MAX, ..plan() };
    drop(stage.evaluate(&launch, &plan));
}

#[test]
fn a_worker_dies_with_its_parent() {
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "acts_as_a_parent", "--nocapture"])
        .env("RIDGE_TEST_ROLE", "parent")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let worker = lines.map(Result::unwrap).find_map(|line| {
        line.strip_prefix("worker ").and_then(|number| number.parse::<u32>().ok())
    });
    let worker = worker.unwrap();
    // It is worth waiting for the worker to be busy: then only a signal reaches it.
    std::thread::sleep(Duration::from_millis(200));
    assert!(is_alive(worker));
    parent.kill().unwrap();
    parent.wait().unwrap();
    let since = Instant::now();
    while is_alive(worker) {
        assert!(since.elapsed() < Duration::from_secs(20), "the worker outlives its parent");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn nothing_is_left_behind() {
    let device = isolated();
    let worker = device.worker_id();
    let named = |folder: &str| {
        std::fs::read_dir(Path::new(folder)).into_iter().flatten().flatten().any(|entry| {
            let target = std::fs::read_link(entry.path()).unwrap_or_default();
            let name = target.to_string_lossy();
            name.contains("ridge-exchange-") && !name.ends_with("(deleted)")
        })
    };
    assert!(!named(&format!("/proc/{worker}/fd")), "the exchange file still has its name");
    drop(device);
    assert!(!is_alive(worker));
}

#[test]
fn scalars_without_a_number_in_json_arrive() {
    let device = isolated();
    let values = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 0.1];
    for value in values {
        let body = ".reg .f32 s; .reg .b64 q;\n ld.param.f32 s, [s_in]; ld.param.u64 q, [out];\n \
                    st.global.f32 [q], s; ret;";
        let mut artifact = artifact("", body);
        let ptx = artifact.ptx.replace(".param .u64 in", ".param .f32 s_in");
        artifact = Artifact::new(artifact.manifest, ptx, Vec::new());
        let scalar = Argument::Scalar { name: "s".to_owned(), dtype: Dtype::F32, value };
        let buffers = [Buffer {
            name: "out".to_owned(),
            dtype: Dtype::F32,
            content: BufferContent::InOut(Arc::from([0; 4])),
            constant: false,
        }];
        let report = device.execute(&Execution {
            artifact: &artifact,
            launch: LaunchConfig { block: [1; 3], ..config() },
            arguments: &[scalar, arguments()[1].clone()],
            buffers: &buffers,
            blocks: BlockSelection::All,
            instructions_per_block: 1000,
        });
        let bits = u32::from_le_bytes(*report.unwrap().outputs[0].bytes.first_chunk().unwrap());
        let got = f32::from_bits(bits);
        assert!(got.to_bits() == (value as f32).to_bits() || got.is_nan() && value.is_nan());
    }
}

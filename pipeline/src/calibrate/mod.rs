//! Measures a board's figures and writes them as a profile: `ridge doctor --calibrate`.
//!
//! A few kernels are compiled, each is run once and checked, and then all are timed as candidates
//! are: graphs over rotating sets of tensors, flushed caches, alternately, in fresh worker
//! processes. Most figures are slopes between two launches that differ in one number, so that what
//! both cost cancels out. What could not be measured keeps the value and the source of the profile
//! that it began with.

mod check;
mod date;
mod field;
mod figures;
mod fit;
#[cfg(test)]
mod model;
mod plan;
mod probes;
mod profile;
mod session;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use ridge_compiler::campaign::Compiler;
use ridge_compiler::cuda::{Sources, Unit};
use ridge_runtime::emulator::Emulator;
use ridge_runtime::measure::{DeviceFacts, PROTOCOL, TimingDevice};
use ridge_runtime::profiles;
use ridge_runtime::worker::IsolatedDevice;
use ridge_spec::artifact::Artifact;
use ridge_spec::outcome::Rejection;
use ridge_spec::target::{Architecture, DeviceProfile};
use serde::Serialize;

pub use self::figures::{CachePoint, Figure, Findings, LoadPoint, Noise, SizedBandwidth};
use self::plan::{Board, NOISE_CLASSES_NS};
use self::probes::{Mix, Probe};
use self::session::Times;
pub use self::session::{Missing, Series};
use crate::answer::ANSWER_SCHEMA;
use crate::devices::DeviceChoice;
use crate::error::PipelineError;
use crate::event::{Event, Observer};
use crate::setup::Setup;
use crate::storage::write_whole;
use crate::target;

/// Format of the file with everything that was measured.
pub const CALIBRATION_SCHEMA: u32 = 1;

/// Version that profiles and files name.
const TOOL_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Seed of the order of rounds and of poison; what is timed does not depend on it.
const SEED: u64 = 0x0ca1_1b7a_7e00_0001;

/// What to calibrate, and where to.
#[derive(Clone, Debug)]
pub struct CalibrateOptions {
    /// `cuda:N`. With `emulator` the probes are checked, and nothing is timed.
    pub device: String,
    /// The profile's file; beside it, with the extension `calibration.json`, everything that was
    /// measured. `NAME.toml` in the current folder where absent.
    pub out: Option<PathBuf>,
    /// When it is done, for the profile's sources: seconds since 1970, UTC.
    pub now_s: u64,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct CalibrationAnswer {
    /// Format of the answer.
    pub schema: u32,
    /// The device, as records call it.
    pub device: String,
    /// The board, as its driver calls it.
    pub board: String,
    /// The profile that it began with.
    pub base: String,
    /// Kernels that were run and found right.
    pub probes_checked: usize,
    /// What was measured.
    #[serde(flatten)]
    pub findings: Findings,
    /// Launches that gave no times.
    pub missing: Vec<Missing>,
    /// The profile; `None` where nothing is timed.
    pub profile: Option<PathBuf>,
    /// The file with all samples.
    pub data: Option<PathBuf>,
    /// Wall time of it all, nanoseconds.
    pub wall_time_ns: u64,
}

/// Everything that was measured, as it is kept.
#[derive(Serialize)]
struct Calibration<'a> {
    schema: u32,
    tool: String,
    date: &'a str,
    protocol: &'static str,
    device: &'a str,
    facts: &'a DeviceFacts,
    base: &'a str,
    wall_time_ns: u64,
    findings: &'a Findings,
    missing: &'a [Missing],
    series: &'a [Series],
}

/// Measures a device and writes its profile.
///
/// # Errors
/// Where there is no such device or compiler, a probe computes something else than it should, or
/// a file cannot be written.
pub fn run(
    setup: &Setup,
    options: &CalibrateOptions,
    observer: &dyn Observer,
) -> Result<CalibrationAnswer, PipelineError> {
    let started = Instant::now();
    let choice = DeviceChoice::parse(&options.device)?;
    let answer = match &choice {
        DeviceChoice::Emulator => check_in_emulator(setup, observer, started),
        DeviceChoice::AllCuda => Err(unusable(&choice, "one device is calibrated at a time")),
        DeviceChoice::Cuda(_) => {
            observer.notify(Event::Step("starting the device's worker"));
            let device = IsolatedDevice::start(setup.device_worker.clone(), &choice.to_string())
                .map_err(|error| unusable(&choice, error))?;
            on_device(setup, &device, options, observer, started)
        }
    };
    observer.notify(Event::SearchEnded);
    answer
}

fn unusable(choice: &dyn std::fmt::Display, reason: impl std::fmt::Display) -> PipelineError {
    PipelineError::NoDevice { name: choice.to_string(), reason: reason.to_string() }
}

/// Runs every probe once in the emulator, and nothing else.
fn check_in_emulator(
    setup: &Setup,
    observer: &dyn Observer,
    started: Instant,
) -> Result<CalibrationAnswer, PipelineError> {
    let base = target::resolve(None, None)?;
    let emulator = Emulator::new();
    let artifacts = compile(setup, base.architecture, observer)?;
    observer.notify(Event::Step("checking the probes"));
    if let Some(wrong) = check::check(&emulator, &artifacts)? {
        return Err(unusable(&DeviceChoice::Emulator, format!("probe {wrong}")));
    }
    Ok(CalibrationAnswer {
        schema: ANSWER_SCHEMA,
        device: DeviceChoice::Emulator.to_string(),
        board: base.device.clone(),
        base: base.name,
        probes_checked: artifacts.len(),
        findings: Findings::default(),
        missing: Vec::new(),
        profile: None,
        data: None,
        wall_time_ns: nanoseconds(started),
    })
}

fn on_device(
    setup: &Setup,
    device: &dyn TimingDevice,
    options: &CalibrateOptions,
    observer: &dyn Observer,
    started: Instant,
) -> Result<CalibrationAnswer, PipelineError> {
    let facts = device.facts();
    let no_profile = || PipelineError::UnknownBoard { board: facts.name.clone() };
    let base = profile::base(facts).ok_or_else(no_profile)?;
    let artifacts = compile(setup, base.architecture, observer)?;
    observer.notify(Event::Step("checking the probes"));
    if let Some(wrong) = check::check(device, &artifacts)? {
        return Err(unusable(&device.name(), format!("probe {wrong}")));
    }
    calibrate(device, &base, &artifacts, options, observer, started)
}

/// Times the probes, and writes what comes of it.
fn calibrate(
    device: &dyn TimingDevice,
    base: &DeviceProfile,
    artifacts: &BTreeMap<Probe, Artifact>,
    options: &CalibrateOptions,
    observer: &dyn Observer,
    started: Instant,
) -> Result<CalibrationAnswer, PipelineError> {
    let facts = device.facts();
    let board = Board::new(facts, base.limits);
    let (times, tick_ns) = measure(device, &board, artifacts, base, observer)?;
    let findings = figures::findings(&board, &times, tick_ns, base);

    let date = date::date_of(options.now_s);
    let provenance = format!(
        "measured on {}, {date}, driver {}, ridge {TOOL_VERSION}",
        facts.name, facts.driver
    );
    let made = profile::calibrated(base, &findings, &provenance);
    let default = || PathBuf::from(format!("{}.toml", made.name));
    let path = options.out.clone().unwrap_or_else(default);
    let text =
        profiles::to_toml(&made).map_err(|diagnostic| PipelineError::Spec(vec![diagnostic]))?;
    write_whole(&path, text.as_bytes())?;
    let data = path.with_extension("calibration.json");
    let wall_time_ns = nanoseconds(started);
    let calibration = Calibration {
        schema: CALIBRATION_SCHEMA,
        tool: format!("ridge {TOOL_VERSION}"),
        date: &date,
        protocol: PROTOCOL,
        device: device.name(),
        facts,
        base: &base.name,
        wall_time_ns,
        findings: &findings,
        missing: &times.missing,
        series: &times.series,
    };
    let mut text = serde_json::to_vec(&calibration).map_err(|error| PipelineError::Write {
        path: data.clone(),
        source: std::io::Error::other(error),
    })?;
    text.push(b'\n');
    write_whole(&data, &text)?;
    Ok(CalibrationAnswer {
        schema: ANSWER_SCHEMA,
        device: device.name().to_owned(),
        board: facts.name.clone(),
        base: base.name.clone(),
        probes_checked: artifacts.len(),
        findings,
        missing: times.missing,
        profile: Some(path),
        data: Some(data),
        wall_time_ns,
    })
}

/// Takes all times, and the tick of the events' clock.
fn measure(
    device: &dyn TimingDevice,
    board: &Board,
    artifacts: &BTreeMap<Probe, Artifact>,
    base: &DeviceProfile,
    observer: &dyn Observer,
) -> Result<(Times, Option<u64>), PipelineError> {
    let mut times = Times::default();
    observer.notify(Event::Step("timing the events' clock"));
    let tick = session::tick(device, board, artifacts, SEED)?;
    let tick_ns = tick.and_then(|timing| {
        let ticks = fit::tick_ns(timing.samples.latency_ns())?;
        Some(ticks * u64::from(timing.launches))
    });
    let n_sessions = 4 + NOISE_CLASSES_NS.len();
    let time = |session: plan::Session, number: usize, times: &mut Times| {
        let step = format!("timing {} ({number} of {n_sessions})", session.name);
        observer.notify(Event::Step(&step));
        session::time(device, board, artifacts, &session, times)
    };
    time(board.fixed(SEED), 1, &mut times)?;
    time(board.bandwidth(SEED), 2, &mut times)?;
    time(board.cache(SEED), 3, &mut times)?;
    time(board.latencies(SEED), 4, &mut times)?;
    let copy = figures::bandwidth(board, &times, Mix::COPY).unwrap_or(base.memory.copy_bandwidth);
    for (class, number) in NOISE_CLASSES_NS.into_iter().zip(5..) {
        time(board.noise(class, copy, SEED), number, &mut times)?;
    }
    Ok((times, tick_ns))
}

/// Compiles every probe of an architecture.
fn compile(
    setup: &Setup,
    architecture: Architecture,
    observer: &dyn Observer,
) -> Result<BTreeMap<Probe, Artifact>, PipelineError> {
    let toolkit = setup.toolkit(observer)?;
    observer.notify(Event::Step("compiling the probes"));
    let failed = |probe: Probe, rejection: &Rejection| {
        let what = format!("probe `{}` {}", probe.entry(), rejection.summary());
        unusable(&architecture, what)
    };
    let sources = Sources::from_text("probes.cu", probes::SOURCE, &toolkit.include_folders)
        .map_err(|error| unusable(&architecture, error))?;
    let sources = Arc::new(sources);
    let all = Probe::all(architecture.capability());
    let mut compiler = Compiler::new(setup.pool_config(toolkit), setup.artifact_cache().ok());
    for (id, &probe) in (0..).zip(&all) {
        let unit = Unit::new(Arc::clone(&sources), &probe.entry(), &[], &[], architecture)
            .map_err(|rejection| failed(probe, &rejection))?;
        compiler.submit(id, unit);
    }
    let mut artifacts = BTreeMap::new();
    while let Some(finished) = compiler.recv()? {
        let Some(&probe) = usize::try_from(finished.id).ok().and_then(|id| all.get(id)) else {
            continue;
        };
        artifacts.insert(probe, finished.result.map_err(|rejection| failed(probe, &rejection))?);
    }
    Ok(artifacts)
}

fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

//! Putting launches on the device and taking their times.

use std::collections::BTreeMap;

use ridge_runtime::device::DeviceError;
use ridge_runtime::measure::{StageRequest, TensorLayout, Timing, TimingDevice};
use ridge_runtime::verify::Launch;
use ridge_spec::artifact::Artifact;
use ridge_spec::record::Clocks;
use serde::Serialize;

use super::plan::{Board, Session, tick_plan};
use super::probes::{MEMORY, Probe, RESULTS, Run, WORD};

/// The foreign buffer read before each replay holds this many second-level caches.
const FLUSH_CACHES: u64 = 4;

/// The times of one launch.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    /// The kernel, its grid and its arguments.
    pub launch: String,
    /// Nanoseconds a launch, in the order taken.
    pub samples_ns: Vec<u64>,
    /// Their median.
    pub median_ns: u64,
    /// Launches of the (shorter) graph.
    pub launches: u32,
    /// Sets of tensors they rotate over.
    pub sets: u32,
    /// Samples discarded because the device was throttled.
    pub throttled: u32,
    /// Clocks seen meanwhile.
    pub clocks: Option<Clocks>,
}

/// A launch that gave no times.
#[derive(Clone, Debug, Serialize)]
pub struct Missing {
    /// The launch.
    pub launch: String,
    /// What became of it.
    pub reason: String,
}

/// Everything that was timed so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    pub(super) series: Vec<Series>,
    pub(super) missing: Vec<Missing>,
    medians: BTreeMap<String, Vec<f64>>,
}

impl Times {
    /// The median of a launch, nanoseconds.
    pub(super) fn of(&self, run: &Run) -> Option<f64> {
        self.medians.get(&run.label())?.first().copied()
    }

    /// The medians of a launch that was timed twice in the same rounds.
    pub(super) fn twins(&self, run: &Run) -> Option<(f64, f64)> {
        match self.medians.get(&run.label())?.as_slice() {
            [one, other, ..] => Some((*one, *other)),
            _ => None,
        }
    }

    /// Adds a launch's times.
    pub(super) fn add(&mut self, run: &Run, timing: &Timing) {
        let median_ns = timing.samples.median_ns();
        let launch = run.label();
        self.medians.entry(launch.clone()).or_default().push(middle(timing.samples.latency_ns()));
        self.series.push(Series {
            launch,
            samples_ns: timing.samples.latency_ns().to_vec(),
            median_ns,
            launches: timing.launches,
            sets: timing.sets,
            throttled: timing.throttled,
            clocks: timing.clocks,
        });
    }

    #[cfg(test)]
    pub(super) fn put(&mut self, run: &Run, median_ns: f64) {
        self.medians.entry(run.label()).or_default().push(median_ns);
    }
}

/// The mean of the middle half: finer than the whole nanoseconds that samples come in, and as deaf
/// to outliers.
fn middle(samples_ns: &[u64]) -> f64 {
    let mut sorted = samples_ns.to_vec();
    sorted.sort_unstable();
    let quarter = sorted.len() / 4;
    let inner = &sorted[quarter..sorted.len() - quarter];
    inner.iter().map(|&ns| ns as f64).sum::<f64>() / inner.len().max(1) as f64
}

/// Times all launches of a session, alternately in one process that has run nothing before.
///
/// # Errors
/// When the device is gone. A launch that fails is among the [`Times::missing`].
pub(super) fn time(
    device: &dyn TimingDevice,
    board: &Board,
    artifacts: &BTreeMap<Probe, Artifact>,
    session: &Session,
    times: &mut Times,
) -> Result<(), DeviceError> {
    let mut stage = device.stage(request(board, session))?;
    let known: Vec<(&Run, &Artifact)> =
        session.runs.iter().filter_map(|run| Some((run, artifacts.get(&run.probe)?))).collect();
    let launches: Vec<Launch<'_>> = known
        .iter()
        .map(|&(run, artifact)| Launch { artifact, config: run.config, arguments: &run.arguments })
        .collect();
    let attempts = stage.contest(&launches, &session.plan)?;
    for ((run, _), attempt) in known.into_iter().zip(attempts) {
        match attempt {
            Ok(contested) => times.add(run, &contested.timing),
            Err(rejection) => {
                times.missing.push(Missing { launch: run.label(), reason: rejection.summary() })
            }
        }
    }
    Ok(())
}

/// Times of a graph of two launches, in whole nanoseconds, each: they are half as many ticks of the
/// events' clock.
///
/// # Errors
/// When the device is gone.
pub(super) fn tick(
    device: &dyn TimingDevice,
    board: &Board,
    artifacts: &BTreeMap<Probe, Artifact>,
    seed: u64,
) -> Result<Option<Timing>, DeviceError> {
    let session = board.fixed(seed);
    let run = board.spins().small;
    let Some(artifact) = artifacts.get(&run.probe) else { return Ok(None) };
    let mut stage = device.stage(request(board, &session))?;
    let launch = Launch { artifact, config: run.config, arguments: &run.arguments };
    let attempt = stage.evaluate(&launch, &tick_plan(seed))?;
    Ok(attempt.ok().map(|evaluation| evaluation.timing))
}

/// The tensors: outputs, so that the device itself fills them with random words before each replay.
fn request(board: &Board, session: &Session) -> StageRequest {
    let tensor = |name: &str, size_bytes| TensorLayout {
        name: name.to_owned(),
        dtype: WORD,
        size_bytes,
        is_output: true,
    };
    StageRequest {
        tensors: vec![tensor(MEMORY, session.memory_bytes), tensor(RESULTS, board.result_bytes())],
        contents: vec![Vec::new()],
        rotation_bytes: session.rotation_bytes,
        flush_bytes: FLUSH_CACHES * board.l2_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::middle;

    #[test]
    fn the_middle_is_deaf_to_outliers() {
        assert_eq!(middle(&[7]).to_bits(), 7.0f64.to_bits());
        let samples = [100, 101, 100, 101, 100, 101, 5000, 3];
        assert_eq!(middle(&samples).to_bits(), 100.5f64.to_bits());
    }
}

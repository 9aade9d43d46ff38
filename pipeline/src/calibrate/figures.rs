//! From times to the figures of a profile, and to those that no profile has a place for.

use ridge_spec::target::DeviceProfile;
use serde::Serialize;

use super::fit;
use super::plan::{Board, NOISE_CLASSES_NS, Pair};
use super::probes::{BARRIER_WARPS, Mix, Run};
use super::session::Times;

/// Warps of the block whose barrier stands for all in a profile.
const BARRIER_WARPS_USUAL: u32 = 8;

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Its name: that of the profile's field, where there is one.
    pub name: String,
    /// Unit: `B/s`, `B`, `ns`, `Hz`.
    pub unit: &'static str,
    /// What was measured.
    pub value: f64,
    /// What the profile had before; `None` for figures that no profile has.
    pub base: Option<f64>,
    /// How it was measured, one clause.
    pub how: String,
}

/// Bandwidth at one size.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SizedBandwidth {
    /// `read`, `write`, `copy`, `2r1w` or `1r2w`.
    pub mix: String,
    /// Bytes read plus bytes written.
    pub bytes: u64,
    /// Nanoseconds a launch.
    pub time_ns: f64,
    /// Bytes over time.
    pub bytes_per_second: f64,
}

/// A point of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CachePoint {
    /// Bytes that are read again and again.
    pub footprint_bytes: u64,
    /// Bytes over time.
    pub bytes_per_second: f64,
}

/// Round trips to memory with so much in flight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LoadPoint {
    /// Bytes in flight on the whole device.
    pub in_flight_bytes: u64,
    /// One round trip, nanoseconds.
    pub trip_ns: f64,
    /// With what bandwidth takes of it removed, where that can be told.
    pub latency_ns: Option<f64>,
}

/// What two measurements of one kernel differ by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Noise {
    /// The class of durations, nanoseconds.
    pub class_ns: u64,
    /// What the kernel took.
    pub time_ns: f64,
    /// What the same kernel took in the same rounds.
    pub twin_ns: f64,
    /// Their distance as a share.
    pub share: f64,
}

/// Everything that the times say.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Findings {
    /// The figures.
    pub figures: Vec<Figure>,
    /// Bandwidths by size.
    pub bandwidths: Vec<SizedBandwidth>,
    /// Hot reads by footprint.
    pub cache: Vec<CachePoint>,
    /// Latency under load.
    pub loads: Vec<LoadPoint>,
    /// Noise by duration.
    pub noise: Vec<Noise>,
}

impl Findings {
    /// The figure of that name.
    pub fn find(&self, name: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.name == name)
    }

    fn add(&mut self, name: impl Into<String>, unit: &'static str, value: Option<f64>, how: &str) {
        let value = value.filter(|value| value.is_finite() && *value > 0.0);
        if let Some(value) = value.map(fit::rounded) {
            let (name, how) = (name.into(), how.to_owned());
            self.figures.push(Figure { name, unit, value, base: None, how });
        }
    }
}

/// Reads all figures off the times. `tick_ns` is that of the events' clock.
pub(super) fn findings(
    board: &Board,
    times: &Times,
    tick_ns: Option<u64>,
    base: &DeviceProfile,
) -> Findings {
    let mut findings = Findings::default();
    bandwidths(&mut findings, board, times);
    caches(&mut findings, board, times, base);
    launches(&mut findings, board, times);
    synchronisation(&mut findings, board, times);
    findings.add(
        "clock.event_tick",
        "ns",
        tick_ns.map(|ns| ns as f64),
        "greatest common divisor of differences of times of a graph",
    );
    for figure in &mut findings.figures {
        figure.base = super::field::field(&mut base.clone(), &figure.name).map(|field| field.get());
    }
    findings
}

/// What a unit of a pair costs, nanoseconds.
fn unit_ns(times: &Times, pair: &Pair) -> Option<f64> {
    fit::rise((pair.units.0, times.of(&pair.small)?), (pair.units.1, times.of(&pair.large)?))
}

/// The bandwidth of the slope between a pair's sizes, bytes a second.
pub(super) fn bandwidth(board: &Board, times: &Times, mix: Mix) -> Option<f64> {
    unit_ns(times, &board.streams(mix)).map(|ns_per_byte| 1e9 / ns_per_byte)
}

fn bandwidths(findings: &mut Findings, board: &Board, times: &Times) {
    for mix in Mix::ALL {
        let pair = board.streams(mix);
        let how = format!(
            "slope of a streaming {} between {:.0} and {:.0} MB, persistent blocks, 16-byte accesses",
            mix.name(),
            pair.units.0 / 1e6,
            pair.units.1 / 1e6
        );
        let name = format!("memory.{}_bandwidth", mix.name());
        findings.add(name, "B/s", bandwidth(board, times, mix), &how);
    }
    // What classes of noise are timed on depends on the copy's bandwidth, as it was found.
    let copy = bandwidth(board, times, Mix::COPY);
    for class in NOISE_CLASSES_NS {
        let Some(copy) = copy else { break };
        let bytes = board.class_bytes(class, copy);
        for mix in Mix::ALL {
            sized(findings, times, mix, bytes, &board.stream(mix, bytes));
        }
        let run = board.stream(Mix::COPY, bytes);
        if let Some((time_ns, twin_ns)) = times.twins(&run) {
            let share = fit::distance(time_ns, twin_ns);
            findings.noise.push(Noise { class_ns: class, time_ns, twin_ns, share });
        }
    }
    for mix in Mix::ALL {
        let Pair { small, large, units } = board.streams(mix);
        for (run, bytes) in [(small, units.0), (large, units.1)] {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size")]
            sized(findings, times, mix, bytes as u64, &run);
        }
    }
    findings.bandwidths.sort_by(|a, b| (&a.mix, a.bytes).cmp(&(&b.mix, b.bytes)));
}

fn sized(findings: &mut Findings, times: &Times, mix: Mix, bytes: u64, run: &Run) {
    if let Some(time_ns) = times.of(run) {
        let bytes_per_second = fit::rounded(bytes as f64 / time_ns * 1e9);
        findings.bandwidths.push(SizedBandwidth {
            mix: mix.name(),
            bytes,
            time_ns,
            bytes_per_second,
        });
    }
}

fn caches(findings: &mut Findings, board: &Board, times: &Times, base: &DeviceProfile) {
    let mut points = Vec::new();
    for (footprint_bytes, pair) in board.sweep() {
        if let Some(pass_ns) = unit_ns(times, &pair) {
            let bytes_per_second = fit::rounded(footprint_bytes as f64 / pass_ns * 1e9);
            points.push((footprint_bytes as f64, bytes_per_second));
            findings.cache.push(CachePoint { footprint_bytes, bytes_per_second });
        }
    }
    let knee = fit::knee(&points, board.l2_bytes as f64 / 2.0);
    findings.add(
        "memory.l2_bandwidth",
        "B/s",
        knee.map(|knee| knee.bandwidth),
        "best repeated read past the first-level cache of at most half of the second level",
    );
    findings.add(
        "memory.l2_capacity_bytes",
        "B",
        knee.map(|knee| knee.capacity),
        "footprint at which a repeated read has lost a tenth of the way from the cache's bandwidth \
         to the memory's",
    );
    let read = bandwidth(board, times, Mix::READ).unwrap_or(base.memory.read_bandwidth);
    for (in_flight_bytes, pair) in board.loads() {
        if let Some(trip_ns) = unit_ns(times, &pair) {
            let latency_ns = fit::loaded_latency_ns(in_flight_bytes as f64, trip_ns, read);
            findings.loads.push(LoadPoint { in_flight_bytes, trip_ns, latency_ns });
        }
    }
    // The heaviest load that still says something about latency.
    let loaded = findings.loads.iter().rev().find_map(|point| point.latency_ns);
    findings.add(
        "memory.latency_ns",
        "ns",
        loaded,
        "round trip of dependent loads by all multiprocessors, with as much in flight as leaves a \
         quarter of the bandwidth unused, less what bandwidth takes",
    );
    for (name, warm, how) in [
        ("memory.idle_latency_ns", false, "pointer chase by one thread, far beyond the caches"),
        ("memory.l2_latency_ns", true, "pointer chase by one thread in the second-level cache"),
    ] {
        findings.add(name, "ns", unit_ns(times, &board.chase(warm)), how);
    }
}

fn launches(findings: &mut Findings, board: &Board, times: &Times) {
    let [one, wave] = board.empty();
    for (runs, suffix, blocks) in [(one, "", "one block"), (wave, "_wave", "a block each")] {
        let kinds = [
            ("graph_node", "without programmatic launch"),
            ("graph_node_programmatic", "with programmatic launch"),
            ("graph_node_triggered", "with programmatic launch, each letting the next start"),
        ];
        for (run, (name, kind)) in runs.iter().zip(kinds) {
            let how = format!("empty kernel of {blocks} in a graph of such kernels, {kind}");
            findings.add(format!("launch.{name}{suffix}_ns"), "ns", times.of(run), &how);
        }
    }
    for (trigger, name) in [(false, "block_dispatch"), (true, "block_dispatch_triggered")] {
        let points: Vec<(f64, f64)> = Board::grids(trigger)
            .iter()
            .filter_map(|(blocks, run)| Some((f64::from(*blocks), times.of(run)?)))
            .collect();
        let how = "slope of an empty kernel over its grid, 128 threads a block";
        let slope = fit::line(&points).map(|line| line.slope);
        findings.add(format!("launch.{name}_ns"), "ns", slope, how);
    }
    let (one_shot, persistent) = board.rows();
    let turnaround = unit_ns(times, &one_shot)
        .zip(unit_ns(times, &persistent))
        .map(|(one_shot, persistent)| one_shot - persistent);
    findings.add(
        "launch.block_turnaround_ns",
        "ns",
        turnaround,
        "a round of rows by a block each, less one by persistent blocks, one block a multiprocessor",
    );
}

fn synchronisation(findings: &mut Findings, board: &Board, times: &Times) {
    for warps in BARRIER_WARPS {
        let how = format!(
            "loop of barriers of {} threads, each with a store to shared memory before and the \
             loads and sum of a reduction's last step after it",
            32 * warps
        );
        let cost = unit_ns(times, &board.barriers(warps));
        if warps == BARRIER_WARPS_USUAL {
            findings.add("launch.barrier_ns", "ns", cost, &how);
        } else {
            findings.add(format!("launch.barrier_{}_threads_ns", 32 * warps), "ns", cost, &how);
        }
    }
    for (size, pair) in board.clusters() {
        let how = format!("loop of barriers of clusters of {size} blocks of 256 threads");
        let name = format!("launch.cluster_{size}_barrier_ns");
        findings.add(name, "ns", unit_ns(times, &pair), &how);
    }
    findings.add(
        "multiprocessor.clock_hz",
        "Hz",
        unit_ns(times, &board.spins()).map(|ns| 1e9 / ns),
        "a loop of fused multiply-adds on every multiprocessor until its clock has advanced so far",
    );
}

#[cfg(test)]
mod tests {
    use ridge_runtime::profiles;

    use super::super::model::{self, L2, L2_HOLDS, LATENCY_NS, READ, model_ns};
    use super::super::plan::Session;
    use super::super::probes::Probe;
    use super::*;

    fn board() -> (Board, DeviceProfile) {
        let base = profiles::builtin("h200").unwrap().clone();
        (Board::new(&model::facts(), base.limits), base)
    }

    #[test]
    fn a_device_that_does_what_it_says_is_read_off_its_times() {
        let (board, base) = board();
        let mut times = Times::default();
        let copy = 4.2e12;
        let mut sessions: Vec<Session> =
            vec![board.fixed(1), board.bandwidth(1), board.cache(1), board.latencies(1)];
        sessions.extend(NOISE_CLASSES_NS.map(|class| board.noise(class, copy, 1)));
        for (at, run) in sessions.iter().flat_map(|session| &session.runs).enumerate() {
            let noise =
                if at % 2 == 1 && run.probe == Probe::Stream(Mix::COPY) { 1.001 } else { 1.0 };
            let is_slope = run.value("n") > 1 << 20;
            times.put(run, model_ns(run) * if is_slope { 1.0 } else { noise });
        }
        let found = findings(&board, &times, Some(32), &base);
        let close = |name: &str, expected: f64, within: f64| {
            let value = found.find(name).unwrap_or_else(|| panic!("no {name}")).value;
            assert!((value / expected - 1.0).abs() < within, "{name}: {value}, not {expected}");
        };
        close("memory.read_bandwidth", READ, 1e-3);
        close("memory.write_bandwidth", 4.6e12, 1e-3);
        close("memory.copy_bandwidth", copy, 1e-3);
        close("memory.2r1w_bandwidth", 4.3e12, 1e-3);
        close("memory.l2_bandwidth", L2, 1e-3);
        close("memory.l2_capacity_bytes", L2_HOLDS, 0.15);
        close("memory.latency_ns", LATENCY_NS, 1e-3);
        close("memory.idle_latency_ns", 610.0, 1e-3);
        close("memory.l2_latency_ns", 270.0, 1e-3);
        close("launch.graph_node_ns", 484.0, 1e-3);
        close("launch.graph_node_programmatic_ns", 424.0, 1e-3);
        close("launch.graph_node_triggered_ns", 368.0, 1e-3);
        close("launch.block_dispatch_ns", 0.6, 1e-3);
        close("launch.block_dispatch_triggered_ns", 1.2, 1e-3);
        close("launch.block_turnaround_ns", 400.0, 1e-3);
        close("launch.barrier_ns", 48.0, 1e-3);
        close("launch.barrier_1024_threads_ns", 72.0, 1e-3);
        close("launch.cluster_8_barrier_ns", 200.0, 1e-3);
        close("multiprocessor.clock_hz", 1.98e9, 1e-3);
        close("clock.event_tick", 32.0, 1e-9);
        assert_eq!(found.noise.len(), NOISE_CLASSES_NS.len());
        assert_eq!(found.cache.len(), 12);
        assert!(found.bandwidths.len() >= 30);
        let latency = found.find("memory.latency_ns").unwrap();
        assert_eq!(latency.base.map(f64::to_bits), Some(800.0f64.to_bits()));
    }

    #[test]
    fn without_times_there_are_no_figures() {
        let (board, base) = board();
        assert_eq!(findings(&board, &Times::default(), None, &base), Findings::default());
    }
}

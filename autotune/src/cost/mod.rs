//! The static cost model: what a candidate would take on a device, from its compiled resources and
//! the counters of a few emulated blocks.
//!
//! The form is a roofline with the corrections that matter for kernels bound by memory. With `p`
//! = 6 and every term the time it would take alone,
//!
//! ```text
//! time = launch + fill + (latency^p + device memory^p + L2^p + shared memory^p + issue^p + …)^(1/p)
//! ```
//!
//! `fill` is what passes before the first block streams; `latency` is what the waves of blocks
//! would take if bandwidth were endless (Little's law, written per block: see `cost/latency.rs`). The
//! constants were set against row kernels measured on an H200: empty launches, dispatch, and the
//! loss of one-shot grids with 32, 48 and 64 KB in flight; sharpness, the registers that hold no
//! data and what a programmatic launch overlaps were set by how 21 whole spaces are ordered. It is
//! meant to *order* candidates, and orders them by half (a median Kendall tau of 0.43 there): what
//! it gets wrong can be learned from records, see [`crate::learned`].
//!
//! Not modelled: asynchronous copies past the first-level cache of data that all blocks share
//! (16-byte `cp.async.cg` of a row of weights: up to three times slower, measured); loads that a
//! pipelined kernel issues a stage ahead (taken as waiting), sectors that a load fetches beside its
//! own, contention of atomics on one address, cache hints, uneven
//! multiprocessor groups.

mod explain;
#[cfg(test)]
pub(crate) mod fixture;
mod latency;
mod occupancy;
mod roofline;
mod shape;
mod traffic;

use ridge_spec::artifact::Resources;
use ridge_spec::counters::Counters;
use ridge_spec::launch::LaunchConfig;
use ridge_spec::outcome::{CostTerm, Prediction, TermTime};
use ridge_spec::target::DeviceProfile;

pub use explain::explain;
pub use occupancy::{Occupancy, OccupancyLimiter, occupancy};
pub use roofline::{Roofline, Work, mixed_bandwidth, roofline};
pub use traffic::Traffic;

use latency::{block_time, instructions};
use shape::Shape;
use traffic::traffic;

/// Sharpness of the maximum over terms: two equal terms cost an eighth more than one. Whole spaces
/// measured on an NVIDIA H200 are ordered worse below 6 and little better above it.
const SHARPNESS: i32 = 6;

/// Share of the issue slots that real code fills.
const ISSUE_EFFICIENCY: f64 = 0.8;

/// Launch cost with programmatic dependent launch over the cost without; 368 against 484 ns for an
/// empty kernel, measured on an NVIDIA H200, 2026-11-22.
const PROGRAMMATIC_LAUNCH: f64 = 0.76;

/// Share of the fill that a programmatic launch does not overlap with the kernel before it, in a
/// chain of itself. Kernels that only load overlap more of it (0.6, from 1.47 against 0.99 µs for
/// one row); whole spaces of row kernels on an NVIDIA H200 are ordered best from 0.8 on.
const PROGRAMMATIC_FILL: f64 = 0.8;

/// Dispatch cost of a block that triggers its dependents over one that does not; 1.20 against
/// 0.60 ns, measured on an NVIDIA H200, 2026-11-22.
const PROGRAMMATIC_DISPATCH: f64 = 2.0;

/// Dispatch cost of a block in a cluster of two, and of more, over one without; 0.92 and 0.76
/// against 0.60 ns, measured on an NVIDIA H200, 2026-11-22.
const CLUSTER_DISPATCH: [f64; 2] = [1.53, 1.27];

/// Clocks of one multiprocessor for one matrix instruction of a warp: `m16n8k16` on a Hopper or
/// Ampere data-centre board takes 1 to 2. An estimate; the profile has no rate for them.
const TENSOR_CLOCKS: f64 = 2.0;

/// Everything the model knows of one candidate on one workload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CostInputs {
    /// What the assembler reports.
    pub resources: Resources,
    /// The launch of the full-size workload.
    pub launch: LaunchConfig,
    /// Counters of the blocks that were emulated, [`Counters::blocks`] of them; scaled to the grid
    /// of `launch`. With 0 blocks only `work`, `resources` and `launch` are used.
    pub counters: Counters,
    /// What the workload has to move and to compute.
    pub work: Work,
}

/// A prediction with what it was made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Time, limiting term and all terms.
    pub prediction: Prediction,
    /// Residency.
    pub occupancy: Occupancy,
    /// Rounds in which the grid passes through the device, at least 1.
    pub waves: f64,
    /// Global loads in flight on one multiprocessor when all its blocks wait, bytes.
    pub in_flight_bytes: f64,
    /// Bytes that move.
    pub traffic: Traffic,
    /// The workload's floors.
    pub roofline: Roofline,
}

/// Predicts a candidate's time.
///
/// Total: for a profile with positive finite numbers the time is at least 1 ns and never below the
/// physical floor. A launch that does not fit is predicted as if one block did; see [`occupancy`].
pub fn predict(inputs: &CostInputs, profile: &DeviceProfile) -> Prediction {
    estimate(inputs, profile).prediction
}

/// Predicts a candidate's time and keeps what it was made of.
pub fn estimate(inputs: &CostInputs, profile: &DeviceProfile) -> Estimate {
    let shape = Shape::new(inputs, profile);
    let traffic = traffic(&shape);
    let block = block_time(&shape);
    let roofline = roofline(&inputs.work, inputs.counters.warp_instructions.tensor == 0, profile);
    let waves = shape.waves();
    let programmatic = inputs.launch.programmatic;

    let launch_ns =
        profile.launch.graph_node_ns * if programmatic { PROGRAMMATIC_LAUNCH } else { 1.0 };
    let fill_ns = block.fill_ns * if programmatic { PROGRAMMATIC_FILL } else { 1.0 };
    let synchronisation_ns = waves * block.synchronising_ns;
    let latency_ns = waves * block.waiting_ns + (waves - 1.0) * profile.launch.block_turnaround_ns;
    let mut terms = throughput_terms(&shape, &traffic);
    let serial_ns = (latency_ns + synchronisation_ns - block.fill_ns).max(0.0);
    let parallel_ns = norm(terms.iter().map(|term| term.time_ns).chain(std::iter::once(serial_ns)));
    let total_ns = (launch_ns + fill_ns + parallel_ns).max(roofline.physical_ns);

    terms.push(TermTime { term: CostTerm::Launch, time_ns: launch_ns });
    terms.push(TermTime { term: CostTerm::Synchronisation, time_ns: synchronisation_ns });
    terms.push(TermTime { term: CostTerm::Latency, time_ns: latency_ns });
    terms.sort_by(|a, b| b.time_ns.total_cmp(&a.time_ns).then(a.term.cmp(&b.term)));
    let limiting = terms.first().map_or(CostTerm::Launch, |term| term.term);
    Estimate {
        prediction: Prediction {
            time_ns: whole_nanoseconds(total_ns),
            limiting,
            terms,
            profile: profile.name.clone(),
        },
        occupancy: shape.occupancy,
        waves,
        in_flight_bytes: block.in_flight_bytes,
        traffic,
        roofline,
    }
}

/// The terms that overlap with one another, each alone.
fn throughput_terms(shape: &Shape<'_>, traffic: &Traffic) -> Vec<TermTime> {
    let (profile, counters) = (shape.profile, shape.counters());
    let sm = &profile.multiprocessor;
    let counts = &counters.warp_instructions;
    let busiest = shape.blocks_of_busiest();
    let lanes = f64::from(profile.limits.warp_size.max(1));
    // Nanoseconds of the busiest multiprocessor for a number of its clocks per block.
    let on_multiprocessor = |clocks_per_block: f64| clocks_per_block * busiest / sm.clock_hz * 1e9;
    let pipe = |count: u64, rate: f64| on_multiprocessor(shape.per_block(count) * lanes / rate);
    let float32 = pipe(counts.float32, sm.float32_lanes) + pipe(counts.float16, sm.float32_lanes);
    let arithmetic = float32
        .max(pipe(counts.integer, sm.integer_lanes))
        .max(pipe(counts.float64, sm.float64_lanes));
    // A shuffle takes the path of a shared-memory wavefront.
    let wavefronts: f64 = [
        counters.shared_load.wavefronts,
        counters.shared_store.wavefronts,
        counters.shared_atomic.wavefronts,
        counts.shuffle,
    ]
    .into_iter()
    .map(|count| shape.per_block(count))
    .sum();
    let active = (shape.blocks / shape.multiprocessors).min(1.0);
    let device_bytes = traffic.device_read_bytes + traffic.device_written_bytes;
    let bandwidth =
        mixed_bandwidth(traffic.device_read_bytes, traffic.device_written_bytes, profile);
    let times = [
        (CostTerm::Dispatch, shape.blocks * profile.launch.block_dispatch_ns * dispatch(shape)),
        (CostTerm::DeviceMemory, device_bytes / bandwidth * 1e9),
        (CostTerm::L2, traffic.l2_bytes / (profile.memory.l2_bandwidth * active) * 1e9),
        (CostTerm::SharedMemory, on_multiprocessor(wavefronts * 128.0 / sm.shared_bytes_per_clock)),
        (
            CostTerm::Issue,
            on_multiprocessor(instructions(shape) / (sm.issue_rate * ISSUE_EFFICIENCY)),
        ),
        (CostTerm::Arithmetic, arithmetic),
        (CostTerm::Special, pipe(counts.special, sm.special_lanes)),
        (CostTerm::Conversion, pipe(counts.conversion, sm.conversion_lanes)),
        (CostTerm::Tensor, on_multiprocessor(shape.per_block(counts.tensor) * TENSOR_CLOCKS)),
    ];
    times.into_iter().map(|(term, time_ns)| TermTime { term, time_ns }).collect()
}

/// The factor on the dispatch of a block that its launch attributes bring.
fn dispatch(shape: &Shape<'_>) -> f64 {
    let launch = &shape.inputs.launch;
    let cluster: f64 =
        launch.cluster.map_or(1.0, |sizes| sizes.iter().map(|&n| f64::from(n.max(1))).product());
    let clustered = match cluster {
        size if size <= 1.0 => 1.0,
        size if size <= 2.0 => CLUSTER_DISPATCH[0],
        _ => CLUSTER_DISPATCH[1],
    };
    if launch.programmatic { clustered.max(PROGRAMMATIC_DISPATCH) } else { clustered }
}

/// The p-norm of times: close to the largest, and more where several are close to it.
fn norm(times: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = times.clone().fold(0.0, f64::max);
    if largest <= 0.0 {
        return 0.0;
    }
    let sum: f64 = times.map(|time| (time / largest).max(0.0).powi(SHARPNESS)).sum();
    largest * sum.powf(1.0 / f64::from(SHARPNESS))
}

fn whole_nanoseconds(time_ns: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and a prediction of centuries may"
    )]
    let whole = time_ns.ceil() as u64;
    whole.max(1)
}

#[cfg(test)]
mod tests;

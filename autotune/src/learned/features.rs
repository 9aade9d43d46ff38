//! What the learned part of the cost model sees of a candidate.

use std::collections::BTreeMap;

use ridge_spec::expression::Value;
use ridge_spec::space::Candidate;
use ridge_spec::target::DeviceProfile;

use crate::cost::{CostInputs, Estimate};

/// What is known of a candidate before it is timed.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The candidate.
    pub candidate: &'a Candidate,
    /// The extent of each axis of the workload.
    pub axes: &'a BTreeMap<String, i64>,
    /// What it needs and did.
    pub inputs: &'a CostInputs,
    /// What it was compiled for.
    pub profile: &'a DeviceProfile,
}

/// How the features of parameters begin: `parameter NAME` or `parameter NAME=TEXT`.
pub(super) const PARAMETER: &str = "parameter ";

/// The bytes that the workload must move.
pub(super) const BYTES: &str = "bytes";

/// Features by name; what is not among them is unknown.
pub(super) type Features = BTreeMap<String, f64>;

/// The features of a subject whose analytic estimate is given. Counts are for a thread, a warp or
/// a block, sizes of the whole are logarithms, and the analytic terms are shares of its total: so
/// that they mean the same on another shape.
pub(super) fn features(subject: &Subject<'_>, estimate: &Estimate) -> Features {
    let mut features = Features::new();
    for (name, value) in subject.candidate.iter() {
        match value {
            Value::Integer(integer) => {
                add(&mut features, &format!("{PARAMETER}{name}"), *integer as f64)
            }
            Value::Text(text) => add(&mut features, &format!("{PARAMETER}{name}={text}"), 1.0),
        }
    }
    for (name, extent) in subject.axes {
        add(&mut features, &format!("axis {name}"), (*extent).max(1) as f64);
    }
    launch(&mut features, subject, estimate);
    counted(&mut features, subject, estimate);
    let total = estimate.prediction.time_ns as f64;
    for term in &estimate.prediction.terms {
        add(&mut features, &format!("term {}", term.term), term.time_ns / total);
    }
    add(&mut features, "predicted", total);
    features
}

fn add(features: &mut Features, name: &str, value: f64) {
    features.insert(name.to_owned(), value);
}

/// Sizes, residency and the assembler's report.
fn launch(features: &mut Features, subject: &Subject<'_>, estimate: &Estimate) {
    let CostInputs { resources, launch, work, .. } = subject.inputs;
    let limits = &subject.profile.limits;
    let multiprocessors = f64::from(subject.profile.multiprocessors.max(1));
    let threads = launch.threads_per_block().max(1) as f64;
    let warps = (threads / f64::from(limits.warp_size.max(1))).ceil();
    let blocks = launch.blocks().max(1) as f64;
    let resident = f64::from(estimate.occupancy.blocks_per_multiprocessor.max(1));
    let of_busiest = (blocks / multiprocessors).ceil();
    let waves = blocks / (multiprocessors * resident);
    let shared =
        f64::from(launch.shared_memory_bytes) + f64::from(resources.static_shared_memory_bytes);
    let bytes = (work.read_bytes + work.written_bytes).max(1) as f64;
    for (name, value) in [
        ("threads", threads),
        ("blocks", blocks),
        ("shared bytes", shared),
        ("programmatic", f64::from(u8::from(launch.programmatic))),
        (
            "cluster",
            launch.cluster.map_or(1.0, |sizes| sizes.iter().copied().map(f64::from).product()),
        ),
        ("registers", f64::from(resources.registers)),
        ("spilled", f64::from(resources.spill_store_bytes) + f64::from(resources.spill_load_bytes)),
        ("stack", f64::from(resources.stack_bytes)),
        ("resident blocks", resident),
        ("resident warps", resident * warps),
        ("active warps", resident.min(of_busiest) * warps),
        ("waves", waves),
        ("last wave", waves / waves.ceil().max(1.0)),
        ("blocks a multiprocessor", blocks / multiprocessors),
        ("tail", of_busiest * multiprocessors / blocks),
        ("in flight", estimate.in_flight_bytes),
        (BYTES, bytes),
        ("intensity", work.flops as f64 / bytes),
        ("bytes a thread", bytes / (blocks * threads)),
    ] {
        add(features, name, value);
    }
}

/// What the emulated blocks did.
fn counted(features: &mut Features, subject: &Subject<'_>, estimate: &Estimate) {
    let counters = &subject.inputs.counters;
    if counters.blocks == 0 {
        return;
    }
    let n_blocks = counters.blocks as f64;
    let lanes = f64::from(subject.profile.limits.warp_size.max(1));
    let threads = subject.inputs.launch.threads_per_block().max(1) as f64;
    let n_threads = n_blocks * threads;
    let n_warps = n_blocks * (threads / lanes).ceil();
    let ratio = |above: u64, below: u64| above as f64 / below.max(1) as f64;
    let counts = &counters.warp_instructions;
    for (name, count) in [
        ("integer", counts.integer),
        ("float32", counts.float32),
        ("float16", counts.float16),
        ("special", counts.special),
        ("conversion", counts.conversion),
        ("memory", counts.memory),
        ("shuffle", counts.shuffle),
        ("control", counts.control),
        ("tensor", counts.tensor),
        ("all", counts.total()),
        ("barriers", counters.barriers),
        ("branches", counters.branches),
        ("shared load wavefronts", counters.shared_load.wavefronts),
        ("shared store wavefronts", counters.shared_store.wavefronts),
    ] {
        add(features, &format!("{name} a warp"), count as f64 / n_warps);
    }
    let loads = &counters.global_load;
    let stores = &counters.global_store;
    let active = f64::from(estimate.occupancy.blocks_per_multiprocessor.max(1)).min(
        (subject.inputs.launch.blocks() as f64 / f64::from(subject.profile.multiprocessors.max(1)))
            .ceil(),
    );
    for (name, value) in [
        ("loaded a thread", loads.bytes as f64 / n_threads),
        ("load width", ratio(loads.bytes, loads.requests) / lanes),
        ("store width", ratio(stores.bytes, stores.requests) / lanes),
        ("load sectors", ratio(loads.sectors, loads.sectors_ideal)),
        ("store sectors", ratio(stores.sectors, stores.sectors_ideal)),
        ("loads again", ratio(loads.sectors, counters.block_sectors_read)),
        (
            "shared load conflicts",
            ratio(counters.shared_load.wavefronts, counters.shared_load.wavefronts_ideal),
        ),
        ("shared stored a thread", counters.shared_store.bytes as f64 / n_threads),
        ("staged", ratio(counters.shared_store.bytes, loads.bytes)),
        ("wanted", loads.bytes as f64 / n_blocks * active),
        (
            "instructions a byte",
            counts.total() as f64 * lanes / (loads.bytes + stores.bytes).max(1) as f64,
        ),
        ("divergent", ratio(counters.divergent_branches, counters.branches)),
    ] {
        add(features, name, value);
    }
}

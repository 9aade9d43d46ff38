//! A prediction in words, for the person who asks why.

use ridge_spec::outcome::CostTerm;
use ridge_spec::target::DeviceProfile;

use super::{CostInputs, Estimate, estimate, mixed_bandwidth};

/// Terms below this share of the largest are left out.
const WORTH_SAYING: f64 = 0.01;

/// Why a candidate is predicted to take what it takes: the limiting term, the terms beside it,
/// residency and what it does to the loads in flight. Several lines, no line end at the end.
pub fn explain(inputs: &CostInputs, profile: &DeviceProfile) -> String {
    let estimate = estimate(inputs, profile);
    let prediction = &estimate.prediction;
    let mut text = format!(
        "{} predicted on `{}`, limited by {}; {:.0} % of the data sheet's roofline, {:.0} % of the sustained one",
        duration(prediction.time_ns as f64),
        profile.name,
        prediction.limiting,
        100.0 * estimate.roofline.fraction(prediction.time_ns),
        100.0 * estimate.roofline.fraction_of_sustained(prediction.time_ns),
    );
    let largest = prediction.terms.first().map_or(0.0, |term| term.time_ns);
    for term in prediction.terms.iter().filter(|term| term.time_ns > WORTH_SAYING * largest) {
        text += &format!("\n  {:<16} {:>10}", term.term.name(), duration(term.time_ns));
        if let Some(detail) = detail(term.term, inputs, &estimate, profile) {
            text += "  ";
            text += &detail;
        }
    }
    let occupancy = &estimate.occupancy;
    text += &format!(
        "\n  residency: {} blocks, {:.0} % of the warps, limited by {}; {} in flight per \
         multiprocessor; {:.0} waves",
        occupancy.blocks_per_multiprocessor,
        100.0 * occupancy.fraction(),
        occupancy.limiter,
        size(estimate.in_flight_bytes),
        estimate.waves,
    );
    text
}

/// What stands behind one term.
fn detail(
    term: CostTerm,
    inputs: &CostInputs,
    estimate: &Estimate,
    profile: &DeviceProfile,
) -> Option<String> {
    let traffic = &estimate.traffic;
    match term {
        CostTerm::DeviceMemory => Some(format!(
            "{} read, {} written at {:.2} TB/s",
            size(traffic.device_read_bytes),
            size(traffic.device_written_bytes),
            mixed_bandwidth(traffic.device_read_bytes, traffic.device_written_bytes, profile)
                / 1e12,
        )),
        CostTerm::L2 => Some(format!("{} both ways", size(traffic.l2_bytes))),
        CostTerm::Dispatch => {
            let blocks: f64 = inputs.launch.grid.iter().map(|&n| f64::from(n.max(1))).product();
            Some(format!("{blocks:.0} blocks"))
        }
        CostTerm::Latency => Some("memory round trips, wave after wave".to_owned()),
        CostTerm::Arithmetic
        | CostTerm::Conversion
        | CostTerm::Issue
        | CostTerm::Launch
        | CostTerm::SharedMemory
        | CostTerm::Special
        | CostTerm::Synchronisation
        | CostTerm::Tensor => None,
    }
}

fn duration(time_ns: f64) -> String {
    match time_ns {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.2} µs", ns / 1e3),
        ns => format!("{:.2} ms", ns / 1e6),
    }
}

fn size(bytes: f64) -> String {
    match bytes {
        bytes if bytes < 1e3 => format!("{bytes:.0} B"),
        bytes if bytes < 1e6 => format!("{:.1} kB", bytes / 1e3),
        bytes if bytes < 1e9 => format!("{:.1} MB", bytes / 1e6),
        bytes => format!("{:.2} GB", bytes / 1e9),
    }
}

//! What the records say about how a time and a verdict came about.

use std::collections::BTreeSet;

use ridge_spec::kernel::Tolerance;
use ridge_spec::outcome::Outcome;
use ridge_spec::record::{BlocksVerified, TuningRecord};

use crate::publication::Publication;

/// How the times were taken; `None` where none was.
pub(super) fn protocol(records: &[TuningRecord]) -> Option<String> {
    let measured: Vec<&TuningRecord> =
        records.iter().filter(|record| matches!(record.outcome, Outcome::Measured(_))).collect();
    let first = measured.first()?;
    let names: BTreeSet<&str> =
        measured.iter().map(|record| record.protocol.name.as_str()).collect();
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    let counts = measured.iter().filter_map(|record| match &record.outcome {
        Outcome::Measured(samples) => Some(samples.len()),
        _ => None,
    });
    let (least, most) = counts.fold((usize::MAX, 0), |(a, b), n| (a.min(n), b.max(n)));
    let mut text = format!(
        "Protocol {}, {} samples a time.",
        names.join(", "),
        if least == most { least.to_string() } else { format!("{least} to {most}") }
    );
    if first.protocol.name.starts_with("cold-graph") {
        text.push_str(
            " A sample is a CUDA graph of launches over rotating tensors, divided by their number; \
             before each, other memory of several caches' size was read, so that no input is in the \
             cache from the launch before. The median is shown.",
        );
    }
    let clocks: BTreeSet<u64> = measured
        .iter()
        .filter_map(|record| record.companions.as_ref()?.clocks)
        .flat_map(|clocks| [clocks.multiprocessor_min_hz, clocks.multiprocessor_max_hz])
        .collect();
    if let (Some(low), Some(high)) = (clocks.first(), clocks.last()) {
        let mhz = |hz: &u64| hz / 1_000_000;
        let range = if low == high {
            format!("{} MHz", mhz(low))
        } else {
            format!("{} to {} MHz", mhz(low), mhz(high))
        };
        text.push_str(&format!(" Multiprocessor clock {range}; no clock was set."));
    }
    Some(text)
}

/// How the entries were verified.
pub(super) fn verified(publication: &Publication<'_>) -> String {
    let records = publication.records;
    let tolerance = publication.spec.tolerance;
    let mut workloads = BTreeSet::new();
    let mut distributions = BTreeSet::new();
    let (mut worst, mut sampled) = (0.0_f64, false);
    for summary in records.iter().filter_map(|record| record.verification.as_ref()) {
        workloads.extend(summary.workloads.iter().map(String::as_str));
        distributions.extend(summary.distributions.iter().map(String::as_str));
        worst = worst.max(summary.worst_error);
        sampled |= matches!(summary.blocks, BlocksVerified::Sampled(_));
    }
    let list = |names: BTreeSet<&str>| -> String {
        let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    let seeds: BTreeSet<u64> = records.iter().map(|record| record.seed).collect();
    let seeds: Vec<String> = seeds.into_iter().map(|seed| seed.to_string()).collect();
    let mut text = format!(
        "## How it was verified\n\n\
         Every kernel here was compared with the mathematics above, evaluated in binary64, before it \
         was chosen{}.\n\n\
         - workloads: {}\n\
         - inputs: {}\n\
         - an element fails where it is off by more than {:?} and by more than {:?} of its value{}\n\
         - largest error seen: {worst:.2} of what is allowed\n\
         - seeds: {}\n",
        watched(records),
        list(workloads),
        list(distributions),
        tolerance.absolute,
        tolerance.relative,
        own_tolerances(publication),
        seeds.join(", ")
    );
    if sampled {
        text.push_str("- of the largest grids, a sample of blocks spread over the grid ran\n");
    }
    let repeatable = records.iter().filter_map(|record| record.companions.as_ref()?.repeatable);
    let (runs, same) = repeatable.fold((0, 0), |(n, same), own| (n + 1, same + u32::from(own)));
    if runs > 0 {
        text.push_str(&format!("- bit for bit the same in two runs: {same} of {runs} kernels\n"));
    }
    let environments: BTreeSet<String> = records.iter().map(environment).collect();
    for environment in environments {
        text.push_str(&format!("- {environment}\n"));
    }
    text
}

/// What an emulator saw to, where one ran every kernel.
fn watched(records: &[TuningRecord]) -> &'static str {
    if records.iter().all(|record| record.counters.is_some()) {
        "; an emulator ran it too, and checked every access to memory for bounds, alignment, races and \
         reads of what nobody wrote"
    } else {
        ""
    }
}

/// Names the outputs and the workloads that have a tolerance of their own.
fn own_tolerances(publication: &Publication<'_>) -> String {
    let shown =
        |name: String, own: &Tolerance| format!("{name} {:?} and {:?}", own.absolute, own.relative);
    let spec = publication.spec;
    let outputs = spec.output_tolerances.iter();
    let outputs = outputs.map(|(output, own)| shown(format!("`{output}`"), own));
    let workloads = spec.workloads.iter().flat_map(|workload| {
        let name = &workload.name;
        let whole = workload.tolerance.iter().map(move |own| shown(format!("`{name}`"), own));
        let outputs = workload.output_tolerances.iter();
        let name = move |output: &String| format!("`{output}` in `{name}`");
        whole.chain(outputs.map(move |(output, own)| shown(name(output), own)))
    });
    let own: Vec<String> = outputs.chain(workloads).collect();
    if own.is_empty() { String::new() } else { format!(" ({})", own.join("; ")) }
}

fn environment(record: &TuningRecord) -> String {
    let environment = &record.environment;
    let driver =
        environment.driver.as_ref().map_or_else(String::new, |own| format!(", driver {own}"));
    format!(
        "{}: {}{driver}, {}, Ridge {}",
        if environment.driver.is_some() { "timed on" } else { "predicted for" },
        environment.device,
        environment.toolkit,
        record.tool_version
    )
}

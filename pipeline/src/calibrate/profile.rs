//! The profile that a calibration writes.

use ridge_runtime::measure::DeviceFacts;
use ridge_runtime::profiles;
use ridge_spec::target::DeviceProfile;

use super::field::field;
use super::figures::Findings;

/// What a board of which no data sheet is known may move at most, over what it was measured to.
const PEAK_OVER_MEASURED: f64 = 1.1;

/// The profile to begin with: the board's own, or that of the nearest capability, as estimates.
pub(super) fn base(facts: &DeviceFacts) -> Option<DeviceProfile> {
    if let Some(own) = profiles::builtin(&facts.name) {
        return Some(own.clone());
    }
    let capability = facts.architecture.capability();
    let (nearest, _) = profiles::list()
        .min_by_key(|(profile, _)| profile.architecture.capability().abs_diff(capability))?;
    let mut profile = nearest.clone();
    for source in profile.sources.values_mut() {
        *source = format!("estimate: that of {}: {source}", nearest.device);
    }
    if profile.architecture.capability() != capability {
        profile.architecture = facts.architecture;
    }
    profile.name = short_name(&facts.name);
    profile.device.clone_from(&facts.name);
    profile.multiprocessors = facts.multiprocessors;
    profile.sources.insert("multiprocessors".to_owned(), "as the driver reports".to_owned());
    Some(profile)
}

/// A name as `--target` takes them: lower case, without spaces.
fn short_name(board: &str) -> String {
    let words = board.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty() && !word.eq_ignore_ascii_case("nvidia"));
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

/// The base with what was measured in its place. `provenance` begins the sources of the latter:
/// board, date, driver, version.
pub(super) fn calibrated(
    base: &DeviceProfile,
    findings: &Findings,
    provenance: &str,
) -> DeviceProfile {
    let mut profile = base.clone();
    for figure in &findings.figures {
        if let Some(field) = field(&mut profile, &figure.name) {
            field.set(figure.value);
            let source = format!("{provenance}: {}", figure.how);
            profile.sources.insert(figure.name.clone(), source);
        }
    }
    let memory = &mut profile.memory;
    let most = memory.read_bandwidth.max(memory.write_bandwidth).max(memory.copy_bandwidth);
    // A data sheet's bandwidth bounds what is believed; one that is exceeded is another board's.
    let is_borrowed = profiles::builtin(&base.device).is_none();
    if is_borrowed || most > memory.peak_bandwidth {
        memory.peak_bandwidth = super::fit::rounded(most * PEAK_OVER_MEASURED);
        let source = "estimate: a tenth above the largest bandwidth measured".to_owned();
        profile.sources.insert("memory.peak_bandwidth".to_owned(), source);
    }
    profile
}

#[cfg(test)]
mod tests {
    use ridge_spec::target::Architecture;

    use super::super::figures::Figure;
    use super::*;

    fn facts(name: &str, architecture: &str) -> DeviceFacts {
        DeviceFacts {
            name: name.to_owned(),
            architecture: Architecture::parse(architecture).unwrap(),
            driver: "580.159.04".to_owned(),
            cuda_version: 13_000,
            multiprocessors: 114,
            l2_bytes: 50 << 20,
            memory_bytes: 80 << 30,
        }
    }

    #[track_caller]
    fn check_base(board: &str, architecture: &str, name: &str, target: &str) {
        let profile = base(&facts(board, architecture)).unwrap();
        assert_eq!(
            (profile.name.as_str(), profile.architecture.to_string()),
            (name, target.into())
        );
    }

    #[test]
    fn unknown_boards_begin_with_their_nearest_relative() {
        check_base("NVIDIA H200", "sm_90", "h200", "sm_90a");
        check_base("NVIDIA H100 PCIe", "sm_90", "h100-pcie", "sm_90a");
        check_base("NVIDIA GeForce RTX 3090", "sm_86", "geforce-rtx-3090", "sm_86");
    }

    #[test]
    fn what_is_measured_comes_with_its_provenance_and_the_rest_stays() {
        let figure = |name: &str, value| Figure {
            name: name.to_owned(),
            unit: "B/s",
            value,
            base: None,
            how: "slope".to_owned(),
        };
        let findings = Findings {
            figures: vec![
                figure("memory.read_bandwidth", 4.4e12),
                figure("memory.l2_capacity_bytes", 41e6),
                figure("clock.event_tick", 32.0),
            ],
            ..Findings::default()
        };
        let known = base(&facts("NVIDIA H200", "sm_90")).unwrap();
        let made = calibrated(&known, &findings, "measured on NVIDIA H200, 2026-11-23");
        assert_eq!(made.memory.read_bandwidth.to_bits(), 4.4e12f64.to_bits());
        assert_eq!(made.memory.l2_capacity_bytes, 41_000_000);
        assert_eq!(made.memory.peak_bandwidth.to_bits(), known.memory.peak_bandwidth.to_bits());
        assert_eq!(
            made.sources["memory.read_bandwidth"],
            "measured on NVIDIA H200, 2026-11-23: slope"
        );
        assert_eq!(made.sources["memory.write_bandwidth"], known.sources["memory.write_bandwidth"]);
        let text = profiles::to_toml(&made).unwrap();
        assert_eq!(profiles::parse("mine.toml", &text).unwrap(), made);
        // Of a board without a data sheet here, what was measured bounds what is believed.
        let unknown = base(&facts("NVIDIA H100 PCIe", "sm_90")).unwrap();
        let made = calibrated(&unknown, &findings, "measured");
        assert!(made.sources["memory.peak_bandwidth"].starts_with("estimate: a tenth above"));
        let text = profiles::to_toml(&made).unwrap();
        assert_eq!(profiles::parse("mine.toml", &text).unwrap(), made);
    }
}

//! Device profiles: the built-in ones, and the reader for a user's own.
//!
//! A profile is a TOML file (see [`DeviceProfile`]) whose `[sources]` table says for every number
//! where it comes from: `measured on …` with a date, a data sheet or guide by name, or
//! `estimate: …` with what it was derived from.

use std::sync::LazyLock;

use ridge_spec::diagnostic::{Diagnostic, SourceLocation};
use ridge_spec::target::DeviceProfile;

/// Format of the profile files that this version reads.
pub const PROFILE_SCHEMA: u32 = 1;

/// A profile that ships with Ridge.
struct Builtin {
    name: &'static str,
    aliases: &'static [&'static str],
    file: &'static str,
    text: &'static str,
}

/// Every built-in profile: its name, what else people call it, and its file.
const BUILTIN: [Builtin; 6] = [
    Builtin {
        name: "h200",
        aliases: &["h200-sxm", "h200-141gb"],
        file: "h200.toml",
        text: include_str!("../profiles/h200.toml"),
    },
    Builtin {
        name: "h100",
        aliases: &["h100-sxm", "h100-sxm5", "h100-80gb"],
        file: "h100.toml",
        text: include_str!("../profiles/h100.toml"),
    },
    Builtin {
        name: "a100",
        aliases: &["a100-sxm", "a100-sxm4", "a100-80gb"],
        file: "a100.toml",
        text: include_str!("../profiles/a100.toml"),
    },
    Builtin {
        name: "l4",
        aliases: &[],
        file: "l4.toml",
        text: include_str!("../profiles/l4.toml"),
    },
    Builtin {
        name: "rtx4090",
        aliases: &["rtx-4090", "4090"],
        file: "rtx4090.toml",
        text: include_str!("../profiles/rtx4090.toml"),
    },
    Builtin {
        name: "b200",
        aliases: &["b200-sxm"],
        file: "b200.toml",
        text: include_str!("../profiles/b200.toml"),
    },
];

static PARSED: LazyLock<Vec<Result<DeviceProfile, Diagnostic>>> =
    LazyLock::new(|| BUILTIN.iter().map(|entry| parse(entry.file, entry.text)).collect());

/// The built-in profile called `name`: its short name, an alias or the board's full name, in any
/// case.
pub fn builtin(name: &str) -> Option<&'static DeviceProfile> {
    let wanted = name.trim();
    BUILTIN.iter().zip(PARSED.iter()).find_map(|(entry, parsed)| {
        let profile = parsed.as_ref().ok()?;
        let called = std::iter::once(&entry.name)
            .chain(entry.aliases)
            .any(|known| known.eq_ignore_ascii_case(wanted))
            || profile.device.eq_ignore_ascii_case(wanted);
        called.then_some(profile)
    })
}

/// The built-in profiles in the order in which they are listed, each with its aliases.
pub fn list() -> impl Iterator<Item = (&'static DeviceProfile, &'static [&'static str])> {
    BUILTIN
        .iter()
        .zip(PARSED.iter())
        .filter_map(|(entry, parsed)| Some((parsed.as_ref().ok()?, entry.aliases)))
}

/// The built-in profile called `name`, or what to tell the user who asked for it.
///
/// # Errors
/// `profile.unknown`, with the names there are as the hint.
pub fn find(name: &str) -> Result<&'static DeviceProfile, Diagnostic> {
    builtin(name).ok_or_else(|| {
        let names: Vec<&str> = BUILTIN.iter().map(|entry| entry.name).collect();
        Diagnostic::new("profile.unknown", format!("no device profile is called `{name}`"))
            .hint(format!("the built-in profiles are {}", names.join(", ")))
    })
}

/// Reads and checks a profile.
///
/// # Errors
/// `profile.syntax` for TOML that is not a profile (with its place), `profile.schema` for another
/// format, `profile.value` for a number no device has, `profile.source` for a number whose origin
/// is not given.
pub fn parse(file: &str, text: &str) -> Result<DeviceProfile, Diagnostic> {
    let profile: DeviceProfile = toml::from_str(text).map_err(|error| {
        let message = error.message().trim_end().replace('\n', "; ");
        let diagnostic = Diagnostic::new("profile.syntax", message);
        match error.span() {
            Some(span) => diagnostic.at(SourceLocation::of(file, text, span)),
            None => diagnostic,
        }
    })?;
    if profile.schema != PROFILE_SCHEMA {
        return Err(Diagnostic::new(
            "profile.schema",
            format!("`{file}` has schema {}, this version reads {PROFILE_SCHEMA}", profile.schema),
        ));
    }
    for (field, value) in numbers(&profile) {
        if !(value.is_finite() && value > 0.0) {
            return Err(Diagnostic::new(
                "profile.value",
                format!("`{field}` of `{file}` is {value}, not a positive number"),
            ));
        }
        if profile.sources.get(field).is_none_or(|source| source.trim().is_empty()) {
            return Err(Diagnostic::new(
                "profile.source",
                format!("`{field}` of `{file}` has no entry in `[sources]`"),
            )
            .hint(format!("add `\"{field}\" = \"measured …\"`, a data sheet, or `estimate: …`")));
        }
    }
    Ok(profile)
}

/// A profile as [`parse`] reads it.
///
/// # Errors
/// `profile.syntax` for a number that TOML cannot hold.
pub fn to_toml(profile: &DeviceProfile) -> Result<String, Diagnostic> {
    toml::to_string(profile).map_err(|error| Diagnostic::new("profile.syntax", error.to_string()))
}

/// Every number of a profile under the name its source is listed by. The patterns are complete,
/// so that a new field does not compile until it is listed.
fn numbers(profile: &DeviceProfile) -> Vec<(&'static str, f64)> {
    let DeviceProfile { multiprocessors, limits, memory, multiprocessor, launch, .. } = profile;
    let mut all = vec![("multiprocessors", f64::from(*multiprocessors))];
    macro_rules! section {
        ($name:literal, $value:expr, $type:ident { $($field:ident),* $(,)? }) => {
            let ridge_spec::target::$type { $($field),* } = *$value;
            $(all.push((concat!($name, ".", stringify!($field)), number($field)));)*
        };
    }
    section!(
        "limits",
        limits,
        DeviceLimits {
            threads_per_block,
            threads_per_multiprocessor,
            blocks_per_multiprocessor,
            registers_per_multiprocessor,
            registers_per_thread,
            register_allocation_unit,
            shared_memory_per_multiprocessor_bytes,
            shared_memory_per_block_bytes,
            shared_memory_reserved_per_block_bytes,
            cluster_blocks,
            warp_size,
        }
    );
    section!(
        "memory",
        memory,
        MemoryProfile {
            peak_bandwidth,
            read_bandwidth,
            write_bandwidth,
            copy_bandwidth,
            latency_ns,
            l2_capacity_bytes,
            l2_bandwidth,
        }
    );
    section!(
        "multiprocessor",
        multiprocessor,
        MultiprocessorProfile {
            clock_hz,
            issue_rate,
            shared_bytes_per_clock,
            float32_lanes,
            integer_lanes,
            float64_lanes,
            special_lanes,
            conversion_lanes,
        }
    );
    section!(
        "launch",
        launch,
        LaunchProfile { graph_node_ns, block_dispatch_ns, block_turnaround_ns, barrier_ns }
    );
    all
}

/// A field's value as the check wants it.
fn number(value: impl Number) -> f64 {
    value.number()
}

/// The types that a profile's numbers have.
trait Number {
    fn number(self) -> f64;
}

impl Number for f64 {
    fn number(self) -> f64 {
        self
    }
}

impl Number for u32 {
    fn number(self) -> f64 {
        f64::from(self)
    }
}

impl Number for u64 {
    fn number(self) -> f64 {
        self as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_builtin_profile_is_sound_and_sourced() {
        for (entry, parsed) in BUILTIN.iter().zip(PARSED.iter()) {
            let profile = parsed.as_ref().unwrap_or_else(|error| panic!("{}: {error}", entry.file));
            assert_eq!(profile.name, entry.name);
            let known: Vec<&str> = numbers(profile).iter().map(|&(field, _)| field).collect();
            for field in profile.sources.keys() {
                assert!(known.contains(&field.as_str()), "{field} of {} is no field", entry.file);
            }
            assert_eq!(known.len(), profile.sources.len());
            let memory = &profile.memory;
            for sustained in [memory.read_bandwidth, memory.write_bandwidth, memory.copy_bandwidth]
            {
                assert!(sustained < memory.peak_bandwidth, "{}", entry.file);
            }
        }
        assert_eq!(list().count(), BUILTIN.len());
    }

    #[test]
    fn names_are_unambiguous() {
        let mut names: Vec<String> = list()
            .flat_map(|(profile, aliases)| {
                aliases
                    .iter()
                    .map(|&alias| alias.to_owned())
                    .chain([profile.name.clone(), profile.device.to_ascii_lowercase()])
                    .collect::<Vec<_>>()
            })
            .collect();
        let total = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), total);
    }

    #[track_caller]
    fn check_name(name: &str, expected: Option<&str>) {
        assert_eq!(builtin(name).map(|profile| profile.name.as_str()), expected);
    }

    #[test]
    fn finds_names_aliases_and_boards() {
        check_name("h200", Some("h200"));
        check_name("H200", Some("h200"));
        check_name("NVIDIA H200", Some("h200"));
        check_name("rtx-4090", Some("rtx4090"));
        check_name("a100-sxm", Some("a100"));
        check_name("h300", None);
        let error = find("h300").unwrap_err();
        assert_eq!(error.code, "profile.unknown");
        assert_eq!(
            error.hint.as_deref(),
            Some("the built-in profiles are h200, h100, a100, l4, rtx4090, b200")
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        for (profile, _) in list() {
            let text = to_toml(profile).unwrap();
            assert_eq!(parse("again.toml", &text).as_ref(), Ok(profile));
        }
    }

    #[track_caller]
    fn check_refused(change: impl Fn(&str) -> String, code: &str, message: &str) {
        let error = parse("mine.toml", &change(BUILTIN[0].text)).unwrap_err();
        assert_eq!((error.code.as_str(), error.message.as_str()), (code, message));
    }

    #[test]
    fn refuses_what_is_no_profile() {
        check_refused(
            |text| text.replace("schema = 1", "schema = 9"),
            "profile.schema",
            "`mine.toml` has schema 9, this version reads 1",
        );
        check_refused(
            |text| text.replace("latency_ns = 800.0", "latency_ns = -1.0"),
            "profile.value",
            "`memory.latency_ns` of `mine.toml` is -1, not a positive number",
        );
        check_refused(
            |text| text.replace("latency_ns = 800.0", "latency_ns = nan"),
            "profile.value",
            "`memory.latency_ns` of `mine.toml` is NaN, not a positive number",
        );
        check_refused(
            |text| {
                text.replace(
                    "\"launch.barrier_ns\" = \"estimate",
                    "\"launch.barrier\" = \"estimate",
                )
            },
            "profile.source",
            "`launch.barrier_ns` of `mine.toml` has no entry in `[sources]`",
        );
        let error = parse("mine.toml", "schema = 1\nnmae = \"x\"\n").unwrap_err();
        assert_eq!(error.code, "profile.syntax");
        assert_eq!(error.location.map(|place| place.line), Some(2));
    }
}

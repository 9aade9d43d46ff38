//! The table of times.

use ridge_spec::matrix::{AloneWinner, Entry, EntryTime};
use ridge_spec::record::TuningRecord;

use super::words;
use crate::publication::Publication;

/// Times of the entries, each with what was timed beside it.
pub(super) fn measured(publication: &Publication<'_>) -> String {
    let entries = publication.matrix.entries();
    let any_measured = entries.iter().any(|entry| matches!(entry.time, EntryTime::Measured { .. }));
    let title = if any_measured { "## Measured" } else { "## Predicted" };
    let rows: Vec<(&Entry, Option<&TuningRecord>)> =
        entries.iter().map(|entry| (entry, publication.record(entry.record))).collect();
    let any_alone = rows.iter().any(|(_, record)| record.and_then(AloneWinner::of).is_some());
    let mut text = format!(
        "{title}\n\n\
         | workload | shape | device | time | 95 % of the median | GB/s | of the roofline | copy of the same bytes{} |\n\
         | --- | --- | --- | ---: | ---: | ---: | ---: | ---:{} |\n",
        if any_alone { " | alone" } else { "" },
        if any_alone { " | ---:" } else { "" },
    );
    for (entry, record) in &rows {
        text.push_str(&row(entry, *record, any_alone));
    }
    text.push_str(
        "\nGB/s counts every byte of the inputs and outputs once; the roofline is that at the data \
         sheet's bandwidth.",
    );
    if any_measured {
        text.push_str(
            " The copy moves as many bytes, half read and half written, and was timed in the same \
             rounds.",
        );
    }
    if any_alone {
        text.push_str(
            " *Alone* is one launch behind a kernel that triggers nothing, its start included; the \
             other times are those of launches back to back.",
        );
    }
    if entries.iter().any(|entry| entry.alone.is_some()) {
        text.push_str(
            " A row with a **second kernel** has one that is surely faster alone; the time is that \
             kernel's, and the first one's is in brackets.",
        );
    }
    text.push('\n');
    if let Some(protocol) = words::protocol(publication.records) {
        text.push_str(&format!("\n{protocol}\n"));
    }
    text
}

fn row(entry: &Entry, record: Option<&TuningRecord>, any_alone: bool) -> String {
    let axes = entry.axes.iter().map(|(name, value)| format!("{name} {value}"));
    let types = entry.types.values().map(|dtype| dtype.name().to_owned());
    let shape: Vec<String> = axes.chain(types).collect();
    let ns = entry.time.median_ns();
    let (time, interval) = match entry.time {
        EntryTime::Measured { interval_ns: (low, high), .. } => {
            (duration(ns), format!("{} – {}", duration(low), duration(high)))
        }
        EntryTime::Predicted { .. } => (format!("{} *predicted*", duration(ns)), "–".to_owned()),
    };
    let bandwidth =
        record.map_or_else(|| "–".to_owned(), |own| format!("{:.0}", rate(own.bytes_min, ns)));
    let roofline = entry
        .fraction_of_roofline
        .map_or_else(|| "–".to_owned(), |fraction| format!("{:.1} %", fraction * 100.0));
    let copy = record
        .and_then(|own| own.companions.as_ref())
        .map_or_else(|| "–".to_owned(), |own| duration(own.copy.median_ns()));
    let alone = if any_alone { format!(" | {}", alone(entry, record)) } else { String::new() };
    format!(
        "| {} | {} | {} | {time} | {interval} | {bandwidth} | {roofline} | {copy}{alone} |\n",
        entry.workload,
        shape.join(", "),
        entry.device
    )
}

/// The time of a call alone, and of which kernel.
fn alone(entry: &Entry, record: Option<&TuningRecord>) -> String {
    let first = record.and_then(AloneWinner::of).map(|own| duration(own.median_ns));
    match (&entry.alone, first) {
        (Some(second), Some(first)) => {
            format!("{} **second kernel** ({first})", duration(second.median_ns))
        }
        (_, first) => first.unwrap_or_else(|| "–".to_owned()),
    }
}

/// Bytes per nanosecond, which is GB/s.
fn rate(bytes: u64, ns: u64) -> f64 {
    bytes as f64 / ns.max(1) as f64
}

/// A time with four significant digits.
pub(super) fn duration(ns: u64) -> String {
    let (value, unit) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (ns as f64 / 1e3, "µs"),
        1_000_000..1_000_000_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    match value {
        _ if value < 10.0 => format!("{value:.3} {unit}"),
        _ if value < 100.0 => format!("{value:.2} {unit}"),
        _ => format!("{value:.1} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn times_have_four_digits() {
        let shown: Vec<String> = [940, 1_234, 17_215, 129_300, 1_500_000].map(duration).into();
        assert_eq!(shown, ["940 ns", "1.234 µs", "17.21 µs", "129.3 µs", "1.500 ms"]);
    }
}

//! What `doctor` found and measured, for people.

use ridge_pipeline::answer::DoctorAnswer;
use ridge_pipeline::calibrate::{CalibrationAnswer, Figure, Findings};

use super::paint::Paint;
use super::time;

/// Draws the checks, one a line.
pub(crate) fn checks(paint: &Paint, answer: &DoctorAnswer) -> String {
    let mut text = String::new();
    for check in &answer.checks {
        let mark = if check.works { paint.good("works") } else { paint.bad("fails") };
        text.push_str(&format!("{mark}  {:<18} {}\n", check.name, check.detail));
        if let Some(hint) = &check.hint {
            text.push_str(&format!("       {}: {hint}\n", paint.strong("hint")));
        }
    }
    text
}

/// Draws what was measured beside what the profile had.
pub(crate) fn calibration(paint: &Paint, answer: &CalibrationAnswer) -> String {
    let mut text = String::new();
    if !answer.findings.figures.is_empty() {
        text.push_str(&paint.strong(&row("figure", "measured", &answer.base, "ratio")));
        answer.findings.figures.iter().for_each(|figure| text.push_str(&figure_row(figure)));
    }
    text.push_str(&curves(paint, &answer.findings));
    for missing in &answer.missing {
        text.push_str(&format!(
            "{} {}: {}\n",
            paint.bad("missing"),
            missing.launch,
            missing.reason
        ));
    }
    text.push_str(&format!(
        "{} on {}: {} probes right, {} figures in {}\n",
        answer.board,
        answer.device,
        answer.probes_checked,
        answer.findings.figures.len(),
        time::nanoseconds(answer.wall_time_ns)
    ));
    for (name, path) in [("profile", &answer.profile), ("samples", &answer.data)] {
        if let Some(path) = path {
            text.push_str(&format!("  {name:<8} {}\n", path.display()));
        }
    }
    text
}

fn row(name: &str, value: &str, base: &str, ratio: &str) -> String {
    let line = format!("{name:<34} {value:>12} {base:>12} {ratio:>7}");
    format!("{}\n", line.trim_end())
}

fn figure_row(figure: &Figure) -> String {
    let base = figure.base.map_or_else(String::new, |base| quantity(base, figure.unit));
    let ratio = figure.base.map_or_else(String::new, |base| format!("{:.3}", figure.value / base));
    row(&figure.name, &quantity(figure.value, figure.unit), &base, &ratio)
}

/// A number with its unit and a prefix.
fn quantity(value: f64, unit: &str) -> String {
    let (value, prefix) = match value {
        _ if unit == "ns" => (value, ""),
        _ if value >= 1e12 => (value / 1e12, "T"),
        _ if value >= 1e9 => (value / 1e9, "G"),
        _ if value >= 1e6 => (value / 1e6, "M"),
        _ => (value, ""),
    };
    let digits = match value {
        _ if value < 10.0 => 3,
        _ if value < 100.0 => 2,
        _ => 1,
    };
    format!("{value:.digits$} {prefix}{unit}")
}

/// Draws what is more than one number.
fn curves(paint: &Paint, findings: &Findings) -> String {
    let mut text = String::new();
    let mut mix = "";
    for point in &findings.bandwidths {
        if point.mix != mix {
            text.push_str(&format!("{}\n", paint.strong(&format!("{} by size", point.mix))));
            mix = &point.mix;
        }
        let (bytes, rate) = (point.bytes as f64, point.bytes_per_second);
        text.push_str(&curve_row(&[
            quantity(bytes, "B"),
            format!("{:.2} µs", point.time_ns / 1e3),
            quantity(rate, "B/s"),
        ]));
    }
    let mut section = |title: &str, rows: Vec<String>| {
        if !rows.is_empty() {
            text.push_str(&format!("{}\n{}", paint.strong(title), rows.concat()));
        }
    };
    let cache = findings.cache.iter().map(|point| {
        let bytes = quantity(point.footprint_bytes as f64, "B");
        curve_row(&[bytes, quantity(point.bytes_per_second, "B/s")])
    });
    section("repeated read by footprint", cache.collect());
    let loads = findings.loads.iter().map(|point| {
        let latency = point.latency_ns.map_or_else(String::new, |ns| format!("latency {ns:.0} ns"));
        let bytes = quantity(point.in_flight_bytes as f64, "B");
        curve_row(&[bytes, format!("{:.0} ns", point.trip_ns), latency])
    });
    section("round trip by bytes in flight", loads.collect());
    let noise = findings.noise.iter().map(|noise| {
        let (time, twin) = (noise.time_ns / 1e3, noise.twin_ns / 1e3);
        let times = [format!("{time:.3} µs"), format!("{twin:.3} µs")];
        let [time, twin] = times;
        curve_row(&[time, twin, format!("{:.2} %", noise.share * 100.0)])
    });
    section("the same copy twice", noise.collect());
    text
}

fn curve_row(columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|column| format!("{column:>14}")).collect();
    format!("  {}\n", columns.join(" ").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_prefixes_and_four_digits() {
        for (value, unit, expected) in [
            (4.531e12, "B/s", "4.531 TB/s"),
            (9.7e11, "B/s", "970.0 GB/s"),
            (41_400_000.0, "B", "41.40 MB"),
            (1.98e9, "Hz", "1.980 GHz"),
            (484.2, "ns", "484.2 ns"),
            (0.6, "ns", "0.600 ns"),
            (2048.0, "ns", "2048.0 ns"),
        ] {
            assert_eq!(quantity(value, unit), expected);
        }
    }

    #[test]
    fn figures_stand_beside_the_profiles() {
        let figure = |name: &str, base| Figure {
            name: name.to_owned(),
            unit: "B/s",
            value: 4.4e12,
            base,
            how: String::new(),
        };
        assert_eq!(
            figure_row(&figure("memory.read_bandwidth", Some(4.0e12))),
            "memory.read_bandwidth                4.400 TB/s   4.000 TB/s   1.100\n"
        );
        assert_eq!(
            figure_row(&figure("memory.2r1w_bandwidth", None)),
            "memory.2r1w_bandwidth                4.400 TB/s\n"
        );
    }
}

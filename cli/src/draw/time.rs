//! Times, sizes and shares as people read them.

/// A time in nanoseconds with three significant digits and its unit.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn nanoseconds(ns: u64) -> String {
    let ns = ns as f64;
    match ns {
        _ if ns < 1e3 => format!("{ns:.0} ns"),
        _ if ns < 1e6 => format!("{} µs", three_digits(ns / 1e3)),
        _ if ns < 1e9 => format!("{} ms", three_digits(ns / 1e6)),
        _ => format!("{} s", three_digits(ns / 1e9)),
    }
}

fn three_digits(value: f64) -> String {
    match value {
        _ if value < 10.0 => format!("{value:.2}"),
        _ if value < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// A fraction as a percentage with one digit.
pub(crate) fn percent(fraction: f64) -> String {
    format!("{:.1} %", fraction * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits() {
        let shown: Vec<String> =
            [0, 999, 1_000, 17_040, 129_300, 1_500_000, 61_000_000_000].map(nanoseconds).into();
        let expected = ["0 ns", "999 ns", "1.00 µs", "17.0 µs", "129 µs", "1.50 ms", "61.0 s"];
        assert_eq!(shown, expected);
    }
}

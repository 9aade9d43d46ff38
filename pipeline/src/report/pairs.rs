//! Two parameters at a time: which values go together.

use super::charts::{microseconds, real};
use super::model::{Pair, SortableValue, Workload};
use super::svg::Plot;

/// Pairs that are drawn.
const SHOWN: usize = 6;

/// The pairs of parameters that depend on each other most: a caption and a map of the fastest time
/// for each pair of values.
pub(crate) fn pairs(workload: &Workload) -> Vec<(String, String)> {
    let names: Vec<String> = workload.main_effects().into_keys().collect();
    let mut found: Vec<(f64, String, String)> = Vec::new();
    for (at, first) in names.iter().enumerate() {
        for second in &names[at + 1..] {
            let pair = workload.pair(first, second);
            let strength = interaction(&pair);
            if strength > 0.0 {
                found.push((strength, format!("{first} × {second}"), map(&pair)));
            }
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    found.into_iter().take(SHOWN).map(|(_, caption, chart)| (caption, chart)).collect()
}

/// How far the logarithm of the fastest time is from the sum of an effect of either value: the
/// residual's root mean square after rows and columns are centred.
fn interaction(pair: &Pair) -> f64 {
    let mean = |select: &dyn Fn(&(SortableValue, SortableValue)) -> bool| {
        let chosen = pair.iter().filter(|(key, _)| select(key));
        let (sum, n) =
            chosen.fold((0.0, 0.0), |(sum, n), (_, &time)| (sum + real(time.max(1)).ln(), n + 1.0));
        if n > 0.0 { sum / n } else { 0.0 }
    };
    let overall = mean(&|_| true);
    let squares = pair.iter().map(|((first, second), &time)| {
        let row = mean(&|(other, _)| other == first) - overall;
        let column = mean(&|(_, other)| other == second) - overall;
        (real(time.max(1)).ln() - overall - row - column).powi(2)
    });
    (squares.sum::<f64>() / real(pair.len().max(1) as u64)).sqrt()
}

fn map(pair: &Pair) -> String {
    let mut rows: Vec<&SortableValue> = pair.keys().map(|(first, _)| first).collect();
    let mut columns: Vec<&SortableValue> = pair.keys().map(|(_, second)| second).collect();
    for values in [&mut rows, &mut columns] {
        values.sort_unstable();
        values.dedup();
    }
    let fastest = pair.values().min().copied().unwrap_or(1);
    let (width, left, top, cell) = (420.0, 90.0, 26.0, 22.0);
    let step = (width - left - 10.0) / real(columns.len().max(1) as u64);
    let mut plot = Plot::new(width, top + cell * real(rows.len() as u64) + 8.0);
    for (at, column) in columns.iter().enumerate() {
        plot.text(left + step * (real(at as u64) + 0.5), top - 8.0, "middle", "tick", &column.text);
    }
    for (at, row) in rows.iter().enumerate() {
        let y = top + cell * real(at as u64);
        plot.text(left - 8.0, y + 15.0, "end", "tick", &row.text);
        for (place, column) in columns.iter().enumerate() {
            let Some(&time) = pair.get(&((*row).clone(), (*column).clone())) else { continue };
            let x = left + step * real(place as u64);
            let loss = real(time) / real(fastest.max(1)) - 1.0;
            let label = format!(
                "{} × {}: fastest {} µs, {:.1} % above the best",
                row.text,
                column.text,
                microseconds(real(time)),
                loss * 100.0
            );
            plot.bar((x + 1.0, y + 1.0), (step - 2.0, cell - 2.0), shade(loss), &label);
            let text =
                if time == fastest { "best".to_owned() } else { format!("{:.1}", loss * 100.0) };
            plot.text(x + step / 2.0, y + 15.0, "middle", "cell", &text);
        }
    }
    plot.finish("fastest candidate for each pair of values, percent above the best")
}

/// The style of a cell that is so far above the best.
fn shade(loss: f64) -> &'static str {
    match loss {
        loss if loss < 0.01 => "heat-0",
        loss if loss < 0.03 => "heat-1",
        loss if loss < 0.10 => "heat-2",
        loss if loss < 0.30 => "heat-3",
        _ => "heat-4",
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::{Pair, SortableValue};
    use super::interaction;

    fn pair(times: [[u64; 2]; 2]) -> Pair {
        let value = |n: i64| SortableValue { number: Some(n), text: n.to_string() };
        let cells = [(0, 0), (0, 1), (1, 0), (1, 1)];
        cells.into_iter().map(|(a, b)| ((value(a as i64), value(b as i64)), times[a][b])).collect()
    }

    #[test]
    fn factors_that_multiply_do_not_interact() {
        assert!(interaction(&pair([[100, 200], [300, 600]])) < 1e-9);
        assert!(interaction(&pair([[100, 200], [200, 100]])) > 0.3);
    }
}

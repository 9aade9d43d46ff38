//! Where the wrong elements of an output are, found axis by axis.

use ridge_spec::outcome::{AxisLength, AxisPattern, Region};

use super::compare::{FailedElements, Judge, coordinates};

/// Periods that tiles, vectors, warps and blocks have.
const MODULI: [u64; 15] = [2, 3, 4, 5, 6, 7, 8, 12, 16, 32, 64, 128, 256, 512, 1024];
/// A density from which "all" is said.
const ALL: f64 = 0.9995;
/// A density from which "nearly all" is said: some values are right by chance.
const NEARLY_ALL: f64 = 0.9;

/// What is known of one axis, index by index.
struct AxisCounts {
    failed: Vec<u32>,
    compared: Vec<u32>,
}

impl AxisCounts {
    fn bad(&self, index: u64) -> bool {
        self.failed.get(index as usize).is_some_and(|&n| n > 0)
    }

    /// Compared, and nothing wrong with it.
    fn good(&self, index: u64) -> bool {
        !self.bad(index) && self.compared.get(index as usize).is_some_and(|&n| n > 0)
    }
}

/// Finds where the failed elements are. There is at least one.
pub(super) fn find(judge: &Judge<'_>, failed: &FailedElements, n_compared: u64) -> Region {
    let axes = judge.request.axes;
    let counts = count(judge, failed);
    let bounds: Vec<(u64, u64)> = counts.iter().map(bounds).collect();
    let patterns: Vec<AxisPattern> =
        counts.iter().zip(&bounds).map(|(counts, &bounds)| pattern(counts, bounds)).collect();
    let inside = if patterns.iter().all(|pattern| *pattern == AxisPattern::Any) {
        n_compared
    } else {
        count_inside(judge, &patterns)
    };
    let density = (failed.n as f64 / inside.max(1) as f64).min(1.0);
    let lower: Vec<u64> = bounds.iter().map(|bounds| bounds.0).collect();
    let upper = bounds.iter().map(|bounds| bounds.1).collect();
    let sentence = if failed.n == 1 && n_compared > 1 {
        format!("only the element at {lower:?}")
    } else {
        sentence(axes, &patterns, density)
    };
    Region { lower, upper, patterns, density, sentence }
}

fn count(judge: &Judge<'_>, failed: &FailedElements) -> Vec<AxisCounts> {
    let axes = judge.request.axes;
    let bad = tally(axes, failed.iter());
    let compared = if judge.written.is_everything() {
        axes.iter().map(|axis| vec![1; axis.length as usize]).collect()
    } else {
        let elements = 0..judge.request.expected.values.len();
        tally(axes, elements.filter(|&element| judge.written.contains(element)))
    };
    bad.into_iter()
        .zip(compared)
        .map(|(failed, compared)| AxisCounts { failed, compared })
        .collect()
}

/// How many of the elements, which ascend, lie at each index of each axis.
fn tally(axes: &[AxisLength], elements: impl Iterator<Item = usize>) -> Vec<Vec<u32>> {
    let mut counts: Vec<Vec<u32>> = axes.iter().map(|axis| vec![0; axis.length as usize]).collect();
    let Some((inner, outer)) = counts.split_last_mut() else { return counts };
    let n_inner = inner.len().max(1);
    let mut add_row = |row: usize, n: u32| {
        let mut rest = row;
        for counts in outer.iter_mut().rev() {
            let length = counts.len().max(1);
            if let Some(count) = counts.get_mut(rest % length) {
                *count = count.saturating_add(n);
            }
            rest /= length;
        }
    };
    // Elements of one row of the last axis come together: a division for each row, not for each
    // element.
    let (mut row, mut start, mut n_in_row) = (0, 0, 0);
    for element in elements {
        if element - start >= n_inner {
            add_row(row, n_in_row);
            (row, n_in_row) = (element / n_inner, 0);
            start = row * n_inner;
        }
        n_in_row += 1;
        if let Some(count) = inner.get_mut(element - start) {
            *count = count.saturating_add(1);
        }
    }
    add_row(row, n_in_row);
    counts
}

/// Least and greatest bad index.
fn bounds(counts: &AxisCounts) -> (u64, u64) {
    let first = counts.failed.iter().position(|&n| n > 0).unwrap_or_default();
    let last = counts.failed.iter().rposition(|&n| n > 0).unwrap_or_default();
    (first as u64, last as u64)
}

fn pattern(counts: &AxisCounts, (first, last): (u64, u64)) -> AxisPattern {
    let length = counts.failed.len() as u64;
    if !(0..length).any(|index| counts.good(index)) {
        return AxisPattern::Any;
    }
    if first == last {
        return AxisPattern::Single { index: first };
    }
    if !(first..=last).any(|index| counts.good(index)) {
        return match (first, last + 1) {
            (0, end) => AxisPattern::First { n: end },
            (start, end) if end == length => AxisPattern::Last { n: length - start },
            _ => AxisPattern::Range { from: first, to: last },
        };
    }
    residues(counts, first, last).unwrap_or(AxisPattern::Any)
}

/// The least modulus for which the bad indices are those with some remainders, and no others.
fn residues(counts: &AxisCounts, first: u64, last: u64) -> Option<AxisPattern> {
    let step = (first + 1..=last)
        .filter(|&index| counts.bad(index))
        .fold(0, |step, index| gcd(step, index - first));
    let mut moduli = MODULI.to_vec();
    moduli.push(step);
    moduli.sort_unstable();
    moduli.into_iter().filter(|&m| m >= 2 && last - first >= 2 * m).find_map(|modulus| {
        let mut seen = vec![false; modulus as usize];
        for index in (first..=last).filter(|&index| counts.bad(index)) {
            seen[(index % modulus) as usize] = true;
        }
        let from = seen.iter().position(|&seen| seen)? as u64;
        let to = seen.iter().rposition(|&seen| seen)? as u64;
        if 2 * (to - from + 1) > modulus {
            return None;
        }
        let inside = |index: &u64| (from..=to).contains(&(index % modulus));
        let n_good = (first..=last).filter(inside).filter(|&index| counts.good(index)).count();
        let n_bad = (first..=last).filter(|&index| counts.bad(index)).count();
        (n_good * 10 <= n_bad).then_some(AxisPattern::Residues { modulus, from, to })
    })
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Compared elements whose index fits every pattern.
fn count_inside(judge: &Judge<'_>, patterns: &[AxisPattern]) -> u64 {
    let axes = judge.request.axes;
    if judge.written.is_everything() {
        let along = axes.iter().zip(patterns).map(|(axis, pattern)| {
            (0..axis.length).filter(|&index| fits(*pattern, axis.length, index)).count() as u64
        });
        return along.product();
    }
    let inside = |element: &usize| {
        let index = coordinates(axes, *element);
        let mut places = axes.iter().zip(patterns).zip(index);
        places.all(|((axis, pattern), index)| fits(*pattern, axis.length, index))
    };
    let elements = 0..judge.request.expected.values.len();
    elements.filter(|&element| judge.written.contains(element)).filter(inside).count() as u64
}

fn fits(pattern: AxisPattern, length: u64, index: u64) -> bool {
    match pattern {
        AxisPattern::Any => true,
        AxisPattern::Single { index: only } => index == only,
        AxisPattern::First { n } => index < n,
        AxisPattern::Last { n } => index + n >= length,
        AxisPattern::Range { from, to } => (from..=to).contains(&index),
        AxisPattern::Residues { modulus, from, to } => (from..=to).contains(&(index % modulus)),
    }
}

fn sentence(axes: &[AxisLength], patterns: &[AxisPattern], density: f64) -> String {
    let conditions: Vec<String> =
        axes.iter().zip(patterns).filter_map(|(axis, pattern)| condition(axis, *pattern)).collect();
    let conditions = conditions.join(" and ");
    let share = percent(density);
    match (conditions.is_empty(), density) {
        (true, ALL..) => "the whole tensor".to_owned(),
        (true, NEARLY_ALL..) => "nearly the whole tensor".to_owned(),
        (true, _) => format!("scattered over the whole tensor ({share} of it)"),
        (false, ALL..) => format!("all elements with {conditions}"),
        (false, NEARLY_ALL..) => format!("nearly all elements with {conditions}"),
        (false, _) => format!("{share} of the elements with {conditions}"),
    }
}

fn condition(axis: &AxisLength, pattern: AxisPattern) -> Option<String> {
    let name = &axis.name;
    Some(match pattern {
        AxisPattern::Any => return None,
        AxisPattern::Single { index } => format!("`{name}` = {index}"),
        AxisPattern::First { n } => format!("`{name}` < {n} (the first {n})"),
        AxisPattern::Last { n } => format!("`{name}` >= {} (the last {n})", axis.length - n),
        AxisPattern::Range { from, to } => format!("`{name}` from {from} to {to}"),
        AxisPattern::Residues { modulus, from, to } if from == to => {
            format!("`{name}` mod {modulus} = {from}")
        }
        AxisPattern::Residues { modulus, from, to } => {
            format!("`{name}` mod {modulus} from {from} to {to}")
        }
    })
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        _ if percent >= 10.0 => format!("{percent:.0} %"),
        _ if percent >= 0.01 => format!("{percent:.2} %"),
        _ => "less than 0.01 %".to_owned(),
    }
}

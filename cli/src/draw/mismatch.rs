//! A wrong output, for people: where, how many, the worst, and how the errors are spread.

use ridge_spec::outcome::{ElementError, Mismatch};

/// Characters of the longest bar.
const BAR: u64 = 30;

/// Draws a mismatch, several lines.
pub(crate) fn mismatch(mismatch: &Mismatch) -> String {
    let mut text = String::new();
    if let Some(inputs) = &mismatch.inputs {
        text.push_str(&format!(
            "inputs: {}, seed {}; {} elements compared, {} NaN, {} infinite\n",
            inputs.distribution,
            inputs.seed,
            mismatch.n_compared,
            mismatch.n_nan,
            mismatch.n_infinite
        ));
    }
    text.push_str(&format!("where: {}\n", mismatch.region.sentence));
    text.push_str(&element("first", mismatch, &mismatch.first));
    text.push_str(&element("worst", mismatch, &mismatch.worst));
    text.push_str("error over tolerance, elements by decade:\n");
    let most = mismatch.errors.decades.iter().map(|decade| decade.n).max().unwrap_or(1).max(1);
    if mismatch.errors.n_exact > 0 {
        text.push_str(&format!("      exact  {}\n", mismatch.errors.n_exact));
    }
    for decade in &mismatch.errors.decades {
        let filled = usize::try_from((decade.n * BAR).div_ceil(most)).unwrap_or(0);
        let mark = if decade.decade >= 0 { "#" } else { "-" };
        text.push_str(&format!(
            "  from 1e{:<+3} {:<width$} {}\n",
            decade.decade,
            mark.repeat(filled),
            decade.n,
            width = 30
        ));
    }
    if let Some(hint) = mismatch.hint() {
        text.push_str(&format!("hint: {hint}\n"));
    }
    text
}

fn element(name: &str, mismatch: &Mismatch, element: &ElementError) -> String {
    let place: Vec<String> = mismatch
        .axes
        .iter()
        .zip(&element.index)
        .map(|(axis, index)| format!("{}={index}", axis.name))
        .collect();
    format!(
        "{name}: {}[{}] is {:?}, expected {:?} (off by {:.3e}, {:.3e} relative)\n",
        mismatch.output,
        place.join(", "),
        element.got,
        element.expected,
        element.absolute,
        element.relative
    )
}

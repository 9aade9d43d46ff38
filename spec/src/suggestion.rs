//! "Did you mean": the known name closest to a misspelt one.

/// The candidate closest to `word`, if it is close enough to be worth suggesting: at most a third
/// of the word's letters differ (counting a swap of neighbours as one), or only letter case and
/// `-`/`_` do. The first of equally close candidates wins.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(word);
    // Distances grow with the product of the lengths: nobody misspells a name of 64 letters.
    if folded.len() > 64 {
        return None;
    }
    // A one-letter word differs by one from every other one: only case may differ there.
    let allowed = if folded.len() < 2 { 0 } else { (folded.len() / 3).max(1) };
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let other = fold(candidate);
        if other.len() > 64 || other.len().abs_diff(folded.len()) > allowed {
            continue;
        }
        let distance = distance(&folded, &other);
        let close = distance <= allowed && (distance < folded.len().max(other.len()));
        if close && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// A hint for an unknown name: the closest known one, or else the list of all of them, or `None`
/// where there are none.
pub fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(name) = closest(word, known.clone()) {
        return Some(format!("did you mean `{name}`?"));
    }
    const SHOWN: usize = 32;
    let names: Vec<String> = known.into_iter().map(|name| format!("`{name}`")).collect();
    match names.len() {
        0 => None,
        n if n <= SHOWN => Some(format!("known: {}", names.join(", "))),
        n => Some(format!("known: {} and {} more", names[..SHOWN].join(", "), n - SHOWN)),
    }
}

fn fold(word: &str) -> Vec<char> {
    word.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

/// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
fn distance(a: &[char], b: &[char]) -> usize {
    let width = b.len() + 1;
    let mut rows = vec![0usize; (a.len() + 1) * width];
    for (j, cell) in rows.iter_mut().take(width).enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        rows[i * width] = i;
        for j in 1..=b.len() {
            let substitution = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[(i - 1) * width + j] + 1)
                .min(rows[i * width + j - 1] + 1)
                .min(rows[(i - 1) * width + j - 1] + substitution);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[(i - 2) * width + j - 2] + 1);
            }
            rows[i * width + j] = best;
        }
    }
    rows[a.len() * width + b.len()]
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[track_caller]
    fn check(word: &str, known: &[&str], expected: Option<&str>) {
        assert_eq!(closest(word, known.iter().copied()), expected);
    }

    #[test]
    fn suggests_only_what_is_close() {
        check("paramters", &["parameters", "constraints"], Some("parameters"));
        check("rwos", &["rows", "cols"], Some("rows"));
        check("ROWS", &["rows", "cols"], Some("rows"));
        check("t", &["T", "x"], Some("T"));
        check("x", &["y"], None);
        check("banana", &["rows", "cols"], None);
        check("", &["rows"], None);
    }
}

//! Strings of a TOML document, with the way back from each byte to the file.

use std::ops::Range;
use std::sync::Arc;

use crate::expression::Origin;

/// A string value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    /// What it says, escapes resolved.
    pub(crate) value: String,
    /// Its bytes in the file, quotes included.
    pub(crate) span: Range<usize>,
    /// Places of its bytes in the file.
    pub(crate) origin: Origin,
}

impl Text {
    pub(crate) fn new(file: &Arc<str>, source: &Arc<str>, span: Range<usize>, value: &str) -> Self {
        let raw = source.get(span.clone()).unwrap_or_default();
        let breaks = breaks(raw, span.start, value);
        let origin = Origin::mapped(file.clone(), source.clone(), breaks);
        Self { value: value.to_owned(), span, origin }
    }
}

/// Break points between a string's value and its spelling in the file: see [`Origin::mapped`].
fn breaks(raw: &str, start: usize, value: &str) -> Vec<(usize, usize)> {
    let Some(quote) = raw.bytes().next().filter(|b| matches!(b, b'"' | b'\'')) else {
        // A bare key.
        return vec![(0, start)];
    };
    let triple = [quote; 3];
    let multi_line = raw.len() >= 6 && raw.as_bytes().starts_with(&triple);
    let mut at = if multi_line { 3 } else { 1 };
    if multi_line {
        // A line end right after the opening quotes is not part of the value.
        let rest = &raw[at..];
        at += if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
    }
    let mut breaks = vec![(0, start + at)];
    let mut done = 0;
    for c in value.chars() {
        if quote == b'"' {
            at = skip_folded_line(raw, at);
        }
        let expected = start + at;
        if breaks.last().is_some_and(|&(text, source)| source + (done - text) != expected) {
            breaks.push((done, expected));
        }
        at += spelled_length(raw, at, c, quote == b'"');
        done += c.len_utf8();
    }
    breaks.push((done, start + at));
    breaks
}

/// Behind a backslash at a line's end and the white space that it swallows, if one is at `at`.
fn skip_folded_line(raw: &str, at: usize) -> usize {
    let rest = raw.get(at..).unwrap_or_default();
    let Some(after) = rest.strip_prefix('\\') else { return at };
    let blank = |c: char| matches!(c, ' ' | '\t');
    if !after.trim_start_matches(blank).starts_with(['\n', '\r']) {
        return at;
    }
    let kept = after.trim_start_matches([' ', '\t', '\n', '\r']);
    let next = at + (rest.len() - kept.len());
    // Another such backslash may follow at once.
    if kept.starts_with('\\') { skip_folded_line(raw, next) } else { next }
}

/// Bytes that spell `c` at `at`: itself, an escape, or a line end of two bytes.
fn spelled_length(raw: &str, at: usize, c: char, escapes: bool) -> usize {
    let rest = raw.get(at..).unwrap_or_default();
    if c == '\n' && rest.starts_with("\r\n") {
        return 2;
    }
    if !escapes || !rest.starts_with('\\') {
        return c.len_utf8();
    }
    match rest.as_bytes().get(1) {
        Some(b'x') => 4,
        Some(b'u') => 6,
        Some(b'U') => 10,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    /// `marked` is a TOML document `k = <string>`; checks where the `@` of the value is found.
    #[track_caller]
    fn check(document: &str, line: u32, column: u32) {
        let table = toml::de::DeTable::parse(document).unwrap();
        let value = table.get_ref().get("k").unwrap();
        let text = value.get_ref().as_str().unwrap();
        let (file, source) = ("f".into(), document.into());
        let text = Text::new(&file, &source, value.span(), text);
        let at = text.value.find('@').unwrap();
        let place = text.origin.locate(at..at + 1);
        assert_eq!((place.line, place.column), (line, column), "{place:?}");
        assert!(place.text.chars().nth(column as usize - 1) == Some('@'), "{place:?}");
    }

    #[test]
    fn places_survive_quotes_escapes_and_line_ends() {
        check("k = \"ab@\"", 1, 8);
        check("k = 'ab@'", 1, 8);
        check(r#"k = "\"\t\u00e9\U0001F600\\@""#, 1, 28);
        check("k = \"é😀@\"", 1, 8);
        check("k = \"\"\"\nfirst\nse@cond\n\"\"\"", 3, 3);
        check("k = '''\nfirst\nse@cond\n'''", 3, 3);
        check("k = \"\"\"first\n  x @\"\"\"", 2, 5);
        check("k = \"\"\"\r\nfirst\r\nse@cond\r\n\"\"\"", 3, 3);
        check("k = \"\"\"\nfolded \\\n   \n  here @ \\\"x\n\"\"\"", 4, 8);
        check("k = \"\"\"a\\\n\\\n  @\"\"\"", 3, 3);
        check("k = \"\"\"\\\n   @\"\"\"", 2, 4);
    }
}

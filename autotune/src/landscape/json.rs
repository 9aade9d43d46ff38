//! What can be said of JSON text before it is parsed, and of text that is cut off.

use ridge_spec::diagnostic::{Diagnostic, SourceLocation};

/// Characters of a line that a diagnostic shows at most: whole landscapes stand on one line.
const SHOWN: usize = 120;

/// The shape of a text that begins with a JSON object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outline {
    /// Keys of the outermost object, in order.
    pub(super) keys: Vec<String>,
    /// Whether that object is closed.
    pub(super) closed: bool,
    /// Just past the last object that is closed two levels below the outermost: the last entry of
    /// `cache` in `{"cache": {"…": {…}, …}}`.
    pub(super) last_entry: Option<usize>,
    /// Places of the words `NaN`, `Infinity` and `-Infinity`, which Python writes and JSON lacks.
    pub(super) no_numbers: Vec<(usize, usize)>,
}

/// Scans a text up to the end of its first object, or its own.
pub(super) fn outline(text: &str) -> Outline {
    let bytes = text.as_bytes();
    let mut outline = Outline::default();
    let mut depth = 0usize;
    // At depth 1, the last text seen: a key, if a colon follows.
    let mut key: Option<(usize, usize)> = None;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let start = at + 1;
                at = end_of_text(bytes, start);
                if depth == 1 {
                    key = Some((start, at));
                }
            }
            b':' if depth == 1 => {
                if let Some((start, end)) = key.take() {
                    outline.keys.push(text.get(start..end).unwrap_or_default().to_owned());
                }
            }
            b'[' if depth == 0 => break,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 2 && bytes[at] == b'}' {
                    outline.last_entry = Some(at + 1);
                }
                if depth == 0 {
                    outline.closed = true;
                    break;
                }
            }
            b'N' | b'I' | b'-' => {
                for word in ["NaN", "Infinity", "-Infinity"] {
                    if bytes[at..].starts_with(word.as_bytes()) {
                        outline.no_numbers.push((at, at + word.len()));
                        at += word.len() - 1;
                        break;
                    }
                }
            }
            byte if depth == 0 && !byte.is_ascii_whitespace() => break,
            _ => {}
        }
        at += 1;
    }
    outline
}

/// Place of the quote that ends a text, or the end.
fn end_of_text(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

/// The place of a byte, with what stands around it.
pub(super) fn place(file: &str, text: &str, at: usize) -> SourceLocation {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX - 1);
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let column = text[start..at].chars().count();
    let skipped = column.saturating_sub(SHOWN / 2);
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let shown: String = line.chars().skip(skipped).take(SHOWN).map(clean).collect();
    SourceLocation {
        file: file.to_owned(),
        line: count(text[..at].matches('\n').count()) + 1,
        column: count(column - skipped) + 1,
        length: 1,
        text: shown,
    }
}

/// A parser's error as a diagnostic with its place.
pub(super) fn syntax(file: &str, text: &str, error: &serde_json::Error) -> Diagnostic {
    let line_start = match error.line().checked_sub(2) {
        None => 0,
        Some(skipped) => {
            text.match_indices('\n').nth(skipped).map_or(text.len(), |(newline, _)| newline + 1)
        }
    };
    let at = line_start + error.column().saturating_sub(1);
    let message = error.to_string();
    // The place is said apart.
    let message = message.rfind(" at line ").map_or(message.as_str(), |end| &message[..end]);
    Diagnostic::new("landscape.syntax", message).at(place(file, text, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outlines_whole_and_torn_text() {
        let text = r#" {"a": {"b": {"c": 1}, "d": {"e": "}\""}}, "f": [NaN, {}], "g": -Infinity"#;
        let outline = outline(text);
        assert_eq!(outline.keys, ["a", "f", "g"]);
        assert!(!outline.closed);
        assert_eq!(outline.no_numbers.len(), 2);
        let torn = super::outline(&text[..text.find(", \"d\"").unwrap() + 9]);
        assert_eq!(&text[..torn.last_entry.unwrap()], r#" {"a": {"b": {"c": 1}"#);
        assert!(super::outline("{\"a\": 1}\n{\"b\": 2}").closed);
        assert_eq!(super::outline("[1]").keys, [""; 0]);
        assert_eq!(super::outline("no JSON"), Outline::default());
        assert_eq!(super::outline("{\"a\\"), Outline::default());
    }

    #[test]
    fn places_are_short_and_exact() {
        let long = format!("first\n{}\u{e4}x", "a".repeat(500));
        let place = place("f", &long, long.len() - 1);
        assert_eq!((place.line, place.column), (2, 61));
        assert_eq!(place.text.chars().nth(60), Some('x'));
        assert_eq!(super::place("f", "", 9).line, 1);
    }
}

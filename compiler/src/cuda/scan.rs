//! The lexical fence around `#include`.
//!
//! NVRTC opens any file an `#include` names, and quotes what it does not understand of it in its
//! errors. So a source may only include by a literal relative name, written plainly; every other
//! way to get an include past a reader is refused by line.
//!
//! The scan does not try to know what NVRTC takes for a comment or a raw string, since that is
//! where two readers can be made to disagree. A line that would be an include in *some* reading
//! has to be a harmless one, in a comment or not.

use std::ops::Range;

/// An `#include` with a literal, relative name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Include {
    /// The name between the delimiters.
    pub(crate) name: String,
    /// Whether the delimiters are angle brackets.
    pub(crate) angled: bool,
    /// Line, from 1.
    pub(crate) line: u32,
    /// Bytes of name and delimiters in the text.
    pub(crate) range: Range<usize>,
}

/// A line that could reach a file outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Line, from 1.
    pub(crate) line: u32,
    /// One clause: the rule and what breaks it.
    pub(crate) message: String,
}

/// Finds the includes of a source or header, or the first line that is refused.
pub(crate) fn scan(text: &str) -> Result<Vec<Include>, Refused> {
    check_characters(text)?;
    let physical = physical_lines(text);
    let mut includes = Vec::new();
    for line in &physical {
        includes.extend(check_line(line, true)?);
    }
    for line in spliced_lines(&physical) {
        check_line(&Line { number: line.number, start: 0, text: &line.text }, false)?;
        check_has_include(line.number, &line.text)?;
    }
    Ok(includes)
}

struct Line<'t> {
    number: u32,
    /// Byte offset of the line in the text.
    start: usize,
    text: &'t str,
}

struct Spliced {
    number: u32,
    text: String,
}

/// Characters with which two lexers can be made to see different lines or tokens.
fn check_characters(text: &str) -> Result<(), Refused> {
    let refuse = |at: usize, what: String| Refused { line: line_at(text, at), message: what };
    for (at, character) in text.char_indices() {
        let plain = match character {
            '\t' | '\n' => true,
            '\r' => text[at + 1..].starts_with('\n'),
            other => !other.is_control(),
        };
        if !plain {
            let code = u32::from(character);
            return Err(refuse(at, format!("the control character U+{code:04X} is not allowed")));
        }
    }
    for trigraph in ["??=", "??/"] {
        if let Some(at) = text.find(trigraph) {
            return Err(refuse(at, format!("the trigraph `{trigraph}` is not allowed")));
        }
    }
    Ok(())
}

fn line_at(text: &str, at: usize) -> u32 {
    u32::try_from(text[..at].matches('\n').count()).unwrap_or(u32::MAX - 1) + 1
}

fn physical_lines(text: &str) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let mut start = 0;
    for (number, line) in (1..).zip(text.split('\n')) {
        lines.push(Line { number, start, text: line.strip_suffix('\r').unwrap_or(line) });
        start += line.len() + 1;
    }
    lines
}

/// Lines after a backslash at a line's end has joined it to the next; lines that stand alone are
/// left out of nothing, so that what spans lines (`__has_include`) is seen once.
fn spliced_lines(physical: &[Line<'_>]) -> Vec<Spliced> {
    let mut spliced: Vec<Spliced> = Vec::new();
    let mut open = false;
    for line in physical {
        let (text, continues) = match line.text.strip_suffix('\\') {
            Some(text) => (text, true),
            None => (line.text, false),
        };
        match spliced.last_mut() {
            Some(last) if open => last.text.push_str(text),
            _ => spliced.push(Spliced { number: line.number, text: text.to_owned() }),
        }
        open = continues;
    }
    spliced
}

/// Checks one line for directives that name files. A `physical` line may hold a plain include; a
/// spliced one only where it is a physical line too, which has been collected already.
fn check_line(line: &Line<'_>, physical: bool) -> Result<Option<Include>, Refused> {
    let refuse = |message: &str| Refused { line: line.number, message: message.to_owned() };
    for (at, length) in introducers(line.text) {
        let before = line.text[..at].trim_end();
        // A directive's `#` is the first token of its line: nothing, or a comment's end, before it.
        if !(before.is_empty() || before.ends_with("*/")) {
            continue;
        }
        let rest = line.text[at + length..].trim_start_matches([' ', '\t']);
        if rest.starts_with("/*") {
            return Err(refuse("a comment between `#` and the directive is not allowed"));
        }
        if rest.starts_with('\\') {
            return Err(refuse("a directive's name may not be escaped"));
        }
        let word: &str = identifier(rest);
        if !matches!(word, "include" | "include_next" | "import" | "embed") {
            continue;
        }
        if word != "include" {
            return Err(Refused {
                line: line.number,
                message: format!("`#{word}` is not allowed, only a plain `#include`"),
            });
        }
        if length != 1 || !before.is_empty() {
            return Err(refuse("`#include` has to begin its line and be spelt with `#`"));
        }
        let operand = rest[word.len()..].trim_start_matches([' ', '\t']);
        let (name, angled) = literal(operand).ok_or_else(|| {
            refuse("`#include` takes a literal name, `\"file\"` or `<file>`, on the same line")
        })?;
        check_name(name).map_err(|message| Refused { line: line.number, message })?;
        if physical {
            let start = line.start + (line.text.len() - operand.len());
            return Ok(Some(Include {
                name: name.to_owned(),
                angled,
                line: line.number,
                range: start..start + name.len() + 2,
            }));
        }
    }
    Ok(None)
}

/// Byte offset and length of each `#` or `%:` that could introduce a directive.
fn introducers(line: &str) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = line.match_indices('#').map(|(at, _)| (at, 1)).collect();
    found.extend(line.match_indices("%:").map(|(at, _)| (at, 2)));
    found
}

fn identifier(text: &str) -> &str {
    let end =
        text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(text.len());
    &text[..end]
}

/// The name of a `"…"` or `<…>` at the start of `text`, and whether it is angled.
fn literal(text: &str) -> Option<(&str, bool)> {
    let (rest, close, angled) = match text.strip_prefix('"') {
        Some(rest) => (rest, '"', false),
        None => (text.strip_prefix('<')?, '>', true),
    };
    Some((&rest[..rest.find(close)?], angled))
}

/// The rule for names: relative, downwards.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("`#include` of an empty name".to_owned());
    }
    if name.starts_with(['/', '~']) || name.contains(['\\', ':', '<', '>', '"']) {
        return Err(format!(
            "`{name}` is outside the toolkit and the kernel's folder: only relative names are \
             allowed"
        ));
    }
    if name.split('/').any(|part| part == "..") {
        return Err(format!(
            "`{name}` is outside the toolkit and the kernel's folder: `..` leaves it"
        ));
    }
    Ok(())
}

/// `__has_include` answers whether a file exists, so its operand obeys the include rule; and the
/// pieces from which `##` could put the word together are refused.
fn check_has_include(number: u32, line: &str) -> Result<(), Refused> {
    let refuse = |message: String| Refused { line: number, message };
    let mut from = 0;
    while let Some(at) = line[from..].find(|c: char| c.is_alphabetic() || c == '_') {
        let start = from + at;
        let word = identifier(&line[start..]);
        from = start + word.len();
        let asks = word.contains("__has_include")
            || word.contains("__has_embed")
            || word == "_CCCL_HAS_INCLUDE";
        if asks && !matches!(last_word(&line[..start]), "defined" | "ifdef" | "ifndef") {
            let operand = line[from..].trim_start().strip_prefix('(').map(str::trim_start);
            let (name, _) = operand.and_then(literal).ok_or_else(|| {
                refuse(format!("`{word}` takes a literal name, `\"file\"` or `<file>`"))
            })?;
            check_name(name).map_err(refuse)?;
        }
        if !asks && is_piece(word) {
            return Err(refuse(format!("the identifier `{word}` is a piece of `__has_include`")));
        }
    }
    Ok(())
}

/// The identifier that ends `text`, an opening bracket after it aside.
fn last_word(text: &str) -> &str {
    let text = text.trim_end().trim_end_matches('(').trim_end();
    let start = text
        .rfind(|c: char| !(c.is_alphanumeric() || c == '_'))
        .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    &text[start..]
}

fn is_piece(word: &str) -> bool {
    ["__has_include", "__has_embed"].iter().any(|whole| {
        (word.len() >= 3 && word.len() < whole.len() && whole.starts_with(word))
            || (word.starts_with(['_', 'h']) && word.len() > 10 && whole.ends_with(word))
    })
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;

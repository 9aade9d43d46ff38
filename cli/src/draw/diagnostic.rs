//! Errors with the source line and a mark under the place.

use ridge_spec::diagnostic::{Diagnostic, SourceLocation};

use super::paint::Paint;

/// An error without a place.
pub(crate) fn message(paint: &Paint, message: &str, hint: Option<&str>, code: &str) -> String {
    let mut text = format!("{}: {message}\n", paint.bad("error"));
    tail(&mut text, paint, hint, code);
    text
}

/// A diagnostic with its place, hint and code.
pub(crate) fn diagnostic(paint: &Paint, diagnostic: &Diagnostic) -> String {
    let mut text = format!("{}: {}\n", paint.bad("error"), diagnostic.message);
    if let Some(place) = &diagnostic.location {
        text.push_str(&excerpt(paint, place));
    }
    tail(&mut text, paint, diagnostic.hint.as_deref(), &diagnostic.code);
    text
}

/// Characters of a line that are shown.
const WIDTH: usize = 160;

/// Of them, those before the place where the line is longer.
const BEFORE: usize = 40;

/// The line a place is on, with a mark under it; of a long line, what is around the place.
pub(crate) fn excerpt(paint: &Paint, place: &SourceLocation) -> String {
    let number = place.line.to_string();
    let gutter = " ".repeat(number.len());
    let bar = paint.faint("|");
    let start = usize::try_from(place.column).unwrap_or(1).saturating_sub(1);
    let n_chars = place.text.chars().count();
    let from = if n_chars > WIDTH { start.saturating_sub(BEFORE) } else { 0 };
    let mut line: String = place.text.chars().skip(from).take(WIDTH).collect();
    let mut start = start - from;
    if from + WIDTH < n_chars {
        line.push('…');
    }
    if from > 0 {
        line.insert(0, '…');
        start += 1;
    }
    // Tabs stay tabs before the mark, so that it lands under the text.
    let lead: String =
        line.chars().take(start).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let room = line.chars().count().saturating_sub(start).max(1);
    let marks = "^".repeat(usize::try_from(place.length).unwrap_or(1).clamp(1, room));
    format!(
        "{gutter}{} {}:{}:{}\n{gutter} {bar}\n{} {bar} {}\n{gutter} {bar} {lead}{}\n",
        paint.faint("-->"),
        place.file,
        place.line,
        place.column,
        paint.faint(&number),
        line,
        paint.bad(&marks),
    )
}

fn tail(text: &mut String, paint: &Paint, hint: Option<&str>, code: &str) {
    if let Some(hint) = hint {
        text.push_str(&format!("{}: {hint}\n", paint.strong("hint")));
    }
    text.push_str(&format!("{}: {code}\n", paint.faint("code")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stands_under_the_place() {
        let source = "a = 1\n\tb = \"päd\" # here\n";
        let at = source.find("päd").unwrap();
        let place = SourceLocation::of("kernel.toml", source, at..at + 4);
        let shown = diagnostic(
            &Paint::new(false),
            &Diagnostic::new("spec.example", "no `päd` here").at(place).hint("remove it"),
        );
        insta::assert_snapshot!(shown, @r#"
        error: no `päd` here
         --> kernel.toml:2:7
          |
        2 | 	b = "päd" # here
          | 	     ^^^
        hint: remove it
        code: spec.example
        "#);
    }

    #[test]
    fn of_a_long_line_what_is_around_the_place_is_shown() {
        let source = "a + ".repeat(1000);
        let shown = |at: usize| {
            let place = SourceLocation::of("kernel.toml", &source, at..at + 1);
            let text = excerpt(&Paint::new(false), &place);
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let mark = lines[3].find('^').unwrap();
            assert!(lines[2].chars().count() < 170, "{text}");
            assert_eq!(lines[2].chars().nth(mark), Some('a'), "{text}");
        };
        shown(0);
        shown(80);
        shown(2000);
        shown(source.len() - 4);
    }
}

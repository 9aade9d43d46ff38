//! Splits an expression's text into tokens.

use super::Origin;
use crate::diagnostic::Diagnostic;

/// A token and the bytes of the text it covers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    /// Magnitude of an integer; at most 2^63, which only a minus sign makes valid.
    Integer(u64),
    Text(String),
    /// A name, `device.x` included.
    Name(String),
    /// An operator, parenthesis or comma.
    Symbol(&'static str),
    End,
}

const SYMBOLS: [&str; 17] =
    ["<=", ">=", "==", "!=", "&&", "||", "+", "-", "*", "/", "%", "<", ">", "!", "(", ")", ","];

/// What other languages write, and what to write here.
const FOREIGN: [(&str, &str); 8] = [
    ("**", "there is no power operator: multiply"),
    ("//", "`/` is integer division already"),
    ("<<", "there are no shifts: multiply by a power of two"),
    (">>", "there are no shifts: divide by a power of two"),
    ("=", "compare with `==`"),
    ("&", "combine conditions with `&&`"),
    ("|", "combine conditions with `||`"),
    ("?", "there is no conditional: use `min`, `max` or a product with a condition"),
];

/// Splits `text`; the last token is [`TokenKind::End`].
pub(super) fn tokens(text: &str, origin: &Origin) -> Result<Vec<Token>, Diagnostic> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if first.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let (kind, length) = if first.is_ascii_digit() {
            integer(rest, at, origin)?
        } else if first.is_ascii_alphabetic() || first == '_' {
            name(rest)
        } else if first == '\'' || first == '"' {
            quoted(rest, first, at, origin)?
        } else {
            symbol(rest, first, at, origin)?
        };
        tokens.push(Token { kind, start: at, end: at + length });
        at += length;
    }
    tokens.push(Token { kind: TokenKind::End, start: text.len(), end: text.len() });
    Ok(tokens)
}

fn integer(rest: &str, at: usize, origin: &Origin) -> Result<(TokenKind, usize), Diagnostic> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'.';
    let length = rest.bytes().position(|b| !word(b)).unwrap_or(rest.len());
    let spelling = &rest[..length];
    let parsed = match spelling.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => spelling.parse::<u64>(),
    };
    let fail = |code: &str, message: String| {
        Diagnostic::new(code, message).at(origin.locate(at..at + length))
    };
    match parsed {
        Ok(value) if value <= 1 << 63 => Ok((TokenKind::Integer(value), length)),
        _ if spelling.bytes().all(|b| b.is_ascii_digit()) || parsed.is_ok() => {
            Err(fail("expression.overflow", format!("`{spelling}` does not fit in 64 bits")))
        }
        _ => Err(fail("expression.syntax", format!("`{spelling}` is not an integer"))
            .hint("write digits, or `0x` and hexadecimal digits")),
    }
}

fn name(rest: &str) -> (TokenKind, usize) {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let end_of_word = |text: &str| text.bytes().position(|b| !word(b)).unwrap_or(text.len());
    let mut length = end_of_word(rest);
    if &rest[..length] == "device" && rest[length..].starts_with('.') {
        length += 1 + end_of_word(&rest[length + 1..]);
    }
    (TokenKind::Name(rest[..length].to_owned()), length)
}

fn quoted(
    rest: &str,
    quote: char,
    at: usize,
    origin: &Origin,
) -> Result<(TokenKind, usize), Diagnostic> {
    match rest[1..].find(quote) {
        Some(length) => Ok((TokenKind::Text(rest[1..=length].to_owned()), length + 2)),
        None => Err(Diagnostic::new("expression.syntax", "the text has no closing quote")
            .at(origin.locate(at..at + rest.len()))),
    }
}

fn symbol(
    rest: &str,
    first: char,
    at: usize,
    origin: &Origin,
) -> Result<(TokenKind, usize), Diagnostic> {
    let foreign = FOREIGN.iter().find(|(spelling, _)| rest.starts_with(spelling));
    let own = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
    match (own, foreign) {
        // `==` also starts with `=`, and `**` with `*`: the longer spelling is meant.
        (Some(symbol), None) => Ok((TokenKind::Symbol(symbol), symbol.len())),
        (Some(symbol), Some((other, _))) if symbol.len() > other.len() => {
            Ok((TokenKind::Symbol(symbol), symbol.len()))
        }
        (_, Some((spelling, hint))) => {
            Err(Diagnostic::new("expression.syntax", format!("`{spelling}` is not an operator"))
                .at(origin.locate(at..at + spelling.len()))
                .hint(*hint))
        }
        (None, None) => Err(Diagnostic::new(
            "expression.syntax",
            format!("`{}` cannot stand here", first.escape_debug()),
        )
        .at(origin.locate(at..at + first.len_utf8()))),
    }
}

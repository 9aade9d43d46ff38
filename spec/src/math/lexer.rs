//! Tokens of tensor math.

use std::ops::Range;

/// One token and the bytes it came from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    Name(String),
    Number(f64),
    /// An operator or bracket, spelt as in the text.
    Symbol(&'static str),
    /// A line end outside brackets, or `;`.
    End,
}

/// What cannot be a token.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LexError {
    pub(super) message: String,
    pub(super) span: Range<usize>,
}

/// Longer symbols first, so that the longest match wins.
const SYMBOLS: [&str; 24] = [
    "..", "<=", ">=", "==", "!=", "&&", "||", "+", "-", "*", "/", "%", "<", ">", "=", "!", "(",
    ")", "[", "]", ",", ":", ";", ".",
];

/// Splits a program into tokens; what is no token is reported and left out.
pub(super) fn tokens(text: &str) -> (Vec<Token>, Vec<LexError>) {
    let (mut tokens, mut errors) = (Vec::new(), Vec::new());
    let mut depth = 0_u32;
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = match first {
            '\n' => {
                if depth == 0 {
                    tokens.push(Token { kind: TokenKind::End, span: at..at + 1 });
                }
                1
            }
            '#' => rest.find('\n').unwrap_or(rest.len()),
            c if c.is_whitespace() => c.len_utf8(),
            c if c.is_ascii_alphabetic() || c == '_' => {
                let length = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
                let kind = TokenKind::Name(rest[..length].to_owned());
                tokens.push(Token { kind, span: at..at + length });
                length
            }
            c if c.is_ascii_digit() => {
                let length = number_length(rest.as_bytes());
                let span = at..at + length;
                match rest[..length].parse::<f64>() {
                    Ok(value) if value.is_finite() => {
                        tokens.push(Token { kind: TokenKind::Number(value), span });
                    }
                    _ => errors.push(LexError {
                        message: format!("the number `{}` is out of range", &rest[..length]),
                        span,
                    }),
                }
                length
            }
            c => match SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
                Some(symbol) => {
                    match symbol {
                        "(" | "[" => depth += 1,
                        ")" | "]" => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    let kind =
                        if symbol == ";" { TokenKind::End } else { TokenKind::Symbol(symbol) };
                    tokens.push(Token { kind, span: at..at + symbol.len() });
                    symbol.len()
                }
                None => {
                    let message = format!("`{}` means nothing here", c.escape_debug());
                    errors.push(LexError { message, span: at..at + c.len_utf8() });
                    c.len_utf8()
                }
            },
        };
        at += length;
    }
    (tokens, errors)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Length of the number at the start: digits, a fraction where a digit follows the point (`0..n`
/// is a range), an exponent where a digit follows it.
fn number_length(bytes: &[u8]) -> usize {
    let digits = |from: usize| bytes.iter().skip(from).take_while(|b| b.is_ascii_digit()).count();
    let mut length = digits(0);
    if bytes.get(length) == Some(&b'.') {
        let fraction = digits(length + 1);
        if fraction > 0 {
            length += 1 + fraction;
        }
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    length
}

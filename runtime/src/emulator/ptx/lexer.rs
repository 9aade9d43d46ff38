//! Tokens of PTX text.

use super::error::{PtxError, PtxErrorCode};

/// One token. Words and directives borrow the text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'a> {
    /// An identifier or register name, `%` and `$` included.
    Word(&'a str),
    /// A dotted word without its dot: a directive, a space or a type.
    Directive(&'a str),
    /// An integer literal.
    Integer(u64),
    /// `0f…`: the bits of a single.
    Single(u32),
    /// `0d…` or a decimal floating literal: the bits of a double.
    Double(u64),
    /// A string literal without its quotes.
    Text(&'a str),
    /// A punctuation mark.
    Mark(u8),
    /// The end of the text.
    End,
}

/// A cursor over the text.
pub(super) struct Lexer<'a> {
    source: &'a str,
    bytes: &'a [u8],
    /// Offset of the next unread byte.
    pub(super) position: usize,
    /// Line of that byte, from 1.
    pub(super) line: u32,
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$' | b'%')
}

fn is_word_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$')
}

impl<'a> Lexer<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Lexer { source, bytes: source.as_bytes(), position: 0, line: 1 }
    }

    /// The whole text.
    pub(super) fn source_text(&self) -> &'a str {
        self.source
    }

    /// The byte `ahead` of the cursor, 0 past the end.
    pub(super) fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.position + ahead).copied().unwrap_or(0)
    }

    /// The first byte after the blanks (not comments) at the cursor.
    pub(super) fn peek_after_blanks(&self) -> u8 {
        let rest = self.bytes.get(self.position..).unwrap_or(&[]);
        rest.iter().copied().find(|byte| !byte.is_ascii_whitespace()).unwrap_or(0)
    }

    /// The text from `start` to the cursor.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.source.get(start..self.position).unwrap_or("")
    }

    /// Skips white space and comments.
    pub(super) fn skip_blanks(&mut self) -> Result<(), PtxError> {
        loop {
            match self.peek(0) {
                b'\n' => {
                    self.line += 1;
                    self.position += 1;
                }
                b' ' | b'\t' | b'\r' => self.position += 1,
                b'/' if self.peek(1) == b'/' => {
                    while self.position < self.bytes.len() && self.peek(0) != b'\n' {
                        self.position += 1;
                    }
                }
                b'/' if self.peek(1) == b'*' => self.skip_block_comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn skip_block_comment(&mut self) -> Result<(), PtxError> {
        let line = self.line;
        self.position += 2;
        while !(self.peek(0) == b'*' && self.peek(1) == b'/') {
            if self.position >= self.bytes.len() {
                return Err(PtxError::new(line, PtxErrorCode::Syntax, "the comment is not closed"));
            }
            if self.peek(0) == b'\n' {
                self.line += 1;
            }
            self.position += 1;
        }
        self.position += 2;
        Ok(())
    }

    /// Reads the next token; the cursor ends just after it.
    pub(super) fn next_token(&mut self) -> Result<Token<'a>, PtxError> {
        self.skip_blanks()?;
        let start = self.position;
        let byte = self.peek(0);
        if start >= self.bytes.len() {
            return Ok(Token::End);
        }
        if is_word_start(byte) {
            self.position += 1;
            self.skip_word();
            return Ok(Token::Word(self.since(start)));
        }
        if byte.is_ascii_digit() {
            return self.number();
        }
        match byte {
            b'.' if is_word_start(self.peek(1)) || self.peek(1).is_ascii_digit() => {
                self.position += 1;
                self.skip_qualified();
                Ok(Token::Directive(self.since(start + 1)))
            }
            b'"' => self.string(),
            b'{' | b'}' | b'(' | b')' | b'[' | b']' | b'<' | b'>' | b',' | b';' | b':' | b'='
            | b'+' | b'-' | b'*' | b'/' | b'%' | b'!' | b'~' | b'&' | b'|' | b'^' | b'?' | b'@'
            | b'#' | b'.' => {
                self.position += 1;
                Ok(Token::Mark(byte))
            }
            _ => Err(self.unexpected_character()),
        }
    }

    fn unexpected_character(&self) -> PtxError {
        let text = self.source.get(self.position..).and_then(|rest| rest.chars().next());
        let shown =
            text.map_or_else(String::new, |character| character.escape_default().to_string());
        PtxError::new(self.line, PtxErrorCode::Syntax, format!("`{shown}` is not PTX"))
    }

    fn skip_word(&mut self) {
        while is_word_part(self.peek(0)) {
            self.position += 1;
        }
    }

    /// Skips a word with its `::` qualifiers.
    fn skip_qualified(&mut self) {
        self.skip_word();
        while self.peek(0) == b':' && self.peek(1) == b':' && is_word_part(self.peek(2)) {
            self.position += 2;
            self.skip_word();
        }
    }

    /// Skips `.word` groups that follow without a blank; the cursor is after a word.
    pub(super) fn skip_dotted(&mut self) {
        while self.peek(0) == b'.' && is_word_part(self.peek(1)) {
            self.position += 1;
            self.skip_qualified();
        }
    }

    fn string(&mut self) -> Result<Token<'a>, PtxError> {
        let start = self.position + 1;
        let line = self.line;
        self.position = start;
        loop {
            match self.peek(0) {
                b'"' => break,
                b'\\' => self.position += 1,
                b'\n' => self.line += 1,
                _ => {}
            }
            if self.position >= self.bytes.len() {
                return Err(PtxError::new(line, PtxErrorCode::Syntax, "the string is not closed"));
            }
            self.position += 1;
        }
        let text = self.source.get(start..self.position).unwrap_or("");
        self.position += 1;
        Ok(Token::Text(text))
    }

    fn number(&mut self) -> Result<Token<'a>, PtxError> {
        let start = self.position;
        let exact = match (self.peek(0), self.peek(1)) {
            (b'0', b'f' | b'F') => Some(8),
            (b'0', b'd' | b'D') => Some(16),
            _ => None,
        };
        self.skip_word();
        if let Some(n_digits) = exact {
            let digits = &self.since(start)[2..];
            let bits = u64::from_str_radix(digits, 16).ok().filter(|_| digits.len() == n_digits);
            let bits = bits.ok_or_else(|| self.bad_number(start))?;
            return Ok(match u32::try_from(bits) {
                Ok(single) if n_digits == 8 => Token::Single(single),
                _ => Token::Double(bits),
            });
        }
        let prefixed = matches!(self.bytes.get(start + 1), Some(b'x' | b'X' | b'b' | b'B'));
        let exponent = !prefixed && self.since(start).ends_with(['e', 'E']);
        if !prefixed && (self.peek(0) == b'.' && self.peek(1).is_ascii_digit() || exponent) {
            return self.decimal(start);
        }
        if !prefixed && self.since(start).contains(['e', 'E']) {
            return self.decimal(start);
        }
        self.integer(start)
    }

    /// A decimal floating literal that began at `start`; the cursor is after its first word.
    fn decimal(&mut self, start: usize) -> Result<Token<'a>, PtxError> {
        if self.peek(0) == b'.' {
            self.position += 1;
            self.skip_word();
        }
        if self.since(start).ends_with(['e', 'E']) && matches!(self.peek(0), b'+' | b'-') {
            self.position += 1;
            self.skip_word();
        }
        let value: f64 = self.since(start).parse().map_err(|_| self.bad_number(start))?;
        Ok(Token::Double(value.to_bits()))
    }

    fn integer(&self, start: usize) -> Result<Token<'a>, PtxError> {
        let text = self.since(start);
        let digits = text.strip_suffix(['u', 'U']).unwrap_or(text);
        let parsed = match digits.as_bytes() {
            [b'0', b'x' | b'X', ..] => u64::from_str_radix(&digits[2..], 16),
            [b'0', b'b' | b'B', ..] => u64::from_str_radix(&digits[2..], 2),
            [b'0', _, ..] => u64::from_str_radix(&digits[1..], 8),
            _ => digits.parse(),
        };
        parsed.map(Token::Integer).map_err(|_| self.bad_number(start))
    }

    fn bad_number(&self, start: usize) -> PtxError {
        let message = format!("`{}` is not a number of 64 bits", self.since(start));
        PtxError::new(self.line, PtxErrorCode::Range, message)
    }
}

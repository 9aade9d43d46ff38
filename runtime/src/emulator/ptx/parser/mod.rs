//! Recursive descent over the tokens.
//!
//! One token is looked at ahead; nothing backtracks. The text is untrusted: nesting, register counts
//! and array sizes are bounded, and every failure is a [`PtxError`] with its line.

mod constant;
mod debug_info;
mod function;
mod instruction;
mod operand;
mod scope;
mod variable;

use std::collections::BTreeMap;

use super::error::{PtxError, PtxErrorCode};
use super::lexer::{Lexer, Token};
use super::module::{FunctionId, GlobalId, Linkage, Module, NameId, SymbolRef};
use debug_info::DebugStrings;

/// Reads a PTX file.
///
/// # Errors
/// [`PtxError`], with the line, for text that does not follow the grammar or names something it
/// does not declare. Unknown mnemonics and modifiers are no error.
pub fn parse(source: &str) -> Result<Module, PtxError> {
    if u32::try_from(source.len()).is_err() {
        return Err(PtxError::new(1, PtxErrorCode::Limit, "the text is longer than 4 GiB"));
    }
    let mut parser = Parser::new(source)?;
    parser.module()?;
    parser.finish()
}

/// A name a function body or initialiser used before its declaration.
struct LateSymbol<'a> {
    name: &'a str,
    line: u32,
    global: usize,
    element: usize,
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token<'a>,
    /// Line and offset of the token.
    line: u32,
    start: usize,
    /// Offset just after the token before.
    previous_end: usize,
    module: Module,
    symbols: BTreeMap<&'a str, SymbolRef>,
    names: BTreeMap<&'a str, NameId>,
    strings: DebugStrings<'a>,
    late: Vec<LateSymbol<'a>>,
}

impl<'a> Parser<'a> {
    fn new(source: &'a str) -> Result<Self, PtxError> {
        let mut parser = Parser {
            lexer: Lexer::new(source),
            token: Token::End,
            line: 1,
            start: 0,
            previous_end: 0,
            module: Module {
                version: (0, 0),
                target: Vec::new(),
                address_size: 64,
                globals: Vec::new(),
                files: Vec::new(),
                functions: Vec::new(),
                aliases: Vec::new(),
                names: Vec::new(),
                source: String::new(),
            },
            symbols: BTreeMap::new(),
            names: BTreeMap::new(),
            strings: DebugStrings::default(),
            late: Vec::new(),
        };
        parser.advance()?;
        Ok(parser)
    }

    /// Directives of the file until its end.
    fn module(&mut self) -> Result<(), PtxError> {
        loop {
            match self.token {
                Token::End => return Ok(()),
                Token::Directive(word) => self.module_directive(word)?,
                Token::Mark(b';') => self.advance()?,
                _ => return Err(self.expected("a directive")),
            }
        }
    }

    fn module_directive(&mut self, word: &'a str) -> Result<(), PtxError> {
        match word {
            "version" => {
                self.advance()?;
                self.version()
            }
            "target" => {
                self.advance()?;
                loop {
                    let name = self.word("a target")?;
                    self.module.target.push(name.to_owned());
                    if !self.take(b',')? {
                        return Ok(());
                    }
                }
            }
            "address_size" => {
                self.advance()?;
                self.module.address_size = self.small_integer("an address size")?;
                Ok(())
            }
            "file" => {
                self.advance()?;
                self.file()
            }
            "section" => {
                self.advance()?;
                self.section()
            }
            "loc" => {
                self.advance()?;
                self.skip_location()
            }
            "pragma" => {
                self.advance()?;
                self.pragma().map(drop)
            }
            "alias" => {
                self.advance()?;
                self.alias()
            }
            _ => self.declaration(),
        }
    }

    /// `.version 9.0`: the lexer reads the number as a double.
    fn version(&mut self) -> Result<(), PtxError> {
        let text = self.lexer.since(self.start);
        let parsed = text.split_once('.').and_then(|(major, minor)| {
            Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
        });
        match parsed {
            Some(version) if matches!(self.token, Token::Double(_)) => {
                self.module.version = version;
                self.advance()
            }
            _ => Err(self.expected("a version `major.minor`")),
        }
    }

    /// A variable or function, with its linking directive.
    fn declaration(&mut self) -> Result<(), PtxError> {
        let mut linkage = Linkage::Internal;
        while let Token::Directive(word) = self.token {
            linkage = match word {
                "extern" => Linkage::Extern,
                "visible" => Linkage::Visible,
                "weak" => Linkage::Weak,
                "common" => Linkage::Common,
                "entry" | "func" => {
                    self.advance()?;
                    return self.function(word == "entry", linkage);
                }
                "global" | "const" | "shared" | "local" | "tex" => {
                    return self.global_variables(linkage);
                }
                _ => {
                    return Err(self.error(
                        PtxErrorCode::Directive,
                        format!("`.{word}` is not a known directive"),
                    ));
                }
            };
            self.advance()?;
        }
        Err(self.expected("a variable or function"))
    }

    fn alias(&mut self) -> Result<(), PtxError> {
        let alias = self.function_name()?;
        self.expect(b',')?;
        let target = self.function_name()?;
        self.expect(b';')?;
        self.module.aliases.push((alias, target));
        Ok(())
    }

    fn function_name(&mut self) -> Result<FunctionId, PtxError> {
        let line = self.line;
        let name = self.word("a function")?;
        match self.symbols.get(name) {
            Some(SymbolRef::Function(id)) => Ok(*id),
            _ => Err(undeclared(line, "function", name)),
        }
    }

    /// `"text";` of a pragma, several separated by commas.
    fn pragma(&mut self) -> Result<Vec<String>, PtxError> {
        let mut texts = Vec::new();
        loop {
            match self.token {
                Token::Text(text) => texts.push(text.to_owned()),
                _ => return Err(self.expected("a string")),
            }
            self.advance()?;
            if !self.take(b',')? {
                self.expect(b';')?;
                return Ok(texts);
            }
        }
    }

    /// Settles what could only be settled at the end of the file.
    fn finish(mut self) -> Result<Module, PtxError> {
        self.resolve_late_symbols()?;
        self.mark_toolkit();
        self.name_inlined_functions()?;
        self.module.files.sort_by_key(|file| file.index);
        self.lexer.source_text().clone_into(&mut self.module.source);
        Ok(self.module)
    }

    // The cursor.

    fn advance(&mut self) -> Result<(), PtxError> {
        self.previous_end = self.lexer.position;
        self.lexer.skip_blanks()?;
        self.line = self.lexer.line;
        self.start = self.lexer.position;
        self.token = self.lexer.next_token()?;
        Ok(())
    }

    fn is(&self, mark: u8) -> bool {
        self.token == Token::Mark(mark)
    }

    fn take(&mut self, mark: u8) -> Result<bool, PtxError> {
        let found = self.is(mark);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, mark: u8) -> Result<(), PtxError> {
        if self.take(mark)? {
            Ok(())
        } else {
            Err(self.expected(&format!("`{}`", char::from(mark))))
        }
    }

    fn word(&mut self, what: &str) -> Result<&'a str, PtxError> {
        match self.token {
            Token::Word(word) => {
                self.advance()?;
                Ok(word)
            }
            _ => Err(self.expected(what)),
        }
    }

    fn small_integer(&mut self, what: &str) -> Result<u32, PtxError> {
        match self.token {
            Token::Integer(value) => {
                let value = u32::try_from(value).map_err(|_| {
                    self.error(PtxErrorCode::Range, format!("`{value}` is too large for {what}"))
                })?;
                self.advance()?;
                Ok(value)
            }
            _ => Err(self.expected(what)),
        }
    }

    fn error(&self, code: PtxErrorCode, message: impl Into<String>) -> PtxError {
        PtxError::new(self.line, code, message)
    }

    fn expected(&self, what: &str) -> PtxError {
        let found = match self.token {
            Token::End => "the end of the text".to_owned(),
            _ => format!("`{}`", shortened(self.lexer.since(self.start))),
        };
        self.error(PtxErrorCode::Syntax, format!("{what} is expected, not {found}"))
    }

    /// The index of a text in the module's name table.
    fn name_id(&mut self, text: &'a str) -> Result<NameId, PtxError> {
        if let Some(id) = self.names.get(text) {
            return Ok(*id);
        }
        let id = self.push_name(text.to_owned())?;
        self.names.insert(text, id);
        Ok(id)
    }

    fn push_name(&mut self, text: String) -> Result<NameId, PtxError> {
        let index = u16::try_from(self.module.names.len()).map_err(|_| {
            self.error(PtxErrorCode::Limit, "more than 65536 unknown words and function names")
        })?;
        self.module.names.push(text);
        Ok(NameId(index))
    }

    /// Index for the next global.
    fn next_global(&self) -> Result<GlobalId, PtxError> {
        let index = u32::try_from(self.module.globals.len());
        index.map(GlobalId).map_err(|_| self.error(PtxErrorCode::Limit, "too many variables"))
    }
}

fn undeclared(line: u32, what: &str, name: &str) -> PtxError {
    PtxError::new(
        line,
        PtxErrorCode::Undeclared,
        format!("no {what} `{}` is declared", shortened(name)),
    )
}

fn redeclared(line: u32, name: &str) -> PtxError {
    PtxError::new(
        line,
        PtxErrorCode::Redeclared,
        format!("`{}` is already declared", shortened(name)),
    )
}

/// The first characters of a text, for a message.
fn shortened(text: &str) -> String {
    const CHARACTERS_MAX: usize = 80;
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

//! Operands.

use super::super::error::{PtxError, PtxErrorCode};
use super::super::instruction::{
    Address, AddressBase, Immediate, Operand, RegisterId, RegisterPart,
};
use super::super::lexer::Token;
use super::super::module::SymbolRef;
use super::super::special::SpecialRegister;
use super::constant::PRODUCT;
use super::function::{Body, Pending};
use super::scope::Named;
use super::{Parser, shortened, undeclared};

/// Most elements of a vector or list.
const ELEMENTS_MAX: usize = 1024;

impl<'a> Parser<'a> {
    /// The operand at `position` of the instruction being read.
    pub(super) fn operand(
        &mut self,
        body: &mut Body<'a>,
        position: usize,
    ) -> Result<Operand, PtxError> {
        if let Token::Word(name) = self.token
            && self.lexer.peek(0) != b'.'
            && name != "WARP_SZ"
        {
            let line = self.line;
            self.advance()?;
            if let Some(found) = self.named(body, name)? {
                return self.paired(body, found);
            }
            let offset = self.offset()?;
            if let Some(symbol) = self.symbols.get(name) {
                return Ok(Operand::Symbol(*symbol, offset));
            }
            // A label, or something a later line declares.
            let instruction = body.function.instructions.len();
            let scope = body.scopes.current();
            body.pending.push(Pending {
                name,
                line,
                scope,
                instruction,
                operand: position,
                offset,
            });
            return Ok(Operand::Label(u32::MAX));
        }
        self.inner_operand(body)
    }

    /// An operand that cannot be a label.
    fn inner_operand(&mut self, body: &mut Body<'a>) -> Result<Operand, PtxError> {
        match self.token {
            Token::Word("WARP_SZ") => self.constant().map(Operand::Immediate),
            Token::Word(name) => {
                let line = self.line;
                if self.lexer.peek(0) == b'.' {
                    let found = self.dotted(body, name)?;
                    return self.paired(body, found);
                }
                self.advance()?;
                if let Some(found) = self.named(body, name)? {
                    return self.paired(body, found);
                }
                let offset = self.offset()?;
                match self.symbols.get(name) {
                    Some(symbol) => Ok(Operand::Symbol(*symbol, offset)),
                    None => Err(undeclared(line, "register, variable or function", name)),
                }
            }
            Token::Mark(b'{') => {
                self.advance()?;
                self.list(body, b'}').map(Operand::Vector)
            }
            Token::Mark(b'[') => self.address(body),
            Token::Mark(b'!') if self.word_follows() => {
                self.advance()?;
                self.register(body).map(Operand::Not)
            }
            Token::Mark(b'-') if self.word_follows() => {
                self.advance()?;
                self.register(body).map(Operand::Negated)
            }
            Token::Integer(_)
            | Token::Single(_)
            | Token::Double(_)
            | Token::Mark(b'-' | b'+' | b'~' | b'!' | b'(') => {
                self.constant().map(Operand::Immediate)
            }
            _ => Err(self.expected("an operand")),
        }
    }

    fn word_follows(&self) -> bool {
        let next = self.lexer.peek_after_blanks();
        next.is_ascii_alphabetic() || matches!(next, b'%' | b'_' | b'$')
    }

    /// A name of the function or a special register, already passed; `None` for anything else.
    fn named(&mut self, body: &Body<'a>, name: &'a str) -> Result<Option<Operand>, PtxError> {
        Ok(match body.scopes.find(name) {
            Some(Named::Register(id, 1)) => Some(Operand::Register(id)),
            Some(Named::Register(id, width)) => {
                let components =
                    (0..width).map(|index| Operand::Register(RegisterId(id.0 + index)));
                Some(Operand::Vector(components.collect()))
            }
            Some(Named::Variable(id)) => {
                Some(Operand::Symbol(SymbolRef::Local(id), self.offset()?))
            }
            // Labels and tables are settled at the end: an inner scope may declare one later.
            Some(_) => None,
            None if name == "_" => Some(Operand::Sink),
            None if name.starts_with('%') => special(name),
            None => None,
        })
    }

    /// `%tid.x`, `%v.y`, `%r.b0`: the word is the current token and a dot follows it.
    fn dotted(&mut self, body: &Body<'a>, name: &'a str) -> Result<Operand, PtxError> {
        let (line, start) = (self.line, self.start);
        self.lexer.skip_dotted();
        let text = self.lexer.since(start);
        let suffix = text.get(name.len() + 1..).unwrap_or("");
        let found = match body.scopes.find(name) {
            Some(Named::Register(id, 1)) => part(suffix).map(|part| Operand::Part(id, part)),
            Some(Named::Register(id, width)) => component(suffix)
                .filter(|index| *index < width)
                .map(|index| Operand::Register(RegisterId(id.0 + index))),
            _ => SpecialRegister::from_text(text).map(Operand::Special),
        };
        self.advance()?;
        found.ok_or_else(|| undeclared(line, "register", text))
    }

    /// `p|q` where a second destination follows.
    fn paired(&mut self, body: &mut Body<'a>, first: Operand) -> Result<Operand, PtxError> {
        if !self.is(b'|') || !matches!(first, Operand::Register(_) | Operand::Sink) {
            return Ok(first);
        }
        self.advance()?;
        let second = match self.token {
            Token::Word("_") => {
                self.advance()?;
                Operand::Sink
            }
            _ => Operand::Register(self.register(body)?),
        };
        Ok(Operand::Pair(Box::new([first, second])))
    }

    fn register(&mut self, body: &Body<'a>) -> Result<RegisterId, PtxError> {
        let line = self.line;
        let name = self.word("a register")?;
        match body.scopes.find(name) {
            Some(Named::Register(id, 1)) => Ok(id),
            _ => Err(undeclared(line, "register", name)),
        }
    }

    /// Operands up to the closing mark, which is taken.
    pub(super) fn list(
        &mut self,
        body: &mut Body<'a>,
        close: u8,
    ) -> Result<Box<[Operand]>, PtxError> {
        let mut elements = Vec::new();
        if self.take(close)? {
            return Ok(elements.into());
        }
        loop {
            if matches!(self.token, Token::Mark(b'{' | b'[' | b'(')) {
                return Err(self.expected("a register or constant"));
            }
            elements.push(self.inner_operand(body)?);
            if ELEMENTS_MAX < elements.len() {
                return Err(self.error(PtxErrorCode::Limit, "more than 1024 elements"));
            }
            if !self.take(b',')? {
                self.expect(close)?;
                return Ok(elements.into());
            }
        }
    }

    /// Signed bytes after a base: any number of `+ term` and `- term`.
    fn offset(&mut self) -> Result<i64, PtxError> {
        let mut offset = 0i64;
        loop {
            if self.take(b'+')? {
                offset = offset.wrapping_add(self.integer_expression(PRODUCT)?);
            } else if self.take(b'-')? {
                offset = offset.wrapping_sub(self.integer_expression(PRODUCT)?);
            } else {
                return Ok(offset);
            }
        }
    }

    /// `[base+offset]`, or `[base, {x, y}]` with coordinates.
    fn address(&mut self, body: &mut Body<'a>) -> Result<Operand, PtxError> {
        self.expect(b'[')?;
        let (line, token) = (self.line, self.token);
        let address = match token {
            Token::Word(name) if name != "WARP_SZ" => {
                self.advance()?;
                let base = match body.scopes.find(name) {
                    Some(Named::Register(id, 1)) => AddressBase::Register(id),
                    Some(Named::Variable(id)) => AddressBase::Symbol(SymbolRef::Local(id)),
                    Some(_) => return Err(bad_base(line, name)),
                    None => match self.symbols.get(name) {
                        Some(symbol) => AddressBase::Symbol(*symbol),
                        None => return Err(undeclared(line, "register or variable", name)),
                    },
                };
                Address { base, offset: self.offset()? }
            }
            _ => Address { base: AddressBase::Absolute, offset: self.absolute()? },
        };
        if !self.take(b',')? {
            self.expect(b']')?;
            return Ok(Operand::Address(address));
        }
        let mut coordinates = Vec::new();
        loop {
            let element = if self.take(b'{')? {
                Operand::Vector(self.list(body, b'}')?)
            } else {
                self.inner_operand_flat(body)?
            };
            coordinates.push(element);
            if ELEMENTS_MAX < coordinates.len() {
                return Err(self.error(PtxErrorCode::Limit, "more than 1024 elements"));
            }
            if !self.take(b',')? {
                self.expect(b']')?;
                return Ok(Operand::TensorAddress(address, coordinates.into()));
            }
        }
    }

    /// An element of a coordinate list: nothing that nests.
    fn inner_operand_flat(&mut self, body: &mut Body<'a>) -> Result<Operand, PtxError> {
        match self.token {
            Token::Mark(b'{' | b'[' | b'(') => Err(self.expected("a register or constant")),
            _ => self.inner_operand(body),
        }
    }

    fn absolute(&mut self) -> Result<i64, PtxError> {
        match self.constant()? {
            Immediate::Integer(value) => Ok(value),
            _ => Err(self.error(PtxErrorCode::Syntax, "an address cannot be a floating constant")),
        }
    }
}

fn bad_base(line: u32, name: &str) -> PtxError {
    let message = format!("`{}` cannot be the base of an address", shortened(name));
    PtxError::new(line, PtxErrorCode::Syntax, message)
}

/// A special register, or all four components of a vector one.
fn special(name: &str) -> Option<Operand> {
    if let Some(register) = SpecialRegister::from_text(name) {
        return Some(Operand::Special(register));
    }
    let components: Option<Box<[Operand]>> =
        (0..4).map(|index| SpecialRegister::component(name, index).map(Operand::Special)).collect();
    components.map(Operand::Vector)
}

fn component(suffix: &str) -> Option<u32> {
    match suffix {
        "x" | "r" => Some(0),
        "y" | "g" => Some(1),
        "z" | "b" => Some(2),
        "w" | "a" => Some(3),
        _ => None,
    }
}

fn part(suffix: &str) -> Option<RegisterPart> {
    match suffix {
        "b0" => Some(RegisterPart::Byte(0)),
        "b1" => Some(RegisterPart::Byte(1)),
        "b2" => Some(RegisterPart::Byte(2)),
        "b3" => Some(RegisterPart::Byte(3)),
        "h0" => Some(RegisterPart::Half(0)),
        "h1" => Some(RegisterPart::Half(1)),
        _ => None,
    }
}

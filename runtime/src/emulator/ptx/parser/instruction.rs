//! Instructions: guard, mnemonic, modifiers, and the shape of calls.

use super::super::error::{PtxError, PtxErrorCode};
use super::super::instruction::{Guard, Instruction, Operand};
use super::super::lexer::Token;
use super::super::modifier::{MODIFIERS_MAX, Modifier, Modifiers};
use super::super::opcode::Opcode;
use super::Parser;
use super::function::Body;
use super::scope::Named;
use super::undeclared;

/// Most operands an instruction may have; `wmma` forms without vectors have fewer than 40.
const OPERANDS_MAX: usize = 1024;

impl<'a> Parser<'a> {
    /// One instruction, its semicolon included.
    pub(super) fn instruction(&mut self, body: &mut Body<'a>) -> Result<(), PtxError> {
        let guard = if self.take(b'@')? { Some(self.guard(body)?) } else { None };
        let (start, ptx_line) = (self.start, self.line);
        let Token::Word(_) = self.token else { return Err(self.expected("an instruction")) };
        self.lexer.skip_dotted();
        let text = self.lexer.since(start);
        let (opcode, rest) = match Opcode::split(text) {
            Some(found) => found,
            None => {
                let head = text.find('.').unwrap_or(text.len());
                (Opcode::Unknown(self.name_id(&text[..head])?), &text[head..])
            }
        };
        let mut modifiers = Modifiers::default();
        for word in rest.split('.').skip(1) {
            self.modifier(&mut modifiers, word)?;
        }
        self.advance()?;
        while let Token::Directive(word) = self.token {
            self.modifier(&mut modifiers, word)?;
            self.advance()?;
        }
        let operands = if opcode == Opcode::Call { self.call(body)? } else { self.operands(body)? };
        let end = self.previous_end.max(start);
        self.expect(b';')?;
        body.function.instructions.push(Instruction {
            guard,
            opcode,
            modifiers,
            operands,
            location: body.locations.current,
            ptx_line,
            // The text is shorter than 4 GiB.
            text: (u32::try_from(start).unwrap_or(0), u32::try_from(end).unwrap_or(0)),
        });
        Ok(())
    }

    fn modifier(&mut self, modifiers: &mut Modifiers, word: &'a str) -> Result<(), PtxError> {
        let modifier = match Modifier::from_text(word) {
            Some(known) => known,
            None => Modifier::Unknown(self.name_id(word)?),
        };
        if modifiers.push(modifier) {
            return Ok(());
        }
        Err(self.error(PtxErrorCode::Limit, format!("more than {MODIFIERS_MAX} modifiers")))
    }

    /// `%p` or `!%p`, after the `@`.
    fn guard(&mut self, body: &Body<'a>) -> Result<Guard, PtxError> {
        let negated = self.take(b'!')?;
        let line = self.line;
        let name = self.word("a predicate")?;
        match body.scopes.find(name) {
            Some(Named::Register(register, 1)) => Ok(Guard { register, negated }),
            _ => Err(undeclared(line, "predicate", name)),
        }
    }

    fn operands(&mut self, body: &mut Body<'a>) -> Result<Vec<Operand>, PtxError> {
        if self.is(b';') {
            return Ok(Vec::new());
        }
        let mut operands = Vec::with_capacity(4);
        loop {
            let operand = self.operand(body, operands.len())?;
            operands.push(operand);
            if OPERANDS_MAX < operands.len() {
                return Err(self.error(PtxErrorCode::Limit, "more than 1024 operands"));
            }
            if !self.take(b',')? {
                return Ok(operands);
            }
        }
    }

    /// `(returns), target, (arguments), prototype`; a missing list becomes an empty group.
    fn call(&mut self, body: &mut Body<'a>) -> Result<Vec<Operand>, PtxError> {
        let returns = if self.is(b'(') {
            let group = self.group(body)?;
            self.expect(b',')?;
            group
        } else {
            Box::default()
        };
        let target = self.operand(body, 1)?;
        let mut operands = vec![Operand::Group(returns), target, Operand::Group(Box::default())];
        if self.take(b',')? {
            let has_arguments = self.is(b'(');
            if has_arguments {
                operands[2] = Operand::Group(self.group(body)?);
            }
            if !has_arguments || self.take(b',')? {
                let prototype = self.operand(body, 3)?;
                operands.push(prototype);
            }
        }
        Ok(operands)
    }

    fn group(&mut self, body: &mut Body<'a>) -> Result<Box<[Operand]>, PtxError> {
        self.expect(b'(')?;
        self.list(body, b')')
    }
}

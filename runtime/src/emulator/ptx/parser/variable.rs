//! Variables with an address: of the file, of a function, and parameters.

use super::super::error::{PtxError, PtxErrorCode};
use super::super::instruction::Immediate;
use super::super::lexer::Token;
use super::super::module::{InitialElement, InitialValue, Linkage, SymbolRef, Variable};
use super::super::types::{Space, Type};
use super::{LateSymbol, Parser, redeclared, shortened, undeclared};

/// Largest variable that is laid out: more than any GPU's memory of one allocation.
const BYTES_MAX: u64 = 1 << 40;
/// Most elements an initialiser may list, and the largest image it may call for in bytes.
const INITIALISER_MAX: u64 = 1 << 28;
/// Deepest nesting of braces in an initialiser.
const DIMS_MAX: usize = 16;

/// A reference in an initialiser to a symbol that nothing has declared yet.
pub(super) struct Unresolved<'a> {
    name: &'a str,
    line: u32,
    element: usize,
}

/// What a declaration says before its name.
struct Head {
    space: Space,
    align: Option<u32>,
    element: Option<Type>,
    vector_width: u32,
    managed: bool,
    pointer: Option<(Option<Space>, u32)>,
}

impl<'a> Parser<'a> {
    /// `.global .align 4 .b8 x[4] = {…}, y;` of the file.
    pub(super) fn global_variables(&mut self, linkage: Linkage) -> Result<(), PtxError> {
        let head = self.variable_head()?;
        loop {
            let line = self.line;
            let (name, mut variable, unresolved) = self.variable_tail(&head)?;
            variable.linkage = linkage;
            let index = match self.symbols.get(name) {
                // A definition takes the place of its `.extern` declaration.
                Some(SymbolRef::Global(id))
                    if self.module.globals[id.0 as usize].linkage == Linkage::Extern =>
                {
                    self.module.globals[id.0 as usize] = variable;
                    id.0 as usize
                }
                Some(_) => return Err(redeclared(line, name)),
                None => {
                    let id = self.next_global()?;
                    self.symbols.insert(name, SymbolRef::Global(id));
                    self.module.globals.push(variable);
                    id.0 as usize
                }
            };
            self.late.extend(unresolved.into_iter().map(|late| LateSymbol {
                name: late.name,
                line: late.line,
                global: index,
                element: late.element,
            }));
            if !self.take(b',')? {
                return self.expect(b';');
            }
        }
    }

    /// The variables of one declaration inside a function.
    pub(super) fn local_variables(&mut self) -> Result<Vec<(u32, &'a str, Variable)>, PtxError> {
        let head = self.variable_head()?;
        let mut variables = Vec::new();
        loop {
            let line = self.line;
            let (name, variable, unresolved) = self.variable_tail(&head)?;
            if let Some(late) = unresolved.first() {
                return Err(undeclared(late.line, "variable or function", late.name));
            }
            variables.push((line, name, variable));
            if !self.take(b',')? {
                self.expect(b';')?;
                return Ok(variables);
            }
        }
    }

    /// One `.param` of a parameter list.
    pub(super) fn parameter_variable(&mut self) -> Result<(&'a str, Variable), PtxError> {
        let head = self.variable_head()?;
        let (name, variable, _) = self.variable_tail(&head)?;
        Ok((name, variable))
    }

    fn variable_head(&mut self) -> Result<Head, PtxError> {
        let Token::Directive(word) = self.token else { return Err(self.expected("a state space")) };
        let Some(space) = Space::from_text(word) else {
            return Err(self.expected("a state space"));
        };
        self.advance()?;
        if space == Space::Const && self.take(b'[')? {
            self.small_integer("a constant bank")?;
            self.expect(b']')?;
        }
        let mut head = Head {
            space,
            align: None,
            element: None,
            vector_width: 1,
            managed: false,
            pointer: None,
        };
        while let Token::Directive(word) = self.token {
            self.advance()?;
            match word {
                "align" => head.align = Some(self.alignment()?),
                "v2" => head.vector_width = 2,
                "v4" => head.vector_width = 4,
                "ptr" => head.pointer = Some(self.pointer()?),
                "attribute" => head.managed |= self.attribute()?,
                _ => match Type::from_text(word) {
                    Some(scalar) => head.element = Some(scalar),
                    None => return Err(self.unknown_directive(word)),
                },
            }
        }
        Ok(head)
    }

    pub(super) fn unknown_directive(&self, word: &str) -> PtxError {
        self.error(
            PtxErrorCode::Directive,
            format!("`.{}` is not a known directive here", shortened(word)),
        )
    }

    fn alignment(&mut self) -> Result<u32, PtxError> {
        let align = self.small_integer("an alignment")?;
        if align.is_power_of_two() {
            return Ok(align);
        }
        Err(self
            .error(PtxErrorCode::Range, format!("the alignment `{align}` is not a power of two")))
    }

    /// `.ptr .global .align 16`, after `.ptr`.
    fn pointer(&mut self) -> Result<(Option<Space>, u32), PtxError> {
        let mut pointer = (None, 4);
        loop {
            match self.token {
                Token::Directive("align") => {
                    self.advance()?;
                    pointer.1 = self.alignment()?;
                }
                Token::Directive(word) if Space::from_text(word).is_some() => {
                    pointer.0 = Space::from_text(word);
                    self.advance()?;
                }
                _ => return Ok(pointer),
            }
        }
    }

    /// `(.managed)` or `(.unified(1, 2))`, after `.attribute`; whether `.managed` is among them.
    pub(super) fn attribute(&mut self) -> Result<bool, PtxError> {
        self.expect(b'(')?;
        let mut managed = false;
        loop {
            let Token::Directive(word) = self.token else {
                return Err(self.expected("an attribute"));
            };
            managed |= word == "managed";
            self.advance()?;
            if self.take(b'(')? {
                while !self.take(b')')? {
                    self.constant()?;
                    self.take(b',')?;
                }
            }
            if !self.take(b',')? {
                self.expect(b')')?;
                return Ok(managed);
            }
        }
    }

    fn variable_tail(
        &mut self,
        head: &Head,
    ) -> Result<(&'a str, Variable, Vec<Unresolved<'a>>), PtxError> {
        let ptx_line = self.line;
        let Some(element) = head.element else { return Err(self.expected("a type")) };
        let name = self.word("a name")?;
        let mut dims = self.extents()?;
        let mut unresolved = Vec::new();
        let mut initialiser = Vec::new();
        let width = u64::from(head.vector_width);
        if self.take(b'=')? {
            let mut strides = strides(&dims, width);
            let mut filler =
                Filler { element, elements: Vec::new(), unresolved: Vec::new(), end: 0 };
            self.initialiser(&mut filler, 0, &mut strides)?;
            if let Some(open) = dims.first_mut().filter(|extent| **extent == 0) {
                *open = filler.end.div_ceil(strides.first().copied().unwrap_or(1).max(1));
            }
            unresolved = filler.unresolved;
            initialiser = filler.elements;
        }
        let size = u64::from(element.bytes());
        let bytes = dims.iter().try_fold(size * width, |bytes, extent| bytes.checked_mul(*extent));
        let bytes = bytes.filter(|bytes| *bytes <= BYTES_MAX).ok_or_else(|| {
            self.error(
                PtxErrorCode::Range,
                format!("`{}` is larger than 2^40 bytes", shortened(name)),
            )
        })?;
        let past_end = initialiser.iter().any(|one: &InitialElement| bytes / size <= one.index);
        if past_end || !initialiser.is_empty() && INITIALISER_MAX < bytes {
            let message = format!("the initialiser of `{}` does not fit", shortened(name));
            return Err(self.error(PtxErrorCode::Range, message));
        }
        let natural = element.bytes().max(1).next_power_of_two() * head.vector_width;
        let variable = Variable {
            name: name.to_owned(),
            space: head.space,
            linkage: Linkage::Internal,
            align: head.align.unwrap_or(natural),
            element,
            vector_width: head.vector_width,
            dims,
            bytes,
            initialiser,
            managed: head.managed,
            pointer: head.pointer,
            ptx_line,
        };
        Ok((name, variable, unresolved))
    }

    /// `[2][]`: extents, 0 for an open one.
    fn extents(&mut self) -> Result<Vec<u64>, PtxError> {
        let mut dims = Vec::new();
        while self.take(b'[')? {
            if self.take(b']')? {
                dims.push(0);
            } else {
                let extent = self.integer_expression(0)?;
                let extent = u64::try_from(extent).map_err(|_| {
                    self.error(PtxErrorCode::Range, format!("`{extent}` is not an extent"))
                })?;
                self.expect(b']')?;
                dims.push(extent);
            }
            if DIMS_MAX < dims.len() {
                return Err(self.error(PtxErrorCode::Limit, "more than 16 array extents"));
            }
        }
        Ok(dims)
    }

    /// A value, a string, or values in braces; `strides` are the elements of each deeper level.
    fn initialiser(
        &mut self,
        filler: &mut Filler<'a>,
        index: u64,
        strides: &mut [u64],
    ) -> Result<u64, PtxError> {
        if let Token::Text(text) = self.token {
            let mut next = index;
            for byte in unescaped(text) {
                filler.put(next, InitialValue::Bits(u64::from(byte)));
                next += 1;
            }
            self.advance()?;
            return Ok(next);
        }
        if !self.take(b'{')? {
            self.initial_value(filler, index)?;
            return Ok(index + 1);
        }
        let (stride, inner) = match strides.split_first_mut() {
            Some((stride, inner)) => (*stride, inner),
            None => {
                return Err(self
                    .error(PtxErrorCode::Syntax, "the initialiser has more braces than extents"));
            }
        };
        let mut next = index;
        while !self.take(b'}')? {
            let nested = self.is(b'{');
            let end = self.initialiser(filler, next, inner)?;
            next = if nested { next.saturating_add(stride) } else { end };
            if INITIALISER_MAX < next {
                return Err(self.error(PtxErrorCode::Limit, "the initialiser is too long"));
            }
            if !self.take(b',')? {
                self.expect(b'}')?;
                break;
            }
        }
        filler.end = filler.end.max(next);
        Ok(next)
    }

    /// A number, `symbol+4`, `generic(symbol)+4` or `0xff(symbol)`.
    fn initial_value(&mut self, filler: &mut Filler<'a>, index: u64) -> Result<(), PtxError> {
        let (symbol, generic, mask) = match self.token {
            Token::Word("generic") if self.lexer.peek_after_blanks() == b'(' => {
                self.advance()?;
                self.expect(b'(')?;
                let symbol = self.word("a variable or function")?;
                self.expect(b')')?;
                (symbol, true, u64::MAX)
            }
            Token::Word(symbol) if symbol != "WARP_SZ" => {
                self.advance()?;
                (symbol, false, u64::MAX)
            }
            Token::Integer(mask) if self.lexer.peek_after_blanks() == b'(' => {
                self.advance()?;
                self.expect(b'(')?;
                let generic = self.token == Token::Word("generic");
                if generic {
                    self.advance()?;
                    self.expect(b'(')?;
                }
                let symbol = self.word("a variable or function")?;
                self.expect(b')')?;
                if generic {
                    self.expect(b')')?;
                }
                (symbol, generic, mask)
            }
            _ => {
                let constant = self.constant()?;
                filler.put(index, InitialValue::Bits(initial_bits(constant, filler.element)));
                return Ok(());
            }
        };
        let line = self.line;
        let addend = match self.token {
            Token::Mark(b'+' | b'-') => self.integer_expression(0)?,
            _ => 0,
        };
        let known = self.symbols.get(symbol).copied();
        if known.is_none() {
            filler.unresolved.push(Unresolved {
                name: symbol,
                line,
                element: filler.elements.len(),
            });
        }
        // The stand-in is replaced, or refused, when the whole file has been read.
        let symbol = known.unwrap_or(SymbolRef::Global(super::GlobalId(u32::MAX)));
        filler.put(index, InitialValue::Address { symbol, addend, generic, mask });
        Ok(())
    }

    /// Fills in initialisers that named something declared after them.
    pub(super) fn resolve_late_symbols(&mut self) -> Result<(), PtxError> {
        for late in std::mem::take(&mut self.late) {
            let Some(found) = self.symbols.get(late.name).copied() else {
                return Err(undeclared(late.line, "variable or function", late.name));
            };
            let elements = &mut self.module.globals[late.global].initialiser;
            if let Some(InitialElement { value: InitialValue::Address { symbol, .. }, .. }) =
                elements.get_mut(late.element)
            {
                *symbol = found;
            }
        }
        Ok(())
    }
}

/// Initial elements as they are collected.
struct Filler<'a> {
    element: Type,
    elements: Vec<InitialElement>,
    unresolved: Vec<Unresolved<'a>>,
    /// Elements up to the end of the outermost braces or string.
    end: u64,
}

impl Filler<'_> {
    fn put(&mut self, index: u64, value: InitialValue) {
        self.elements.push(InitialElement { index, value });
        self.end = self.end.max(index + 1);
    }
}

/// Elements one step of each brace level covers, outermost first; a vector is one more level.
fn strides(dims: &[u64], width: u64) -> Vec<u64> {
    let mut stride = 1;
    let mut strides = Vec::with_capacity(dims.len() + 1);
    if 1 < width {
        strides.push(1);
        stride = width;
    }
    for extent in dims.iter().rev() {
        strides.push(stride);
        stride = stride.saturating_mul(*extent);
    }
    strides.reverse();
    strides
}

/// Bits of a constant in an element: integers become floating values in floating elements.
#[expect(
    clippy::cast_precision_loss,
    reason = "an integer literal for a floating element is rounded"
)]
fn initial_bits(constant: Immediate, element: Type) -> u64 {
    match (constant, element) {
        (Immediate::Integer(value), Type::F32) => u64::from((value as f32).to_bits()),
        (Immediate::Integer(value), Type::F64) => (value as f64).to_bits(),
        _ => constant.bits(element),
    }
}

/// The bytes of a string literal, C escapes resolved.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next() {
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'0') | None => 0,
            Some(other) => other,
        });
    }
    bytes
}

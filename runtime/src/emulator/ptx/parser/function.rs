//! Functions: headers, bodies, scopes, register declarations and tables.

use super::super::error::{PtxError, PtxErrorCode};
use super::super::instruction::{Operand, RegisterId};
use super::super::lexer::Token;
use super::super::module::{
    Bounds, BranchTable, CallTable, Function, FunctionId, Label, Linkage, LocalId, Parameter,
    Prototype, RegisterBlock, SymbolRef, Variable,
};
use super::super::types::Type;
use super::debug_info::LocationTable;
use super::scope::{Named, Scopes};
use super::{Parser, redeclared, shortened, undeclared};

/// Most registers a function may declare; the hardware has 255 a lane, NVVM rarely names 100,000.
const REGISTERS_MAX: u32 = 1 << 20;
/// Deepest nesting of `{ }` scopes.
const SCOPES_MAX: u32 = 256;

/// A function being read.
pub(super) struct Body<'a> {
    pub(super) function: Function,
    pub(super) scopes: Scopes<'a>,
    pub(super) locations: LocationTable,
    pub(super) pending: Vec<Pending<'a>>,
    targets: Vec<PendingTarget<'a>>,
    index: usize,
}

/// An operand whose name is declared later, or is a label.
pub(super) struct Pending<'a> {
    pub(super) name: &'a str,
    pub(super) line: u32,
    pub(super) scope: usize,
    pub(super) instruction: usize,
    pub(super) operand: usize,
    pub(super) offset: i64,
}

/// An entry of a branch table.
struct PendingTarget<'a> {
    name: &'a str,
    line: u32,
    scope: usize,
    table: usize,
}

impl<'a> Parser<'a> {
    /// A function after `.entry` or `.func`.
    pub(super) fn function(&mut self, is_entry: bool, linkage: Linkage) -> Result<(), PtxError> {
        let mut body = Body {
            function: Function { is_entry, linkage, ptx_line: self.line, ..Function::default() },
            scopes: Scopes::new(),
            locations: LocationTable::default(),
            pending: Vec::new(),
            targets: Vec::new(),
            index: 0,
        };
        while self.token == Token::Directive("attribute") {
            self.advance()?;
            self.attribute()?;
        }
        if self.is(b'(') {
            body.function.returns = self.parameter_list(&mut body)?;
        }
        let line = self.line;
        let name = self.word("a function name")?;
        name.clone_into(&mut body.function.name);
        if self.is(b'(') {
            body.function.parameters = self.parameter_list(&mut body)?;
        }
        self.function_directives(&mut body.function)?;
        body.index = self.declare_function(name, line)?;
        if self.take(b';')? {
            if !self.module.functions[body.index].has_body {
                self.module.functions[body.index] = body.function;
            }
            return Ok(());
        }
        if self.module.functions[body.index].has_body {
            return Err(redeclared(line, name));
        }
        self.expect(b'{')?;
        body.function.has_body = true;
        body.scopes.open();
        self.body(&mut body)?;
        self.finish_function(body)
    }

    fn declare_function(&mut self, name: &'a str, line: u32) -> Result<usize, PtxError> {
        match self.symbols.get(name) {
            Some(SymbolRef::Function(id)) => Ok(id.0 as usize),
            Some(_) => Err(redeclared(line, name)),
            None => {
                let index = self.module.functions.len();
                let id = u32::try_from(index)
                    .map_err(|_| self.error(PtxErrorCode::Limit, "too many functions"))?;
                self.symbols.insert(name, SymbolRef::Function(FunctionId(id)));
                self.module
                    .functions
                    .push(Function { name: name.to_owned(), ..Function::default() });
                Ok(index)
            }
        }
    }

    fn parameter_list(&mut self, body: &mut Body<'a>) -> Result<Vec<Parameter>, PtxError> {
        self.expect(b'(')?;
        let mut parameters = Vec::new();
        if self.take(b')')? {
            return Ok(parameters);
        }
        loop {
            if self.token == Token::Directive("reg") {
                let first = body.function.register_types.len();
                self.registers(body)?;
                // The function's register count is bounded well below 2^32.
                let id = RegisterId(u32::try_from(first).unwrap_or(u32::MAX));
                parameters.push(Parameter::Register(id));
            } else {
                let line = self.line;
                let (name, variable) = self.parameter_variable()?;
                parameters
                    .push(Parameter::Variable(self.declare_variable(body, line, name, variable)?));
            }
            if !self.take(b',')? {
                self.expect(b')')?;
                return Ok(parameters);
            }
        }
    }

    fn declare_variable(
        &self,
        body: &mut Body<'a>,
        line: u32,
        name: &'a str,
        variable: Variable,
    ) -> Result<LocalId, PtxError> {
        let id = u32::try_from(body.function.variables.len())
            .map_err(|_| self.error(PtxErrorCode::Limit, "too many variables"))?;
        if name != "_" && !body.scopes.declare(name, Named::Variable(LocalId(id))) {
            return Err(redeclared(line, name));
        }
        body.function.variables.push(variable);
        Ok(LocalId(id))
    }

    fn function_directives(&mut self, function: &mut Function) -> Result<(), PtxError> {
        while let Token::Directive(word) = self.token {
            self.advance()?;
            let bounds = &mut function.bounds;
            match word {
                "maxntid" => bounds.max_threads = Some(self.extent3()?),
                "reqntid" => bounds.required_threads = Some(self.extent3()?),
                "reqnctapercluster" => bounds.required_cluster = Some(self.extent3()?),
                "minnctapersm" => {
                    bounds.min_blocks_per_multiprocessor = Some(self.small_integer("a count")?)
                }
                "maxnctapersm" => {
                    bounds.max_blocks_per_multiprocessor = Some(self.small_integer("a count")?)
                }
                "maxnreg" => bounds.max_registers = Some(self.small_integer("a count")?),
                "maxclusterrank" => bounds.max_cluster_rank = Some(self.small_integer("a count")?),
                "explicitcluster" => bounds.explicit_cluster = true,
                "blocksareclusters" => bounds.blocks_are_clusters = true,
                "noreturn" => function.no_return = true,
                "abi_preserve" | "abi_preserve_control" => {
                    self.small_integer("a count").map(drop)?
                }
                "pragma" => {
                    let texts = self.pragma()?;
                    function.pragmas.extend(texts);
                }
                "attribute" => self.attribute().map(drop)?,
                "loc" => self.skip_location()?,
                _ => return Err(self.unknown_directive(word)),
            }
        }
        Ok(())
    }

    /// Up to three extents; missing ones are 1.
    fn extent3(&mut self) -> Result<[u32; 3], PtxError> {
        let mut extents = [1; 3];
        for (index, extent) in extents.iter_mut().enumerate() {
            if 0 < index && !self.take(b',')? {
                break;
            }
            *extent = self.small_integer("an extent")?;
        }
        Ok(extents)
    }

    /// Statements until the brace that closes the function.
    fn body(&mut self, body: &mut Body<'a>) -> Result<(), PtxError> {
        let outermost = body.scopes.depth();
        loop {
            match self.token {
                Token::Mark(b'}') => {
                    self.advance()?;
                    let depth = body.scopes.depth();
                    body.scopes.close();
                    if depth == outermost {
                        return Ok(());
                    }
                }
                Token::Mark(b'{') => {
                    if SCOPES_MAX <= body.scopes.depth() {
                        return Err(self.error(PtxErrorCode::Limit, "scopes are nested too deeply"));
                    }
                    self.advance()?;
                    body.scopes.open();
                }
                Token::Mark(b';') => self.advance()?,
                Token::Mark(b'@') => self.instruction(body)?,
                Token::Word(name) => {
                    let dotted = self.lexer.peek(0) == b'.';
                    if !dotted && self.lexer.peek_after_blanks() == b':' {
                        self.label(body, name)?;
                    } else {
                        self.instruction(body)?;
                    }
                }
                Token::Directive(word) => self.body_directive(body, word)?,
                _ => return Err(self.expected("a statement")),
            }
        }
    }

    fn body_directive(&mut self, body: &mut Body<'a>, word: &'a str) -> Result<(), PtxError> {
        match word {
            "reg" => {
                self.registers(body)?;
                self.expect(b';')
            }
            "loc" => {
                self.advance()?;
                let index = body.index;
                self.location(&mut body.locations, index)
            }
            "pragma" => {
                self.advance()?;
                body.function.pragmas.extend(self.pragma()?);
                Ok(())
            }
            "param" | "local" | "shared" | "global" | "const" => {
                self.body_variables(body, Linkage::Internal)
            }
            "extern" => {
                self.advance()?;
                self.body_variables(body, Linkage::Extern)
            }
            _ => Err(self.unknown_directive(word)),
        }
    }

    fn body_variables(&mut self, body: &mut Body<'a>, linkage: Linkage) -> Result<(), PtxError> {
        for (line, name, mut variable) in self.local_variables()? {
            variable.linkage = linkage;
            self.declare_variable(body, line, name, variable)?;
        }
        Ok(())
    }

    /// `.reg .v2 .b32 a, %r<9>`, without its semicolon.
    fn registers(&mut self, body: &mut Body<'a>) -> Result<(), PtxError> {
        self.advance()?;
        let mut scalar = None;
        let mut width = 1;
        while let Token::Directive(word) = self.token {
            self.advance()?;
            match word {
                "v2" => width = 2,
                "v4" => width = 4,
                "align" => self.small_integer("an alignment").map(drop)?,
                _ => match Type::from_text(word) {
                    Some(found) => scalar = Some(found),
                    None => return Err(self.unknown_directive(word)),
                },
            }
        }
        let Some(scalar) = scalar else { return Err(self.expected("a type")) };
        loop {
            let line = self.line;
            let name = self.word("a register name")?;
            let count = if self.take(b'<')? {
                let count = self.small_integer("a register count")?;
                self.expect(b'>')?;
                Some(count)
            } else {
                None
            };
            self.declare_registers(body, line, name, count, width, scalar)?;
            // In a parameter list the comma belongs to the list.
            let another = self.is(b',') && !matches!(self.lexer.peek_after_blanks(), b'.');
            if !another {
                return Ok(());
            }
            self.advance()?;
        }
    }

    fn declare_registers(
        &self,
        body: &mut Body<'a>,
        line: u32,
        name: &'a str,
        count: Option<u32>,
        width: u32,
        scalar: Type,
    ) -> Result<(), PtxError> {
        let function = &mut body.function;
        let total = count.unwrap_or(1).checked_mul(width).filter(|total| {
            u32::try_from(function.register_types.len())
                .is_ok_and(|declared| declared.saturating_add(*total) <= REGISTERS_MAX)
        });
        let (Some(total), Ok(first)) = (total, u32::try_from(function.register_types.len())) else {
            let message = format!("`{}` takes the function past 2^20 registers", shortened(name));
            return Err(PtxError::new(line, PtxErrorCode::Limit, message));
        };
        let is_new = match count {
            Some(count) => body.scopes.declare_range(name, first, count, width),
            None => body.scopes.declare(name, Named::Register(RegisterId(first), width)),
        };
        if !is_new {
            return Err(redeclared(line, name));
        }
        function.register_types.extend(std::iter::repeat_n(scalar, total as usize));
        if 0 < total {
            function.register_blocks.push(RegisterBlock {
                name: name.to_owned(),
                first: RegisterId(first),
                count: total,
                range: count.is_some(),
                vector_width: width,
            });
        }
        Ok(())
    }

    /// `name:`, before an instruction or a table.
    fn label(&mut self, body: &mut Body<'a>, name: &'a str) -> Result<(), PtxError> {
        let line = self.line;
        self.advance()?;
        self.expect(b':')?;
        let named = match self.token {
            Token::Directive("branchtargets") => {
                self.advance()?;
                self.branch_table(body, name)?
            }
            Token::Directive("calltargets") => {
                self.advance()?;
                self.call_table(body, name)?
            }
            Token::Directive("callprototype") => {
                self.advance()?;
                self.prototype(body, name)?
            }
            _ => {
                let target = next_index(body.function.instructions.len());
                body.function.labels.push(Label { name: name.to_owned(), target });
                Named::Label(target)
            }
        };
        if body.scopes.declare(name, named) { Ok(()) } else { Err(redeclared(line, name)) }
    }

    fn branch_table(&mut self, body: &mut Body<'a>, name: &str) -> Result<Named, PtxError> {
        let table = body.function.branch_tables.len();
        loop {
            let line = self.line;
            let target = self.word("a label")?;
            body.targets.push(PendingTarget {
                name: target,
                line,
                scope: body.scopes.current(),
                table,
            });
            if !self.take(b',')? {
                break;
            }
        }
        self.expect(b';')?;
        body.function
            .branch_tables
            .push(BranchTable { name: name.to_owned(), targets: Vec::new() });
        Ok(Named::BranchTable(next_index(table)))
    }

    fn call_table(&mut self, body: &mut Body<'a>, name: &str) -> Result<Named, PtxError> {
        let mut targets = Vec::new();
        loop {
            targets.push(self.function_name()?);
            if !self.take(b',')? {
                break;
            }
        }
        self.expect(b';')?;
        let index = next_index(body.function.call_tables.len());
        body.function.call_tables.push(CallTable { name: name.to_owned(), targets });
        Ok(Named::CallTable(index))
    }

    /// `(returns) _ (parameters) .noreturn;`
    fn prototype(&mut self, body: &mut Body<'a>, name: &str) -> Result<Named, PtxError> {
        let mut prototype =
            Prototype { name: name.to_owned(), returns: Vec::new(), parameters: Vec::new() };
        if self.is(b'(') {
            prototype.returns = self.signature()?;
        }
        self.word("`_`")?;
        if self.is(b'(') {
            prototype.parameters = self.signature()?;
        }
        self.function_directives(&mut Function {
            bounds: Bounds::default(),
            ..Function::default()
        })?;
        self.expect(b';')?;
        let index = next_index(body.function.prototypes.len());
        body.function.prototypes.push(prototype);
        Ok(Named::Prototype(index))
    }

    fn signature(&mut self) -> Result<Vec<(u64, u32)>, PtxError> {
        let mut scratch = Body {
            function: Function::default(),
            scopes: Scopes::new(),
            locations: LocationTable::default(),
            pending: Vec::new(),
            targets: Vec::new(),
            index: 0,
        };
        let parameters = self.parameter_list(&mut scratch)?;
        let function = &scratch.function;
        Ok(parameters
            .into_iter()
            .map(|parameter| match parameter {
                Parameter::Variable(id) => {
                    let variable = &function.variables[id.0 as usize];
                    (variable.bytes, variable.align)
                }
                Parameter::Register(id) => {
                    let bytes = function
                        .register_types
                        .get(id.0 as usize)
                        .map_or(0, |scalar| scalar.bytes());
                    (u64::from(bytes), bytes.max(1))
                }
            })
            .collect())
    }

    /// Resolves what the body named before declaring it, and stores the function.
    fn finish_function(&mut self, mut body: Body<'a>) -> Result<(), PtxError> {
        for pending in &body.pending {
            let found = match body.scopes.find_from(pending.scope, pending.name) {
                Some(Named::Label(target)) if pending.offset == 0 => Some(Operand::Label(target)),
                Some(Named::BranchTable(index)) => Some(Operand::BranchTable(index)),
                Some(Named::CallTable(index)) => Some(Operand::CallTable(index)),
                Some(Named::Prototype(index)) => Some(Operand::Prototype(index)),
                _ => None,
            };
            let Some(found) = found else {
                return Err(undeclared(
                    pending.line,
                    "register, label, variable or function",
                    pending.name,
                ));
            };
            body.function.instructions[pending.instruction].operands[pending.operand] = found;
        }
        for target in &body.targets {
            let Some(Named::Label(index)) = body.scopes.find_from(target.scope, target.name) else {
                return Err(undeclared(target.line, "label", target.name));
            };
            body.function.branch_tables[target.table].targets.push(index);
        }
        body.function.locations = body.locations.locations;
        self.module.functions[body.index] = body.function;
        Ok(())
    }
}

/// An index as the module stores it; the text is shorter than 4 GiB, so every count fits.
fn next_index(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

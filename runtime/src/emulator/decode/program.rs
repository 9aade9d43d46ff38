//! A decoded kernel: its instructions in one list, and what is needed to run and to explain them.

use std::collections::BTreeSet;

use ridge_spec::outcome::{PtxInstruction, SourceLine};

use super::builder::{Builder, Rows};
use super::control::resolve;
use super::form;
use super::layout::{FunctionLayout, Layout};
use super::op::{Class, Op, Refusal, Step};
use crate::emulator::alu::registers::Predicate;
use crate::emulator::ptx::{
    AddressBase, ControlFlow, Function, FunctionId, GlobalId, InitialValue, Instruction, Module,
    Opcode, Operand, Reconvergence, Space, SymbolRef,
};

/// What a builder knows of the control flow around the instruction it builds.
pub(crate) struct Flow<'a> {
    /// Index of the function's first instruction in the program.
    pub(crate) start: u32,
    /// Where the lanes of the branch meet again; `u32::MAX` only at the function's end.
    pub(crate) reconverge: u32,
    /// The functions of the program, in order.
    pub(crate) reachable: &'a [FunctionId],
}

/// One function of a program.
pub(crate) struct DecodedFunction {
    /// Which function of the module it is.
    pub(crate) id: FunctionId,
    /// Its first instruction.
    pub(crate) start: u32,
    /// Its rows.
    pub(crate) rows: Rows,
    /// Its frame.
    pub(crate) frame: FunctionLayout,
    /// Its control flow.
    pub(crate) flow: ControlFlow,
}

/// An instruction that the emulator does not execute.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    /// Why.
    pub(crate) reason: String,
    /// The instruction.
    pub(crate) instruction: PtxInstruction,
    /// The author's line, and those that it was inlined at, outwards.
    pub(crate) lines: Vec<SourceLine>,
}

/// A decoded kernel.
pub(crate) struct Program {
    /// The module it came from.
    pub(crate) module: Module,
    /// The functions; the kernel itself is the first.
    pub(crate) functions: Vec<DecodedFunction>,
    /// The instructions of all functions.
    pub(crate) code: Vec<Step>,
    /// Where variables lie.
    pub(crate) layout: Layout,
    /// Variables in global and constant memory that the kernel can reach.
    pub(crate) globals: Vec<GlobalId>,
    /// Whether blocks of a cluster can wait for each other or reach into each other's memory.
    pub(crate) uses_clusters: bool,
}

impl Program {
    /// Decodes the kernel `entry` and everything it can reach.
    ///
    /// # Errors
    /// Every instruction that is not supported; or one text when there is no such kernel.
    pub(crate) fn new(module: Module, entry: &str) -> Result<Self, Vec<Refused>> {
        let missing = |reason: String| {
            let instruction = PtxInstruction { text: format!(".entry {entry}"), line: 1 };
            vec![Refused { reason, instruction, lines: Vec::new() }]
        };
        let found = module.function(entry).filter(|(_, f)| f.is_entry && f.has_body);
        let Some((entry_id, _)) = found else {
            return Err(missing(format!("the module has no kernel `{entry}`")));
        };
        if module.address_size != 64 {
            return Err(missing("addresses are not 64 bits wide".to_owned()));
        }
        let reachable = reachable(&module, entry_id);
        let layout = Layout::new(&module, &reachable);
        let mut code = Vec::new();
        let mut functions = Vec::new();
        let mut refused = Vec::new();
        for &id in &reachable {
            let function = &module.functions[id.0 as usize];
            let start = code.len() as u32;
            let flow = ControlFlow::new(function);
            let around = Flow { start, reconverge: u32::MAX, reachable: &reachable };
            let mut builder = Builder::new(&module, function, id, &layout, around);
            for (index, instruction) in (0u32..).zip(&function.instructions) {
                builder.flow.reconverge = match flow.reconvergence(index) {
                    Some(Reconvergence::Instruction(at)) => start + at,
                    _ => u32::MAX,
                };
                match form::decode(&mut builder, instruction) {
                    Ok(step) => code.push(step),
                    Err(refusal) => {
                        refused.push(refuse(&module, function, instruction, refusal));
                        code.push(end_step());
                    }
                }
            }
            // Falling off the end returns.
            code.push(end_step());
            let rows = builder.into_rows();
            functions.push(DecodedFunction { id, start, rows, frame: layout.function(id), flow });
        }
        if !refused.is_empty() {
            return Err(refused);
        }
        let globals = reachable_globals(&module, &reachable);
        let mut all = reachable.iter().flat_map(|id| &module.functions[id.0 as usize].instructions);
        let uses_clusters = all.any(uses_cluster);
        Ok(Self { module, functions, code, layout, globals, uses_clusters })
    }

    /// The function that an instruction belongs to, and its index there.
    pub(crate) fn locate(&self, pc: u32) -> Option<(&DecodedFunction, u32)> {
        let position = self.functions.partition_point(|one| one.start <= pc).checked_sub(1)?;
        let decoded = self.functions.get(position)?;
        Some((decoded, pc - decoded.start))
    }

    /// The PTX function behind a decoded one.
    pub(crate) fn function(&self, decoded: &DecodedFunction) -> Option<&Function> {
        self.module.functions.get(decoded.id.0 as usize)
    }

    /// The instruction's text, and the author's line with those that it was inlined at, outwards.
    pub(crate) fn describe(&self, pc: u32) -> (Option<PtxInstruction>, Vec<SourceLine>) {
        let Some((decoded, index)) = self.locate(pc) else { return (None, Vec::new()) };
        let Some(function) = self.function(decoded) else { return (None, Vec::new()) };
        let Some(instruction) = function.instructions.get(index as usize) else {
            return (None, Vec::new());
        };
        let text = PtxInstruction {
            text: self.module.instruction_text(instruction),
            line: instruction.ptx_line,
        };
        (Some(text), source_lines(&self.module, function, instruction))
    }

    /// The line of the innermost loop around an instruction, and those that it was inlined at.
    pub(crate) fn loop_lines(&self, pc: u32) -> Vec<SourceLine> {
        let innermost = self.locate(pc).and_then(|(decoded, at)| decoded.flow.loop_of(at));
        let lines = innermost.map_or(&[][..], |one| &one.lines);
        lines.iter().filter_map(|place| named(&self.module, *place)).collect()
    }

    /// Whether an instruction is inside a loop.
    pub(crate) fn is_in_loop(&self, pc: u32) -> bool {
        self.locate(pc).is_some_and(|(decoded, index)| decoded.flow.loop_of(index).is_some())
    }
}

/// Whether an instruction is about the other blocks of a cluster.
fn uses_cluster(instruction: &Instruction) -> bool {
    matches!(instruction.opcode, Opcode::BarrierCluster | Opcode::Mapa)
        || instruction.modifiers.spaces().any(|space| space == Space::SharedCluster)
}

fn end_step() -> Step {
    Step { guard: Predicate { index: 0, invert: 0 }, class: Class::Control, op: Op::Return }
}

/// The author's line of an instruction, and those that it was inlined at, outwards.
fn source_lines(
    module: &Module,
    function: &Function,
    instruction: &Instruction,
) -> Vec<SourceLine> {
    let locations = module.author_locations(function, instruction).into_iter();
    locations.filter_map(|one| named(module, (one.file, one.line))).collect()
}

fn named(module: &Module, (file, line): (u32, u32)) -> Option<SourceLine> {
    Some(SourceLine { file: module.file_name(file)?.to_owned(), line })
}

fn refuse(
    module: &Module,
    function: &Function,
    instruction: &Instruction,
    refusal: Refusal,
) -> Refused {
    Refused {
        reason: refusal.reason,
        instruction: PtxInstruction {
            text: module.instruction_text(instruction),
            line: instruction.ptx_line,
        },
        lines: source_lines(module, function, instruction),
    }
}

/// Every symbol that an operand names.
fn symbols(operand: &Operand, found: &mut Vec<SymbolRef>) {
    match operand {
        Operand::Symbol(symbol, _) => found.push(*symbol),
        Operand::Address(address) | Operand::TensorAddress(address, _) => {
            if let AddressBase::Symbol(symbol) = address.base {
                found.push(symbol);
            }
        }
        Operand::Vector(parts) | Operand::Group(parts) => {
            parts.iter().for_each(|part| symbols(part, found));
        }
        _ => {}
    }
}

/// The symbols of a function's instructions, and the functions its tables name.
fn function_symbols(function: &Function) -> Vec<SymbolRef> {
    let mut found = Vec::new();
    for instruction in &function.instructions {
        instruction.operands.iter().for_each(|operand| symbols(operand, &mut found));
    }
    let tables = function.call_tables.iter().flat_map(|table| &table.targets);
    found.extend(tables.map(|id| SymbolRef::Function(*id)));
    found
}

/// Symbols that initial values of a variable name.
fn initial_symbols(module: &Module, id: GlobalId) -> Vec<SymbolRef> {
    let variable = module.globals.get(id.0 as usize);
    let elements = variable.map_or(&[][..], |variable| &variable.initialiser);
    let address = |element: &crate::emulator::ptx::InitialElement| match element.value {
        InitialValue::Address { symbol, .. } => Some(symbol),
        InitialValue::Bits(_) => None,
    };
    elements.iter().filter_map(address).collect()
}

/// Walks everything a kernel can reach: functions in order of discovery, and variables.
fn walk(module: &Module, entry: FunctionId) -> (Vec<FunctionId>, BTreeSet<GlobalId>) {
    let mut functions = vec![entry];
    let mut globals = BTreeSet::new();
    let mut next = 0;
    let mut pending = Vec::new();
    loop {
        match pending.pop() {
            Some(SymbolRef::Function(id)) => {
                let id = resolve(module, id);
                let has_body = module.functions.get(id.0 as usize).is_some_and(|one| one.has_body);
                if has_body && !functions.contains(&id) {
                    functions.push(id);
                }
            }
            Some(SymbolRef::Global(id)) => {
                if globals.insert(id) {
                    pending.extend(initial_symbols(module, id));
                }
            }
            Some(SymbolRef::Local(_)) => {}
            None => {
                let Some(id) = functions.get(next) else { break };
                next += 1;
                if let Some(function) = module.functions.get(id.0 as usize) {
                    pending.extend(function_symbols(function));
                    pending.reverse();
                }
            }
        }
    }
    (functions, globals)
}

fn reachable(module: &Module, entry: FunctionId) -> Vec<FunctionId> {
    walk(module, entry).0
}

fn reachable_globals(module: &Module, reachable: &[FunctionId]) -> Vec<GlobalId> {
    let Some(entry) = reachable.first() else { return Vec::new() };
    walk(module, *entry).1.into_iter().collect()
}

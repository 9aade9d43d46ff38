//! Branches, calls and exits.

use super::builder::{Builder, Built};
use super::form::Form;
use super::op::{Call, Callee, Class, Op, Refusal};
use crate::emulator::ptx::{FunctionId, Instruction, Opcode, Operand, SymbolRef};

/// The forms of this module.
pub(crate) fn forms() -> Vec<Form> {
    let form = |opcode, pattern, build| Form::new(opcode, pattern, Class::Control, build);
    vec![
        form(Opcode::Bra, "[.uni]", branch),
        form(Opcode::Brx, ".idx[.uni]", branch_table),
        form(Opcode::Call, "[.uni]", call),
        form(Opcode::Ret, "[.uni]", |_, _| Ok(Op::Return)),
        form(Opcode::Exit, "", |_, _| Ok(Op::Exit)),
        form(Opcode::Trap, "", |_, _| Ok(Op::Trap)),
    ]
}

fn branch(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let [Operand::Label(target)] = i.operands.as_slice() else {
        return Err(Refusal::new("a branch without a label"));
    };
    Ok(Op::Branch { target: b.flow.start + target, reconverge: b.flow.reconverge })
}

fn branch_table(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let [index, Operand::BranchTable(table)] = i.operands.as_slice() else {
        return Err(Refusal::new("a branch without a table"));
    };
    let Some(table) = b.function.branch_tables.get(*table as usize) else {
        return Err(Refusal::new("a branch without a table"));
    };
    let targets = table.targets.iter().map(|target| b.flow.start + target).collect();
    let index = b.source::<u32>(index)?;
    Ok(Op::BranchTable { index, targets, reconverge: b.flow.reconverge })
}

/// The parameters of a call, as offsets in the caller's parameter area.
fn parameters(b: &Builder<'_>, group: &Operand) -> Result<Vec<u32>, Refusal> {
    let Operand::Group(parts) = group else {
        return Err(Refusal::new("a call whose parameters are no list"));
    };
    parts
        .iter()
        .map(|part| match part {
            Operand::Symbol(SymbolRef::Local(id), 0) => b
                .layout
                .function_local(b.id, *id)
                .and_then(|offset| u32::try_from(offset).ok())
                .ok_or_else(|| Refusal::new("a parameter that is not laid out")),
            _ => Err(Refusal::new("parameters passed in registers")),
        })
        .collect()
}

/// Resolves an alias to what it names.
pub(crate) fn resolve(module: &crate::emulator::ptx::Module, id: FunctionId) -> FunctionId {
    module.aliases.iter().find(|(alias, _)| *alias == id).map_or(id, |(_, target)| *target)
}

fn call(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let [results, target, arguments, ..] = i.operands.as_slice() else {
        return Err(Refusal::new("a call with too few operands"));
    };
    let callee = match target {
        Operand::Symbol(SymbolRef::Function(id), 0) => named_callee(b, *id)?,
        Operand::Register(_) => Callee::Indirect(b.source::<u64>(target)?),
        _ => return Err(Refusal::new("a call to something that is no function")),
    };
    let (arguments, results) = (parameters(b, arguments)?, parameters(b, results)?);
    Ok(Op::Call(Box::new(Call { callee, arguments, results })))
}

fn named_callee(b: &Builder<'_>, id: FunctionId) -> Result<Callee, Refusal> {
    let id = resolve(b.module, id);
    if let Some(position) = b.flow.reachable.iter().position(|one| *one == id) {
        return Ok(Callee::Function(position as u32));
    }
    let name = b.module.functions.get(id.0 as usize).map_or("", |function| &function.name);
    match name {
        "vprintf" => Ok(Callee::Print),
        "__assertfail" => Ok(Callee::AssertFail),
        "malloc" | "free" => Ok(Callee::Heap),
        _ => Err(Refusal::new(format!("`{name}` is defined nowhere"))),
    }
}

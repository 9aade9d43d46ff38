//! Prints instructions back from their typed form, to compare with the text they were read from.

use super::super::{
    Address, AddressBase, Function, Immediate, Instruction, Module, Opcode, Operand, RegisterPart,
    SymbolRef,
};

/// An instruction as PTX without white space.
pub(super) fn instruction(
    module: &Module,
    function: &Function,
    instruction: &Instruction,
) -> String {
    let mut text = match instruction.opcode {
        Opcode::Unknown(name) => module.name(name).to_owned(),
        known => known.as_str().unwrap().to_owned(),
    };
    for word in instruction.modifiers.as_slice() {
        text.push('.');
        text += &match word.text() {
            Some(known) => known,
            None => module.name(instruction.modifiers.unknown().unwrap()).to_owned(),
        };
    }
    let operands: Vec<String> = instruction
        .operands
        .iter()
        .map(|one| operand(module, function, one))
        .filter(|one| one != "()")
        .collect();
    text + &operands.join(",")
}

fn operand(module: &Module, function: &Function, one: &Operand) -> String {
    let list = |all: &[Operand]| {
        all.iter().map(|one| operand(module, function, one)).collect::<Vec<_>>().join(",")
    };
    match one {
        Operand::Register(id) => function.register_name(*id),
        Operand::Not(id) => format!("!{}", function.register_name(*id)),
        Operand::Negated(id) => format!("-{}", function.register_name(*id)),
        Operand::Part(id, RegisterPart::Byte(part)) => {
            format!("{}.b{part}", function.register_name(*id))
        }
        Operand::Part(id, RegisterPart::Half(part)) => {
            format!("{}.h{part}", function.register_name(*id))
        }
        Operand::Immediate(Immediate::Integer(value)) => value.to_string(),
        Operand::Immediate(Immediate::F32(bits)) => format!("0f{bits:08X}"),
        Operand::Immediate(Immediate::F64(bits)) => format!("0d{bits:016X}"),
        Operand::Special(register) => register.text(),
        Operand::Vector(all) => format!("{{{}}}", list(all)),
        Operand::Address(place) => format!("[{}]", address(module, function, place)),
        Operand::TensorAddress(place, all) => {
            format!("[{},{}]", address(module, function, place), list(all))
        }
        Operand::Symbol(which, 0) => symbol(module, function, *which),
        Operand::Symbol(which, offset) => format!("{}{offset:+}", symbol(module, function, *which)),
        Operand::Label(target) => {
            let label = function.labels.iter().find(|label| label.target == *target);
            label.map_or_else(|| "?".to_owned(), |label| label.name.clone())
        }
        Operand::Pair(both) => {
            format!(
                "{}|{}",
                operand(module, function, &both[0]),
                operand(module, function, &both[1])
            )
        }
        Operand::Sink => "_".to_owned(),
        Operand::Group(all) => format!("({})", list(all)),
        Operand::BranchTable(index) => function.branch_tables[*index as usize].name.clone(),
        Operand::CallTable(index) => function.call_tables[*index as usize].name.clone(),
        Operand::Prototype(index) => function.prototypes[*index as usize].name.clone(),
    }
}

fn address(module: &Module, function: &Function, place: &Address) -> String {
    let base = match place.base {
        AddressBase::Register(id) => function.register_name(id),
        AddressBase::Symbol(which) => symbol(module, function, which),
        AddressBase::Absolute => return place.offset.to_string(),
    };
    if place.offset == 0 { base } else { format!("{base}{:+}", place.offset) }
}

fn symbol(module: &Module, function: &Function, which: SymbolRef) -> String {
    match which {
        SymbolRef::Global(id) => module.globals[id.0 as usize].name.clone(),
        SymbolRef::Local(id) => function.variables[id.0 as usize].name.clone(),
        SymbolRef::Function(id) => module.functions[id.0 as usize].name.clone(),
    }
}

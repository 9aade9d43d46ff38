//! Loads, stores, asynchronous copies and fences.

use super::builder::{Builder, Built, Fill, run};
use super::form::Form;
use super::op::{
    AddressOperand, Base, Class, CopyAsync, DataRow, Element, Op, ParameterTransfer, Refusal,
    Transfer,
};
use super::{address_form, atomic_form};
use crate::emulator::alu::registers::Slot;
use crate::emulator::memory::{Order, Space as Window};
use crate::emulator::ptx::{
    Address, AddressBase, Immediate, Instruction, LocalId, Modifier, Opcode, Operand, Parameter,
    Space, SymbolRef, Type,
};

/// The forms of this module.
pub(crate) fn forms() -> Vec<Form> {
    let form = |opcode, pattern, build| Form::new(opcode, pattern, Class::Memory, build);
    let mut forms = vec![
        form(
            Opcode::Ld,
            "[.{weak|volatile}][.{const|global|local|param|param::entry|param::func|shared|shared::cta|shared::cluster}][.{ca|cg|cs|lu|cv}][.{v2|v4}].{b8|b16|b32|b64|u8|u16|u32|u64|s8|s16|s32|s64|f32|f64}",
            load,
        ),
        form(
            Opcode::Ld,
            ".{relaxed|acquire}.{cta|cluster|gpu|sys}[.{global|local|shared|shared::cta|shared::cluster}][.{v2|v4}].{b8|b16|b32|b64|u8|u16|u32|u64|s8|s16|s32|s64|f32|f64}",
            load,
        ),
        form(
            Opcode::Ld,
            "[.weak].global[.{ca|cg|cs}].nc[.{v2|v4}].{b8|b16|b32|b64|u8|u16|u32|u64|s8|s16|s32|s64|f32|f64}",
            load,
        ),
        form(
            Opcode::Ldu,
            "[.global][.{v2|v4}].{b8|b16|b32|b64|u8|u16|u32|u64|s8|s16|s32|s64|f32|f64}",
            load,
        ),
        form(
            Opcode::St,
            "[.{weak|volatile}][.{global|local|param|param::func|shared|shared::cta|shared::cluster}][.{wb|cg|cs|wt}][.{v2|v4}].{b8|b16|b32|b64|u8|u16|u32|u64|s8|s16|s32|s64|f32|f64}",
            store,
        ),
        form(
            Opcode::St,
            ".{relaxed|release}.{cta|cluster|gpu|sys}[.{global|local|shared|shared::cta|shared::cluster}][.{v2|v4}].{b8|b16|b32|b64|u8|u16|u32|u64|s8|s16|s32|s64|f32|f64}",
            store,
        ),
    ];
    forms.extend(atomic_form::forms());
    forms.extend(address_form::forms());
    forms.extend([
        form(Opcode::CpAsync, ".{ca|cg}.{shared|shared::cta}.global", copy_async),
        form(Opcode::CpAsyncCommitGroup, "", |_, _| Ok(Op::CommitAsync)),
        form(Opcode::CpAsyncWaitGroup, "", wait_group),
        form(Opcode::CpAsyncWaitAll, "", |_, _| Ok(Op::WaitAsync(None))),
        form(Opcode::Prefetch, "[.{global|local}].{L1|L2}", nothing),
        form(Opcode::Prefetch, ".global", nothing),
        form(Opcode::Prefetchu, ".L1", nothing),
        form(Opcode::Applypriority, "[.global]", nothing),
        Form::new(Opcode::Membar, ".{cta|gl|sys}", Class::Barrier, |_, _| Ok(Op::Fence)),
        Form::new(
            Opcode::Fence,
            "[.{sc|acq_rel}].{cta|cluster|gpu|sys}",
            Class::Barrier,
            |_, _| Ok(Op::Fence),
        ),
    ]);
    forms
}

/// An instruction without an effect that a kernel could see.
pub(crate) fn nothing(_: &mut Builder<'_>, _: &Instruction) -> Built {
    Ok(Op::Nothing)
}

/// The window of an access.
pub(crate) fn window(i: &Instruction) -> Window {
    match i.space() {
        None => Window::Generic,
        Some(Space::Const) => Window::Const,
        Some(Space::Local) => Window::Local,
        Some(Space::Param | Space::ParamEntry | Space::ParamFunc) => Window::Param,
        Some(Space::Shared | Space::SharedCta) => Window::Shared,
        Some(Space::SharedCluster) => Window::Cluster,
        Some(Space::Global | Space::Tex) => Window::Global,
    }
}

/// The ordering of an access; `default` where it names none.
pub(crate) fn order(i: &Instruction, default: Order) -> Order {
    let words = i.modifiers.as_slice();
    words
        .iter()
        .find_map(|word| {
            Some(match word {
                Modifier::Weak => Order::Weak,
                Modifier::Volatile | Modifier::Relaxed => Order::Relaxed,
                Modifier::Acquire => Order::Acquire,
                Modifier::Release => Order::Release,
                Modifier::AcqRel => Order::AcquireRelease,
                _ => return None,
            })
        })
        .unwrap_or(default)
}

/// The rows of an address operand.
pub(crate) fn address(b: &mut Builder<'_>, operand: &Operand) -> Result<AddressOperand, Refusal> {
    let Operand::Address(Address { base, offset }) = operand else {
        return Err(Refusal::new("an operand that is no address"));
    };
    let (base, offset) = match base {
        AddressBase::Register(id) => {
            let register = Operand::Register(*id);
            match b.register_bits(&register) {
                Some(64) => (Base::Long(b.source::<u64>(&register)?), *offset),
                _ => (Base::Word(b.source::<u32>(&register)?), *offset),
            }
        }
        AddressBase::Symbol(symbol) => {
            let fill = b.symbol_fill(*symbol, *offset)?;
            (Base::Long(b.long_fill(fill)), 0)
        }
        AddressBase::Absolute => (Base::Long(b.long_fill(Fill::Constant(0))), *offset),
    };
    Ok(AddressOperand { base, offset })
}

/// The elements of a data operand.
fn elements(operand: &Operand) -> &[Operand] {
    match operand {
        Operand::Vector(parts) => parts,
        single => std::slice::from_ref(single),
    }
}

fn scalar(i: &Instruction) -> Type {
    i.first_type().unwrap_or(Type::B32)
}

/// The rows that values of the instruction's type are read from.
pub(crate) fn sources(
    b: &mut Builder<'_>,
    operand: &Operand,
    scalar: Type,
) -> Result<Vec<DataRow>, Refusal> {
    elements(operand)
        .iter()
        .map(|part| {
            let bits = b.register_bits(part).unwrap_or(scalar.bits());
            if bits == 64 && scalar == Type::F64 {
                Ok(DataRow::Long(b.source::<f64>(part)?))
            } else if bits == 64 {
                Ok(DataRow::Long(b.source::<u64>(part)?))
            } else {
                Ok(DataRow::Word(b.word(part, scalar)?))
            }
        })
        .collect()
}

/// The rows that values of the instruction's type are written to.
pub(crate) fn targets(
    b: &mut Builder<'_>,
    operand: &Operand,
    scalar: Type,
) -> Result<Vec<DataRow>, Refusal> {
    elements(operand)
        .iter()
        .map(|part| {
            let bits = b.register_bits(part).unwrap_or(scalar.bits());
            if bits < scalar.bits() {
                return Err(Refusal::new("a register narrower than the value"));
            }
            if bits == 64 {
                Ok(DataRow::Long(b.target::<u64>(part)?))
            } else {
                Ok(DataRow::Word(b.target::<u32>(part)?))
            }
        })
        .collect()
}

/// The element of a transfer; a signed load is extended to the width of its register.
fn element(b: &Builder<'_>, scalar: Type, data: &Operand) -> Element {
    let register = elements(data).iter().filter_map(|part| b.register_bits(part)).max();
    let extend_to = match register {
        Some(bits) if scalar.is_signed() && bits > scalar.bits() => bits,
        _ => 0,
    };
    Element { bytes: scalar.bytes(), extend_to }
}

fn check_vector(i: &Instruction, data: &[DataRow]) -> Result<(), Refusal> {
    let expected = i.modifiers.vector_width() as usize;
    if data.len() == expected {
        Ok(())
    } else {
        Err(Refusal::new(format!("{} values where {expected} are expected", data.len())))
    }
}

fn load(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let (Some(d), Some(source)) = (i.operands.first(), i.operands.get(1)) else {
        return Err(Refusal::new("too few operands"));
    };
    let scalar = scalar(i);
    let data = targets(b, d, scalar)?;
    check_vector(i, &data)?;
    let element = element(b, scalar, d);
    if let Some((id, offset)) = parameter(i, source) {
        return load_parameter(b, id, offset, element, data);
    }
    let address = address(b, source)?;
    Ok(Op::Load(Transfer {
        space: window(i),
        order: order(i, Order::Weak),
        address,
        element,
        data,
    }))
}

fn store(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let (Some(target), Some(data)) = (i.operands.first(), i.operands.get(1)) else {
        return Err(Refusal::new("too few operands"));
    };
    let scalar = scalar(i);
    let data = sources(b, data, scalar)?;
    check_vector(i, &data)?;
    let element = Element { bytes: scalar.bytes(), extend_to: 0 };
    if let Some((id, offset)) = parameter(i, target) {
        let offset = parameter_offset(b, id, offset)?;
        return Ok(Op::StoreParameter(ParameterTransfer { offset, element, data }));
    }
    let address = address(b, target)?;
    if window(i) == Window::Param {
        return Err(Refusal::new("a parameter written through an address"));
    }
    Ok(Op::Store(Transfer {
        space: window(i),
        order: order(i, Order::Weak),
        address,
        element,
        data,
    }))
}

/// The variable and offset of a `.param` access that names its variable.
fn parameter(i: &Instruction, operand: &Operand) -> Option<(LocalId, i64)> {
    let is_param = window(i) == Window::Param;
    match operand {
        Operand::Address(Address { base: AddressBase::Symbol(SymbolRef::Local(id)), offset })
            if is_param =>
        {
            Some((*id, *offset))
        }
        _ => None,
    }
}

fn parameter_offset(b: &Builder<'_>, id: LocalId, offset: i64) -> Result<u32, Refusal> {
    let start = b.layout.function_local(b.id, id).and_then(|start| i64::try_from(start).ok());
    let at = start.and_then(|start| start.checked_add(offset));
    at.and_then(|at| u32::try_from(at).ok())
        .ok_or_else(|| Refusal::new("an offset outside the parameters"))
}

fn load_parameter(
    b: &mut Builder<'_>,
    id: LocalId,
    offset: i64,
    element: Element,
    data: Vec<DataRow>,
) -> Built {
    let offset = parameter_offset(b, id, offset)?;
    let own = b.function.parameters.contains(&Parameter::Variable(id));
    if !(own && b.function.is_entry) {
        return Ok(Op::LoadParameter(ParameterTransfer { offset, element, data }));
    }
    // A kernel's parameters are the same in every thread: each value is a row filled at launch.
    let mut copies = Vec::new();
    for (k, row) in (0u32..).zip(data) {
        let fill = |signed| Fill::Parameter {
            offset: offset + k * element.bytes,
            width: element.bytes,
            signed,
        };
        copies.push(match row {
            DataRow::Word(d) if element.extend_to == 16 => {
                // Sign-extended to 16 bits only: take the bytes and extend on the way.
                (DataRow::Word(d), DataRow::Word(b.word_fill(fill(false))))
            }
            DataRow::Word(d) => {
                (DataRow::Word(d), DataRow::Word(b.word_fill(fill(element.extend_to != 0))))
            }
            DataRow::Long(d) => {
                (DataRow::Long(d), DataRow::Long(b.long_fill(fill(element.extend_to != 0))))
            }
        });
    }
    let narrow = element.extend_to == 16;
    run(move |registers, mask| {
        for &(d, a) in &copies {
            match (d, a) {
                (DataRow::Word(d), DataRow::Word(a)) => {
                    let mut row = *a.row(registers);
                    if narrow {
                        row = row.map(|x| u32::from(i16::from(x as u8 as i8) as u16));
                    }
                    d.store(registers, &row, mask);
                }
                (DataRow::Long(d), DataRow::Long(a)) => {
                    let row = *a.row(registers);
                    d.store(registers, &row, mask);
                }
                _ => {}
            }
        }
    })
}

fn copy_async(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let [destination, source, size, rest @ ..] = i.operands.as_slice() else {
        return Err(Refusal::new("too few operands"));
    };
    let Operand::Immediate(Immediate::Integer(bytes @ (4 | 8 | 16))) = size else {
        return Err(Refusal::new("a copy size other than 4, 8 or 16"));
    };
    if i.has(Modifier::Cg) && *bytes != 16 {
        return Err(Refusal::new("a copy size other than 16 with `.cg`"));
    }
    let mut copy = CopyAsync {
        destination: address(b, destination)?,
        source: address(b, source)?,
        bytes: *bytes as u32,
        source_bytes: None,
        ignore_source: None,
    };
    // A 64-bit operand is a cache policy.
    match rest.first() {
        Some(operand) if b.register_bits(operand) == Some(1) => {
            copy.ignore_source = Some(b.predicate(operand)?);
        }
        Some(operand) if b.register_bits(operand) != Some(64) => {
            copy.source_bytes = Some(b.source::<u32>(operand)?);
        }
        _ => {}
    }
    Ok(Op::CopyAsync(copy))
}

fn wait_group(_: &mut Builder<'_>, i: &Instruction) -> Built {
    match i.operands.as_slice() {
        [Operand::Immediate(Immediate::Integer(pending))] => {
            Ok(Op::WaitAsync(Some(u32::try_from(*pending).unwrap_or(u32::MAX))))
        }
        _ => Err(Refusal::new("a group count that is no constant")),
    }
}

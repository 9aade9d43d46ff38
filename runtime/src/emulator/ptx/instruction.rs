//! Instructions and their operands.

use super::debug::LocationId;
use super::modifier::{Modifier, Modifiers};
use super::module::SymbolRef;
use super::opcode::Opcode;
use super::special::SpecialRegister;
use super::types::{Space, Type};

/// Index into a function's register table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegisterId(pub u32);

/// One instruction.
#[derive(Debug, Clone, PartialEq)]
pub struct Instruction {
    /// `@%p` or `@!%p`.
    pub guard: Option<Guard>,
    /// The operation.
    pub opcode: Opcode,
    /// The dotted words, in order.
    pub modifiers: Modifiers,
    /// The operands, in order. A call always has three or four: returns (a group), the target,
    /// arguments (a group), and for an indirect call its prototype or table.
    pub operands: Vec<Operand>,
    /// The source location in force.
    pub location: Option<LocationId>,
    /// Line of the PTX text, from 1.
    pub ptx_line: u32,
    /// Byte range of the text in the module's source, guard and semicolon excluded.
    pub text: (u32, u32),
}

impl Instruction {
    /// The first type among the modifiers.
    #[must_use]
    pub fn first_type(&self) -> Option<Type> {
        self.modifiers.types().next()
    }

    /// The first state space among the modifiers.
    #[must_use]
    pub fn space(&self) -> Option<Space> {
        self.modifiers.spaces().next()
    }

    /// Whether the modifier is present.
    #[must_use]
    pub fn has(&self, word: Modifier) -> bool {
        self.modifiers.contains(word)
    }
}

/// The predicate an instruction runs under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// The predicate register.
    pub register: RegisterId,
    /// Whether the instruction runs where the predicate is false.
    pub negated: bool,
}

/// An operand.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A register.
    Register(RegisterId),
    /// `!%p`: the negated predicate.
    Not(RegisterId),
    /// `-%r`: the negated register (video instructions).
    Negated(RegisterId),
    /// `%r.b2`, `%r.h1`: bytes of a register (video instructions).
    Part(RegisterId, RegisterPart),
    /// A constant.
    Immediate(Immediate),
    /// A predefined register.
    Special(SpecialRegister),
    /// `{a, b}`; elements are registers, immediates or sinks.
    Vector(Box<[Operand]>),
    /// `[base + offset]`.
    Address(Address),
    /// `[base, {x, y}]` or `[base, a, b]`: a tensor map or texture with coordinates.
    TensorAddress(Address, Box<[Operand]>),
    /// The address of a variable or function, plus bytes.
    Symbol(SymbolRef, i64),
    /// A label: the index of the instruction it stands before.
    Label(u32),
    /// `p|q`: two destinations, either of which may be a sink.
    Pair(Box<[Operand; 2]>),
    /// `_`: the result is not wanted.
    Sink,
    /// `(a, b)`: returns or arguments of a call.
    Group(Box<[Operand]>),
    /// Index into the function's branch tables.
    BranchTable(u32),
    /// Index into the function's call tables.
    CallTable(u32),
    /// Index into the function's call prototypes.
    Prototype(u32),
}

/// Selected bytes of a 32-bit register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegisterPart {
    /// Byte 0 to 3.
    Byte(u8),
    /// Half 0 or 1.
    Half(u8),
}

/// A memory operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// What the offset counts from.
    pub base: AddressBase,
    /// Signed bytes.
    pub offset: i64,
}

/// The base of a memory operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressBase {
    /// A register's value.
    Register(RegisterId),
    /// A variable's address.
    Symbol(SymbolRef),
    /// Nothing: the offset is the address.
    Absolute,
}

/// A constant operand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Immediate {
    /// An integer, as 64-bit two's complement (`0xFFFFFFFFFFFFFFFF` is -1).
    Integer(i64),
    /// `0f3F800000`: the bits of a single.
    F32(u32),
    /// `0d…` or a decimal floating literal: a double.
    F64(u64),
}

impl Immediate {
    /// The bits a register of type `scalar` holds after taking the constant: integers cut to its
    /// width, floating constants converted between single and double; other floating types take
    /// integer constants bit for bit.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a constant is cut to its operand's width, as PTX defines"
    )]
    #[expect(clippy::cast_sign_loss, reason = "bits, not values")]
    pub fn bits(self, scalar: Type) -> u64 {
        let bits = match (self, scalar) {
            (Immediate::Integer(value), _) => value as u64,
            (Immediate::F32(bits), Type::F64) => f64::from(f32::from_bits(bits)).to_bits(),
            (Immediate::F32(bits), _) => u64::from(bits),
            (Immediate::F64(bits), _) if scalar.bits() == 32 => {
                u64::from((f64::from_bits(bits) as f32).to_bits())
            }
            (Immediate::F64(bits), _) => bits,
        };
        match scalar.bits() {
            width @ 1..64 => bits & ((1u64 << width) - 1),
            _ => bits,
        }
    }
}

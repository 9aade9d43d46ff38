//! Reading PTX: text to a typed module, and a function's control flow.
//!
//! [`parse`] is the entry: it knows the shape of PTX ISA 9.0 (directives, scopes, operands) and no
//! instruction's meaning. Mnemonics and modifiers it does not know are kept by name, so that a file
//! is refused only when a kernel that uses them is loaded. [`ControlFlow`] then gives the blocks,
//! the loops and the points where diverged lanes meet again.

mod control_flow;
mod debug;
mod error;
mod instruction;
mod lexer;
mod modifier;
mod module;
mod opcode;
mod parser;
mod special;
mod token_table;
mod types;

pub use control_flow::{Block, Branch, ControlFlow, Loop, Reconvergence};
pub use debug::{FileEntry, Location, LocationId};
pub use error::{PtxError, PtxErrorCode};
pub use instruction::{
    Address, AddressBase, Guard, Immediate, Instruction, Operand, RegisterId, RegisterPart,
};
pub use modifier::{MODIFIERS_MAX, MatrixShape, Modifier, Modifiers};
pub use module::{
    Bounds, BranchTable, CallTable, Function, FunctionId, GlobalId, InitialElement, InitialImage,
    InitialValue, Label, Linkage, LocalId, Module, NameId, Parameter, Prototype, RegisterBlock,
    Relocation, SymbolRef, Variable,
};
pub use opcode::Opcode;
pub use parser::parse;
pub use special::SpecialRegister;
pub use types::{Space, Type};

#[cfg(test)]
mod tests;

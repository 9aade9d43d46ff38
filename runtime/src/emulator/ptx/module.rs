//! The typed form of a PTX file: modules, variables, functions.
//!
//! Every name is resolved. A register is a dense index into its function's register table, a label
//! an instruction index, a variable or function an index into a table; an executor needs no text
//! but what it shows a person.

use super::debug::{FileEntry, Location, LocationId};
use super::instruction::{Instruction, RegisterId};
use super::types::{Space, Type};

/// Index of a text in [`Module::names`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameId(pub u16);

/// Index into [`Module::globals`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GlobalId(pub u32);

/// Index into [`Module::functions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionId(pub u32);

/// Index into [`Function::variables`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalId(pub u32);

/// What a name that has an address refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SymbolRef {
    /// A variable of the module.
    Global(GlobalId),
    /// A variable of the function the instruction is in.
    Local(LocalId),
    /// A function.
    Function(FunctionId),
}

/// One PTX file.
#[derive(Debug, Clone, PartialEq)]
pub struct Module {
    /// `.version`, major and minor.
    pub version: (u32, u32),
    /// `.target`: the architecture first (`sm_90a`), then its options.
    pub target: Vec<String>,
    /// `.address_size`, 32 or 64.
    pub address_size: u32,
    /// Variables of the file, in order.
    pub globals: Vec<Variable>,
    /// `.file` entries, by ascending index.
    pub files: Vec<FileEntry>,
    /// Functions in the order of first declaration; declarations without a body are included.
    pub functions: Vec<Function>,
    /// `.alias` pairs: the alias and what it names.
    pub aliases: Vec<(FunctionId, FunctionId)>,
    /// Texts of unknown mnemonics and modifiers, and the names of inlined functions.
    pub names: Vec<String>,
    /// The text the module was read from.
    pub source: String,
}

impl Module {
    /// The text behind a name index, `""` for an index of another module.
    #[must_use]
    pub fn name(&self, id: NameId) -> &str {
        self.names.get(usize::from(id.0)).map_or("", String::as_str)
    }

    /// The function of that (mangled) name.
    #[must_use]
    pub fn function(&self, name: &str) -> Option<(FunctionId, &Function)> {
        let index = self.functions.iter().position(|function| function.name == name)?;
        Some((FunctionId(u32::try_from(index).ok()?), &self.functions[index]))
    }

    /// Names of the functions that are kernels and have a body.
    pub fn entries(&self) -> impl Iterator<Item = &Function> {
        self.functions.iter().filter(|function| function.is_entry && function.has_body)
    }

    /// The text of an instruction as written, without guard and semicolon, white space collapsed.
    #[must_use]
    pub fn instruction_text(&self, instruction: &Instruction) -> String {
        let start = instruction.text.0 as usize;
        let end = instruction.text.1 as usize;
        let text = self.source.get(start..end).unwrap_or("");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Name of the file of a `.loc` index.
    #[must_use]
    pub fn file_name(&self, index: u32) -> Option<&str> {
        let position = self.files.binary_search_by_key(&index, |file| file.index).ok()?;
        Some(&self.files[position].name)
    }
}

/// How a name is seen outside the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Linkage {
    /// No linking directive: local to the file.
    #[default]
    Internal,
    /// `.extern`: defined elsewhere, or (in `.shared`, without a size) by the launch.
    Extern,
    /// `.visible`
    Visible,
    /// `.weak`
    Weak,
    /// `.common`
    Common,
}

/// A variable or parameter that has an address.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    /// The name as written.
    pub name: String,
    /// Where it lives; never a sub-qualified space.
    pub space: Space,
    /// Linking directive.
    pub linkage: Linkage,
    /// `.align`, or the natural alignment of its (vector) element, in bytes.
    pub align: u32,
    /// Element type.
    pub element: Type,
    /// 2 or 4 for `.v2`, `.v4` elements, otherwise 1.
    pub vector_width: u32,
    /// Array extents, outermost first; empty for a scalar. An extent left open is 0 unless an
    /// initialiser gives it.
    pub dims: Vec<u64>,
    /// Size in bytes; 0 when an extent is open, as for dynamic shared memory.
    pub bytes: u64,
    /// Initial values by element position; elements not listed are zero.
    pub initialiser: Vec<InitialElement>,
    /// `.attribute(.managed)` or `.unified`.
    pub managed: bool,
    /// `.ptr` annotation of a kernel parameter: space pointed to (if given) and alignment.
    pub pointer: Option<(Option<Space>, u32)>,
    /// Line of the declaration in the PTX text.
    pub ptx_line: u32,
}

impl Variable {
    /// Whether it is dynamic shared memory: its size is the launch's.
    #[must_use]
    pub fn is_dynamic_shared(&self) -> bool {
        self.space == Space::Shared && self.linkage == Linkage::Extern && self.bytes == 0
    }
}

/// One initialised element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InitialElement {
    /// Position in the flattened array (of vector components, where elements are vectors).
    pub index: u64,
    /// Its value.
    pub value: InitialValue,
}

/// The value of an initialised element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum InitialValue {
    /// The element's bits, little end first, as wide as its type.
    Bits(u64),
    /// An address plus `addend`; `generic(x)` asks for the generic address.
    Address {
        /// What is named: a global or a function.
        symbol: SymbolRef,
        /// Bytes added.
        addend: i64,
        /// Whether the generic address is meant.
        generic: bool,
        /// `0xff00(x)`: only these bits, shifted down to bit 0; all ones without a mask.
        mask: u64,
    },
}

/// Initial contents of a variable before addresses are known.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InitialImage {
    /// The bytes, addresses left zero.
    pub bytes: Vec<u8>,
    /// Addresses to fill in.
    pub relocations: Vec<Relocation>,
}

/// An address to be written into an initial image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relocation {
    /// Offset of the field in the image.
    pub offset: u64,
    /// Width of the field in bytes.
    pub width: u32,
    /// What is named.
    pub symbol: SymbolRef,
    /// Bytes added to its address.
    pub addend: i64,
    /// Whether the generic address is meant.
    pub generic: bool,
    /// Bits kept, shifted down to bit 0.
    pub mask: u64,
}

impl Variable {
    /// The initial contents: `bytes` long, zero where nothing is given.
    #[must_use]
    pub fn initial_image(&self) -> InitialImage {
        let mut image = InitialImage::default();
        let Ok(size) = usize::try_from(self.bytes) else { return image };
        image.bytes = vec![0; size];
        let width = self.element.bytes();
        for element in &self.initialiser {
            let offset = element.index.saturating_mul(u64::from(width));
            match element.value {
                InitialValue::Bits(bits) => {
                    let at = usize::try_from(offset).unwrap_or(usize::MAX);
                    for (index, byte) in
                        bits.to_le_bytes().into_iter().take(width as usize).enumerate()
                    {
                        if let Some(slot) =
                            at.checked_add(index).and_then(|at| image.bytes.get_mut(at))
                        {
                            *slot = byte;
                        }
                    }
                }
                InitialValue::Address { symbol, addend, generic, mask } => {
                    image.relocations.push(Relocation {
                        offset,
                        width,
                        symbol,
                        addend,
                        generic,
                        mask,
                    });
                }
            }
        }
        image
    }
}

/// Launch bounds and hints given with a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bounds {
    /// `.maxntid`, missing extents 1.
    pub max_threads: Option<[u32; 3]>,
    /// `.reqntid`, missing extents 1.
    pub required_threads: Option<[u32; 3]>,
    /// `.minnctapersm`
    pub min_blocks_per_multiprocessor: Option<u32>,
    /// `.maxnctapersm`
    pub max_blocks_per_multiprocessor: Option<u32>,
    /// `.maxnreg`
    pub max_registers: Option<u32>,
    /// `.reqnctapercluster`, missing extents 1.
    pub required_cluster: Option<[u32; 3]>,
    /// `.maxclusterrank`
    pub max_cluster_rank: Option<u32>,
    /// `.explicitcluster`
    pub explicit_cluster: bool,
    /// `.blocksareclusters`
    pub blocks_are_clusters: bool,
}

/// A parameter or return value of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// In `.param` space.
    Variable(LocalId),
    /// In a register (the older convention, still legal for `.func`).
    Register(RegisterId),
}

/// A kernel (`.entry`) or a device function (`.func`).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Function {
    /// The (mangled) name.
    pub name: String,
    /// Whether it is a kernel.
    pub is_entry: bool,
    /// Whether a body was given; a declaration alone has none.
    pub has_body: bool,
    /// Linking directive.
    pub linkage: Linkage,
    /// `.noreturn`
    pub no_return: bool,
    /// Launch bounds.
    pub bounds: Bounds,
    /// `.pragma` strings, of the function and inside it.
    pub pragmas: Vec<String>,
    /// Return values, in order.
    pub returns: Vec<Parameter>,
    /// Parameters, in order.
    pub parameters: Vec<Parameter>,
    /// Parameters and variables with an address, call-sequence parameters included.
    pub variables: Vec<Variable>,
    /// Type of every register, by [`RegisterId`].
    pub register_types: Vec<Type>,
    /// Declarations the registers come from, by ascending first register.
    pub register_blocks: Vec<RegisterBlock>,
    /// The instructions, in order.
    pub instructions: Vec<Instruction>,
    /// `.branchtargets` lists, by index.
    pub branch_tables: Vec<BranchTable>,
    /// `.calltargets` lists, by index.
    pub call_tables: Vec<CallTable>,
    /// `.callprototype` declarations, by index.
    pub prototypes: Vec<Prototype>,
    /// Labels, by ascending instruction index.
    pub labels: Vec<Label>,
    /// Source locations, by [`LocationId`].
    pub locations: Vec<Location>,
    /// Line of the declaration in the PTX text.
    pub ptx_line: u32,
}

impl Function {
    /// The name of a register as declared (`%rd7`), for messages.
    #[must_use]
    pub fn register_name(&self, id: RegisterId) -> String {
        let position = self.register_blocks.partition_point(|block| block.first.0 <= id.0);
        let Some(block) = position.checked_sub(1).and_then(|at| self.register_blocks.get(at))
        else {
            return format!("register {}", id.0);
        };
        let index = id.0 - block.first.0;
        match (block.range, block.vector_width) {
            (true, 1) => format!("{}{index}", block.name),
            (true, width) => {
                format!("{}{}.{}", block.name, index / width, component_name(index % width))
            }
            (false, 1) => block.name.clone(),
            (false, width) => format!("{}.{}", block.name, component_name(index % width)),
        }
    }

    /// Type of a register.
    #[must_use]
    pub fn register_type(&self, id: RegisterId) -> Option<Type> {
        self.register_types.get(id.0 as usize).copied()
    }

    /// A location of this function, by index.
    #[must_use]
    pub fn location(&self, id: LocationId) -> Option<&Location> {
        self.locations.get(id.0 as usize)
    }
}

fn component_name(index: u32) -> &'static str {
    ["x", "y", "z", "w"].get(index as usize).copied().unwrap_or("?")
}

/// One name of a `.reg` declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterBlock {
    /// The name, without the number for a range.
    pub name: String,
    /// Its first register.
    pub first: RegisterId,
    /// Registers it makes: the range's count times the vector width.
    pub count: u32,
    /// Whether it was declared as a range `%r<n>`.
    pub range: bool,
    /// 2 or 4 for `.v2`, `.v4`, otherwise 1; components are consecutive registers.
    pub vector_width: u32,
}

/// A label and the instruction it stands before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The name as written.
    pub name: String,
    /// Instruction index; the number of instructions for a label at the end.
    pub target: u32,
}

/// The targets of a `brx.idx`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchTable {
    /// The label that names the list.
    pub name: String,
    /// Instruction indices, in order.
    pub targets: Vec<u32>,
}

/// The functions an indirect call may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallTable {
    /// The label that names the list.
    pub name: String,
    /// The functions, in order.
    pub targets: Vec<FunctionId>,
}

/// The signature of an indirect call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prototype {
    /// The label that names it.
    pub name: String,
    /// Size in bytes and alignment of each return value.
    pub returns: Vec<(u64, u32)>,
    /// Size in bytes and alignment of each parameter.
    pub parameters: Vec<(u64, u32)>,
}

//! Turns one function's operands into register rows.

use std::collections::BTreeMap;

use super::layout::Layout;
use super::op::{Op, Refusal};
use super::program::Flow;
use crate::emulator::alu::registers::{
    ALL_LANES, Long, Predicate, Registers, Run, Slot, Word, lane_mask, lanes,
};
use crate::emulator::alu::scalar::Scalar;
use crate::emulator::ptx::{
    Function, FunctionId, Guard, Immediate, Instruction, Module, Operand, RegisterId, Space,
    SpecialRegister, SymbolRef, Type,
};

/// What building an instruction gives.
pub(crate) type Built = Result<Op, Refusal>;

/// What a row that is no register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fill {
    /// One value in every lane.
    Constant(u64),
    /// Address of a variable of the module plus bytes, known at launch.
    Variable {
        /// Index among the module's variables.
        global: u32,
        /// Bytes added.
        addend: i64,
    },
    /// Offset in the thread's stack: the frame's base plus bytes.
    Stack(i64),
    /// Bytes of the kernel's parameters, known at launch.
    Parameter {
        /// Offset, bytes.
        offset: u32,
        /// Width, bytes.
        width: u32,
        /// Whether it is sign-extended.
        signed: bool,
    },
    /// A special register that does not change while a block runs.
    Special(SpecialRegister),
}

/// Where a PTX register lies.
#[derive(Clone, Copy, Debug)]
enum Place {
    Word(Word),
    Long(Long),
    Predicate(u32),
    /// Of a width the emulator has no row for.
    None,
}

/// The rows of a function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    /// Word rows that are registers; the filled ones follow.
    pub(crate) n_word_registers: u32,
    /// Long rows that are registers.
    pub(crate) n_long_registers: u32,
    /// Predicates; index 0 is always true.
    pub(crate) n_predicates: u32,
    /// Fills of the word rows behind the registers, in order.
    pub(crate) word_fills: Vec<Fill>,
    /// Fills of the long rows behind the registers, in order.
    pub(crate) long_fills: Vec<Fill>,
}

/// Index of the predicate that is always true.
const PREDICATE_TRUE: u32 = 0;
/// Index of the carry flag.
const PREDICATE_CARRY: u32 = 1;
/// Index of the predicate that nobody reads.
const PREDICATE_SINK: u32 = 2;
/// First predicate of the function's own.
const PREDICATES_FIXED: u32 = 3;

/// Decodes the operands of one function.
pub(crate) struct Builder<'a> {
    /// The module.
    pub(crate) module: &'a Module,
    /// The function.
    pub(crate) function: &'a Function,
    /// Where variables lie.
    pub(crate) layout: &'a Layout,
    /// Index of the function in the module.
    pub(crate) id: FunctionId,
    /// The control flow around the instruction being built.
    pub(crate) flow: Flow<'a>,
    places: Vec<Place>,
    rows: Rows,
    words: BTreeMap<Fill, Word>,
    longs: BTreeMap<Fill, Long>,
}

impl<'a> Builder<'a> {
    /// A builder for `function`, which is `id` in `module`.
    pub(crate) fn new(
        module: &'a Module,
        function: &'a Function,
        id: FunctionId,
        layout: &'a Layout,
        flow: Flow<'a>,
    ) -> Self {
        // One word and one long take the results that nobody wants.
        let mut rows = Rows {
            n_word_registers: 1,
            n_long_registers: 1,
            n_predicates: PREDICATES_FIXED,
            ..Rows::default()
        };
        let next = |counter: &mut u32| {
            *counter += 1;
            *counter - 1
        };
        let places = function
            .register_types
            .iter()
            .map(|scalar| match scalar.bits() {
                1 => Place::Predicate(next(&mut rows.n_predicates)),
                2..=32 => Place::Word(Word(next(&mut rows.n_word_registers))),
                64 => Place::Long(Long(next(&mut rows.n_long_registers))),
                _ => Place::None,
            })
            .collect();
        Self {
            module,
            function,
            layout,
            id,
            flow,
            places,
            rows,
            words: BTreeMap::new(),
            longs: BTreeMap::new(),
        }
    }

    /// The rows that the function needs.
    pub(crate) fn into_rows(self) -> Rows {
        self.rows
    }

    /// The row that holds `fill` as a word.
    pub(crate) fn word_fill(&mut self, fill: Fill) -> Word {
        let next = self.rows.n_word_registers + self.rows.word_fills.len() as u32;
        *self.words.entry(fill).or_insert_with(|| {
            self.rows.word_fills.push(fill);
            Word(next)
        })
    }

    /// The row that holds `fill` as a long.
    pub(crate) fn long_fill(&mut self, fill: Fill) -> Long {
        let next = self.rows.n_long_registers + self.rows.long_fills.len() as u32;
        *self.longs.entry(fill).or_insert_with(|| {
            self.rows.long_fills.push(fill);
            Long(next)
        })
    }

    /// The carry flag.
    pub(crate) fn carry(&self) -> Predicate {
        Predicate { index: PREDICATE_CARRY, invert: 0 }
    }

    /// The guard of an instruction.
    pub(crate) fn guard(&self, guard: Option<Guard>) -> Result<Predicate, Refusal> {
        let Some(guard) = guard else {
            return Ok(Predicate { index: PREDICATE_TRUE, invert: 0 });
        };
        let invert = if guard.negated { ALL_LANES } else { 0 };
        match self.place(guard.register) {
            Place::Predicate(index) => Ok(Predicate { index, invert }),
            _ => Err(Refusal::new("its guard is no predicate")),
        }
    }

    fn place(&self, register: RegisterId) -> Place {
        self.places.get(register.0 as usize).copied().unwrap_or(Place::None)
    }

    /// Declared width of a register operand, bits; `None` for other operands.
    pub(crate) fn register_bits(&self, operand: &Operand) -> Option<u32> {
        match operand {
            Operand::Register(id) => self.function.register_type(*id).map(Type::bits),
            _ => None,
        }
    }

    /// What a constant operand holds: an immediate, an address, a special register.
    fn fill_of(&self, operand: &Operand, scalar: Type) -> Result<Fill, Refusal> {
        match operand {
            Operand::Immediate(Immediate::Integer(value)) if scalar.bits() == 64 => {
                Ok(Fill::Constant(*value as u64))
            }
            Operand::Immediate(value) => Ok(Fill::Constant(value.bits(scalar))),
            Operand::Special(register) => Ok(Fill::Special(*register)),
            Operand::Symbol(symbol, addend) => self.symbol_fill(*symbol, *addend),
            other => Err(Refusal::new(format!("operand {other:?} is not a value here"))),
        }
    }

    /// The address of a symbol in its own space.
    pub(crate) fn symbol_fill(&self, symbol: SymbolRef, addend: i64) -> Result<Fill, Refusal> {
        let at = |offset: u64| Fill::Constant((offset as i64).wrapping_add(addend) as u64);
        match symbol {
            SymbolRef::Function(id) => Ok(at(Layout::function_address(id))),
            SymbolRef::Global(id) => {
                let Some(variable) = self.module.globals.get(id.0 as usize) else {
                    return Err(Refusal::new("an undeclared variable"));
                };
                match variable.space {
                    Space::Shared => self.layout.shared_global(id).map(at),
                    Space::Global | Space::Const => {
                        return Ok(Fill::Variable { global: id.0, addend });
                    }
                    _ => None,
                }
                .ok_or_else(|| Refusal::new(format!("the address of `{}`", variable.name)))
            }
            SymbolRef::Local(id) => {
                let Some(variable) = self.function.variables.get(id.0 as usize) else {
                    return Err(Refusal::new("an undeclared variable"));
                };
                let offset = self.layout.function_local(self.id, id);
                match (variable.space, offset) {
                    (Space::Shared, Some(offset)) => Ok(at(offset)),
                    (Space::Local, Some(offset)) => {
                        Ok(Fill::Stack((offset as i64).wrapping_add(addend)))
                    }
                    (Space::Param, Some(offset)) if self.function.is_entry => Ok(at(offset)),
                    _ => Err(Refusal::new(format!("the address of `{}`", variable.name))),
                }
            }
        }
    }

    /// The row of a source of type `T`.
    pub(crate) fn source<T: Scalar>(&mut self, operand: &Operand) -> Result<T::Slot, Refusal>
    where
        T::Slot: Resolve,
    {
        T::Slot::source(self, operand, T::TYPE)
    }

    /// The row of a destination of type `T`.
    pub(crate) fn target<T: Scalar>(&mut self, operand: &Operand) -> Result<T::Slot, Refusal>
    where
        T::Slot: Resolve,
    {
        T::Slot::target(self, operand)
    }

    /// The row of a 32-bit (or narrower) source.
    pub(crate) fn word(&mut self, operand: &Operand, scalar: Type) -> Result<Word, Refusal> {
        Word::source(self, operand, scalar)
    }

    /// A predicate that is read.
    pub(crate) fn predicate(&self, operand: &Operand) -> Result<Predicate, Refusal> {
        let always =
            |on: bool| Predicate { index: PREDICATE_TRUE, invert: if on { 0 } else { ALL_LANES } };
        let (id, invert) = match operand {
            Operand::Register(id) => (id, 0),
            Operand::Not(id) => (id, ALL_LANES),
            Operand::Immediate(Immediate::Integer(value)) => return Ok(always(*value != 0)),
            _ => return Err(Refusal::new("an operand that is no predicate")),
        };
        match self.place(*id) {
            Place::Predicate(index) => Ok(Predicate { index, invert }),
            _ => Err(Refusal::new("an operand that is no predicate")),
        }
    }

    /// A predicate that is written.
    pub(crate) fn predicate_target(&self, operand: &Operand) -> Result<Predicate, Refusal> {
        match operand {
            Operand::Sink => Ok(Predicate { index: PREDICATE_SINK, invert: 0 }),
            Operand::Register(_) => self.predicate(operand),
            _ => Err(Refusal::new("a destination that is no predicate")),
        }
    }

    /// `d = f(a)` over the lanes.
    pub(crate) fn map1<A: Scalar, D: Scalar>(
        &mut self,
        instruction: &Instruction,
        f: impl Fn(A) -> D + Send + Sync + 'static,
    ) -> Built
    where
        A::Slot: Resolve,
        D::Slot: Resolve,
    {
        let [d, a] = operands(instruction)?;
        let (d, a) = (self.target::<D>(d)?, self.source::<A>(a)?);
        run(move |registers, mask| {
            let row = a.row(registers);
            let out = lanes(|lane| f(A::read(row[lane])).lane());
            d.store(registers, &out, mask);
        })
    }

    /// `d = f(a, b)` over the lanes.
    pub(crate) fn map2<A: Scalar, B: Scalar, D: Scalar>(
        &mut self,
        instruction: &Instruction,
        f: impl Fn(A, B) -> D + Send + Sync + 'static,
    ) -> Built
    where
        A::Slot: Resolve,
        B::Slot: Resolve,
        D::Slot: Resolve,
    {
        let [d, a, b] = operands(instruction)?;
        let (d, a, b) = (self.target::<D>(d)?, self.source::<A>(a)?, self.source::<B>(b)?);
        run(move |registers, mask| {
            let (a, b) = (a.row(registers), b.row(registers));
            let out = lanes(|lane| f(A::read(a[lane]), B::read(b[lane])).lane());
            d.store(registers, &out, mask);
        })
    }

    /// `d = f(a, b, c)` over the lanes.
    pub(crate) fn map3<A: Scalar, B: Scalar, C: Scalar, D: Scalar>(
        &mut self,
        instruction: &Instruction,
        f: impl Fn(A, B, C) -> D + Send + Sync + 'static,
    ) -> Built
    where
        A::Slot: Resolve,
        B::Slot: Resolve,
        C::Slot: Resolve,
        D::Slot: Resolve,
    {
        let [d, a, b, c] = operands(instruction)?;
        let (d, a) = (self.target::<D>(d)?, self.source::<A>(a)?);
        let (b, c) = (self.source::<B>(b)?, self.source::<C>(c)?);
        run(move |registers, mask| {
            let (a, b, c) = (a.row(registers), b.row(registers), c.row(registers));
            let out = lanes(|lane| f(A::read(a[lane]), B::read(b[lane]), C::read(c[lane])).lane());
            d.store(registers, &out, mask);
        })
    }

    /// The lanes where `f(a, b)` holds, as a closure over the registers.
    pub(crate) fn compare<A: Scalar, B: Scalar>(
        &mut self,
        a: &Operand,
        b: &Operand,
        f: impl Fn(A, B) -> bool + Send + Sync + 'static,
    ) -> Result<Test, Refusal>
    where
        A::Slot: Resolve,
        B::Slot: Resolve,
    {
        let (a, b) = (self.source::<A>(a)?, self.source::<B>(b)?);
        Ok(Box::new(move |registers| {
            let (a, b) = (a.row(registers), b.row(registers));
            lane_mask(|lane| f(A::read(a[lane]), B::read(b[lane])))
        }))
    }
}

/// The lanes where something holds.
pub(crate) type Test = Box<dyn Fn(&Registers) -> u32 + Send + Sync>;

/// A register-only operation.
pub(crate) fn run(f: impl Fn(&mut Registers, u32) + Send + Sync + 'static) -> Built {
    let boxed: Run = Box::new(f);
    Ok(Op::Run(boxed))
}

/// The operands of an instruction, when there are `N` of them.
pub(crate) fn operands<const N: usize>(
    instruction: &Instruction,
) -> Result<[&Operand; N], Refusal> {
    let list: Vec<&Operand> = instruction.operands.iter().collect();
    <[&Operand; N]>::try_from(list)
        .map_err(|list| Refusal::new(format!("{} operands where {N} are expected", list.len())))
}

/// Kinds of row that operands can be resolved to.
pub(crate) trait Resolve: Slot {
    /// The row that an operand is read from.
    fn source(builder: &mut Builder<'_>, operand: &Operand, scalar: Type) -> Result<Self, Refusal>;

    /// The row that an operand is written to.
    fn target(builder: &mut Builder<'_>, operand: &Operand) -> Result<Self, Refusal>;
}

impl Resolve for Word {
    fn source(builder: &mut Builder<'_>, operand: &Operand, scalar: Type) -> Result<Self, Refusal> {
        match operand {
            Operand::Register(id) => match builder.place(*id) {
                Place::Word(word) => Ok(word),
                _ => Err(Refusal::new("a register of another width than the operation")),
            },
            other => {
                let fill = builder.fill_of(other, scalar)?;
                Ok(builder.word_fill(fill))
            }
        }
    }

    fn target(builder: &mut Builder<'_>, operand: &Operand) -> Result<Self, Refusal> {
        match operand {
            Operand::Sink => Ok(Self(0)),
            Operand::Register(id) => match builder.place(*id) {
                Place::Word(word) => Ok(word),
                _ => Err(Refusal::new("a register of another width than the operation")),
            },
            _ => Err(Refusal::new("a destination that is no register")),
        }
    }
}

impl Resolve for Long {
    fn source(builder: &mut Builder<'_>, operand: &Operand, scalar: Type) -> Result<Self, Refusal> {
        match operand {
            Operand::Register(id) => match builder.place(*id) {
                Place::Long(long) => Ok(long),
                _ => Err(Refusal::new("a register of another width than the operation")),
            },
            other => {
                let fill = builder.fill_of(other, scalar)?;
                Ok(builder.long_fill(fill))
            }
        }
    }

    fn target(builder: &mut Builder<'_>, operand: &Operand) -> Result<Self, Refusal> {
        match operand {
            Operand::Sink => Ok(Self(0)),
            Operand::Register(id) => match builder.place(*id) {
                Place::Long(long) => Ok(long),
                _ => Err(Refusal::new("a register of another width than the operation")),
            },
            _ => Err(Refusal::new("a destination that is no register")),
        }
    }
}

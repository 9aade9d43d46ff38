//! Where the variables of a module lie: shared memory, stacks and parameter areas.

use std::collections::BTreeMap;

use crate::emulator::ptx::{FunctionId, GlobalId, LocalId, Module, Parameter, Space, Variable};

/// Addresses of functions start here and step by this, so that none is a plausible data address.
const FUNCTION_ADDRESS_UNIT: u64 = 16;
/// Dynamic shared memory starts at a multiple of this.
const DYNAMIC_SHARED_ALIGN: u64 = 16;

/// Offsets of variables in their spaces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    shared_globals: BTreeMap<GlobalId, u64>,
    function_locals: BTreeMap<(FunctionId, LocalId), u64>,
    functions: BTreeMap<FunctionId, FunctionLayout>,
    shared_names: Vec<SharedVariable>,
    /// Static shared memory, bytes; dynamic shared memory follows.
    pub(crate) shared_static_bytes: u64,
}

/// Sizes of one function's frame.
#[derive(Clone, Debug, Default)]
pub(crate) struct FunctionLayout {
    /// Stack, bytes.
    pub(crate) local_bytes: u64,
    /// Parameter area (own parameters and those of call sequences), bytes.
    pub(crate) parameter_bytes: u64,
    /// Offset and size of each parameter.
    pub(crate) parameters: Vec<(u32, u32)>,
    /// Offset and size of each return value.
    pub(crate) returns: Vec<(u32, u32)>,
}

/// A shared variable, for messages.
#[derive(Clone, Debug)]
pub(crate) struct SharedVariable {
    /// Name as the PTX has it.
    pub(crate) name: String,
    /// Offset in shared memory, bytes.
    pub(crate) offset: u64,
    /// Size, bytes; 0 for dynamic shared memory.
    pub(crate) bytes: u64,
}

impl Layout {
    /// Lays out the variables that the functions `reachable` may name. Shared variables of the
    /// module come first, then those of each function; dynamic shared memory follows them all.
    pub(crate) fn new(module: &Module, reachable: &[FunctionId]) -> Self {
        let mut layout = Self::default();
        let mut shared = 0;
        let mut dynamic = Vec::new();
        for (index, variable) in (0u32..).zip(&module.globals) {
            if variable.space != Space::Shared {
                continue;
            }
            if variable.is_dynamic_shared() {
                dynamic.push((GlobalId(index), variable));
            } else {
                let offset = layout.place_shared(&mut shared, variable);
                layout.shared_globals.insert(GlobalId(index), offset);
            }
        }
        for &id in reachable {
            layout.place_function(module, id, &mut shared);
        }
        let align = dynamic.iter().map(|(_, variable)| u64::from(variable.align));
        let align = align.chain([DYNAMIC_SHARED_ALIGN]).max().unwrap_or(DYNAMIC_SHARED_ALIGN);
        layout.shared_static_bytes =
            if dynamic.is_empty() { shared } else { shared.next_multiple_of(align) };
        for (id, variable) in dynamic {
            layout.shared_globals.insert(id, layout.shared_static_bytes);
            let (name, offset) = (variable.name.clone(), layout.shared_static_bytes);
            layout.shared_names.push(SharedVariable { name, offset, bytes: 0 });
        }
        layout
    }

    fn place_shared(&mut self, shared: &mut u64, variable: &Variable) -> u64 {
        let offset = shared.next_multiple_of(u64::from(variable.align.max(1)));
        *shared = offset.saturating_add(variable.bytes);
        let (name, bytes) = (variable.name.clone(), variable.bytes);
        self.shared_names.push(SharedVariable { name, offset, bytes });
        offset
    }

    fn place_function(&mut self, module: &Module, id: FunctionId, shared: &mut u64) {
        let Some(function) = module.functions.get(id.0 as usize) else { return };
        let mut frame = FunctionLayout::default();
        for (index, variable) in (0u32..).zip(&function.variables) {
            let align = u64::from(variable.align.max(1));
            let offset = match variable.space {
                Space::Shared => self.place_shared(shared, variable),
                Space::Local => {
                    let offset = frame.local_bytes.next_multiple_of(align);
                    frame.local_bytes = offset.saturating_add(variable.bytes);
                    offset
                }
                Space::Param => {
                    let offset = frame.parameter_bytes.next_multiple_of(align);
                    frame.parameter_bytes = offset.saturating_add(variable.bytes);
                    offset
                }
                _ => continue,
            };
            self.function_locals.insert((id, LocalId(index)), offset);
        }
        let place = |parameter: &Parameter| match parameter {
            Parameter::Variable(local) => {
                let offset = self.function_locals.get(&(id, *local)).copied().unwrap_or(0);
                let bytes = function.variables.get(local.0 as usize).map_or(0, |v| v.bytes);
                (u32::try_from(offset).unwrap_or(0), u32::try_from(bytes).unwrap_or(0))
            }
            Parameter::Register(_) => (u32::MAX, 0),
        };
        frame.parameters = function.parameters.iter().map(place).collect();
        frame.returns = function.returns.iter().map(place).collect();
        self.functions.insert(id, frame);
    }

    /// Offset of a shared variable of the module.
    pub(crate) fn shared_global(&self, id: GlobalId) -> Option<u64> {
        self.shared_globals.get(&id).copied()
    }

    /// Offset, in its own space, of a variable of a function.
    pub(crate) fn function_local(&self, function: FunctionId, id: LocalId) -> Option<u64> {
        self.function_locals.get(&(function, id)).copied()
    }

    /// The frame of a function.
    pub(crate) fn function(&self, id: FunctionId) -> FunctionLayout {
        self.functions.get(&id).cloned().unwrap_or_default()
    }

    /// The shared variable an offset lies in, and the offset in it.
    pub(crate) fn shared_variable(&self, offset: u64) -> Option<(&str, u64)> {
        let found = self.shared_names.iter().filter(|variable| {
            let end = if variable.bytes == 0 { u64::MAX } else { variable.offset + variable.bytes };
            variable.offset <= offset && offset < end
        });
        found
            .max_by_key(|variable| variable.offset)
            .map(|variable| (variable.name.as_str(), offset - variable.offset))
    }

    /// The address that stands for a function.
    pub(crate) fn function_address(id: FunctionId) -> u64 {
        (u64::from(id.0) + 1) * FUNCTION_ADDRESS_UNIT
    }

    /// The function that an address stands for.
    pub(crate) fn function_at(address: u64) -> Option<FunctionId> {
        let index = (address / FUNCTION_ADDRESS_UNIT).checked_sub(1)?;
        let exact = address.is_multiple_of(FUNCTION_ADDRESS_UNIT);
        u32::try_from(index).ok().filter(|_| exact).map(FunctionId)
    }
}

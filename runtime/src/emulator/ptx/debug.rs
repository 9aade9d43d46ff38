//! Source locations: `.file`, `.loc` and the names of inlined functions.

use super::instruction::Instruction;
use super::module::{Function, Module, NameId};

/// A `.file` entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// The index `.loc` uses.
    pub index: u32,
    /// The path as written.
    pub name: String,
}

/// Index into [`Function::locations`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocationId(pub u32);

/// A place in a source file, and where that code was inlined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// `.file` index.
    pub file: u32,
    /// Line, from 1; 0 when the compiler knows none.
    pub line: u32,
    /// Column, from 1; 0 when unknown.
    pub column: u32,
    /// The (mangled) inlined function the place is in.
    pub function: Option<NameId>,
    /// Where that function was called.
    pub inlined_at: Option<LocationId>,
    /// Whether the file is a header of the toolkit, which is none of the kernel's author's: its name
    /// begins with `<toolkit>/`, or is a whole path as the toolkit's compilers write it.
    pub is_toolkit: bool,
}

/// Whether a file of that name is the toolkit's.
pub(super) fn is_toolkit(name: &str) -> bool {
    name.starts_with("<toolkit>/") || name.starts_with('/')
}

impl Function {
    /// The locations of an instruction: innermost first, then each call site outwards.
    pub fn location_chain(&self, instruction: &Instruction) -> impl Iterator<Item = &Location> {
        let innermost = instruction.location.and_then(|id| self.location(id));
        // A location only refers to earlier ones, so the chain ends.
        std::iter::successors(innermost, |location| {
            location.inlined_at.and_then(|id| self.location(id))
        })
    }

    /// Of an instruction's locations, those with a line in a file that is not the toolkit's:
    /// innermost first, then each call site outwards.
    pub fn own_chain(&self, instruction: &Instruction) -> impl Iterator<Item = &Location> {
        self.location_chain(instruction).filter(|one| one.line != 0 && !one.is_toolkit)
    }
}

impl Module {
    /// The locations to show a kernel's author: the innermost one in the kernel's source, a header
    /// of its folder or the device library, then where that was called from, outwards.
    ///
    /// Code inlined from a toolkit header is told by the line that uses it. Where the compiler gives
    /// line 0 (code it moved or made), the nearest instruction before that has a line stands in.
    #[must_use]
    pub fn author_locations<'a>(
        &self,
        function: &'a Function,
        instruction: &Instruction,
    ) -> Vec<&'a Location> {
        let own = |one: &Instruction| function.own_chain(one).collect::<Vec<_>>();
        let found = own(instruction);
        if function.locations.is_empty() || !found.is_empty() {
            return found;
        }
        let position = function.instructions.partition_point(|one| one.text.0 < instruction.text.0);
        let before = function.instructions.get(..position).unwrap_or_default();
        before.iter().rev().map(own).find(|chain| !chain.is_empty()).unwrap_or_default()
    }
}

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

    /// The innermost location with a line that is in the file of the outermost.
    pub(super) fn own_location(&self, instruction: &Instruction) -> Option<&Location> {
        let outermost = self.location_chain(instruction).last()?;
        self.location_chain(instruction).find(|one| one.file == outermost.file && one.line != 0)
    }
}

impl Module {
    /// The location to show a kernel's author: the innermost one in the author's own file.
    ///
    /// The outermost call site lies in the kernel's body, hence in the author's file; code inlined
    /// from a toolkit header lies elsewhere, while a device function of the author's lies in the
    /// same file and is the closer answer. Where the compiler gives line 0 (code it moved or made),
    /// the nearest instruction before that has a line stands in.
    #[must_use]
    pub fn author_location<'a>(
        &self,
        function: &'a Function,
        instruction: &Instruction,
    ) -> Option<&'a Location> {
        if function.locations.is_empty() {
            return None;
        }
        function.own_location(instruction).or_else(|| {
            let position =
                function.instructions.partition_point(|one| one.text.0 < instruction.text.0);
            let before = function.instructions.get(..position)?;
            before.iter().rev().find_map(|one| function.own_location(one))
        })
    }
}

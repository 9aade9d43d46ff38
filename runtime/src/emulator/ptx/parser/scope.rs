//! Names inside a function: nested scopes of registers, variables and labels.

use std::collections::BTreeMap;

use super::super::instruction::RegisterId;
use super::super::module::LocalId;

/// What a name in a function means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// A register, or the first component of a vector register.
    Register(RegisterId, u32),
    /// A variable or parameter.
    Variable(LocalId),
    /// A label: instruction index.
    Label(u32),
    /// A `.branchtargets` list.
    BranchTable(u32),
    /// A `.calltargets` list.
    CallTable(u32),
    /// A `.callprototype`.
    Prototype(u32),
}

/// Registers declared as `%r<count>`.
struct Range<'a> {
    prefix: &'a str,
    first: u32,
    count: u32,
    width: u32,
}

#[derive(Default)]
struct Scope<'a> {
    parent: Option<usize>,
    ranges: Vec<Range<'a>>,
    names: BTreeMap<&'a str, Named>,
}

/// The scopes of a function; a closed scope stays, for labels used before they are declared.
pub(super) struct Scopes<'a> {
    scopes: Vec<Scope<'a>>,
    current: usize,
    depth: u32,
}

impl<'a> Scopes<'a> {
    pub(super) fn new() -> Self {
        Scopes { scopes: vec![Scope::default()], current: 0, depth: 0 }
    }

    /// Index of the scope in force.
    pub(super) fn current(&self) -> usize {
        self.current
    }

    /// Scopes open inside the function's own.
    pub(super) fn depth(&self) -> u32 {
        self.depth
    }

    pub(super) fn open(&mut self) {
        self.scopes.push(Scope { parent: Some(self.current), ..Scope::default() });
        self.current = self.scopes.len() - 1;
        self.depth += 1;
    }

    pub(super) fn close(&mut self) {
        if let Some(parent) = self.scopes[self.current].parent {
            self.current = parent;
            self.depth -= 1;
        }
    }

    /// Declares a name in the current scope; `false` when it is taken there.
    pub(super) fn declare(&mut self, name: &'a str, named: Named) -> bool {
        self.scopes[self.current].names.insert(name, named).is_none()
    }

    /// Declares `prefix0` to `prefix(count-1)`; `false` when the prefix has a range there already.
    pub(super) fn declare_range(
        &mut self,
        prefix: &'a str,
        first: u32,
        count: u32,
        width: u32,
    ) -> bool {
        let scope = &mut self.scopes[self.current];
        let is_new = scope.ranges.iter().all(|range| range.prefix != prefix);
        scope.ranges.push(Range { prefix, first, count, width });
        is_new
    }

    /// The meaning of `name` in the current scope.
    pub(super) fn find(&self, name: &str) -> Option<Named> {
        self.find_from(self.current, name)
    }

    /// The meaning of `name` seen from a scope, the innermost first.
    pub(super) fn find_from(&self, scope: usize, name: &str) -> Option<Named> {
        let mut next = Some(scope);
        while let Some(index) = next {
            let scope = &self.scopes[index];
            for range in &scope.ranges {
                let number = name.strip_prefix(range.prefix).and_then(number_of);
                if let Some(number) = number.filter(|number| *number < range.count) {
                    return Some(Named::Register(
                        RegisterId(range.first + number * range.width),
                        range.width,
                    ));
                }
            }
            if let Some(named) = scope.names.get(name) {
                return Some(*named);
            }
            next = scope.parent;
        }
        None
    }
}

/// The number of a register in its range: decimal digits without leading zeros.
fn number_of(digits: &str) -> Option<u32> {
    match digits.as_bytes() {
        [b'0'] => Some(0),
        [b'1'..=b'9', ..] => digits.parse().ok(),
        _ => None,
    }
}

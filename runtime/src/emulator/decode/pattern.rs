//! The modifiers an instruction form allows, in the notation of the PTX ISA's syntax lines.
//!
//! `.x` is required, `[.x]` optional, `.{x|y}` one of several, `[.{x|y}]` at most one of them. The
//! same texts say what is decoded and what the generated list of supported PTX shows.

use crate::emulator::ptx::Modifier;

/// One place of a pattern.
#[derive(Clone, Debug)]
struct Group {
    optional: bool,
    choices: Vec<Modifier>,
}

/// The modifiers that a form allows, in order.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    groups: Vec<Group>,
}

impl Pattern {
    /// Reads a pattern; `None` where it is malformed or names an unknown modifier.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut groups = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let optional = rest.starts_with('[');
            let group = if optional {
                let (group, after) = rest[1..].split_once(']')?;
                rest = after;
                group
            } else if rest.starts_with(".{") {
                let (group, after) = rest.split_at(rest.find('}')? + 1);
                rest = after;
                group
            } else {
                let end = rest[1..].find(['.', '[']).map_or(rest.len(), |at| at + 1);
                let (group, after) = rest.split_at(end);
                rest = after;
                group
            };
            let words = group.strip_prefix('.')?;
            let words = words.strip_prefix('{').and_then(|w| w.strip_suffix('}')).unwrap_or(words);
            let choices = words.split('|').map(Modifier::from_text).collect::<Option<Vec<_>>>()?;
            groups.push(Group { optional, choices });
        }
        Some(Self { groups })
    }

    /// Whether these modifiers, in this order, are of the form.
    pub(crate) fn matches(&self, modifiers: &[Modifier]) -> bool {
        matches(&self.groups, modifiers)
    }

    /// Every list of modifiers of the form.
    #[cfg(test)]
    pub(crate) fn expand(&self) -> Vec<Vec<Modifier>> {
        let mut lists = vec![Vec::new()];
        for group in &self.groups {
            let mut next = if group.optional { lists.clone() } else { Vec::new() };
            for list in &lists {
                for choice in &group.choices {
                    let mut longer: Vec<Modifier> = list.clone();
                    longer.push(*choice);
                    next.push(longer);
                }
            }
            lists = next;
        }
        lists
    }
}

fn matches(groups: &[Group], modifiers: &[Modifier]) -> bool {
    let Some((group, later)) = groups.split_first() else { return modifiers.is_empty() };
    let taken = modifiers
        .split_first()
        .is_some_and(|(first, rest)| group.choices.contains(first) && matches(later, rest));
    taken || (group.optional && matches(later, modifiers))
}

//! What the kernel's source sees of a candidate and a workload.

use indexmap::IndexMap;

use super::{Instance, KernelSpec, Language};
use crate::diagnostic::Diagnostic;
use crate::dtype::Dtype;
use crate::space::{Candidate, ParameterValue};
use crate::suggestion;

/// What a name stands for in a template and as a macro.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// A type, which the compiler spells in its own language.
    Type(Dtype),
    /// The extent of a specialized axis, or a parameter's value.
    Value(ParameterValue),
}

/// Names and what they stand for: types, then specialized axes, then parameters, each in declared
/// order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bindings {
    entries: IndexMap<String, Binding>,
}

impl Bindings {
    /// Names with what they stand for, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Binding)> {
        self.entries.iter().map(|(name, binding)| (name.as_str(), binding))
    }

    /// What a name stands for.
    pub fn get(&self, name: &str) -> Option<&Binding> {
        self.entries.get(name)
    }

    /// The macro through which the source sees a name.
    pub fn macro_name(name: &str) -> String {
        format!("RIDGE_{}", name.to_ascii_uppercase())
    }

    /// Replaces each `{name}` of a template by what it stands for, types as `spell` spells them;
    /// `{{` and `}}` become single braces.
    ///
    /// # Errors
    /// `spec.template` for a name that is not bound, or a brace without its partner. The templates
    /// of a parsed spec have neither.
    pub fn expand(
        &self,
        template: &str,
        spell: impl Fn(Dtype) -> String,
    ) -> Result<String, Diagnostic> {
        let mut text = String::with_capacity(template.len());
        for piece in pieces(template).map_err(|fault| fault.diagnostic())? {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Name { name, .. } => match self.entries.get(name) {
                    Some(Binding::Type(dtype)) => text.push_str(&spell(*dtype)),
                    Some(Binding::Value(value)) => text.push_str(&value.to_string()),
                    None => {
                        let message = format!("nothing is bound to `{{{name}}}`");
                        let mut diagnostic = Diagnostic::new("spec.template", message);
                        let known: Vec<&str> = self.entries.keys().map(String::as_str).collect();
                        diagnostic.hint = suggestion::hint(name, known);
                        return Err(diagnostic);
                    }
                },
            }
        }
        Ok(text)
    }
}

/// A part of a template.
pub(super) enum Piece<'a> {
    Literal(&'a str),
    /// `{name}`; `at` is the offset of the name.
    Name {
        name: &'a str,
        at: usize,
    },
}

/// A brace without its partner, and its offset.
pub(super) struct BraceFault {
    pub(super) brace: char,
    pub(super) at: usize,
}

impl BraceFault {
    pub(super) fn diagnostic(&self) -> Diagnostic {
        Diagnostic::new("spec.template", format!("`{}` has no partner", self.brace))
            .hint("write `{{` or `}}` for a brace that is meant as such")
    }
}

/// Splits a template.
pub(super) fn pieces(template: &str) -> Result<Vec<Piece<'_>>, BraceFault> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < template.len() {
        let rest = &template[at..];
        let Some(brace) = rest.find(['{', '}']) else {
            pieces.push(Piece::Literal(rest));
            break;
        };
        pieces.push(Piece::Literal(&rest[..brace]));
        at += brace;
        let rest = &template[at..];
        if rest.starts_with("{{") || rest.starts_with("}}") {
            pieces.push(Piece::Literal(&rest[..1]));
            at += 2;
        } else if rest.starts_with('}') {
            return Err(BraceFault { brace: '}', at });
        } else {
            let inner = &rest[1..];
            let end = match inner.find(['{', '}']) {
                Some(end) if inner[end..].starts_with('}') => end + 1,
                _ => return Err(BraceFault { brace: '{', at }),
            };
            pieces.push(Piece::Name { name: &rest[1..end], at: at + 1 });
            at += end + 1;
        }
    }
    Ok(pieces)
}

impl KernelSpec {
    /// What the source sees of a candidate and a workload. A parameter that the candidate lacks is
    /// left out: check the candidate first.
    pub fn bindings(&self, instance: &Instance, candidate: &Candidate) -> Bindings {
        let mut entries = IndexMap::new();
        for name in self.types.keys() {
            if let Some(dtype) = instance.types().get(name) {
                entries.insert(name.clone(), Binding::Type(*dtype));
            }
        }
        for (name, extent) in instance.specialized() {
            entries.insert(name.to_owned(), Binding::Value(extent.into()));
        }
        for parameter in &self.space.parameters {
            if let Some(value) = candidate.get(&parameter.name) {
                entries.insert(parameter.name.clone(), Binding::Value(value.clone()));
            }
        }
        Bindings { entries }
    }

    /// Every name that templates and macros can use: types, specialized axes, parameters.
    pub fn bound_names(&self) -> Vec<&str> {
        let axes = self.axes.keys().filter(|axis| self.is_specialized(axis));
        let parameters = self.space.parameters.iter().map(|parameter| parameter.name.as_str());
        self.types.keys().chain(axes).map(String::as_str).chain(parameters).collect()
    }

    /// The templates of its entry and options; none for a generated kernel.
    pub fn templates(&self) -> Vec<&str> {
        match &self.language {
            Language::Cuda { entry, options, .. } => {
                std::iter::once(entry).chain(options).map(String::as_str).collect()
            }
            Language::Cube => Vec::new(),
        }
    }
}

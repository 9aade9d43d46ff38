//! One thing to compile, with everything that decides what comes out of it.

use std::sync::Arc;

use ridge_spec::digest::Digest;
use ridge_spec::kernel::{Bindings, Instance, KernelSpec, Language};
use ridge_spec::outcome::{CompilerMessage, Rejection, Severity};
use ridge_spec::space::Candidate;
use ridge_spec::target::Architecture;
use serde::{Deserialize, Serialize};

use super::options;
use super::source::Sources;
use super::spelling::{cuda_type, is_entry, macro_text};
use crate::toolchain::Toolkit;

/// Counts up when the same inputs would come out as other bytes: when the options that are
/// always given change, or what is done to PTX.
const FORMAT: &[u8] = b"1";

/// Everything NVRTC is told, concrete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    pub(crate) sources: Arc<Sources>,
    pub(crate) entry: String,
    /// Options and macros, in order, without those that are always given.
    pub(crate) options: Vec<String>,
    pub(crate) target: Architecture,
}

impl Unit {
    /// The unit of one candidate of a spec whose kernel is CUDA C++.
    ///
    /// Types, specialized axes and parameters are put into the spec's entry and options, and
    /// become macros `RIDGE_<NAME>`, those that the sources mention: a parameter that only the
    /// launch uses does not cost a compilation for each of its values.
    ///
    /// # Errors
    /// A [`Rejection::Compile`] that names the entry or option at fault; nothing has been run.
    pub fn of_candidate(
        spec: &KernelSpec,
        sources: Arc<Sources>,
        instance: &Instance,
        candidate: &Candidate,
        target: Architecture,
    ) -> Result<Self, Rejection> {
        let Language::Cuda { entry, options, .. } = &spec.language else {
            return Err(refused(&format!("`{}` has no CUDA source", spec.name)));
        };
        let bindings = spec.bindings(instance, candidate);
        let expand = |template: &String| {
            let spell = |dtype| cuda_type(dtype).to_owned();
            bindings.expand(template, spell).map_err(|error| refused(&error))
        };
        let options = options.iter().map(expand).collect::<Result<Vec<_>, _>>()?;
        let macros: Vec<(String, String)> = bindings
            .iter()
            .map(|(name, binding)| (Bindings::macro_name(name), macro_text(binding)))
            .collect();
        Self::new(sources, &expand(entry)?, &options, &macros, target)
    }

    /// Puts a unit together from concrete texts: a C++ name expression, options of the
    /// allow-list ([`options::allowed`]), and macros with their definitions.
    ///
    /// # Errors
    /// As [`Unit::of_candidate`].
    pub fn new(
        sources: Arc<Sources>,
        entry: &str,
        options: &[String],
        macros: &[(String, String)],
        target: Architecture,
    ) -> Result<Self, Rejection> {
        if !is_entry(entry) {
            return Err(refused(&format!("the entry `{entry}` is not a C++ name expression")));
        }
        let mut given = Vec::new();
        for option in options {
            given.extend(options::allowed(option).map_err(|error| refused(&error))?);
        }
        let mentioned = sources.macros_mentioned();
        for (name, text) in macros {
            if mentioned.as_ref().is_some_and(|mentioned| !mentioned.contains(name.as_str())) {
                continue;
            }
            // In an `#if` it would tell which files exist.
            if text.contains("__has") {
                return Err(refused(&format!("the macro `{name}` may not be `{text}`")));
            }
            given.push(format!("-D{name}={text}"));
        }
        drop(mentioned);
        Ok(Self { sources, entry: entry.to_owned(), options: given, target })
    }

    /// The name expression that is compiled.
    pub fn entry(&self) -> &str {
        &self.entry
    }

    /// What it is compiled for.
    pub const fn target(&self) -> Architecture {
        self.target
    }

    /// Digest of everything that decides the result.
    pub fn key(&self, toolkit: &Toolkit) -> Digest {
        let (toolkit, headers) = (toolkit.name(), toolkit.headers.to_string());
        let target = self.target.to_string();
        let mut parts: Vec<(&str, &[u8])> = vec![
            ("format", FORMAT),
            ("toolkit", toolkit.as_bytes()),
            ("headers", headers.as_bytes()),
            ("target", target.as_bytes()),
            ("entry", self.entry.as_bytes()),
            ("source", self.sources.name.as_bytes()),
        ];
        parts.extend(self.options.iter().map(|option| ("option", option.as_bytes())));
        for (name, text) in &self.sources.files {
            parts.push(("file", name.as_bytes()));
            parts.push(("text", text.as_bytes()));
        }
        Digest::of_parts(parts)
    }
}

/// A rejection for something wrong before the compiler runs.
fn refused(why: &dyn std::fmt::Display) -> Rejection {
    Rejection::Compile {
        diagnostics: vec![CompilerMessage {
            file: None,
            line: None,
            column: None,
            severity: Severity::Error,
            message: why.to_string(),
        }],
        log: String::new(),
    }
}

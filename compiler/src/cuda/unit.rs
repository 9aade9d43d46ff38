//! One thing to compile, with everything that decides what comes out of it.

use std::sync::Arc;

use ridge_spec::digest::Digest;
use ridge_spec::outcome::{CompilerMessage, Rejection, Severity};
use ridge_spec::target::Architecture;
use serde::{Deserialize, Serialize};

use super::options;
use super::source::Sources;
use super::template::{Bindings, is_entry};

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
    /// Puts a unit together. `entry` and `options` are the spec's templates; the names in
    /// `bindings` also become macros, those that the sources mention: a parameter that only the
    /// launch uses does not cost a compilation for each of its values.
    ///
    /// # Errors
    /// A [`Rejection::Compile`] that names the template or option at fault. (Of the spec, not the
    /// compiler: nothing has been run.)
    pub fn new(
        sources: Arc<Sources>,
        entry: &str,
        options: &[String],
        bindings: &Bindings,
        target: Architecture,
    ) -> Result<Self, Rejection> {
        let entry_text = bindings.expand(entry).map_err(|error| refused(&error))?;
        if !is_entry(&entry_text) {
            return Err(refused(&format!("the entry `{entry_text}` is not a C++ name expression")));
        }
        let mut given = Vec::new();
        for option in options {
            let option = bindings.expand(option).map_err(|error| refused(&error))?;
            given.extend(options::allowed(&option).map_err(|error| refused(&error))?);
        }
        let mentioned = sources.macros_mentioned();
        for (name, text) in bindings.macros() {
            if mentioned.as_ref().is_none_or(|mentioned| mentioned.contains(name.as_str())) {
                given.push(format!("-D{name}={text}"));
            }
        }
        drop(mentioned);
        Ok(Self { sources, entry: entry_text, options: given, target })
    }

    /// The name expression that is compiled.
    pub fn entry(&self) -> &str {
        &self.entry
    }

    /// What it is compiled for.
    pub const fn target(&self) -> Architecture {
        self.target
    }

    /// Digest of everything that decides the result; `toolkit` is [`crate::toolchain::Toolkit::name`].
    pub fn key(&self, toolkit: &str) -> Digest {
        let target = self.target.to_string();
        let mut parts: Vec<(&str, &[u8])> = vec![
            ("format", FORMAT),
            ("toolkit", toolkit.as_bytes()),
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

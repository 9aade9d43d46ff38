//! Compiling one unit with a loaded NVRTC.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use ridge_spec::artifact::{Artifact, MANIFEST_SCHEMA, Manifest};
use ridge_spec::outcome::{CompilerMessage, Rejection, Resource, Severity};

use super::headers::{Header, Headers};
use super::ptx::TOOLKIT_PREFIX;
use super::unit::Unit;
use super::{log, ptx};
use crate::nvrtc::{Compiled, Nvrtc, NvrtcError, Program};

/// A front end bound to a toolkit.
pub(crate) struct FrontEnd {
    nvrtc: Nvrtc,
    headers: Headers,
    toolkit_name: String,
    /// Options that keep the output the same everywhere, as far as this NVRTC knows them.
    isolation: Vec<String>,
}

impl FrontEnd {
    /// Binds a loaded NVRTC to its headers.
    pub(crate) fn new(
        nvrtc: Nvrtc,
        headers: Headers,
        toolkit_name: String,
    ) -> Result<Self, NvrtcError> {
        let wanted = [
            // Nothing is searched beside the source, which lies nowhere.
            "--no-source-include",
            // Names of internal symbols would otherwise hold the process's number.
            "--frandom-seed=ridge",
            // A cache of NVRTC's own would hide what compiling costs, in files nobody asked for.
            "--no-cache",
        ];
        let mut isolation = Vec::new();
        let (major, _) = nvrtc.version()?;
        for option in wanted {
            // CUDA 13 knows them all; what an older one does not know is an invalid option.
            if major >= 13 || knows(&nvrtc, option)? {
                isolation.push(option.to_owned());
            }
        }
        Ok(Self { nvrtc, headers, toolkit_name, isolation })
    }

    /// Compiles a unit.
    pub(crate) fn compile(
        &mut self,
        unit: &Unit,
    ) -> Result<Result<Artifact, Rejection>, NvrtcError> {
        let started = Instant::now();
        let headers = self.headers.closure(&unit.sources.toolkit_headers);
        let compiled = self.run(unit, &headers)?;
        if !compiled.succeeded {
            return Ok(Err(failure(unit, &headers, compiled.log)));
        }
        let made = finish(unit, &headers, compiled, |symbol, resources, parameters| Manifest {
            schema: MANIFEST_SCHEMA,
            entry_symbol: symbol,
            target: unit.target,
            toolkit: self.toolkit_name.clone(),
            options: self.options(unit),
            resources,
            parameters,
            compile_time_ns: u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX),
        });
        Ok(made)
    }

    /// Every option, in order. None names a folder, so that manifests agree between machines.
    fn options(&self, unit: &Unit) -> Vec<String> {
        let mut options = vec![format!("--gpu-architecture={}", unit.target)];
        if !unit.options.iter().any(|option| option.starts_with("--std=")) {
            options.push("--std=c++20".to_owned());
        }
        options.push("--generate-line-info".to_owned());
        options.push("--ptxas-options=-v".to_owned());
        options.extend(self.isolation.iter().cloned());
        options.extend(unit.options.iter().cloned());
        options
    }

    fn run(
        &self,
        unit: &Unit,
        headers: &BTreeMap<String, Arc<Header>>,
    ) -> Result<Compiled, NvrtcError> {
        let nul = |_| NvrtcError::Nul { what: "a header" };
        let own = unit
            .sources
            .files
            .iter()
            .filter(|(name, _)| **name != unit.sources.name)
            .map(|(name, text)| {
                Ok((
                    std::ffi::CString::new(name.as_str()).map_err(nul)?,
                    std::ffi::CString::new(text.as_str()).map_err(nul)?,
                ))
            })
            .collect::<Result<Vec<_>, NvrtcError>>()?;
        let pairs: Vec<_> = own
            .iter()
            .map(|(name, text)| (name.as_c_str(), text.as_c_str()))
            .chain(headers.values().map(|header| header.as_pair()))
            .collect();
        self.nvrtc.compile(&Program {
            name: &unit.sources.name,
            source: unit.sources.files.get(&unit.sources.name).map_or("", String::as_str),
            headers: &pairs,
            name_expression: Some(&unit.entry),
            options: &self.options(unit),
        })
    }
}

/// Whether NVRTC takes an option, found out with an empty program.
fn knows(nvrtc: &Nvrtc, option: &str) -> Result<bool, NvrtcError> {
    let program = Program {
        name: "probe.cu",
        source: "",
        headers: &[],
        name_expression: None,
        options: &[option.to_owned()],
    };
    Ok(nvrtc.compile(&program)?.succeeded)
}

/// Makes an artifact of what NVRTC put out, unless it is not a kernel or names strange files.
fn finish(
    unit: &Unit,
    headers: &BTreeMap<String, Arc<Header>>,
    compiled: Compiled,
    manifest: impl FnOnce(
        String,
        ridge_spec::artifact::Resources,
        Vec<ridge_spec::artifact::ParameterLayout>,
    ) -> Manifest,
) -> Result<Artifact, Rejection> {
    let Compiled { log, ptx, cubin, lowered_name, .. } = compiled;
    let reject = |message: String, log: &str| Rejection::Compile {
        diagnostics: vec![CompilerMessage {
            file: Some(unit.sources.name.clone()),
            line: None,
            column: None,
            severity: Severity::Error,
            message,
        }],
        log: log.to_owned(),
    };
    let symbol = lowered_name.unwrap_or_default();
    let own: BTreeSet<&str> = unit.sources.files.keys().map(String::as_str).collect();
    let toolkit: BTreeSet<&str> = headers.keys().map(String::as_str).collect();
    let ptx = ptx::rename_files(&ptx, &own, &toolkit).map_err(|name| {
        let message =
            format!("the line information names `{name}`, which is no file of the kernel");
        let log = format!("error[compile.include-outside]: {message}\n");
        reject(message, &log)
    })?;
    let (Some(resources), Some(parameters)) =
        (log::resources(&log, &symbol), ptx::parameters(&ptx, &symbol))
    else {
        return Err(reject(
            format!("the entry `{}` is no `__global__` function", unit.entry),
            &log,
        ));
    };
    Ok(Artifact::new(manifest(symbol, resources, parameters), ptx, cubin))
}

/// What a failed compilation amounts to.
fn failure(unit: &Unit, headers: &BTreeMap<String, Arc<Header>>, log: String) -> Rejection {
    let file_name = |name: &str| {
        let name = name.strip_prefix('/').unwrap_or(name);
        if headers.contains_key(name) { format!("{TOOLKIT_PREFIX}{name}") } else { name.to_owned() }
    };
    let diagnostics = log::diagnostics(&log, &unit.entry, &file_name);
    if let Some(rejection) = resource_excess(unit, &log, &diagnostics) {
        return rejection;
    }
    Rejection::Compile { diagnostics, log }
}

/// Static shared memory beyond what the architecture has. Up to the block's whole limit ptxas
/// either says so, or fails without a word after the resource report.
fn resource_excess(unit: &Unit, log: &str, diagnostics: &[CompilerMessage]) -> Option<Rejection> {
    let excess = |required, limit| {
        Some(Rejection::Resources { resource: Resource::SharedMemoryPerBlock, required, limit })
    };
    for message in diagnostics {
        if let Some((_, numbers)) = message.message.split_once("uses too much shared data (") {
            let mut hex = numbers
                .split(['(', ' ', ',', ')'])
                .filter_map(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok());
            return excess(hex.next()?, hex.next()?);
        }
    }
    if diagnostics.iter().any(|message| message.severity == Severity::Error) {
        return None;
    }
    let limit = shared_memory_limit(unit.target.capability())?;
    let required = log
        .lines()
        .filter_map(|line| line.split_once(" bytes smem")?.0.rsplit(' ').next()?.parse().ok())
        .max()?;
    (required > limit).then(|| excess(required, limit)).flatten()
}

/// Shared memory that one block may have, bytes, by compute capability: the CUDA C++ programming
/// guide's table of technical specifications per compute capability.
fn shared_memory_limit(capability: u16) -> Option<u64> {
    let kib = match capability {
        75 => 64,
        80 | 87 => 163,
        86 | 89 | 120 | 121 => 99,
        90 | 100 | 101 | 103 | 110 => 227,
        _ => return None,
    };
    Some(kib << 10)
}

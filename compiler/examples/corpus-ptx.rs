//! Compiles the emulator's corpus again: each `runtime/tests/corpus/*.cu` to the `.ptx` beside it,
//! headed by the digest of its source that the tests compare.
//!
//! `cargo build -p ridge-compiler && cargo run -p ridge-compiler --example corpus-ptx [-- NAME…]`,
//! where names are stems; without any, only sources whose `.ptx` is missing or stale.
#![expect(clippy::print_stdout, reason = "it says what it wrote")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use ridge_compiler::campaign::Compiler;
use ridge_compiler::cuda::{Sources, Unit};
use ridge_compiler::pool::{PoolConfig, WorkerCommand};
use ridge_compiler::toolchain::{NoProgress, SearchPaths, ensure};
use ridge_spec::target::Architecture;

fn main() -> Result<(), Box<dyn Error>> {
    let toolkit =
        ensure(&SearchPaths::from_lookup(|name| std::env::var_os(name)), &mut NoProgress)?;
    let executable = std::env::current_exe()?;
    let folder = executable.parent().and_then(Path::parent).ok_or("no build folder")?;
    let worker = WorkerCommand { program: folder.join("ridge-compile-worker"), arguments: vec![] };
    let target = Architecture::parse("sm_90a").ok_or("no such architecture")?;
    let mut compiler = Compiler::new(PoolConfig::new(worker, toolkit.clone()), None);
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/tests/corpus");
    for entry in std::fs::read_dir(&corpus)? {
        let path = entry?.path();
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        if path.extension().is_none_or(|extension| extension != "cu") {
            continue;
        }
        let source = std::fs::read_to_string(&path)?;
        let head = format!("// source {}\n", digest(&source));
        let ptx_path = path.with_extension("ptx");
        let fresh = std::fs::read_to_string(&ptx_path).is_ok_and(|ptx| ptx.starts_with(&head));
        let skipped = if asked.is_empty() { fresh } else { !asked.iter().any(|name| name == stem) };
        if skipped {
            continue;
        }
        let entry = entry_name(&source).ok_or_else(|| format!("{stem}: no `// entry = `"))?;
        let name = format!("{stem}.cu");
        let sources = Arc::new(Sources::from_text(&name, &source, &toolkit.include_folders)?);
        let unit = Unit::new(sources, entry, &[], &[], target)
            .map_err(|rejection| format!("{name}: {}", rejection.summary()))?;
        let artifact = compiler
            .compile(unit)?
            .map_err(|rejection| format!("{name}: {}", rejection.summary()))?;
        std::fs::write(&ptx_path, format!("{head}{}", artifact.ptx))?;
        println!("{}", ptx_path.display());
    }
    Ok(())
}

/// The kernel that the case's front matter names.
fn entry_name(source: &str) -> Option<&str> {
    source.lines().find_map(|line| line.strip_prefix("// entry = \"")?.strip_suffix('"'))
}

/// FNV-1a, 64 bits, as the tests compute it.
fn digest(source: &str) -> String {
    let hash = source.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    format!("{hash:016x}")
}

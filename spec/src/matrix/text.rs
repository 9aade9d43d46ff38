//! Writing `tuned.toml`.

use std::fmt::{self, Write as _};

use super::{AloneWinner, Entry, EntryTime, MATRIX_SCHEMA, Matrix};
use crate::space::{Candidate, ParameterValue};

/// The file's text.
pub(super) fn write(matrix: &Matrix) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _written = write_matrix(&mut out, matrix);
    out
}

fn write_matrix(out: &mut String, matrix: &Matrix) -> fmt::Result {
    let compatibility = &matrix.compatibility;
    writeln!(out, "# Derived from tuning records; made again by tuning.")?;
    writeln!(out, "schema = {MATRIX_SCHEMA}\n")?;
    writeln!(out, "[compatibility]")?;
    let capabilities: Vec<String> =
        compatibility.compute_capabilities.iter().map(|text| quoted(text)).collect();
    writeln!(out, "compute_capabilities = [{}]", capabilities.join(", "))?;
    writeln!(out, "cuda_minimum = {}", quoted(&compatibility.cuda_minimum))?;
    writeln!(out, "driver_minimum = {}", quoted(&compatibility.driver_minimum))?;
    matrix.entries.iter().try_for_each(|entry| write_entry(out, entry))
}

fn write_entry(out: &mut String, entry: &Entry) -> fmt::Result {
    writeln!(out, "\n[[entry]]")?;
    writeln!(out, "kernel = {}", quoted(&entry.kernel))?;
    writeln!(out, "spec = \"{}\"", entry.spec)?;
    writeln!(out, "device = {}", quoted(&entry.device))?;
    writeln!(out, "architecture = \"{}\"", entry.architecture)?;
    writeln!(out, "workload = {}", quoted(&entry.workload))?;
    let axes = entry.axes.iter().map(|(name, extent)| (name.as_str(), extent.to_string()));
    writeln!(out, "axes = {}", inline(axes))?;
    let types = entry.types.iter().map(|(name, dtype)| (name.as_str(), quoted(dtype.name())));
    writeln!(out, "types = {}", inline(types))?;
    writeln!(out, "candidate = {}", candidate(&entry.candidate))?;
    writeln!(out, "artifact = \"{}\"", entry.artifact)?;
    writeln!(out, "basis = \"{}\"", entry.time.basis())?;
    writeln!(out, "median_ns = {}", entry.time.median_ns())?;
    if let EntryTime::Measured { interval_ns: (low, high), .. } = entry.time {
        writeln!(out, "interval_ns = [{low}, {high}]")?;
    }
    if let Some(fraction) = entry.fraction_of_roofline {
        writeln!(out, "fraction_of_roofline = {fraction:?}")?;
    }
    writeln!(out, "record = \"{}\"", entry.record)?;
    entry.alone.iter().try_for_each(|alone| write_alone(out, alone))
}

/// The sub-table of the entry that was just written.
fn write_alone(out: &mut String, alone: &AloneWinner) -> fmt::Result {
    let (low, high) = alone.interval_ns;
    writeln!(out, "\n[entry.alone]")?;
    writeln!(out, "candidate = {}", candidate(&alone.candidate))?;
    writeln!(out, "artifact = \"{}\"", alone.artifact)?;
    writeln!(out, "median_ns = {}", alone.median_ns)?;
    writeln!(out, "interval_ns = [{low}, {high}]")?;
    writeln!(out, "record = \"{}\"", alone.record)
}

/// A candidate's values.
fn candidate(candidate: &Candidate) -> String {
    inline(candidate.iter().map(|(name, value)| match value {
        ParameterValue::Integer(value) => (name, value.to_string()),
        ParameterValue::Text(text) => (name, quoted(text)),
    }))
}

/// An inline table.
fn inline<'a>(fields: impl Iterator<Item = (&'a str, String)>) -> String {
    let fields: Vec<String> =
        fields.map(|(name, value)| format!("{} = {value}", key(name))).collect();
    if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) }
}

/// A key, quoted where it must be.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { quoted(name) }
}

/// A basic string on one line.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => {
                let _written = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

//! How far two outputs of one kernel are apart, and the table of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};

use ridge_runtime::numeric::codec::{decode_element, decode_integer};
use ridge_spec::dtype::Dtype;
use serde_json::{Value, json};

/// What differs between an output of the emulator and the same output of another device.
///
/// `max_ulps` counts the values of the type that lie between two elements; for an integer type that
/// is their difference. Elements that are NaN on both sides count as equal however their bits
/// are, and are counted apart where the bits differ.
pub(crate) fn differences(name: &str, dtype: Dtype, emulator: &[u8], device: &[u8]) -> Value {
    let size = usize::try_from(dtype.size_bytes()).unwrap_or(1);
    let (mut n_different, mut n_other_nan, mut n_one_nan) = (0_u64, 0_u64, 0_u64);
    let mut max_ulps = 0_u128;
    let mut worst = None;
    let elements = emulator.chunks_exact(size).zip(device.chunks_exact(size));
    for (at, (left, right)) in elements.enumerate() {
        if left == right {
            continue;
        }
        let (x, y) = (decode_element(dtype, left), decode_element(dtype, right));
        if x.is_nan() && y.is_nan() {
            n_other_nan += 1;
            continue;
        }
        n_different += 1;
        let distance = if x.is_nan() || y.is_nan() {
            n_one_nan += 1;
            u128::MAX
        } else {
            place(dtype, left).abs_diff(place(dtype, right))
        };
        if worst.is_none() || distance > max_ulps {
            worst = Some(json!({ "index": at, "emulator": shown(x), "device": shown(y) }));
            max_ulps = distance;
        }
    }
    json!({
        "name": name,
        "dtype": dtype.name(),
        "elements": emulator.len() / size,
        "same_size": emulator.len() == device.len(),
        "different": n_different,
        "nan_with_other_bits": n_other_nan,
        "nan_on_one_side": n_one_nan,
        "max_ulps": (n_one_nan == 0).then(|| u64::try_from(max_ulps).unwrap_or(u64::MAX)),
        "worst": worst,
    })
}

/// JSON has no infinities and no NaN.
fn shown(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { json!(value.to_string()) }
}

/// Where an element stands in the order of its type's values; both zeros stand at 0.
fn place(dtype: Dtype, bytes: &[u8]) -> i128 {
    if !dtype.is_float() {
        return decode_integer(dtype, bytes).map_or(0, i128::from);
    }
    let mut whole = [0; 16];
    whole[..bytes.len()].copy_from_slice(bytes);
    let bits = i128::from_le_bytes(whole);
    let sign = 1_i128 << (bytes.len() * 8 - 1);
    if bits & sign == 0 { bits } else { -(bits & !sign) }
}

/// What was seen of each kernel.
#[derive(Default)]
pub(crate) struct Summary {
    rows: BTreeMap<String, Row>,
}

#[derive(Default)]
struct Row {
    candidates: BTreeSet<String>,
    n_runs: u64,
    /// Runs that were not compared, by status.
    others: BTreeMap<String, u64>,
    n_equal: u64,
    n_exact: u64,
    n_exact_equal: u64,
    n_elements: u64,
    n_different: u64,
    /// By dtype; `None` where a NaN met a number.
    max_ulps: BTreeMap<String, Option<u64>>,
    approx: BTreeSet<String>,
}

impl Summary {
    pub(crate) fn add(&mut self, line: &Value) {
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let row = self.rows.entry(text("kernel")).or_default();
        row.n_runs += 1;
        if text("status") != "compared" {
            *row.others.entry(text("status")).or_default() += 1;
            return;
        }
        row.candidates.insert(text("candidate"));
        let approx = line["approx"].as_array().map(Vec::as_slice).unwrap_or_default();
        row.approx.extend(approx.iter().filter_map(Value::as_str).map(str::to_owned));
        let mut is_equal = true;
        for output in line["outputs"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let count = |name: &str| output[name].as_u64().unwrap_or(0);
            row.n_elements += count("elements");
            row.n_different += count("different");
            is_equal &= count("different") == 0 && output["same_size"] == true;
            let dtype = output["dtype"].as_str().unwrap_or_default().to_owned();
            let most = row.max_ulps.entry(dtype).or_insert(Some(0));
            *most = most.zip(output["max_ulps"].as_u64()).map(|(a, b)| a.max(b));
        }
        row.n_equal += u64::from(is_equal);
        row.n_exact += u64::from(approx.is_empty());
        row.n_exact_equal += u64::from(approx.is_empty() && is_equal);
    }

    /// Writes the table to standard error: standard output is for the lines.
    pub(crate) fn print(&self, device: &str) -> io::Result<()> {
        let mut out = io::stderr().lock();
        writeln!(out, "emulator against {device}")?;
        for (kernel, row) in &self.rows {
            writeln!(
                out,
                "{kernel}: {} candidates, {} runs, {} bit-equal ({} of {} without `.approx`), {} of {} elements differ",
                row.candidates.len(),
                row.n_runs,
                row.n_equal,
                row.n_exact_equal,
                row.n_exact,
                row.n_different,
                row.n_elements,
            )?;
            for (dtype, ulps) in &row.max_ulps {
                match ulps {
                    Some(ulps) => writeln!(out, "  {dtype}: at most {ulps} ulp apart")?,
                    None => writeln!(out, "  {dtype}: a NaN on one side")?,
                }
            }
            for (status, n) in &row.others {
                writeln!(out, "  {status}: {n}")?;
            }
            for instruction in &row.approx {
                writeln!(out, "  uses {instruction}")?;
            }
        }
        Ok(())
    }
}

//! The planted bugs, and the honest kernels beside them.
//!
//! One CUDA source a case, `<name>.cu`, with the PTX that NVRTC 13.0 makes of it for `sm_90a`
//! (`--std=c++20 -lineinfo`) in `<name>.ptx`. A source opens with its description, TOML in comments:
//!
//! ```text
//! // ---
//! // about = "One clause."
//! // entry = "kernel"
//! // grid = [3]                      # up to three extents
//! // block = [128]
//! // cluster = [2]                   # up to three extents; no clusters where absent
//! // shared_memory_bytes = 512       # dynamic; 0 where absent
//! // programmatic = true             # with programmatic dependent launch; without where absent
//! // expect = "out_of_bounds"        # or "clean", or a list of which any will do
//! // buffer = "y"                    # of the finding, where it is certain
//! // [[arguments]]                   # in the kernel's order
//! // name = "x"
//! // dtype = "f32"
//! // elements = 300
//! // role = "input"                  # never written | "output": every element written, none read
//! //                                 # before | "inout": filled, read and written freely
//! // constant = true                 # an input that no kernel before writes; not where absent
//! // fill = { start = 0.5, step = 2.0, modulo = 7 }   # start + step * (index % modulo)
//! // [[arguments]]
//! // name = "n"
//! // scalar = "i32"
//! // value = 300
//! // [expected]                      # of a clean case, where it is simple to say
//! // buffer = "y"
//! // sum = 1234.0                    # of all elements
//! // at = { 7 = 1.5 }                # single elements
//! // relative = 1e-6
//! // ---
//! ```
//!
//! Lines that end in `// BUG` are the ones a finding may name: a race has two ends. An output
//! element that nobody wrote has no line, hence no mark.
//!
//! The rule for stores of one value: unordered plain stores that leave a byte with the value it has
//! are no race, whoever does them; a load that is not ordered with a store is one.

#![allow(dead_code, reason = "each test binary that includes the corpus uses its own part of it")]
#![expect(
    clippy::unwrap_used,
    reason = "the corpus is part of the tests: what it cannot read fails them"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ridge_spec::dtype::Dtype;
use ridge_spec::launch::LaunchConfig;
use ridge_spec::outcome::FindingKind;
use serde::Deserialize;

/// A kernel, how to launch it, and what an emulator must say of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Case {
    /// The file's name without its ending.
    pub(crate) name: String,
    /// One clause on what is wrong, or right.
    pub(crate) about: String,
    /// The CUDA source.
    pub(crate) source: String,
    /// The kernel's symbol.
    pub(crate) entry: String,
    /// The launch.
    pub(crate) launch: LaunchConfig,
    /// The arguments, in the kernel's order.
    pub(crate) arguments: Vec<Argument>,
    /// What must be found.
    pub(crate) expect: Expectation,
    /// What a clean run must compute.
    pub(crate) expected: Option<Expected>,
}

/// What an emulator must say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expectation {
    /// Nothing.
    Clean,
    /// A fault.
    Finding {
        /// Kinds of which any is right.
        kinds: Vec<FindingKind>,
        /// Source lines of which any is right, from 1; empty where the fault has none.
        lines: Vec<u32>,
        /// The buffer it must name.
        buffer: Option<String>,
    },
}

/// A kernel argument.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Argument {
    /// A pointer to memory of its own.
    Buffer {
        /// Its name.
        name: String,
        /// Type of its elements.
        dtype: Dtype,
        /// How many.
        elements: usize,
        /// How the kernel may use it.
        role: Role,
        /// Whether no kernel before writes it.
        constant: bool,
        /// Its contents before the launch; none for an output.
        fill: Option<Fill>,
    },
    /// A value.
    Scalar {
        /// Its name.
        name: String,
        /// Its type.
        dtype: Dtype,
        /// The value; all of the corpus are exact in a double.
        value: f64,
    },
}

/// How a kernel may use a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Filled before; never written.
    Input,
    /// Not filled; every element written.
    Output,
    /// Filled before; read and written.
    Inout,
}

/// Element `i` is `start + step * (i % modulo)`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fill {
    /// Value of element 0.
    #[serde(default)]
    pub(crate) start: f64,
    /// Difference of neighbours.
    #[serde(default)]
    pub(crate) step: f64,
    /// Period; none where absent.
    #[serde(default)]
    pub(crate) modulo: Option<u32>,
}

impl Fill {
    /// Value of an element.
    pub(crate) fn value(&self, index: usize) -> f64 {
        let index = u32::try_from(index).unwrap();
        let step = self.modulo.map_or(index, |modulo| index % modulo);
        self.start + self.step * f64::from(step)
    }
}

/// What a clean run leaves in one buffer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    /// The buffer.
    pub(crate) buffer: String,
    /// Sum of its elements.
    pub(crate) sum: Option<f64>,
    /// Single elements by index.
    #[serde(default)]
    pub(crate) at: BTreeMap<String, f64>,
    /// Relative tolerance of each number.
    pub(crate) relative: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    about: String,
    entry: String,
    grid: Vec<u32>,
    block: Vec<u32>,
    cluster: Option<Vec<u32>>,
    #[serde(default)]
    shared_memory_bytes: u32,
    #[serde(default)]
    programmatic: bool,
    expect: OneOrMany,
    buffer: Option<String>,
    #[serde(default)]
    arguments: Vec<DescribedArgument>,
    expected: Option<Expected>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedArgument {
    name: String,
    dtype: Option<Dtype>,
    elements: Option<usize>,
    role: Option<Role>,
    #[serde(default)]
    constant: bool,
    fill: Option<Fill>,
    scalar: Option<Dtype>,
    value: Option<f64>,
}

/// The folder of the corpus.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// Every case, by name.
pub(crate) fn load() -> Vec<Case> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cu"))
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let source = std::fs::read_to_string(path).unwrap();
            parse(name, &source).unwrap_or_else(|message| panic!("`{name}.cu`: {message}"))
        })
        .collect()
}

impl Case {
    /// The PTX beside the source.
    pub(crate) fn ptx(&self) -> String {
        std::fs::read_to_string(folder().join(format!("{}.ptx", self.name))).unwrap()
    }
}

/// Reads a source's description.
///
/// # Errors
/// One clause on what is wrong with it.
pub(crate) fn parse(name: &str, source: &str) -> Result<Case, String> {
    let description: Description =
        toml::from_str(&front_matter(source)?).map_err(|error| error.message().to_owned())?;
    let lines = marked_lines(source);
    let expect = expectation(description.expect, description.buffer, lines)?;
    let arguments: Result<Vec<Argument>, String> =
        description.arguments.into_iter().map(argument).collect();
    Ok(Case {
        name: name.to_owned(),
        about: description.about,
        source: source.to_owned(),
        entry: description.entry,
        launch: LaunchConfig {
            grid: extents(&description.grid)?,
            block: extents(&description.block)?,
            shared_memory_bytes: description.shared_memory_bytes,
            cluster: description.cluster.as_deref().map(extents).transpose()?,
            programmatic: description.programmatic,
        },
        arguments: arguments?,
        expect,
        expected: description.expected,
    })
}

/// The comment lines between the two fences, without their slashes.
fn front_matter(source: &str) -> Result<String, String> {
    let mut lines = source.lines();
    if lines.next() != Some("// ---") {
        return Err("the first line is not `// ---`".to_owned());
    }
    let mut text = String::new();
    for line in lines {
        if line == "// ---" {
            return Ok(text);
        }
        let inner = line.strip_prefix("//").ok_or("the description is not closed by `// ---`")?;
        text.push_str(inner.strip_prefix(' ').unwrap_or(inner));
        text.push('\n');
    }
    Err("the description is not closed by `// ---`".to_owned())
}

fn marked_lines(source: &str) -> Vec<u32> {
    (1u32..)
        .zip(source.lines())
        .filter(|(_, line)| line.ends_with("// BUG"))
        .map(|(number, _)| number)
        .collect()
}

fn extents(given: &[u32]) -> Result<[u32; 3], String> {
    let mut extents = [1; 3];
    if given.is_empty() || extents.len() < given.len() || given.contains(&0) {
        return Err(format!("`{given:?}` is not one to three extents"));
    }
    extents[..given.len()].copy_from_slice(given);
    Ok(extents)
}

fn expectation(
    expect: OneOrMany,
    buffer: Option<String>,
    lines: Vec<u32>,
) -> Result<Expectation, String> {
    let codes = match expect {
        OneOrMany::One(code) => vec![code],
        OneOrMany::Many(codes) => codes,
    };
    if codes == ["clean"] {
        if !lines.is_empty() || buffer.is_some() {
            return Err("a clean case has a `// BUG` or a `buffer`".to_owned());
        }
        return Ok(Expectation::Clean);
    }
    let kinds: Result<Vec<FindingKind>, String> = codes.iter().map(|code| kind(code)).collect();
    let kinds = kinds?;
    if kinds.is_empty() {
        return Err("`expect` is empty".to_owned());
    }
    if lines.is_empty() != kinds.contains(&FindingKind::UnwrittenOutput) {
        return Err("`// BUG` marks are missing, or an unwritten output has one".to_owned());
    }
    Ok(Expectation::Finding { kinds, lines, buffer })
}

fn kind(code: &str) -> Result<FindingKind, String> {
    [
        FindingKind::OutOfBounds,
        FindingKind::Misaligned,
        FindingKind::UninitializedRead,
        FindingKind::Race,
        FindingKind::DivergentBarrier,
        FindingKind::UnwrittenOutput,
        FindingKind::ModifiedInput,
        FindingKind::EarlyAccess,
        FindingKind::Timeout,
        FindingKind::Trap,
        FindingKind::Unsupported,
    ]
    .into_iter()
    .find(|kind| kind.code() == code)
    .ok_or_else(|| format!("`{code}` is no finding"))
}

fn argument(described: DescribedArgument) -> Result<Argument, String> {
    let name = described.name;
    match described {
        DescribedArgument {
            dtype: Some(dtype),
            elements: Some(elements),
            role: Some(role),
            constant,
            fill,
            scalar: None,
            value: None,
            ..
        } if fill.is_none() == (role == Role::Output) => {
            Ok(Argument::Buffer { name, dtype, elements, role, constant, fill })
        }
        DescribedArgument {
            scalar: Some(dtype),
            value: Some(value),
            dtype: None,
            elements: None,
            role: None,
            constant: false,
            fill: None,
            ..
        } => Ok(Argument::Scalar { name, dtype, value }),
        _ => Err(format!("`{name}` is neither a buffer nor a scalar")),
    }
}

//! The table of instruction forms: what is decoded, and the list of supported PTX.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::builder::{Builder, Built};
use super::op::{Class, Refusal, Step};
use super::pattern::Pattern;
use super::{control, memory_form, warp_form};
use crate::emulator::alu;
use crate::emulator::ptx::{Instruction, Modifier, Opcode};

/// Builds one instruction whose modifiers are known to fit the form.
pub(crate) type Build = fn(&mut Builder<'_>, &Instruction) -> Built;

/// One supported instruction form.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    /// The mnemonic.
    pub(crate) opcode: Opcode,
    /// The modifiers, see [`Pattern`].
    pub(crate) pattern: &'static str,
    /// What it counts as.
    pub(crate) class: Class,
    /// Decodes it.
    pub(crate) build: Build,
}

impl Form {
    /// A form.
    pub(crate) const fn new(
        opcode: Opcode,
        pattern: &'static str,
        class: Class,
        build: Build,
    ) -> Self {
        Self { opcode, pattern, class, build }
    }
}

/// Every supported form, by the kind of operation.
pub(crate) fn groups() -> Vec<(&'static str, Vec<Form>)> {
    vec![
        ("Integer arithmetic", alu::integer::forms()),
        ("Extended-precision integer arithmetic", alu::carry::forms()),
        ("Logic, shifts and bit fields", alu::bits::forms()),
        ("Moves and selection", alu::moves::forms()),
        ("Comparison", alu::compare::forms()),
        ("Single and double precision", alu::float::forms()),
        ("Half precision and bfloat16", alu::half::forms()),
        ("Conversion", alu::convert::forms()),
        ("Memory", memory_form::forms()),
        ("Warp and block synchronisation", warp_form::forms()),
        ("Control flow", control::forms()),
    ]
}

struct Entry {
    pattern: Pattern,
    form: Form,
}

static TABLE: LazyLock<BTreeMap<Opcode, Vec<Entry>>> = LazyLock::new(|| {
    let mut table: BTreeMap<Opcode, Vec<Entry>> = BTreeMap::new();
    for form in groups().into_iter().flat_map(|(_, forms)| forms) {
        if let Some(pattern) = Pattern::parse(form.pattern) {
            table.entry(form.opcode).or_default().push(Entry { pattern, form });
        }
    }
    table
});

/// Decodes one instruction.
pub(crate) fn decode(
    builder: &mut Builder<'_>,
    instruction: &Instruction,
) -> Result<Step, Refusal> {
    let Some(entries) = TABLE.get(&instruction.opcode) else {
        return Err(Refusal::new("the instruction is not supported"));
    };
    let modifiers: Vec<Modifier> =
        instruction.modifiers.as_slice().iter().copied().filter(|m| !is_hint(*m)).collect();
    let Some(entry) = entries.iter().find(|entry| entry.pattern.matches(&modifiers)) else {
        return Err(Refusal::new("this combination of modifiers is not supported"));
    };
    let guard = builder.guard(instruction.guard)?;
    let op = (entry.form.build)(builder, instruction)?;
    Ok(Step { guard, class: entry.form.class, op })
}

/// Cache and prefetch hints change no result: every memory form takes them anywhere.
fn is_hint(modifier: Modifier) -> bool {
    matches!(
        modifier,
        Modifier::L1EvictNormal
            | Modifier::L1EvictUnchanged
            | Modifier::L1EvictFirst
            | Modifier::L1EvictLast
            | Modifier::L1NoAllocate
            | Modifier::L2EvictNormal
            | Modifier::L2EvictUnchanged
            | Modifier::L2EvictFirst
            | Modifier::L2EvictLast
            | Modifier::L2CacheHint
            | Modifier::L2Prefetch64B
            | Modifier::L2Prefetch128B
            | Modifier::L2Prefetch256B
    )
}

/// One line of the list of supported PTX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupportedForm {
    /// Kind of operation, a heading.
    pub group: &'static str,
    /// The mnemonic with the modifiers it takes: `[.x]` is optional, `.{x|y}` one of several.
    pub syntax: String,
}

/// Every instruction form that the emulator executes, in the order of the generated list. A form
/// that is not here is refused when a kernel that uses it is loaded.
pub fn supported_ptx() -> Vec<SupportedForm> {
    let mut list = Vec::new();
    for (group, forms) in groups() {
        for form in forms {
            let name = form.opcode.as_str().unwrap_or_default();
            list.push(SupportedForm { group, syntax: format!("{name}{}", form.pattern) });
        }
    }
    list
}

/// [`supported_ptx`] as a Markdown page.
pub fn supported_ptx_markdown() -> String {
    let mut page = String::from(
        "# PTX that the emulator executes\n\n\
         `[.x]` is optional, `.{x|y}` is one of several. Cache hints (`.L1::…`, `.L2::…`) are\n\
         accepted on every memory instruction and change nothing. Anything that is not listed is\n\
         refused when a kernel that uses it is loaded.\n",
    );
    let mut heading = "";
    for form in supported_ptx() {
        if form.group != heading {
            heading = form.group;
            page.push_str(&format!("\n## {heading}\n\n"));
        }
        page.push_str(&format!("- `{}`\n", form.syntax));
    }
    page
}

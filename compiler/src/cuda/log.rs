//! Reading NVRTC's log: diagnostics with file, line and column, and ptxas's resource report.

use ridge_spec::artifact::Resources;
use ridge_spec::outcome::{CompilerMessage, Severity};

/// The source name under which NVRTC parses a name expression.
const NAME_MAP: &str = "__nv_name_map";

/// The diagnostics of a log. `entry` is the name expression, which messages about it are said to
/// be about; `file_name` turns a name that NVRTC knows into the one that the user knows.
pub(crate) fn diagnostics(
    log: &str,
    entry: &str,
    file_name: &dyn Fn(&str) -> String,
) -> Vec<CompilerMessage> {
    let mut found = Vec::new();
    for block in blocks(log) {
        let Some(head) = Head::read(block[0]) else { continue };
        let details = Details::read(&block[1..]);
        let mut message = head.message.to_owned();
        for line in &details.before {
            message.push_str("; ");
            message.push_str(line);
        }
        let place = match head.place {
            Some((NAME_MAP, _)) => {
                // NVRTC says once more, without news, that the expression does not parse.
                if message.starts_with("Error in parsing name expression") {
                    continue;
                }
                let news = message.split(". Input name expression was").next().unwrap_or("");
                message = format!("in the entry `{entry}`: {news}");
                None
            }
            place => place,
        };
        found.push(CompilerMessage {
            file: place.map(|(file, _)| file_name(file)),
            line: place.map(|(_, line)| line),
            column: place.and(details.column),
            severity: head.severity,
            message,
        });
        found.extend(details.notes.iter().map(|note| CompilerMessage {
            file: None,
            line: None,
            column: None,
            severity: Severity::Note,
            message: (*note).to_owned(),
        }));
    }
    found
}

/// Runs of lines that begin with a diagnostic's first line.
fn blocks(log: &str) -> Vec<Vec<&str>> {
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    let mut open = false;
    for line in log.lines() {
        if Head::read(line).is_some() {
            blocks.push(vec![line]);
            open = true;
        } else if line.trim().is_empty() {
            open = false;
        } else if let Some(block) = blocks.last_mut()
            && open
        {
            block.push(line);
        }
    }
    blocks
}

/// A diagnostic's first line.
struct Head<'l> {
    place: Option<(&'l str, u32)>,
    severity: Severity,
    message: &'l str,
}

impl<'l> Head<'l> {
    /// `file(line): error: message`, `file(line): warning #177-D: message`, `ptxas fatal   : …`,
    /// `nvrtc: error: …` or `Command-line error: …`.
    fn read(line: &'l str) -> Option<Self> {
        if line.starts_with(' ') {
            return None;
        }
        for (start, severity) in
            [("nvrtc: error:", Severity::Error), ("Command-line error:", Severity::Error)]
        {
            if let Some(message) = line.strip_prefix(start) {
                return Some(Self { place: None, severity, message: message.trim() });
            }
        }
        if line.starts_with("ptxas ") {
            return Self::read_assembler(line);
        }
        let mut from = 0;
        while let Some(at) = line[from..].find("): ").map(|at| from + at) {
            if let Some(head) = Self::read_placed(line, at) {
                return Some(head);
            }
            from = at + 3;
        }
        None
    }

    fn read_placed(line: &'l str, close: usize) -> Option<Self> {
        let (file, number) = line[..close].rsplit_once('(')?;
        let number = number.parse().ok()?;
        let (kind, message) = line[close + 3..].split_once(": ")?;
        let kind = kind.split(" #").next()?;
        let severity = match kind {
            "error" | "catastrophic error" | "internal error" => Severity::Error,
            "warning" => Severity::Warning,
            "remark" | "note" => Severity::Note,
            _ => return None,
        };
        Some(Self { place: Some((file, number)), severity, message })
    }

    fn read_assembler(line: &'l str) -> Option<Self> {
        let (head, message) = line.split_once(" : ").or_else(|| line.split_once(": "))?;
        let severity = if head.contains("error") || head.contains("fatal") {
            Severity::Error
        } else if head.contains("warning") {
            Severity::Warning
        } else {
            return None;
        };
        Some(Self { place: None, severity, message: message.trim() })
    }
}

/// What follows a diagnostic's first line.
#[derive(Default)]
struct Details<'l> {
    /// Lines that go on with the message.
    before: Vec<&'l str>,
    /// Column of the caret, from 1.
    column: Option<u32>,
    /// Lines after the caret: what is being instantiated.
    notes: Vec<&'l str>,
}

impl<'l> Details<'l> {
    fn read(lines: &[&'l str]) -> Self {
        let Some(caret) = lines.iter().position(|line| line.trim() == "^") else {
            let notes = lines.iter().map(|line| line.trim()).filter(|line| !is_filler(line));
            return Self { notes: notes.collect(), ..Self::default() };
        };
        // The source line is indented by two; the caret's line repeats its tabs.
        let column = lines[caret].chars().take_while(|&c| c != '^').count().saturating_sub(2) + 1;
        Self {
            before: lines[..caret.saturating_sub(1)].iter().map(|line| line.trim()).collect(),
            column: u32::try_from(column).ok(),
            notes: lines[caret + 1..]
                .iter()
                .map(|line| line.trim())
                .filter(|line| !is_filler(line))
                .collect(),
        }
    }
}

fn is_filler(line: &str) -> bool {
    line == "detected during:"
        || line.starts_with("Remark: The warnings can be suppressed")
        || line.contains("detected in the compilation of")
        || line == "Compilation terminated."
}

/// ptxas's report on the kernel `symbol`; `None` where the log has none.
pub(crate) fn resources(log: &str, symbol: &str) -> Option<Resources> {
    let mut resources = Resources::default();
    let mut inside = false;
    let mut found = false;
    for line in log.lines() {
        let Some(text) = line.strip_prefix("ptxas ") else { continue };
        if let Some((_, name)) = text.split_once("Function properties for ") {
            inside = name.trim() == symbol;
        } else if inside && text.contains("bytes stack frame") {
            resources.stack_bytes = number_before(text, " bytes stack frame");
            resources.spill_store_bytes = number_before(text, " bytes spill stores");
            resources.spill_load_bytes = number_before(text, " bytes spill loads");
        } else if inside && text.contains(": Used ") {
            resources.registers = number_before(text, " registers");
            resources.barriers = number_before(text, " barriers");
            resources.static_shared_memory_bytes = number_before(text, " bytes smem");
            // The frames of what it calls count too.
            let cumulative = number_before(text, " bytes cumulative stack size");
            resources.stack_bytes = resources.stack_bytes.max(cumulative);
            found = true;
            inside = false;
        }
    }
    found.then_some(resources)
}

/// The number that ends where `unit` begins; 0 where `unit` is absent.
fn number_before(text: &str, unit: &str) -> u32 {
    text.find(unit)
        .and_then(|at| text[..at].rsplit(|c: char| !c.is_ascii_digit()).next())
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;

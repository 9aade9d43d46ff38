//! Reading the log.

use std::collections::BTreeSet;

use super::{TuningRecord, wire};
use crate::diagnostic::{Diagnostic, SourceLocation};

/// Longest line that is read, bytes. A record is some kilobytes; a compiler's log can be more.
pub const LINE_LIMIT: usize = 16 << 20;

/// What a log held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordLog {
    /// The records, in the order in which they stand.
    pub records: Vec<TuningRecord>,
    /// Why lines were left out, in order; the torn one is not among them.
    pub dropped: Vec<Diagnostic>,
    /// Whether the last line has no line feed: the writer was interrupted.
    pub torn_tail: bool,
    /// Bytes up to the end of the last whole line: where a writer goes on, cutting off what is
    /// torn.
    pub valid_len: u64,
}

/// Reads a log. `file` names it in diagnostics.
///
/// The codes of what is left out: `record.too-long`, `record.not-text`, `record.syntax`,
/// `record.schema`, `record.digest`, `record.field`, `record.duplicate`. Empty lines are skipped.
pub fn read_log(file: &str, bytes: &[u8]) -> RecordLog {
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let mut log = RecordLog {
        torn_tail: whole < bytes.len(),
        valid_len: u64::try_from(whole).unwrap_or(u64::MAX),
        ..RecordLog::default()
    };
    let mut seen = BTreeSet::new();
    for (number, line) in bytes[..whole].split(|&byte| byte == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match read_line(line) {
            Ok((record, digest)) if seen.insert(digest) => log.records.push(record),
            Ok((_, digest)) => {
                let message = format!("the record `{}` was there before", digest.short());
                log.dropped.push(dropped("record.duplicate", message, file, number, 1, line));
            }
            Err(error) => {
                let (code, message) = (error.code, error.message);
                log.dropped.push(dropped(code, message, file, number, error.column, line));
            }
        }
    }
    log
}

fn read_line(line: &[u8]) -> Result<(TuningRecord, crate::digest::Digest), wire::LineError> {
    let refuse = |code, message| wire::LineError { code, message, column: 1 };
    if line.len() > LINE_LIMIT {
        let message = format!("the line has {} bytes, of at most {LINE_LIMIT}", line.len());
        return Err(refuse("record.too-long", message));
    }
    match std::str::from_utf8(line) {
        Ok(text) => wire::read(text),
        Err(error) => {
            let message = format!("byte {} of the line is no UTF-8", error.valid_up_to() + 1);
            Err(refuse("record.not-text", message))
        }
    }
}

/// A diagnostic with the start of the line.
fn dropped(
    code: &str,
    message: String,
    file: &str,
    number: usize,
    column: usize,
    line: &[u8],
) -> Diagnostic {
    const SHOWN: usize = 160;
    let text = String::from_utf8_lossy(&line[..line.len().min(SHOWN)]);
    let text: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Diagnostic::new(code, message).at(SourceLocation {
        file: file.to_owned(),
        line: count(number).saturating_add(1),
        column: count(column).max(1),
        length: 1,
        text,
    })
}

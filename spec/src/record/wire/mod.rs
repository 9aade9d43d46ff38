//! Persisted forms of a record, one module for each schema number.

mod v1;

use serde_json::Value;

use super::{RECORD_SCHEMA, TuningRecord, canonical};
use crate::digest::Digest;

/// Why a line is no record; code and message of the diagnostic.
pub(super) struct LineError {
    pub(super) code: &'static str,
    pub(super) message: String,
    /// Column of the first wrong character, from 1.
    pub(super) column: usize,
}

impl LineError {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), column: 1 }
    }
}

/// The digest of a record.
pub(super) fn digest(record: &TuningRecord) -> Digest {
    let value = serde_json::to_value(v1::Record::of(record)).unwrap_or_default();
    Digest::of(canonical::text(&value).as_bytes())
}

/// A record as a line.
pub(super) fn to_line(record: &TuningRecord) -> String {
    let mut wire = v1::Record::of(record);
    wire.digest = Some(digest(record));
    // Only a map whose keys are no strings cannot be JSON, and a record has none.
    let mut line = serde_json::to_string(&wire).unwrap_or_default();
    assert!(!line.is_empty(), "a record is always JSON");
    debug_assert!(
        read(&line).is_ok_and(|(_, digest)| wire.digest == Some(digest)),
        "reads back: {line}"
    );
    line.push('\n');
    line
}

/// Reads a line without its line feed.
pub(super) fn read(line: &str) -> Result<(TuningRecord, Digest), LineError> {
    let mut value: Value = serde_json::from_str(line).map_err(|error| LineError {
        code: "record.syntax",
        message: format!("not JSON: {}", without_place(&error)),
        column: error.column(),
    })?;
    let Value::Object(fields) = &mut value else {
        return Err(LineError::new("record.syntax", "not a JSON object"));
    };
    match fields.get("schema") {
        Some(schema) if schema.as_u64() == Some(u64::from(RECORD_SCHEMA)) => {}
        Some(schema) => {
            let message = format!("the schema is {schema}, this version reads {RECORD_SCHEMA}");
            return Err(LineError::new("record.schema", message));
        }
        None => return Err(LineError::new("record.schema", "there is no `schema`")),
    }
    let Some(written) = fields.remove("digest") else {
        return Err(LineError::new("record.digest", "there is no `digest`"));
    };
    let computed = Digest::of(canonical::text(&value).as_bytes());
    if written.as_str().and_then(Digest::parse) != Some(computed) {
        let message = format!("the digest is {written}, the content's is \"{computed}\"");
        return Err(LineError::new("record.digest", message));
    }
    // Read from the text, not from the value, which has forgotten fields that are there twice.
    let wire: v1::Record = serde_json::from_str(line).map_err(|error| LineError {
        code: "record.field",
        message: without_place(&error),
        column: error.column(),
    })?;
    let record = wire.into_record().map_err(|message| LineError::new("record.field", message))?;
    Ok((record, computed))
}

/// The error without "at line 1 column n": the diagnostic has the place.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rfind(" at line ").map_or(text.as_str(), |end| &text[..end]).to_owned()
}

//! One point of a search space.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ParameterValue;
use crate::diagnostic::Diagnostic;
use crate::expression::Origin;

/// Longest name of an axis, parameter, type or tensor, bytes.
pub const NAME_LIMIT: usize = 64;

/// Whether `name` can be an axis, parameter, type variable or tensor: a C identifier of at most
/// [`NAME_LIMIT`] bytes.
pub fn is_name(name: &str) -> bool {
    name.len() <= NAME_LIMIT
        && name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// One value for each parameter.
///
/// Its identity is its text: `name=value` pairs sorted by name and joined by commas. In JSON it
/// is a map from name to value.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Candidate {
    values: BTreeMap<String, ParameterValue>,
}

impl Candidate {
    /// A candidate from names and values; a name given twice keeps its last value.
    pub fn new<N: Into<String>>(values: impl IntoIterator<Item = (N, ParameterValue)>) -> Self {
        Self { values: values.into_iter().map(|(name, value)| (name.into(), value)).collect() }
    }

    /// Reads `name=value,name=value`, in any order, with spaces around names and values ignored.
    /// The empty text is the candidate of a space without parameters.
    ///
    /// # Errors
    /// `space.candidate-syntax` for a pair without `=`, a name that is no identifier, a value that
    /// is neither an integer nor a text that a parameter may have, or a name given twice.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        let origin = Origin::standalone("candidate", text);
        let mut values = BTreeMap::new();
        let mut start = 0;
        if text.trim().is_empty() {
            return Ok(Self { values });
        }
        for pair in text.split(',') {
            let fail = |message: String| {
                Diagnostic::new("space.candidate-syntax", message)
                    .at(origin.locate(start..start + pair.len()))
                    .hint("write `name=value,name=value`")
            };
            let Some((name, value)) = pair.split_once('=') else {
                return Err(fail(format!("`{}` is not a pair `name=value`", pair.trim())));
            };
            let (name, value) = (name.trim(), value.trim());
            if !is_name(name) {
                return Err(fail(format!("`{name}` is not a parameter's name")));
            }
            let Some(value) = ParameterValue::parse(value) else {
                return Err(fail(format!("`{value}` is not a parameter's value")));
            };
            if values.insert(name.to_owned(), value).is_some() {
                return Err(fail(format!("`{name}` is given twice")));
            }
            start += pair.len() + 1;
        }
        Ok(Self { values })
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&ParameterValue> {
        self.values.get(name)
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ParameterValue)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many parameters it has.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.values.iter().enumerate() {
            write!(f, "{}{name}={value}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl Serialize for Candidate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.values.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Candidate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = BTreeMap::<String, ParameterValue>::deserialize(deserializer)?;
        match values.keys().find(|name| !is_name(name)) {
            Some(name) => {
                Err(serde::de::Error::custom(format!("`{name}` is not a parameter's name")))
            }
            None => Ok(Self { values }),
        }
    }
}

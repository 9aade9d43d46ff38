//! Values of expressions and of tuning parameters.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An integer or a text. A boolean is the integer 0 or 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// An exact integer.
    Integer(i64),
    /// A text: begins with a letter or `_`, and holds printable ASCII but no space, `,` `=` `{` `}`
    /// `"` `'` or `\`, where it is a parameter's value.
    Text(String),
}

impl Value {
    /// Longest text, bytes.
    pub const TEXT_LIMIT: usize = 128;

    /// Reads what [`fmt::Display`] wrote: an integer, or a text that a parameter may have; `None`
    /// for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(value) = text.parse::<i64>() {
            // `007` and `+7` are other spellings of a value that prints as `7`.
            return (value.to_string() == text).then_some(Self::Integer(value));
        }
        Self::is_parameter_text(text).then(|| Self::Text(text.to_owned()))
    }

    /// Whether a parameter may have this text as its value: see [`Value::Text`].
    pub fn is_parameter_text(text: &str) -> bool {
        let allowed = |b: u8| b.is_ascii_graphic() && !b",={}\"'\\".contains(&b);
        text.len() <= Self::TEXT_LIMIT
            && text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
            && text.bytes().all(allowed)
    }

    /// The integer, if it is one.
    pub const fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            Self::Text(_) => None,
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer or a text")
            }
            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
                Ok(Value::Integer(value))
            }
            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
                i64::try_from(value).map(Value::Integer).map_err(E::custom)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
                if Value::is_parameter_text(text) {
                    Ok(Value::Text(text.to_owned()))
                } else {
                    Err(E::custom(format!("`{text}` cannot be a parameter's value")))
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

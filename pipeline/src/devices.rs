//! Which device a flag means.

use std::fmt;

use crate::error::PipelineError;

/// Where candidates run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The emulator.
    Emulator,
    /// One GPU, by its ordinal.
    Cuda(u32),
    /// Every GPU of the host.
    AllCuda,
}

impl DeviceChoice {
    /// Reads `emulator`, `cuda`, `cuda:1` or `cuda:all`; `cuda` is the first one.
    ///
    /// # Errors
    /// [`PipelineError::UnknownDevice`].
    pub fn parse(text: &str) -> Result<Self, PipelineError> {
        let unknown = || PipelineError::UnknownDevice { name: text.to_owned() };
        match text.split_once(':') {
            None if text == "emulator" => Ok(Self::Emulator),
            None if text == "cuda" => Ok(Self::Cuda(0)),
            Some(("cuda", "all")) => Ok(Self::AllCuda),
            Some(("cuda", ordinal)) => ordinal.parse().map(Self::Cuda).map_err(|_| unknown()),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emulator => f.write_str("emulator"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
            Self::AllCuda => f.write_str("cuda:all"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DeviceChoice;

    #[test]
    fn flags() {
        for (text, expected) in [
            ("emulator", Some("emulator")),
            ("cuda", Some("cuda:0")),
            ("cuda:3", Some("cuda:3")),
            ("cuda:all", Some("cuda:all")),
            ("cuda:", None),
            ("cuda:-1", None),
            ("gpu", None),
            ("emulator:0", None),
            ("", None),
        ] {
            let parsed = DeviceChoice::parse(text).ok().map(|choice| choice.to_string());
            assert_eq!(parsed.as_deref(), expected, "{text}");
        }
    }
}

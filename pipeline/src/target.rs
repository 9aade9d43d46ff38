//! Which profile a campaign compiles and predicts for.

use std::path::Path;

use ridge_runtime::measure::DeviceFacts;
use ridge_runtime::profiles;
use ridge_spec::target::DeviceProfile;

use crate::error::PipelineError;

/// The target where no device says otherwise.
pub const DEFAULT: &str = "h200";

/// Longest profile that is read, bytes.
const PROFILE_BYTES_MAX: u64 = 1 << 20;

/// The profile called `name`, or in the file of that name; without one the device's own, or the
/// default where no device is at hand.
///
/// # Errors
/// An unknown name, a file that is no profile, a board that nothing is known of, and a profile of
/// another architecture than the device's.
pub fn resolve(
    name: Option<&str>,
    facts: Option<&DeviceFacts>,
) -> Result<DeviceProfile, PipelineError> {
    let wrong = |diagnostic| PipelineError::Spec(vec![diagnostic]);
    let profile = match (name, facts) {
        (Some(name), _) if name.ends_with(".toml") => read(Path::new(name))?,
        (Some(name), _) => profiles::find(name).map_err(wrong)?.clone(),
        (None, Some(facts)) => profiles::builtin(&facts.name)
            .ok_or_else(|| PipelineError::UnknownBoard { board: facts.name.clone() })?
            .clone(),
        (None, None) => profiles::find(DEFAULT).map_err(wrong)?.clone(),
    };
    if let Some(facts) = facts
        && profile.architecture.capability() != facts.architecture.capability()
    {
        return Err(PipelineError::WrongTarget {
            target: profile.name,
            wanted: profile.architecture.to_string(),
            device: facts.name.clone(),
            found: facts.architecture.to_string(),
        });
    }
    Ok(profile)
}

fn read(path: &Path) -> Result<DeviceProfile, PipelineError> {
    let failed = |source| PipelineError::Read { path: path.to_owned(), source };
    let is_small = |path: &Path| {
        std::fs::metadata(path)
            .map(|metadata| metadata.is_file() && metadata.len() <= PROFILE_BYTES_MAX)
    };
    if !is_small(path).map_err(failed)? {
        let limit_bytes = PROFILE_BYTES_MAX;
        return Err(PipelineError::NotAFile { path: path.to_owned(), limit_bytes });
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    profiles::parse(&path.display().to_string(), &text)
        .map_err(|diagnostic| PipelineError::Spec(vec![diagnostic]))
}

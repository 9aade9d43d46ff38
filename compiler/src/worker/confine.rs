//! What a worker gives up before it compiles anything.
//!
//! The first fence against reading other files is that includes are resolved beforehand and NVRTC
//! has no folder to search. This is the second, for what the first may have missed.

use std::io;

use rustix::process::{
    Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit,
};

use super::protocol::Setup;

/// Bounds memory, dies with the parent, and moves to `/`, so that no path of this machine gets
/// into line information.
pub(super) fn before_loading(setup: &Setup) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if setup.memory_limit_bytes > 0 {
        limit(Resource::As, setup.memory_limit_bytes)?;
    }
    // A crash is expected now and then: nobody wants its core file.
    limit(Resource::Core, 0)?;
    std::env::set_current_dir("/")
}

fn limit(resource: Resource, bytes: u64) -> io::Result<()> {
    let maximum = getrlimit(resource).maximum;
    let bounded = maximum.map_or(bytes, |maximum| maximum.min(bytes));
    setrlimit(resource, Rlimit { current: Some(bounded), maximum: Some(bounded) })?;
    Ok(())
}

/// Forbids opening any file but the toolkit's headers, where the kernel can (Landlock, Linux
/// 5.13). Best effort: an older kernel leaves the first fence alone.
pub(super) fn after_loading(setup: &Setup) {
    if let Err(error) = forbid_files(setup) {
        tracing::debug!(%error, "no Landlock: the worker keeps access to files");
    }
}

fn forbid_files(setup: &Setup) -> Result<(), landlock::RulesetError> {
    use landlock::{
        ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
        path_beneath_rules,
    };
    let abi = ABI::V5;
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .create()?
        .add_rules(path_beneath_rules(&setup.toolkit.include_folders, AccessFs::from_read(abi)))?
        .restrict_self()?;
    Ok(())
}

//! One file for each command: its flags, and what it does.

pub(crate) mod check;
pub(crate) mod doctor;
pub(crate) mod publish;
mod push;
pub(crate) mod report;
pub(crate) mod search_hub;
pub(crate) mod simulate;
pub(crate) mod tune;
pub(crate) mod verify_repo;

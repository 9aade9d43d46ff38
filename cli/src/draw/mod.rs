//! Answers as text for people.

pub(crate) mod check;
pub(crate) mod diagnostic;
pub(crate) mod doctor;
pub(crate) mod hub;
mod mismatch;
pub(crate) mod paint;
pub(crate) mod publish;
pub(crate) mod simulate;
pub(crate) mod time;
pub(crate) mod tune;
pub(crate) mod verify_repo;

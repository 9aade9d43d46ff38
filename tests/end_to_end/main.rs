//! The binary from the outside: exit status, stdout, stderr, files.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops where it cannot go on, and says why it was skipped"
)]

mod bad_input;
mod check;
mod doctor;
mod headers;
mod hub;
mod publish;
mod ridge;
mod simulate;
mod tune;

/// What the library's tests of the way to the Hub use too.
#[expect(dead_code, reason = "they use more of it")]
#[path = "../../hub-publish/tests/hub/fixture.rs"]
mod published;
#[expect(dead_code, reason = "they use more of it")]
#[path = "../../hub-publish/tests/hub/stand_in/mod.rs"]
mod stand_in;

//! The binary from the outside: exit status, stdout, stderr, files.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops where it cannot go on, and says why it was skipped"
)]

mod bad_input;
mod check;
mod doctor;
mod ridge;
mod simulate;
mod tune;

//! The binary from the outside: exit status, stdout, stderr, files.

mod bad_input;
mod check;
mod doctor;
mod ridge;
mod tune;

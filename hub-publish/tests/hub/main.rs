//! Publishing and searching, against a Hub of our own on this machine.

#![allow(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod fixture;
mod interrupted;
mod publishing;
mod refused;
mod searching;
mod stand_in;

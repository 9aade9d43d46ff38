//! Publishing and searching, against a Hub of our own on this machine.

mod fixture;
mod interrupted;
mod publishing;
mod refused;
mod searching;
mod stand_in;

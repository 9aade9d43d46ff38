mod control_flow;
mod errors;
mod files;
mod print;

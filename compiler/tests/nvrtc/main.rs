//! Tests that compile with NVRTC. They find a toolkit or install one, once; where neither can be
//! done they say so and pass.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may fail and say why")]

mod candidates;
mod cube;
mod front_end;
mod includes;
mod pool;
mod toolkit;

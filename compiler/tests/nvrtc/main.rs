//! Tests that compile with NVRTC. They find a toolkit or install one, once; where neither can be
//! done they say so and pass.

mod candidates;
mod front_end;
mod includes;
mod pool;
mod toolkit;

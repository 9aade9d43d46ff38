//! Search strategies and the cost model.
//!
//! **Invariant:** everything here is a pure function of space, history and seed: nothing compiles,
//! launches, reads a clock or does IO.
//!
//! Start at [`strategy::Strategy`] and [`cost::predict`].

pub mod budget;
pub mod cost;
mod gaussian;
pub mod history;
pub mod landscape;
pub mod learned;
pub mod prior;
pub mod racing;
pub mod simulate;
pub mod strategies;
pub mod strategy;

//! A tuned kernel as a Hugging Face kernel repo: a folder that `kernels.get_kernel` loads, and its
//! way to the Hub.
//!
//! **Invariant:** nothing here compiles, launches or measures; what is published is what was handed
//! over, and the same input gives the same bytes.
//!
//! Start at [`folder::write`].

mod card;
mod expression;
pub mod folder;
pub mod hub;
pub mod inspect;
mod interface;
mod listing;
mod manifest;
mod metadata;
pub mod publication;
mod python;
pub mod reference;
mod source;

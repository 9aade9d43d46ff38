//! The repo as a folder.

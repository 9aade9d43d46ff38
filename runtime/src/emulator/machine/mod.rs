//! Runs decoded programs: warps, divergence, barriers, and the blocks and clusters of a grid.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "lanes, masks and addresses are bits; counts are bounded by the launch"
)]

mod access;
mod barrier;
mod block;
mod call;
mod cluster;
mod cluster_barrier;
mod event;
mod fragment;
mod frame;
mod step;
mod warp;
mod warp_op;

pub(crate) use block::BlockMachine;
pub(crate) use call::CALL_DEPTH_MAX;
pub(crate) use cluster::{ClusterMachine, block_of_cluster};
pub(crate) use event::{Event, EventLog};
pub(crate) use frame::LaunchValues;

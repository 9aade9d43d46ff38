//! The barrier of a cluster, in its two halves.
//!
//! The rule, stricter than the hardware's: every thread of every block of the cluster arrives, and
//! then waits, the same number of times. A thread that arrives twice without a wait, waits without
//! having arrived, or exits between the two is a finding, as is one that exits while others arrive.
//! Where only exited threads are missing, the cluster goes on, as the hardware would.

use ridge_spec::outcome::FindingKind;

use super::block::Context;
use super::fragment::{Fragment, State};
use super::step::Next;
use super::warp::Warp;
use super::warp_op::lane_list;

const KIND: FindingKind = FindingKind::DivergentBarrier;

impl Warp {
    /// One fragment arrives.
    pub(super) fn cluster_arrive(
        &mut self,
        context: &mut Context<'_>,
        fragment: Fragment,
        (releases, aligned): (bool, bool),
        active: u32,
    ) -> Next {
        self.check_aligned(context, fragment, aligned, active);
        let twice = (self.arrived | self.admitted) & active;
        if twice != 0 {
            let message = format!(
                "{} of the warp arrive at the cluster's barrier again without having waited",
                lane_list(twice)
            );
            context.event(KIND, (fragment.pc, None), (self.index, twice), message);
        }
        self.admitted &= !active;
        self.arrived |= active;
        self.arrive_pc = fragment.pc;
        context.tally.cluster_barriers += 1;
        context.memory.cluster_arrive(self.index, releases);
        Next::Following
    }

    /// One fragment waits.
    pub(super) fn cluster_wait(
        &mut self,
        context: &mut Context<'_>,
        fragment: Fragment,
        aligned: bool,
        active: u32,
    ) -> Next {
        self.check_aligned(context, fragment, aligned, active);
        let absent = active & !(self.arrived | self.admitted);
        if absent != 0 {
            let message = format!(
                "{} of the warp wait at the cluster's barrier without having arrived",
                lane_list(absent)
            );
            context.event(KIND, (fragment.pc, None), (self.index, absent), message);
        }
        if self.arrived & active != 0 {
            return self.suspend(fragment, State::ClusterBarrier { active });
        }
        self.admitted &= !active;
        context.memory.cluster_wait(self.index);
        Next::Following
    }

    fn check_aligned(
        &self,
        context: &mut Context<'_>,
        fragment: Fragment,
        aligned: bool,
        active: u32,
    ) {
        let elsewhere = self.live & !active;
        if aligned && elsewhere != 0 {
            let message = format!(
                "{} of the warp are not at the cluster's barrier with the others",
                lane_list(elsewhere)
            );
            context.event(KIND, (fragment.pc, None), (self.index, elsewhere), message);
        }
    }

    /// Lanes exit that have arrived and not waited.
    pub(super) fn exit_without_wait(
        &mut self,
        context: &mut Context<'_>,
        fragment: Fragment,
        active: u32,
    ) {
        let lanes = (self.arrived | self.admitted) & active;
        let message = format!(
            "{} of the warp exit without having waited at the cluster's barrier",
            lane_list(lanes)
        );
        let places = (self.arrive_pc, Some(fragment.pc));
        context.event(KIND, places, (self.index, lanes), message);
        self.arrived &= !active;
        self.admitted &= !active;
    }

    /// The instruction at which lanes wait for the cluster.
    pub(super) fn at_cluster_barrier(&self) -> Option<u32> {
        let waits = |one: &&Fragment| matches!(one.state, State::ClusterBarrier { .. });
        self.fragments.iter().find(waits).map(|one| one.pc)
    }

    /// The lanes that wait for the cluster.
    pub(super) fn lanes_at_cluster_barrier(&self) -> u32 {
        let waiting = self.fragments.iter().filter_map(|one| match one.state {
            State::ClusterBarrier { active } => Some(active),
            _ => None,
        });
        waiting.fold(0, |lanes, active| lanes | active)
    }

    /// The barrier is complete: lanes that wait go on, the others need not wait when they come.
    pub(super) fn pass_cluster_barrier(&mut self, context: &mut Context<'_>) {
        self.admitted |= self.arrived;
        self.arrived = 0;
        let mut passed = false;
        for fragment in &mut self.fragments {
            let State::ClusterBarrier { active } = fragment.state else { continue };
            self.admitted &= !active;
            fragment.state = State::Ready;
            fragment.pc += 1;
            passed = true;
        }
        if passed {
            self.at_barrier = false;
            context.memory.cluster_wait(self.index);
        }
    }
}

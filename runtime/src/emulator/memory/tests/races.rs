//! What is a race within a block, and what is not.

use super::{Script, check, check_of};
use crate::emulator::memory::Order;

const ALL: u32 = u32::MAX;

fn words(lane: u64) -> u64 {
    4 * lane
}

#[test]
fn a_barrier_orders_warps() {
    check(
        |s| {
            s.store((0, ALL, 4), words, |l| l);
            s.memory.barrier(0b11);
            let rows = s.load((1, ALL, 4), |l| 4 * (31 - l));
            assert_eq!(rows[0][0], 31);
            s.memory.barrier(0b11);
            s.store((0, ALL, 4), words, |_| 5);
        },
        "",
    );
}

#[test]
fn a_missing_barrier_after_a_write() {
    check(
        |s| {
            s.store((0, ALL, 4), words, |l| l);
            s.load((1, ALL, 4), |l| 4 * (31 - l));
        },
        "race at 1 of warp 1 lanes ffffffff shared+124 SameBlock with write 0 of warp 0 lane 31",
    );
}

#[test]
fn a_missing_barrier_before_the_next_write() {
    check(
        |s| {
            s.store((0, ALL, 4), words, |l| l);
            s.memory.barrier(0b11);
            s.load((0, ALL, 4), |_| 0);
            s.load((1, ALL, 4), |_| 0);
            s.store((0, 1, 4), words, |_| 9);
        },
        "race at 3 of warp 0 lanes 1 shared+0 SameBlock with read 2 of warp 1",
    );
}

#[test]
fn the_same_value_twice_is_no_race_and_a_different_one_is() {
    let two = |value: u32| {
        move |s: &mut Script<'_>| {
            s.store((0, 1, 4), |_| 16, |_| 7);
            s.store((1, 1, 4), |_| 16, |_| value);
        }
    };
    check(two(7), "");
    check(two(8), "race at 1 of warp 1 lanes 1 shared+16 SameBlock with write 0 of warp 0 lane 0");
}

#[test]
fn lanes_of_one_instruction_must_agree() {
    check(|s| s.store((0, ALL, 4), |_| 0, |_| 1), "");
    check(
        |s| s.store((0, 0b111, 4), |_| 0, |l| l),
        "race at 0 of warp 0 lanes 3 shared+0 SameInstruction",
    );
}

#[test]
fn lanes_of_a_warp_need_a_syncwarp() {
    let exchange = |mask: Option<u32>| {
        move |s: &mut Script<'_>| {
            s.store((0, ALL, 4), words, |l| l);
            if let Some(mask) = mask {
                s.memory.sync_warp(0, mask);
            }
            s.load((0, 0xff, 4), |l| 4 * (l ^ 1));
        }
    };
    check(exchange(Some(ALL)), "");
    check(exchange(Some(0xff)), "");
    check(
        exchange(Some(0xfe)),
        "race at 1 of warp 0 lanes 3 shared+4 SameWarp with write 0 of warp 0 lane 1",
    );
    check(
        exchange(None),
        "race at 1 of warp 0 lanes ff shared+4 SameWarp with write 0 of warp 0 lane 1",
    );
}

#[test]
fn a_lane_is_ordered_with_itself() {
    for width in [1u32, 2, 4, 8, 16] {
        check(
            |s| {
                let own = move |l: u64| u64::from(width) * l;
                s.store((0, ALL, width), own, |l| l);
                s.load((0, ALL, width), own);
                s.store((0, ALL, width), own, |l| l + 1);
                s.load((0, 0xff, width), own);
                s.store((0, 0xf0, width), own, |l| l + 1);
            },
            "",
        );
    }
}

#[test]
fn halves_of_a_word_are_apart() {
    check(
        |s| {
            s.store((0, 1, 2), |_| 0, |_| 1);
            s.store((1, 1, 2), |_| 2, |_| 2);
            let rows = s.load((1, 1, 2), |_| 2);
            assert_eq!(rows[0][0], 2);
            s.store((0, 1, 1), |_| 1, |_| 2);
            s.load((1, 1, 1), |_| 1);
        },
        "race at 4 of warp 1 lanes 1 shared+1 SameBlock with write 3 of warp 0 lane 0",
    );
}

#[test]
fn strong_accesses_do_not_race_with_each_other() {
    check(
        |s| {
            s.order = Order::Relaxed;
            s.store((0, 1, 4), |_| 0, |_| 1);
            s.store((1, 1, 4), |_| 0, |_| 2);
            s.load((0, 1, 4), |_| 0);
            s.add(1, ALL, |_| 0);
        },
        "",
    );
    check(
        |s| {
            s.order = Order::Relaxed;
            s.store((0, 1, 4), |_| 0, |_| 1);
            s.order = Order::Weak;
            s.load((1, 1, 4), |_| 0);
        },
        "race at 1 of warp 1 lanes 1 shared+0 SameBlock with write 0 of warp 0 lane 0",
    );
}

#[test]
fn a_strong_read_does_not_hide_an_earlier_weak_one() {
    for met_before in [false, true] {
        check_of(
            3,
            |s| {
                s.store((0, ALL, 4), words, |_| 0);
                s.memory.barrier(0b111);
                if met_before {
                    s.memory.barrier(0b110);
                }
                s.load((0, 1, 4), |_| 0);
                s.memory.barrier(0b101);
                s.order = Order::Relaxed;
                s.load((2, 1, 4), |_| 0);
                s.store((1, 1, 4), |_| 0, |_| 1);
            },
            "race at 3 of warp 1 lanes 1 shared+0 SameBlock with read 1 of warp 0 lane 0",
        );
    }
}

#[test]
fn a_histogram_needs_a_barrier_around_it() {
    let histogram = |barrier: bool| {
        move |s: &mut Script<'_>| {
            s.store((0, ALL, 4), words, |_| 0);
            s.memory.barrier(3);
            s.add(0, ALL, |l| 4 * (l % 5));
            s.add(1, ALL, |l| 4 * (l % 7));
            if barrier {
                s.memory.barrier(3);
            }
            let rows = s.load((0, ALL, 4), words);
            assert_eq!(rows[0][..8], [12, 12, 11, 11, 10, 4, 4, 0]);
        }
    };
    check(histogram(true), "");
    check(
        histogram(false),
        "race at 3 of warp 0 lanes 7f shared+0 SameBlock with write 2 of warp 1 lane 28",
    );
}

#[test]
fn a_flag_with_fences_orders_warps() {
    let publish = |fence: bool| {
        move |s: &mut Script<'_>| {
            s.store((0, ALL, 4), words, |l| l);
            s.memory.sync_warp(0, ALL);
            if fence {
                s.memory.fence(0);
            }
            s.order = Order::Relaxed;
            s.store((0, 1, 4), |_| 512, |_| 1);
            s.load((1, 1, 4), |_| 512);
            s.memory.fence(1);
            s.order = Order::Weak;
            s.load((1, 0xf, 4), words);
        }
    };
    check(publish(true), "");
    check(
        publish(false),
        "race at 3 of warp 1 lanes f shared+0 SameBlock with write 0 of warp 0 lane 0",
    );
}

#[test]
fn named_barriers_order_arrivals_before_waits_only() {
    check(
        |s| {
            s.store((0, ALL, 4), words, |l| l);
            s.memory.barrier_arrive(1, 0);
            s.store((0, 1, 4), |_| 512, |_| 1);
            s.memory.barrier_release(1, 0b10);
            s.load((1, ALL, 4), words);
            s.load((1, 1, 4), |_| 512);
            s.store((0, 1, 4), words, |_| 8);
        },
        "race at 3 of warp 1 lanes 1 shared+512 SameBlock with write 1 of warp 0 lane 0
         race at 4 of warp 0 lanes 1 shared+0 SameBlock with read 2 of warp 1 lane 0",
    );
}

#[test]
fn an_asynchronous_copy_is_there_after_wait_and_barrier() {
    let copy = |wait: bool, barrier: bool| {
        move |s: &mut Script<'_>| {
            let site = super::Site { instruction: 90, warp: 0 };
            let source_bytes = std::array::from_fn(|lane| if lane == 31 { 3 } else { 16 });
            s.memory.async_copy(&super::AsyncCopy {
                site,
                mask: ALL,
                copy_bytes: 16,
                source_bytes: &source_bytes,
                destination: &super::lanes(|l| 16 * l),
                source: &super::lanes(|l| s.x + 16 * l),
            });
            s.memory.async_commit(0, ALL);
            s.memory.async_commit(0, ALL);
            s.memory.async_wait(0, ALL, if wait { 1 } else { 2 });
            if barrier {
                s.memory.barrier(3);
            }
            let rows = s.load((1, ALL, 4), |l| 496 + 4 * (l % 4));
            assert_eq!(rows[0][..4], [0x00f2_f1f0, 0, 0, 0]);
        }
    };
    check(copy(true, true), "");
    check(
        copy(true, false),
        "race at 0 of warp 1 lanes ffffffff shared+496 SameBlock with write 90 of warp 0 lane 31",
    );
    check(
        copy(false, true),
        "race at 0 of warp 1 lanes ffffffff shared+496 CopyInFlight with write 90 of warp 0 lane 31",
    );
}

#[test]
fn an_asynchronous_copy_must_not_overtake_readers() {
    check(
        |s| {
            s.store((0, ALL, 16), |l| 16 * l, |l| l);
            s.memory.barrier(3);
            s.load((1, ALL, 16), |l| 16 * l);
            s.memory.async_copy(&super::AsyncCopy {
                site: super::Site { instruction: 90, warp: 0 },
                mask: 1,
                copy_bytes: 4,
                source_bytes: &[4; 32],
                destination: &super::lanes(|_| 36),
                source: &super::lanes(|_| s.x),
            });
        },
        "race at 90 of warp 0 lanes 1 shared+36 SameBlock with read 1 of warp 1 lane 2",
    );
}

#[test]
fn an_exited_warp_counts_as_arrived() {
    check(
        |s| {
            s.store((1, ALL, 4), words, |l| l);
            s.memory.exit_lanes(1, ALL);
            s.memory.barrier(0b01);
            s.load((0, ALL, 4), words);
        },
        "",
    );
}

#[test]
fn blocks_do_not_see_each_other_in_shared_memory() {
    check(
        |s| {
            s.store((0, ALL, 4), words, |l| l);
            s.store((0, ALL, 1), |l| 200 + 2 * l, |l| l);
            s.memory.begin_block(1);
            s.store((1, ALL, 4), words, |l| l + 1);
            s.load((1, 1, 1), |_| 200);
        },
        "uninitialized_read at 3 of warp 1 lanes 1 shared+200",
    );
}

//! Buffers: bounds, alignment, initialisation, inputs, and order between blocks.

use super::{Script, buffers, check, describe};
use crate::emulator::memory::{GlobalMemory, Order, Space, Variable};

const ALL: u32 = u32::MAX;

#[test]
fn says_where_an_access_missed() {
    check(
        |s| {
            s.space = Space::Global;
            let (x, y) = (s.x, s.y);
            s.load((0, ALL, 4), |l| x + 4096 - 64 + 4 * l);
            s.store((0, ALL, 4), |l| y + 4 * l - 8, |l| l);
            s.load((0, 1, 8), |_| x + 4092);
            s.load((0, 0b110, 16), |l| x + 16 * l + 8 * (l & 1));
            s.load((0, 1, 4), |_| 0);
            s.load((0, 1, 4), |_| x + 5000);
            s.space = Space::Shared;
            s.load((0, ALL, 4), |l| (0xffff_fffc + 4 * l) & 0xffff_ffff);
        },
        "out_of_bounds at 0 of warp 0 lanes ffff0000 x+4096
         out_of_bounds at 1 of warp 0 lanes 3 y-8
         out_of_bounds at 2 of warp 0 lanes 1 x+4092
         out_of_bounds at 4 of warp 0 lanes 1 nowhere+0
         out_of_bounds at 5 of warp 0 lanes 1 x+5000
         out_of_bounds at 6 of warp 0 lanes 1 shared-4
         misaligned at 3 of warp 0 lanes 2 x+24
         uninitialized_read at 6 of warp 0 lanes fffffffe shared+0",
    );
}

#[test]
fn messages_name_place_and_distance() {
    let global = GlobalMemory::new(&buffers());
    let mut s = Script::new(&global, 64, 0);
    s.space = Space::Global;
    let (x, y) = (s.x, s.y);
    s.load((0, 1, 4), |_| x + 4096 + 16);
    s.load((0, 1, 4), |_| x + 4096);
    s.load((0, 1, 8), |_| x + 4092);
    s.store((0, 1, 4), |_| y - 4, |_| 0);
    s.store((0, 1, 4), |_| x + 12, |_| 0);
    s.load((0, 1, 4), |_| 8);
    s.load((0, 1, 4), |_| y + 32);
    s.load((0, 1, 4), |_| x + 2);
    s.space = Space::Shared;
    s.store((0, 1, 4), |_| 0, |_| 0);
    s.load((1, 1, 4), |_| 0);
    s.load((0, 2, 4), |_| 0);
    let log = s.memory.take_faults();
    let messages: Vec<String> = log.iter().map(super::super::Fault::message).collect();
    assert_eq!(
        messages,
        [
            "load of 4 bytes 16 bytes past the end of `x` (4096 bytes)",
            "load of 4 bytes just past the end of `x` (4096 bytes)",
            "load of 8 bytes at byte 4092 of `x` (4096 bytes), across its end",
            "store of 4 bytes 4 bytes before the start of `y`",
            "load of 4 bytes at 0x8, next to the null pointer",
            "load of 4 bytes at an address that is no multiple of 4: at byte 2 of `x`",
            "load at byte 32 of `y` reads memory that nothing wrote",
            "load at byte 0 of shared memory races with a write by warp 0: no barrier orders them",
            "load at byte 0 of shared memory races with a write by lane 0 of the same warp: \
             no `__syncwarp` orders them",
            "store at byte 12 of `x` writes to an input",
        ]
    );
}

#[test]
fn faulting_lanes_get_zeros_and_inactive_ones_keep_theirs() {
    check(
        |s| {
            s.space = Space::Global;
            let x = s.x;
            let rows = s.load((0, 0xffff_fffe, 8), |l| x + 4096 - 248 + 8 * l);
            assert_eq!(rows[0][0], 0xdead_beef);
            assert_eq!(rows[0][1], 0x1312_1110);
            assert_eq!(rows[1][1], 0x1716_1514);
            assert_eq!(rows[0][30], 0xfbfa_f9f8);
            assert_eq!((rows[0][31], rows[1][31]), (0, 0));
        },
        "out_of_bounds at 0 of warp 0 lanes 80000000 x+4096",
    );
}

#[test]
fn inputs_may_not_be_written() {
    check(
        |s| {
            s.space = Space::Generic;
            let x = s.x;
            s.store((0, ALL, 4), |l| x + 4 * l, |_| 0);
            s.add(0, 6, |_| x);
            let rows = s.load((0, 1, 4), |_| x);
            assert_eq!(rows[0][0], 0x0302_0100);
        },
        "modified_input at 0 of warp 0 lanes ffffffff x+0
         modified_input at 1 of warp 0 lanes 6 x+0",
    );
}

#[test]
fn outputs_start_uninitialised() {
    check(
        |s| {
            s.space = Space::Global;
            let y = s.y;
            s.store((0, 0xffff, 4), |l| y + 4 * l, |l| l);
            s.load((0, ALL, 4), |l| y + 4 * l);
            s.add(0, 1, |_| y + 1024);
        },
        "uninitialized_read at 1 of warp 0 lanes ffff0000 y+64
         uninitialized_read at 2 of warp 0 lanes 1 y+1024",
    );
}

#[test]
fn outputs_come_back_with_what_was_written() {
    let global = GlobalMemory::new(&buffers());
    let mut s = Script::new(&global, 64, 0);
    s.space = Space::Global;
    let y = s.y;
    s.store((0, ALL, 16), |l| y + 16384 - 256 + 16 * l, |l| l);
    s.store((0, 1, 1), |_| y + 65536 + 99, |_| 77);
    let mut faults = s.memory.take_faults();
    let outputs = global.into_outputs(&mut faults);
    assert!(faults.is_empty());
    let output = &outputs[0];
    assert_eq!((output.name.as_str(), output.bytes.len()), ("y", 65636));
    assert!(output.is_written(16384 - 256, 512) && output.is_written(65635, 1));
    assert_eq!(output.written.iter().map(|word| word.count_ones()).sum::<u32>(), 513);
    assert_eq!(output.bytes[16384 - 256 + 16 * 17], 17);
    assert_eq!(output.bytes[65635], 77);
}

#[test]
fn module_variables_are_initialised() {
    let mut global = GlobalMemory::new(&buffers());
    let writable = Variable { name: "count", size: 8, align: 4, writable: true };
    let constant = Variable { name: "table", size: 64, align: 4, writable: false };
    let (count, table) = (global.add_variable(&writable), global.add_variable(&constant));
    assert!(global.initialize(count + 4, &[9, 0, 0, 0]));
    assert!(global.initialize(table, &[5; 64]));
    assert!(!global.initialize(table + 60, &[5; 8]));
    let mut s = Script::new(&global, 64, 0);
    s.space = Space::Const;
    assert_eq!(s.load((0, ALL, 4), |_| table + 60)[0], [0x0505_0505; 32]);
    s.space = Space::Generic;
    assert_eq!(s.add(0, 3, |_| count + 4)[..2], [9, 10]);
    s.store((0, 1, 4), |_| table, |_| 1);
    let faults = s.memory.take_faults();
    assert_eq!(describe(&faults), "modified_input at 2 of warp 0 lanes 1 table+0\n");
}

#[test]
fn generic_addresses_reach_every_window() {
    use crate::emulator::memory::{LOCAL_WINDOW, PARAM_WINDOW, SHARED_WINDOW};
    check(
        |s| {
            s.space = Space::Generic;
            let (x, y) = (s.x, s.y);
            let mixed = move |l: u64| match l % 4 {
                0 => SHARED_WINDOW + 4 * l,
                1 => LOCAL_WINDOW + 8,
                _ => y + 4 * l,
            };
            s.store((0, ALL, 4), mixed, |l| l);
            let rows = s.load((0, ALL, 4), mixed);
            assert_eq!(rows[0], std::array::from_fn(|l| l as u32));
            assert_eq!(s.load((0, 1, 4), |_| x)[0][0], 0x0302_0100);
            assert_eq!(s.load((0, 1, 4), |_| PARAM_WINDOW + 4)[0][0], 0x0403_0201);
            s.space = Space::Param;
            assert_eq!(s.load((0, ALL, 4), |_| 0)[0], [7; 32]);
            s.load((0, 1, 8), |_| 4);
            s.space = Space::Local;
            s.load((0, 0b10, 4), |_| 8);
            s.memory.invalidate_local(0, ALL, 0, 16);
            s.load((0, 0b10, 4), |_| 8);
            s.store((0, ALL, 16), |l| 2 * l, |_| 0);
        },
        "out_of_bounds at 5 of warp 0 lanes 1 param+4
         out_of_bounds at 8 of warp 0 lanes fe000000 local+50
         misaligned at 8 of warp 0 lanes fefefe local+2
         uninitialized_read at 7 of warp 0 lanes 2 local+8",
    );
}

/// Runs a script in block 0, then one in block 1, then the other way round.
#[track_caller]
fn check_blocks(scripts: [&dyn Fn(&mut Script<'_>); 2], expected: [&str; 2]) {
    for (first, expected) in expected.iter().enumerate() {
        let global = GlobalMemory::new(&buffers());
        let mut log = crate::emulator::memory::FaultLog::default();
        for block in [first, 1 - first] {
            let mut s = Script::new(&global, 64, block as u64);
            s.next = 100 * block as u32;
            s.space = Space::Global;
            scripts[block](&mut s);
            log.merge(s.memory.take_faults());
        }
        global.into_outputs(&mut log);
        let lines = log.iter().map(|fault| fault.block.to_string());
        let blocks = lines.zip(describe(&log).lines().map(str::to_owned).collect::<Vec<_>>());
        let faults: String = blocks.map(|(b, line)| format!("block {b}: {line}\n")).collect();
        let expected: String = expected.lines().map(|line| format!("{}\n", line.trim())).collect();
        assert_eq!(faults, expected, "block {first} first");
    }
}

#[test]
fn blocks_that_write_one_byte_race_either_way_round() {
    let write = |s: &mut Script<'_>| {
        let (y, value) = (s.y, s.next);
        s.store((0, ALL, 4), |l| y + 4 * l, |_| value);
    };
    let same = |s: &mut Script<'_>| {
        let y = s.y;
        s.store((0, ALL, 4), |l| y + 4 * l, |_| 3);
    };
    let expected = "block 1: race at 100 of warp 0 lanes ffffffff y+0 OtherBlock with write 0 of warp 0 lane 0";
    let turned =
        "block 1: race at 100 of warp 0 lanes 1 y+0 OtherBlock with write 0 of warp 0 lane 0";
    check_blocks([&write, &write], [expected, turned]);
    check_blocks([&same, &same], ["", ""]);
}

#[test]
fn a_read_of_what_another_block_writes_races_either_way_round() {
    let write = |s: &mut Script<'_>| {
        let y = s.y;
        s.store((0, 2, 4), |l| y + 4 * l, |l| l);
    };
    let read = |s: &mut Script<'_>| {
        let y = s.y;
        s.load((1, 1, 4), |_| y + 4);
    };
    let expected =
        "block 1: race at 100 of warp 1 lanes 1 y+4 OtherBlock with write 0 of warp 0 lane 1";
    check_blocks([&write, &read], [expected, expected]);
}

#[test]
fn the_last_block_done_may_read_what_the_others_wrote() {
    for (fence, barrier) in [(true, true), (false, true), (true, false)] {
        let mut global = GlobalMemory::new(&buffers());
        let variable = Variable { name: "ticket", size: 4, align: 4, writable: true };
        let ticket = global.add_variable(&variable);
        let mut log = crate::emulator::memory::FaultLog::default();
        for block in 0..3 {
            let mut s = Script::new(&global, 64, block);
            s.space = Space::Global;
            let y = s.y;
            s.store((0, ALL, 4), |l| y + 4 * l + 128 * block, |l| l);
            s.store((1, ALL, 4), |l| y + 4 * l + 128 * block + 1024, |l| l);
            if barrier {
                s.memory.barrier(3);
            }
            if fence {
                s.memory.fence(0);
            }
            s.add(0, 1, |_| ticket);
            s.memory.barrier(3);
            if block == 2 {
                s.load((1, ALL, 4), |l| y + 4 * l);
                s.load((0, ALL, 4), |l| y + 4 * l + 1024 + 128);
            }
            log.merge(s.memory.take_faults());
        }
        let expected = match (fence, barrier) {
            (true, true) => "",
            (false, true) => {
                "race at 3 of warp 1 lanes ffffffff y+0 OtherBlock with write 0 of warp 0 lane 0\n\
                 race at 4 of warp 0 lanes ffffffff y+1152 OtherBlock with write 1 of warp 1 lane 0\n"
            }
            _ => {
                "race at 4 of warp 0 lanes ffffffff y+1152 OtherBlock with write 1 of warp 1 lane 0\n"
            }
        };
        assert_eq!(describe(&log), expected);
    }
}

#[test]
fn a_chain_of_flags_orders_blocks() {
    let global = GlobalMemory::new(&buffers());
    let mut log = crate::emulator::memory::FaultLog::default();
    for block in 0..3u64 {
        let mut s = Script::new(&global, 64, block);
        s.space = Space::Global;
        let (y, flags) = (s.y, s.y + 16384);
        if block > 0 {
            s.order = Order::Acquire;
            s.load((0, 1, 4), |_| flags + 64 * (block - 1));
            s.order = Order::Weak;
            s.load((0, 1, 4), |_| y);
        } else {
            s.store((0, 1, 4), |_| y, |_| 1);
        }
        s.order = Order::Release;
        s.store((0, 1, 4), |_| flags + 64 * block, |_| 1);
        log.merge(s.memory.take_faults());
    }
    assert_eq!(describe(&log), "");
}

#[test]
fn warps_race_in_global_memory_too() {
    check(
        |s| {
            s.space = Space::Global;
            let y = s.y;
            s.store((0, ALL, 4), |l| y + 4 * l, |l| l);
            s.load((1, 0b11, 2), |l| y + 66 + 2 * l);
            s.memory.barrier(3);
            s.load((1, ALL, 4), |l| y + 4 * l);
            s.store((0, 1, 1), |_| y + 5, |_| 1);
            s.load((1, ALL, 4), |_| y + 512);
        },
        "uninitialized_read at 4 of warp 1 lanes ffffffff y+512
         race at 1 of warp 1 lanes 3 y+66 SameBlock with write 0 of warp 0 lane 16
         race at 3 of warp 0 lanes 1 y+5 SameBlock with read 2 of warp 1 lane 1",
    );
}

#[test]
fn blocks_on_several_threads_share_atomics_and_order() {
    let mut global = GlobalMemory::new(&buffers());
    let variable = Variable { name: "ticket", size: 4, align: 4, writable: true };
    let ticket = global.add_variable(&variable);
    let blocks = 64;
    let run = &|first: u64| {
        let mut log = crate::emulator::memory::FaultLog::default();
        for block in (first..blocks).step_by(4) {
            let mut s = Script::new(&global, 64, block);
            s.space = Space::Global;
            let y = s.y;
            s.store((0, ALL, 4), |l| y + 4 * l + 128 * block, |_| 1);
            s.memory.sync_warp(0, ALL);
            s.memory.fence(0);
            let place = s.add(0, 1, |_| ticket)[0];
            s.memory.barrier(3);
            if u64::from(place) == blocks - 1 {
                for row in 0..blocks {
                    assert_eq!(s.load((1, ALL, 4), |l| y + 4 * l + 128 * row)[0], [1; 32]);
                }
            }
            log.merge(s.memory.take_faults());
        }
        log
    };
    let mut log = crate::emulator::memory::FaultLog::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|first| scope.spawn(move || run(first))).collect();
        threads.into_iter().for_each(|thread| log.merge(thread.join().unwrap()));
    });
    assert_eq!(describe(&log), "");
    let output = &global.into_outputs(&mut log)[0];
    assert!(output.is_written(0, 8192) && !output.is_written(8192, 1));
}

//! Promises that every device keeps, as one test each.
//!
//! A device's tests call [`device_conformance!`](crate::device_conformance) once with an expression
//! that makes the device; each promise becomes a `#[test]`. The kernels are PTX text without a
//! CUBIN: a device that runs binaries compiles them on loading. What only some devices can do,
//! such as finding races, is not promised here.

mod kernels;
mod promises;

pub use promises::{
    counts_its_blocks, is_one_device_for_all_threads, keeps_inputs_between_executions,
    lets_blocks_of_a_cluster_exchange, orders_shared_memory_by_barriers,
    passes_scalars_and_integers, refuses_wrong_arguments, repeats_itself, returns_outputs_in_order,
    runs_every_block_and_thread, runs_sampled_blocks_only, survives_a_kernel_that_traps,
    updates_buffers_in_place,
};

/// One `#[test]` for each promise, for the device that `$make` makes. Where `$present` is given and
/// false, nothing is made and every test passes: it says why itself.
#[macro_export]
macro_rules! device_conformance {
    ($make:expr) => {
        $crate::device_conformance!($make, if true);
    };
    ($make:expr, if $present:expr) => {
        $crate::device_conformance!(@tests $make, $present;
            counts_its_blocks,
            is_one_device_for_all_threads,
            keeps_inputs_between_executions,
            lets_blocks_of_a_cluster_exchange,
            orders_shared_memory_by_barriers,
            passes_scalars_and_integers,
            refuses_wrong_arguments,
            repeats_itself,
            returns_outputs_in_order,
            runs_every_block_and_thread,
            runs_sampled_blocks_only,
            survives_a_kernel_that_traps,
            updates_buffers_in_place,
        );
    };
    (@tests $make:expr, $present:expr; $($promise:ident,)*) => {
        $(#[test]
        fn $promise() {
            if $present {
                $crate::conformance::$promise(&$make);
            }
        })*
    };
}

//! Oblivious transfers of every kind by every extension on one thread, as `nass calibrate` measures them; ids are
//! `operation/parameters`, times those of the whole batch, throughput in transfers.
//!
//! Run with `cargo bench --bench ot`, or a part with `cargo bench --bench ot -- softspoken4`.

#![expect(
    clippy::expect_used,
    reason = "a bench that cannot run has nothing to do but stop"
)]

mod support;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use nass::calibrate::{Case, Op};

// As the program has it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn ot(criterion: &mut Criterion) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1);
    pool.build_global().expect("nothing has started the pool");
    let chosen = |case: &Case| {
        let op = case.op;
        op == Op::BaseOt || case.param("extension").is_some()
    };
    let id = |case: &Case| format!("{}/{}", case.op, case.param.replace(';', "/"));
    support::bench(criterion, chosen, id);
}

fn short() -> Criterion {
    let criterion = Criterion::default().sample_size(20);
    criterion
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .configure_from_args()
}

criterion_group!(name = benches; config = short(); targets = ot);
criterion_main!(benches);

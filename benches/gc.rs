//! Garbled circuits and oblivious transfers, as `nass calibrate` measures them; ids are
//! `operation/parameters`, times those of the whole batch.
//!
//! Run with `cargo bench --bench gc`, or a part with `cargo bench --bench gc -- garble`.

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use nass::calibrate::{Case, Op};

fn gc(criterion: &mut Criterion) {
    let chosen = |case: &Case| !matches!(case.op, Op::He(_) | Op::Send | Op::RoundTrip);
    support::bench(criterion, chosen, id);
}

fn id(case: &Case) -> String {
    let width = if case.p_bits > 0 {
        format!("p={}/", case.p_bits)
    } else {
        String::new()
    };
    format!("{}/{width}{}", case.op, case.param.replace(';', "/"))
}

criterion_group!(benches, gc);
criterion_main!(benches);

//! The BFV operations, as `nass calibrate` measures them; ids are
//! `operation/n=…/q=limbs x bits/key switching/set`.
//!
//! Run with `cargo bench --bench bfv`, or a part with `cargo bench --bench bfv -- rotate/n=4096`.

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use nass::calibrate::{Case, Op};

fn bfv(criterion: &mut Criterion) {
    support::bench(criterion, |case| matches!(case.op, Op::He(_)), id);
}

fn id(case: &Case) -> String {
    let bits = (case.q_bits as usize)
        .checked_div(case.limbs)
        .unwrap_or_default();
    let (n, limbs, set) = (case.n, case.limbs, case.working_set.name());
    format!("{}/n={n}/q={limbs}x{bits}/{}/{set}", case.op, case.param)
}

criterion_group!(benches, bfv);
criterion_main!(benches);

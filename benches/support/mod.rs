//! Calibration cases as criterion benchmarks: the same workloads, criterion's statistics.

use std::time::Duration;

use criterion::{Criterion, Throughput};
use nass::calibrate::{Case, Operands};
use nass::units::Nanos;

/// Benchmarks the built-in cases that are `chosen`, under their `id`s: `group/parameters`.
#[expect(
    clippy::expect_used,
    reason = "a bench that cannot run has nothing to do but stop"
)]
pub(crate) fn bench(
    criterion: &mut Criterion,
    chosen: impl Fn(&Case) -> bool,
    id: impl Fn(&Case) -> String,
) {
    let mut operands = Operands::default();
    let cases = Case::builtin().expect("the built-in cases exist");
    for case in cases.iter().filter(|case| chosen(case)) {
        let id = id(case);
        let (group, parameters) = id.split_once('/').unwrap_or((&id, ""));
        let mut group = criterion.benchmark_group(group);
        if let Some(size) = case.size() {
            group.throughput(Throughput::Elements(size as u64));
        }
        group.bench_function(parameters, |bencher| {
            let mut workload = operands
                .workload(case)
                .expect("built-in cases have workloads");
            bencher.iter_custom(|calls| {
                let Nanos(nanos) = workload.time(calls).expect("the operation runs");
                Duration::from_nanos(nanos as u64)
            });
        });
        group.finish();
    }
}

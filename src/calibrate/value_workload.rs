//! Work on plain values as the protocol does it: shares drawn, arranged in slots, added, written and read.
//!
//! | operation | what one run does |
//! | --- | --- |
//! | `draw_share` | uniform residues drawn |
//! | `draw_mask` | uniform slots drawn, negated and wiped |
//! | `pack_conv`, `pack_fc` | a layer's operand arranged in slots, and wiped |
//! | `pack_turned` | an operand arranged for the client's rotations, again and again, and wiped |
//! | `unpack_conv`, `unpack_fc` | a layer's result read from slots |
//! | `arrange_conv`, `arrange_fc` | plaintexts of weights arranged in slots, one after the other |
//! | `sum_shares` | the sums over the windows of a 2 × 2 pool |
//! | `write_share` | residues packed as a message |
//! | `join_shares` | such a message read and added to one's own share |
//!
//! Convolutions are 3 × 3 over images of 16 × 16. A time is that of all values. But for weights, of which many
//! plaintexts follow each other, and shares that are joined, each run is after a sweep through the caches where the
//! values are shared or cold.

use rand::RngExt;
use zeroize::Zeroizing;

use super::case::{Case, WorkingSet};
use super::ot_workload::generator;
use super::sweep::Sweep;
use super::workload::{Workload, WorkloadError};
use crate::network::{PoolParams, Shape, StepKind};
use crate::packing::{ConvShape, LinearShape, Plan, PlanRequest};
use crate::protocol::{ValueOp, drawn, local_sums, negated, opened, pack};
use crate::units::Bytes;

/// Slots of a ciphertext.
const N: usize = 8192;
/// Values modulo this number of [`BITS`] bits.
const P: u64 = 1_032_193;
const BITS: u32 = 20;
/// Side of an image.
const SIDE: usize = 16;
/// Values of an image of one channel.
const PLANE: usize = SIDE * SIDE;
/// Most values.
const MOST: usize = 1 << 24;

pub(super) fn workload(case: &Case, op: ValueOp) -> Result<Workload<'static>, WorkloadError> {
    let refused = || WorkloadError::case(case, "work on values");
    let count = case.param("values").and_then(|count| count.parse().ok());
    let fits = |&count: &usize| (1..=MOST).contains(&count) && count.is_multiple_of(unit(op));
    let count: usize = count.filter(fits).ok_or_else(refused)?;
    let mut rng = generator();
    let values = drawn(count, P, &mut rng);
    let (none, slots) = (Bytes(0), count / N);
    let set = case.working_set;
    Ok(match op {
        ValueOp::DrawShare => swept(none, set, move || Ok(drawn(count, P, &mut rng))),
        ValueOp::DrawMask => swept(none, set, move || {
            let mut draw = || drawn(N, P, &mut rng);
            let drawn: Zeroizing<Vec<_>> = Zeroizing::new((0..slots).map(|_| draw()).collect());
            let masks = drawn.iter().map(|slots| negated(slots, P));
            Ok(Zeroizing::new(masks.collect::<Vec<_>>()))
        }),
        ValueOp::PackConv => packing(conv(count / PLANE, 1)?, values, set),
        ValueOp::PackTurned => turned(slots, set)?.ok_or_else(refused)?,
        ValueOp::PackFc => packing(fc(count, 8)?, values, set),
        ValueOp::UnpackConv => unpacking(conv(1, count / PLANE)?, set),
        ValueOp::UnpackFc => unpacking(fc(8, count)?, set),
        ValueOp::ArrangeConv => arranging(conv(16, 16)?, slots),
        ValueOp::ArrangeFc => arranging(fc(1024, 128)?, slots),
        ValueOp::SumShares => {
            let (kernel, stride) = ([2, 2], [2, 2]);
            let pool = PoolParams { kernel, stride };
            let channels = count / PLANE;
            let of = |side| Shape::new(channels, side, side);
            let shapes = (of(SIDE), of(SIDE / 2));
            swept(none, set, move || Ok(local_sums(&pool, shapes, &values, P)))
        }
        ValueOp::WriteShare => {
            let size = Bytes::of_bits(u64::from(BITS) * count as u64);
            swept(size, set, move || Ok(pack(&values, BITS)))
        }
        ValueOp::JoinShares => {
            let packed = pack(&values, BITS);
            let join = move || opened(&StepKind::Flatten, &values, &packed, P);
            // What is joined was made and received just before.
            Workload::again(none, move || Ok(join()))
        }
        ValueOp::ReadChoices | ValueOp::AcceptChoices | ValueOp::ReceiveLabels => {
            return Err(refused());
        }
    })
}

/// What the number of values is a multiple of.
const fn unit(op: ValueOp) -> usize {
    match op {
        _ if op.counts_slots() => N,
        ValueOp::PackConv | ValueOp::UnpackConv | ValueOp::SumShares => PLANE,
        _ => 1,
    }
}

fn conv(channels: usize, out_channels: usize) -> Result<Plan, WorkloadError> {
    let layer = LinearShape::Conv(ConvShape {
        input: Shape::new(channels, SIDE, SIDE),
        out_channels,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [1, 1],
        dilation: [1, 1],
        groups: 1,
    });
    Ok(Plan::new(&layer, N)?)
}

fn fc(inputs: usize, outputs: usize) -> Result<Plan, WorkloadError> {
    Ok(Plan::new(
        &LinearShape::fully_connected(inputs, outputs),
        N,
    )?)
}

/// A run after a sweep through the caches, if `set` has one.
fn swept<T: 'static>(
    bytes: Bytes,
    set: WorkingSet,
    mut run: impl FnMut() -> Result<T, WorkloadError> + 'static,
) -> Workload<'static> {
    Workload::once(bytes, Sweep::before(set).alone(), move |()| run())
}

fn packing(plan: Plan, values: Vec<u64>, set: WorkingSet) -> Workload<'static> {
    swept(Bytes(0), set, move || {
        Ok(Zeroizing::new(plan.pack_input(&values)))
    })
}

/// An operand of one ciphertext arranged for each of the filter's taps, as often as makes so many ciphertexts;
/// `None` if none does.
fn turned(ciphertexts: usize, set: WorkingSet) -> Result<Option<Workload<'static>>, WorkloadError> {
    let channels = N / PLANE;
    let (n, layer) = conv(channels, channels)?.made_for();
    let schedule = "conv_client_rotation".to_owned();
    let plan = Plan::try_from(PlanRequest { schedule, n, layer })?;
    let each = plan.input_ciphertexts();
    let values = drawn(N, P, &mut generator());
    let whole = each > 0 && ciphertexts.is_multiple_of(each);
    Ok(whole.then(|| {
        swept(Bytes(0), set, move || {
            for _ in 0..ciphertexts / each {
                std::hint::black_box(Zeroizing::new(plan.pack_input(&values)));
            }
            Ok(())
        })
    }))
}

fn unpacking(plan: Plan, set: WorkingSet) -> Workload<'static> {
    let mut rng = generator();
    let draw = |_| drawn(N, P, &mut rng);
    let slots: Vec<Vec<u64>> = (0..plan.output_ciphertexts()).map(draw).collect();
    swept(Bytes(0), set, move || Ok(plan.unpack_output(&slots)))
}

/// Plaintexts one after the other, from the first again after the last.
fn arranging(plan: Plan, plaintexts: usize) -> Workload<'static> {
    let (mut rng, weights) = (generator(), plan.made_for().1.weights());
    let weights: Vec<i64> = (0..weights).map(|_| rng.random_range(-128..128)).collect();
    let mut next = 0;
    Workload::again(Bytes(0), move || {
        for _ in 0..plaintexts {
            next = (next + 1) % plan.weight_count().max(1);
            std::hint::black_box(plan.weight_slots(&weights, P, next));
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_runs_and_more_values_take_longer() {
        for op in ValueOp::ALL {
            let time = |count| {
                let mut operands = crate::calibrate::Operands::default();
                let case = Case::values(op, count);
                let mut workload = operands.workload(&case).unwrap();
                // Of several the least: what disturbs a run only makes it longer.
                let times = (0..9).map(|_| workload.time(1).unwrap());
                times.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap()
            };
            let few = 9 * 40_960;
            let (few, many) = (time(few), time(4 * few));
            assert!(many > few, "{op:?}: {few} and {many}");
        }
    }

    #[test]
    fn numbers_that_are_no_whole_layer_are_refused() {
        for (op, count) in [
            (ValueOp::PackConv, 100),
            (ValueOp::DrawMask, 2560),
            (ValueOp::SumShares, 0),
        ] {
            let refused = workload(&Case::values(op, count), op).err().unwrap();
            assert!(matches!(refused, WorkloadError::Case { .. }), "{op:?}");
        }
    }
}

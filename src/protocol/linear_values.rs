//! The work on plain values around a linear layer: operands into slots, results out of them, masks, weights.

use super::task::Task;
use super::values::ValueOp;
use crate::network::{Step, StepKind};
use crate::packing::{LinearShape, Plan};

/// A layer's operations on plain values, and how many.
pub(super) struct LinearValues {
    pack: (ValueOp, u64),
    unpack: (ValueOp, u64),
    arrange: (ValueOp, u64),
    masks: u64,
}

impl LinearValues {
    pub(super) fn of(plan: &Plan) -> Self {
        let (n, layer) = plan.made_for();
        let slots = |ciphertexts: usize| (n * ciphertexts) as u64;
        let (masks, weights) = (slots(plan.output_ciphertexts()), slots(plan.weight_count()));
        match layer {
            LinearShape::Conv(conv) => {
                let result = conv.output().map_or(0, |shape| shape.len());
                let pack = match plan {
                    Plan::ConvClientRotation(_) => {
                        (ValueOp::PackTurned, slots(plan.input_ciphertexts()))
                    }
                    _ => (ValueOp::PackConv, conv.input.len() as u64),
                };
                Self {
                    pack,
                    unpack: (ValueOp::UnpackConv, result as u64),
                    arrange: (ValueOp::ArrangeConv, weights),
                    masks,
                }
            }
            LinearShape::Square { values } => Self {
                pack: (ValueOp::PackFc, slots(plan.input_ciphertexts())),
                unpack: (ValueOp::UnpackFc, values as u64),
                arrange: (ValueOp::ArrangeFc, weights),
                masks,
            },
            LinearShape::Fc { outputs, .. } => Self {
                pack: (ValueOp::PackFc, slots(plan.input_ciphertexts())),
                unpack: (ValueOp::UnpackFc, outputs as u64),
                arrange: (ValueOp::ArrangeFc, weights),
                masks,
            },
        }
    }

    /// The operand arranged in slots.
    pub(super) const fn pack(&self) -> Task {
        Task::values(self.pack.0, self.pack.1)
    }

    /// The result read from slots.
    pub(super) const fn unpack(&self) -> Task {
        Task::values(self.unpack.0, self.unpack.1)
    }

    /// The weights arranged in slots.
    pub(super) const fn arrange(&self) -> Task {
        Task::values(self.arrange.0, self.arrange.1)
    }

    /// The server's share: masks drawn, those of the result read from them, the bias added.
    pub(super) fn draw(&self) -> Vec<Task> {
        let masks = Task::values(ValueOp::DrawMask, self.masks);
        let bias = Task::values(ValueOp::SumShares, self.unpack.1);
        vec![masks, self.unpack(), bias]
    }
}

/// A party's own part of a step that needs no message.
pub(super) fn local(step: &Step) -> Task {
    let read = match &step.kind {
        StepKind::SumPool(pool) => step.shape_out.len() * pool.kernel[0] * pool.kernel[1],
        StepKind::Add(_) => 2 * step.shape_out.len(),
        _ => step.shape_out.len(),
    };
    Task::values(ValueOp::SumShares, read as u64)
}

//! A circuit as a list of steps over few slots: built once a batch, run by both parties.
//!
//! A reader of circuits writes down the gates; then each wire gets a slot, which is free again after the
//! wire's last use, so that the rows of a run stay in the first cache. Inputs come first: the
//! garbler's bits lie in the lowest slots, then the evaluator's. Gates keep the circuit's order.

use super::gates::Gates;
use super::kernels::Gate;
use super::lanes::Shape;

/// One gate, over slots (over wires while the circuit is recorded).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Constant { bit: bool, to: usize },
    Not { x: usize, to: usize },
    Xor(Gate),
    And(Gate),
}

/// A circuit, ready to run.
pub(super) struct Program {
    pub(super) steps: Vec<Step>,
    /// How many slots the steps use.
    pub(super) slots: usize,
    /// The slot of each output bit.
    pub(super) outputs: Vec<usize>,
}

impl Program {
    pub(super) fn new(shape: &Shape) -> Self {
        let inputs: Vec<usize> = (0..shape.garbler_bits + shape.evaluator_bits).collect();
        let (garbler, evaluator) = inputs.split_at(shape.garbler_bits);
        let mut recorder = Recorder {
            steps: Vec::new(),
            inputs: inputs.len(),
        };
        let outputs = shape.circuit.build(&mut recorder, garbler, evaluator);
        let steps = recorder.steps;
        let last_uses = last_uses(&steps, &outputs, inputs.len());
        let (mut slot_of, mut free) = (inputs, Vec::new());
        let mut slots = slot_of.len();
        let mut placed = Vec::with_capacity(steps.len());
        for (time, step) in steps.iter().enumerate() {
            let [x, y] = step.reads();
            let ended = |wire: &usize| last_uses[*wire] == time;
            free.extend(x.filter(ended).map(|wire| slot_of[wire]));
            let other = y.filter(|_| x != y).filter(ended);
            free.extend(other.map(|wire| slot_of[wire]));
            let to = free.pop().unwrap_or_else(|| {
                slots += 1;
                slots - 1
            });
            placed.push(step.placed(&slot_of, to));
            slot_of.push(to);
        }
        Self {
            steps: placed,
            slots,
            outputs: outputs.iter().map(|&wire| slot_of[wire]).collect(),
        }
    }
}

/// For each wire the step that reads it last; outputs are read after all steps.
fn last_uses(steps: &[Step], outputs: &[usize], inputs: usize) -> Vec<usize> {
    let mut last = vec![0; inputs + steps.len()];
    for (time, step) in steps.iter().enumerate() {
        let reads = step.reads().into_iter().flatten();
        reads.for_each(|wire| last[wire] = time);
    }
    outputs.iter().for_each(|&wire| last[wire] = steps.len());
    last
}

impl Step {
    fn reads(self) -> [Option<usize>; 2] {
        match self {
            Self::Constant { .. } => [None, None],
            Self::Not { x, .. } => [Some(x), None],
            Self::Xor(gate) | Self::And(gate) => [Some(gate.x), Some(gate.y)],
        }
    }

    /// The same gate over slots.
    fn placed(self, slot_of: &[usize], to: usize) -> Self {
        let gate = |Gate { x, y, .. }| Gate {
            x: slot_of[x],
            y: slot_of[y],
            to,
        };
        match self {
            Self::Constant { bit, .. } => Self::Constant { bit, to },
            Self::Not { x, .. } => Self::Not { x: slot_of[x], to },
            Self::Xor(wires) => Self::Xor(gate(wires)),
            Self::And(wires) => Self::And(gate(wires)),
        }
    }
}

/// Writes down the gates; a wire is its number.
struct Recorder {
    steps: Vec<Step>,
    inputs: usize,
}

impl Recorder {
    fn push(&mut self, step: impl FnOnce(usize) -> Step) -> usize {
        let to = self.inputs + self.steps.len();
        self.steps.push(step(to));
        to
    }
}

impl Gates for Recorder {
    type Wire = usize;

    fn constant(&mut self, bit: bool) -> usize {
        self.push(|to| Step::Constant { bit, to })
    }

    fn xor(&mut self, x: usize, y: usize) -> usize {
        self.push(|to| Step::Xor(Gate { x, y, to }))
    }

    fn not(&mut self, x: usize) -> usize {
        self.push(|to| Step::Not { x, to })
    }

    fn and(&mut self, x: usize, y: usize) -> usize {
        self.push(|to| Step::And(Gate { x, y, to }))
    }
}

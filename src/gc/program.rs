//! A circuit as a list of steps over few slots: built once a batch, run by both parties.
//!
//! A reader of circuits writes down the gates; then each wire gets a slot, which is free again after the
//! wire's last use, so that the rows of a run stay in the first cache. Inputs come first: the
//! garbler's bits lie in the lowest slots, then the evaluator's. Gates keep the circuit's order.

use super::gates::Gates;
use super::kernels::Gate;
use super::lanes::Shape;

/// What runs at a time, over slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Constant {
        bit: bool,
        to: usize,
    },
    Not {
        x: usize,
        to: usize,
    },
    /// One after another: most gates are XORs, and each alone is little work.
    Xors(Vec<Gate>),
    And(Gate),
}

/// One gate, over wires; these are numbered in order, inputs first.
#[derive(Clone, Copy)]
enum Op {
    Constant(bool),
    Not(usize),
    Xor(usize, usize),
    And(usize, usize),
}

/// A circuit, ready to run.
pub(super) struct Program {
    pub(super) steps: Vec<Step>,
    /// How many steps are ANDs.
    pub(super) ands: usize,
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
            ops: Vec::new(),
            inputs: inputs.len(),
        };
        let outputs = shape.circuit.build(&mut recorder, garbler, evaluator);
        let ops = recorder.ops;
        let last_uses = last_uses(&ops, &outputs, inputs.len());
        let (mut slots, mut slot_of, mut free) = (inputs.len(), inputs, Vec::new());
        let mut steps = Vec::new();
        for (time, op) in ops.iter().enumerate() {
            let [x, y] = op.reads();
            let ended = |wire: &usize| last_uses[*wire] == time;
            free.extend(x.filter(ended).map(|wire| slot_of[wire]));
            let other = y.filter(|_| x != y).filter(ended);
            free.extend(other.map(|wire| slot_of[wire]));
            let to = free.pop().unwrap_or_else(|| {
                slots += 1;
                slots - 1
            });
            push(&mut steps, *op, &slot_of, to);
            slot_of.push(to);
        }
        Self {
            steps,
            ands: shape.ands,
            slots,
            outputs: outputs.iter().map(|&wire| slot_of[wire]).collect(),
        }
    }
}

/// For each wire the gate that reads it last; outputs are read after all gates.
fn last_uses(ops: &[Op], outputs: &[usize], inputs: usize) -> Vec<usize> {
    let mut last = vec![0; inputs + ops.len()];
    for (time, op) in ops.iter().enumerate() {
        let reads = op.reads().into_iter().flatten();
        reads.for_each(|wire| last[wire] = time);
    }
    outputs.iter().for_each(|&wire| last[wire] = ops.len());
    last
}

/// Appends a gate that writes `to`.
fn push(steps: &mut Vec<Step>, op: Op, slot_of: &[usize], to: usize) {
    let gate = |x: usize, y: usize| Gate {
        x: slot_of[x],
        y: slot_of[y],
        to,
    };
    match (op, steps.last_mut()) {
        (Op::Xor(x, y), Some(Step::Xors(gates))) => gates.push(gate(x, y)),
        (Op::Xor(x, y), _) => steps.push(Step::Xors(vec![gate(x, y)])),
        (Op::And(x, y), _) => steps.push(Step::And(gate(x, y))),
        (Op::Not(x), _) => steps.push(Step::Not { x: slot_of[x], to }),
        (Op::Constant(bit), _) => steps.push(Step::Constant { bit, to }),
    }
}

impl Op {
    fn reads(self) -> [Option<usize>; 2] {
        match self {
            Self::Constant(_) => [None, None],
            Self::Not(x) => [Some(x), None],
            Self::Xor(x, y) | Self::And(x, y) => [Some(x), Some(y)],
        }
    }
}

/// Writes down the gates.
struct Recorder {
    ops: Vec<Op>,
    inputs: usize,
}

impl Recorder {
    fn push(&mut self, op: Op) -> usize {
        self.ops.push(op);
        self.inputs + self.ops.len() - 1
    }
}

impl Gates for Recorder {
    type Wire = usize;

    fn constant(&mut self, bit: bool) -> usize {
        self.push(Op::Constant(bit))
    }

    fn xor(&mut self, x: usize, y: usize) -> usize {
        self.push(Op::Xor(x, y))
    }

    fn not(&mut self, x: usize) -> usize {
        self.push(Op::Not(x))
    }

    fn and(&mut self, x: usize, y: usize) -> usize {
        self.push(Op::And(x, y))
    }
}

#[cfg(test)]
mod tests {
    use super::super::circuits::{ShareCircuit, ShareFunction};
    use super::super::shares::join;
    use super::*;
    use crate::network::Requantize;

    /// A ReLU of 17 bits: far fewer slots than wires, and every result as in the clear.
    #[test]
    fn the_steps_compute_the_circuit_in_few_slots() {
        let then = Requantize {
            shift: 2,
            output_bits: 8,
            signed: false,
        };
        let p = 65_537;
        let circuit = ShareCircuit {
            function: ShareFunction::Requantize(then),
            p_in: p,
            p_out: p,
        };
        let program = Program::new(&Shape::new(&circuit, 1).unwrap());
        let counts = circuit.gate_counts().unwrap();
        assert!(program.slots < (counts.and + counts.xor) / 2);
        for i in 0..200 {
            let (a, b, r) = (i * 7919 % p, i * i * 104_729 % p, i * 15_485_863 % p);
            let mut bits = circuit.garbler_bits(&[a], &[r], 1).unwrap();
            bits.extend(circuit.evaluator_bits(&[b], 1).unwrap());
            bits.resize(program.slots, false);
            for step in &program.steps {
                match step {
                    &Step::Constant { bit, to } => bits[to] = bit,
                    &Step::Not { x, to } => bits[to] = !bits[x],
                    Step::Xors(gates) => {
                        for gate in gates {
                            bits[gate.to] = bits[gate.x] ^ bits[gate.y];
                        }
                    }
                    Step::And(gate) => bits[gate.to] = bits[gate.x] & bits[gate.y],
                }
            }
            let output = join(program.outputs.iter().map(|&slot| bits[slot]));
            assert_eq!(output, circuit.plain(&[a], &[b], r).unwrap());
        }
    }
}

//! A circuit as a list of steps over few slots: built once a layer, run by both parties.
//!
//! A reader of circuits writes down the gates. Negations and constants leave no step: a wire is known up to
//! its sign, which only the garbler's side of an AND and the decoding look at. Most XORs leave none
//! either: one that is used once goes into the step that uses it, as a second operand of an AND's input
//! or as what is added to an AND's output. So a full adder is two steps,
//! `c' = c ⊕ (x ⊕ c)(y ⊕ c)` and `x ⊕ y ⊕ c`, and its labels are loaded and stored once.
//!
//! Then each wire gets a slot, which is free again after the wire's last use, so that the rows of a run stay
//! in the first cache. Inputs come first: the garbler's bits lie in the lowest slots, then the
//! evaluator's, then one slot of zeros, which fills up lists of operands. Steps keep the circuit's order.

use super::circuits::ShareCircuit;
use super::gates::Gates;

/// What runs at a time, over slots. A step may write where it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// `to = ⊕ terms`.
    Xor {
        terms: [u32; 4],
        to: u32,
    },
    And(And),
}

/// `to = add ⊕ (¬)(x₀ ⊕ x₁) · (¬)(y₀ ⊕ y₁)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct And {
    pub(super) x: [u32; 2],
    pub(super) y: [u32; 2],
    /// Whether each input is negated.
    pub(super) negated: [bool; 2],
    pub(super) add: u32,
    pub(super) to: u32,
}

/// An output bit: its slot, and whether it is negated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Output {
    pub(super) slot: u32,
    pub(super) negated: bool,
}

/// A circuit, ready to run.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) steps: Vec<Step>,
    /// How many slots the steps use.
    pub(super) slots: usize,
    /// The output bits, lowest first.
    pub(super) outputs: Vec<Output>,
}

impl Program {
    pub(super) fn new(circuit: &ShareCircuit) -> Self {
        let own = circuit.garbler_input_bits();
        let inputs = own + circuit.evaluator_input_bits();
        let mut recorder = Recorder {
            nodes: Vec::new(),
            zero: inputs,
        };
        let wires: Vec<Wire> = (0..inputs).map(Wire::of).collect();
        let (garbler, evaluator) = wires.split_at(own);
        let outputs = circuit.build(&mut recorder, garbler, evaluator);
        Self::of(recorder, &outputs)
    }

    fn of(recorder: Recorder, outputs: &[Wire]) -> Self {
        let fixed = recorder.zero + 1;
        let mut fusion = Fusion::new(recorder, outputs);
        fusion.run();
        let whole = outputs.iter().map(|wire| Wire {
            node: fusion.whole(wire.node),
            ..*wire
        });
        let outputs: Vec<Wire> = whole.collect();
        allocate(&fusion.drafts, &outputs, fixed)
    }
}

/// A node and its sign.
#[derive(Clone, Copy)]
struct Wire {
    node: usize,
    negated: bool,
}

impl Wire {
    const fn of(node: usize) -> Self {
        Self {
            node,
            negated: false,
        }
    }
}

/// A gate over nodes. These are numbered in order: inputs, zero, gates.
#[derive(Clone, Copy)]
enum Node {
    Xor([usize; 2]),
    And([Wire; 2]),
}

/// Writes down the gates.
struct Recorder {
    nodes: Vec<Node>,
    zero: usize,
}

impl Recorder {
    fn push(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.zero + self.nodes.len()
    }
}

impl Gates for Recorder {
    type Wire = Wire;

    fn constant(&mut self, bit: bool) -> Wire {
        Wire {
            node: self.zero,
            negated: bit,
        }
    }

    fn xor(&mut self, x: Wire, y: Wire) -> Wire {
        Wire {
            node: self.push(Node::Xor([x.node, y.node])),
            negated: x.negated ^ y.negated,
        }
    }

    fn not(&mut self, x: Wire) -> Wire {
        Wire {
            negated: !x.negated,
            ..x
        }
    }

    fn and(&mut self, x: Wire, y: Wire) -> Wire {
        Wire::of(self.push(Node::And([x, y])))
    }
}

/// A step over nodes: what it reads, each once, and what it writes.
#[derive(Clone, Copy)]
enum Draft {
    Xor {
        terms: [usize; 4],
        to: usize,
    },
    And {
        x: [usize; 2],
        y: [usize; 2],
        negated: [bool; 2],
        add: usize,
        to: usize,
    },
}

/// Puts gates together to steps.
struct Fusion {
    recorder: Recorder,
    /// For each node how often it is used.
    uses: Vec<usize>,
    /// For each AND that only goes into an XOR with an earlier node: that XOR and that node.
    merged: Vec<Option<(usize, usize)>>,
    /// Nodes that need a row of their own, or have one already.
    kept: Vec<bool>,
    /// What each node is the sum of.
    terms: Vec<Vec<usize>>,
    drafts: Vec<Draft>,
}

impl Fusion {
    fn new(recorder: Recorder, outputs: &[Wire]) -> Self {
        let first = recorder.zero + 1;
        let count = first + recorder.nodes.len();
        let (mut uses, mut user) = (vec![0; count], vec![count; count]);
        for (node, gate) in (first..).zip(&recorder.nodes) {
            for read in gate.reads() {
                uses[read] += 1;
                user[read] = node;
            }
        }
        outputs.iter().for_each(|wire| uses[wire.node] += 1);
        let mut kept = vec![false; count];
        kept[..recorder.zero].fill(true);
        outputs.iter().for_each(|wire| kept[wire.node] = true);
        let (mut merged, mut full) = (vec![None; count], vec![false; count]);
        for (node, gate) in (first..).zip(&recorder.nodes) {
            let alone = uses[node] == 1 && !kept[node] && matches!(gate, Node::And(_));
            let user = alone.then(|| user[node]);
            let reads = user.and_then(|user| Some((user, recorder.nodes.get(user - first)?)));
            if let Some((user, &Node::Xor([x, y]))) = reads {
                let other = if x == node { y } else { x };
                if other < node && !full[user] {
                    merged[node] = Some((user, other));
                    (full[user], kept[other]) = (true, true);
                }
            }
        }
        let mut terms: Vec<Vec<usize>> = (0..count).map(|node| vec![node]).collect();
        terms[recorder.zero].clear();
        Self {
            recorder,
            uses,
            merged,
            kept,
            terms,
            drafts: Vec::new(),
        }
    }

    fn run(&mut self) {
        let first = self.recorder.zero + 1;
        let mut done = vec![false; self.uses.len()];
        for index in 0..self.recorder.nodes.len() {
            let node = first + index;
            match self.recorder.nodes[index] {
                Node::And([x, y]) => {
                    let (to, add) = self.merged[node].unwrap_or((node, self.recorder.zero));
                    done[to] = true;
                    let draft = Draft::And {
                        x: self.listed(&self.terms[x.node]),
                        y: self.listed(&self.terms[y.node]),
                        negated: [x.negated, y.negated],
                        add: self.whole(add),
                        to,
                    };
                    self.drafts.push(draft);
                }
                Node::Xor(_) if done[node] => {}
                Node::Xor([x, y]) => self.sum(node, x, y),
            }
        }
    }

    /// A sum of at most two rows that is used once stays a sum; any other gets a row.
    fn sum(&mut self, node: usize, x: usize, y: usize) {
        let (x, y) = (&self.terms[x], &self.terms[y]);
        let mut terms: Vec<usize> = x.iter().filter(|t| !y.contains(t)).copied().collect();
        terms.extend(y.iter().filter(|t| !x.contains(t)));
        if terms.len() < 2 || (terms.len() == 2 && self.uses[node] == 1 && !self.kept[node]) {
            self.terms[node] = terms;
        } else {
            let terms = self.listed(&terms);
            self.drafts.push(Draft::Xor { terms, to: node });
        }
    }

    /// The terms, filled up with zeros.
    fn listed<const N: usize>(&self, terms: &[usize]) -> [usize; N] {
        std::array::from_fn(|i| terms.get(i).copied().unwrap_or(self.recorder.zero))
    }

    /// The row that holds a node which has one.
    fn whole(&self, node: usize) -> usize {
        let [row] = self.listed(&self.terms[node]);
        row
    }
}

impl Node {
    fn reads(self) -> [usize; 2] {
        match self {
            Self::Xor(reads) => reads,
            Self::And(wires) => wires.map(|wire| wire.node),
        }
    }
}

impl Draft {
    fn reads(&self) -> Vec<usize> {
        match *self {
            Self::Xor { terms, .. } => terms.to_vec(),
            Self::And { x, y, add, .. } => [x[0], x[1], y[0], y[1], add].to_vec(),
        }
    }

    const fn writes(&self) -> usize {
        match *self {
            Self::Xor { to, .. } | Self::And { to, .. } => to,
        }
    }

    /// The same over slots.
    fn over(&self, slot: impl Fn(usize) -> u32) -> Step {
        match *self {
            Self::Xor { terms, to } => Step::Xor {
                terms: terms.map(&slot),
                to: slot(to),
            },
            Self::And {
                x,
                y,
                negated,
                add,
                to,
            } => Step::And(And {
                x: x.map(&slot),
                y: y.map(&slot),
                negated,
                add: slot(add),
                to: slot(to),
            }),
        }
    }
}

/// Gives slots to nodes; the first `fixed` have theirs, of which the last holds zeros for ever.
fn allocate(drafts: &[Draft], outputs: &[Wire], fixed: usize) -> Program {
    let nodes = drafts
        .iter()
        .map(Draft::writes)
        .max()
        .unwrap_or(0)
        .max(fixed)
        + 1;
    let mut last = vec![0; nodes];
    for (time, draft) in drafts.iter().enumerate() {
        draft.reads().into_iter().for_each(|node| last[node] = time);
    }
    let always = outputs.iter().map(|wire| wire.node).chain([fixed - 1]);
    always.for_each(|node| last[node] = drafts.len());
    let mut slot_of: Vec<usize> = (0..nodes).collect();
    let (mut slots, mut free) = (fixed, Vec::new());
    let mut steps = Vec::with_capacity(drafts.len());
    for (time, draft) in drafts.iter().enumerate() {
        let mut ended = draft.reads();
        ended.sort_unstable();
        ended.dedup();
        ended.retain(|&node| last[node] == time);
        free.extend(ended.iter().map(|&node| slot_of[node]));
        let slot = free.pop().unwrap_or_else(|| {
            slots += 1;
            slots - 1
        });
        slot_of[draft.writes()] = slot;
        steps.push(draft.over(|node| slot_of[node] as u32));
    }
    let outputs = outputs.iter().map(|wire| Output {
        slot: slot_of[wire.node] as u32,
        negated: wire.negated,
    });
    Program {
        steps,
        slots,
        outputs: outputs.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::circuits::ShareFunction;
    use super::super::shares::join;
    use super::*;
    use crate::network::Requantize;

    fn bits(program: &Program, mut bits: Vec<bool>) -> u64 {
        bits.resize(program.slots, false);
        for step in &program.steps {
            let sum = |slots: &[u32]| slots.iter().fold(false, |s, &slot| s ^ bits[slot as usize]);
            match step {
                Step::Xor { terms, to } => bits[*to as usize] = sum(terms),
                Step::And(and) => {
                    let (x, y) = (sum(&and.x) ^ and.negated[0], sum(&and.y) ^ and.negated[1]);
                    bits[and.to as usize] = sum(&[and.add]) ^ (x & y);
                }
            }
        }
        let outputs = program.outputs.iter();
        join(outputs.map(|output| bits[output.slot as usize] ^ output.negated))
    }

    /// A ReLU of 17 bits: few slots beyond the inputs, few steps beyond the ANDs, and every result as in the
    /// clear.
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
        let program = Program::new(&circuit);
        let counts = circuit.gate_counts().unwrap();
        let ands = program
            .steps
            .iter()
            .filter(|step| matches!(step, Step::And(_)));
        assert_eq!(ands.count(), counts.and);
        assert!(
            program.steps.len() < 2 * counts.and,
            "{}",
            program.steps.len()
        );
        let inputs = circuit.garbler_input_bits() + circuit.evaluator_input_bits();
        assert!(program.slots < inputs + 10, "{}", program.slots);
        for i in 0..200 {
            let (a, b, r) = (i * 7919 % p, i * i * 104_729 % p, i * 15_485_863 % p);
            let mut inputs = circuit.garbler_bits(&[a], &[r], 1).unwrap();
            inputs.extend(circuit.evaluator_bits(&[b], 1).unwrap());
            let output = bits(&program, inputs);
            assert_eq!(output, circuit.plain(&[a], &[b], r).unwrap());
        }
    }

    /// Gates that no circuit of ours has: equal operands, constants, outputs that are inputs.
    #[test]
    fn odd_gates_are_fused_rightly() {
        for given in 0..8_u32 {
            let input: Vec<bool> = (0..3).map(|i| given >> i & 1 == 1).collect();
            let mut recorder = Recorder {
                nodes: Vec::new(),
                zero: 3,
            };
            let outputs = odd(&mut recorder, &[0, 1, 2].map(Wire::of));
            let program = Program::of(recorder, &outputs);
            let plain = odd(&mut super::super::gates::Plain, &input);
            assert_eq!(bits(&program, input), join(plain));
        }
    }

    fn odd<G: Gates>(g: &mut G, input: &[G::Wire]) -> Vec<G::Wire> {
        let [x, y, z] = [input[0], input[1], input[2]];
        let one = g.constant(true);
        let (xy, yz) = (g.and(x, y), g.and(y, z));
        let both = g.xor(xy, yz);
        let nothing = g.xor(both, both);
        let (not_x, with_one) = (g.not(x), g.and(z, one));
        let sum = g.xor(not_x, one);
        let sum = g.xor(sum, y);
        let back = g.xor(sum, y);
        let three = g.xor(with_one, back);
        let four = g.xor(three, nothing);
        let last = g.and(four, four);
        let again = g.xor(last, last);
        vec![
            x, not_x, nothing, both, sum, back, four, last, again, one, yz,
        ]
    }
}

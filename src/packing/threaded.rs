//! A plan run over threads: its operations are written down first, then done output by output.
//!
//! `Recorder` is one more reader of a plan. It computes nothing; every ciphertext is a note of what it comes
//! from (`Node`). The notes are a graph without cycles, in which outputs share the rotated inputs. Those are
//! computed first, over all threads; then the outputs, each by one thread, in the order of the plan's sums. So
//! the result is that of [`Plan::run_with`], bit by bit, and every schedule has threads without knowing of them.
//!
//! What threads cost is memory: all rotated inputs are held at once. A note drops what it comes from as soon as
//! it is computed.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::plan::Plan;
use crate::batch;
use crate::bfv::{HeOps, Rotation};

/// Something that will be: what it comes from, until a thread begins to compute it, and then its value.
struct Node<H: HeOps> {
    recipe: Mutex<Option<Recipe<H>>>,
    /// Nothing where an error came in between.
    value: OnceLock<Option<Value<H>>>,
}

type Shared<H> = Arc<Node<H>>;

enum Value<H: HeOps> {
    Ciphertext(H::Ciphertext),
    Decomposed(H::Decomposed),
}

/// What a node comes from.
enum Recipe<H: HeOps> {
    Input(H::Ciphertext),
    Sum(Sum<H>),
    Rotated(Shared<H>, Rotation),
    Decomposed(Shared<H>),
    /// A rotation of something decomposed.
    Turned(Shared<H>, Rotation),
}

/// Terms, in the order in which they are added.
type Sum<H> = Vec<Term<H>>;

enum Term<H: HeOps> {
    Whole(Shared<H>),
    Product(Shared<H>, Weight<H>),
}

/// An encoded vector: one of the plan's, by its index, or one that the plan encoded itself.
enum Weight<H: HeOps> {
    Numbered(usize),
    Encoded(Arc<H::Plaintext>),
}

/// A ciphertext while the plan is written down: a sum that may still grow.
struct Draft<H: HeOps>(RefCell<Sum<H>>);

/// The plan's operations, noted.
struct Recorder<'a, H: HeOps> {
    ops: &'a H,
    decomposed: RefCell<Vec<Shared<H>>>,
    turned: RefCell<Vec<Shared<H>>>,
}

/// What the notes are computed with.
struct Runner<'a, H: HeOps, F> {
    ops: &'a H,
    weight: F,
    error: Mutex<Option<H::Error>>,
}

impl Plan {
    /// [`Plan::run_with`] over the threads of the pool: rotations of the inputs in any order, then outputs. `weight`
    /// is asked in any order. With one thread it is [`Plan::run_with`]; with more, all rotated inputs are in
    /// memory at once.
    ///
    /// # Errors
    /// Those of `ops` and of `weight`: one of them, where there are several.
    ///
    /// # Panics
    /// If there are fewer inputs than [`Plan::input_ciphertexts`].
    pub fn run_threaded<H, W>(
        &self,
        ops: &H,
        inputs: &[H::Ciphertext],
        weight: impl Fn(usize) -> Result<W, H::Error> + Sync,
    ) -> Result<Vec<H::Ciphertext>, H::Error>
    where
        H: HeOps<Ciphertext: Send + Sync, Plaintext: Send + Sync, Decomposed: Send + Sync> + Sync,
        H::Error: Send,
        W: Borrow<H::Plaintext>,
    {
        if rayon::current_num_threads() == 1 {
            return self.run_with(ops, inputs, weight);
        }
        let recorder = Recorder {
            ops,
            decomposed: RefCell::default(),
            turned: RefCell::default(),
        };
        let inputs: Vec<Draft<H>> = inputs
            .iter()
            .map(|input| Draft::of(Node::new(Recipe::Input(input.clone()))))
            .collect();
        let outputs = self.run_with(&recorder, &inputs, |index| Ok(Weight::Numbered(index)))?;
        drop(inputs);
        let outputs: Vec<Shared<H>> = outputs.iter().map(Draft::node).collect();
        let runner = Runner {
            ops,
            weight,
            error: Mutex::new(None),
        };
        for first in [recorder.decomposed, recorder.turned] {
            batch::map(first.into_inner(), |node| runner.compute(node));
        }
        let outputs = batch::map(outputs, |node| {
            runner.compute(Arc::clone(&node));
            into_ciphertext(node)
        });
        let error = runner.error.into_inner();
        match error.unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(outputs.into_iter().flatten().collect()),
        }
    }
}

impl<H: HeOps> Node<H> {
    fn new(recipe: Recipe<H>) -> Shared<H> {
        Arc::new(Self {
            recipe: Mutex::new(Some(recipe)),
            value: OnceLock::new(),
        })
    }

    /// What it comes from, for the one thread that is going to compute it.
    fn claim(&self) -> Option<Recipe<H>> {
        let mut recipe = self.recipe.lock().unwrap_or_else(PoisonError::into_inner);
        recipe.take()
    }

    fn ciphertext(&self) -> Option<&H::Ciphertext> {
        match self.value.get()?.as_ref()? {
            Value::Ciphertext(ciphertext) => Some(ciphertext),
            Value::Decomposed(_) => None,
        }
    }

    fn decomposed(&self) -> Option<&H::Decomposed> {
        match self.value.get()?.as_ref()? {
            Value::Decomposed(decomposed) => Some(decomposed),
            Value::Ciphertext(_) => None,
        }
    }
}

/// The value of a node, copied only where something else still needs it.
fn into_ciphertext<H: HeOps>(node: Shared<H>) -> Option<H::Ciphertext> {
    match Arc::try_unwrap(node) {
        Ok(node) => match node.value.into_inner()?? {
            Value::Ciphertext(ciphertext) => Some(ciphertext),
            Value::Decomposed(_) => None,
        },
        Err(shared) => shared.ciphertext().cloned(),
    }
}

impl<H: HeOps> Recipe<H> {
    fn operands(&self) -> Vec<Shared<H>> {
        match self {
            Self::Input(_) => Vec::new(),
            Self::Rotated(node, _) | Self::Decomposed(node) | Self::Turned(node, _) => {
                vec![Arc::clone(node)]
            }
            Self::Sum(terms) => terms
                .iter()
                .map(|(Term::Whole(node) | Term::Product(node, _))| Arc::clone(node))
                .collect(),
        }
    }
}

impl<H: HeOps> Draft<H> {
    fn of(node: Shared<H>) -> Self {
        Self(RefCell::new(vec![Term::Whole(node)]))
    }

    /// The sum as it is now, to be computed once whoever needs it.
    fn node(&self) -> Shared<H> {
        let mut sum = self.0.borrow_mut();
        if let [Term::Whole(node)] = sum.as_slice() {
            return Arc::clone(node);
        }
        let node = Node::new(Recipe::Sum(std::mem::take(&mut *sum)));
        sum.push(Term::Whole(Arc::clone(&node)));
        node
    }

    fn push(&mut self, term: Term<H>) {
        self.0.get_mut().push(term);
    }
}

impl<H: HeOps> Clone for Draft<H> {
    fn clone(&self) -> Self {
        Self::of(self.node())
    }
}

impl<H: HeOps> Clone for Weight<H> {
    fn clone(&self) -> Self {
        match self {
            Self::Numbered(index) => Self::Numbered(*index),
            Self::Encoded(plaintext) => Self::Encoded(Arc::clone(plaintext)),
        }
    }
}

impl<H: HeOps> HeOps for Recorder<'_, H> {
    type Ciphertext = Draft<H>;
    type Plaintext = Weight<H>;
    type Decomposed = Shared<H>;
    type Error = H::Error;

    fn slots(&self) -> usize {
        self.ops.slots()
    }

    fn encode(&self, slots: &[u64]) -> Result<Weight<H>, H::Error> {
        Ok(Weight::Encoded(Arc::new(self.ops.encode(slots)?)))
    }

    fn add(&self, acc: &mut Draft<H>, other: &Draft<H>) {
        acc.push(Term::Whole(other.node()));
    }

    fn hadamard(&self, ct: &Draft<H>, pt: &Weight<H>) -> Draft<H> {
        Draft(RefCell::new(vec![Term::Product(ct.node(), pt.clone())]))
    }

    fn multiply_accumulate(&self, acc: &mut Draft<H>, ct: &Draft<H>, pt: &Weight<H>) {
        acc.push(Term::Product(ct.node(), pt.clone()));
    }

    fn rotate(&self, ct: &Draft<H>, rotation: Rotation) -> Result<Draft<H>, H::Error> {
        Ok(Draft::of(Node::new(Recipe::Rotated(ct.node(), rotation))))
    }

    fn decompose(&self, ct: &Draft<H>) -> Shared<H> {
        let node = Node::new(Recipe::Decomposed(ct.node()));
        self.decomposed.borrow_mut().push(Arc::clone(&node));
        node
    }

    fn rotate_decomposed(
        &self,
        decomposed: &Shared<H>,
        rotation: Rotation,
    ) -> Result<Draft<H>, H::Error> {
        let node = Node::new(Recipe::Turned(Arc::clone(decomposed), rotation));
        self.turned.borrow_mut().push(Arc::clone(&node));
        Ok(Draft::of(node))
    }
}

impl<H: HeOps, W: Borrow<H::Plaintext>, F: Fn(usize) -> Result<W, H::Error>> Runner<'_, H, F> {
    /// Computes a node and all that it comes from, or waits until another thread has. Chains of nodes are as long
    /// as a row has blocks, so they are followed by a stack of its own.
    fn compute(&self, node: Shared<H>) {
        let mut stack = vec![(node, None)];
        while let Some((node, claimed)) = stack.pop() {
            let recipe = match claimed {
                Some(recipe) => recipe,
                None => {
                    let Some(recipe) = node.claim() else {
                        node.value.wait();
                        continue;
                    };
                    let mut needed = recipe.operands();
                    needed.retain(|operand| operand.value.get().is_none());
                    if !needed.is_empty() {
                        stack.push((node, Some(recipe)));
                        // The first one first: where it is a chain, what is added to it comes when its turn does.
                        stack.extend(needed.into_iter().rev().map(|operand| (operand, None)));
                        continue;
                    }
                    recipe
                }
            };
            let value = self.follow(recipe).unwrap_or_else(|error| {
                let mut first = self.error.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert(error);
                None
            });
            // Whoever claims it is the only one to set it.
            let _ = node.value.set(value);
        }
    }

    /// The value of a recipe whose operands are computed; nothing where one of them is missing.
    fn follow(&self, recipe: Recipe<H>) -> Result<Option<Value<H>>, H::Error> {
        let ops = self.ops;
        Ok(match recipe {
            Recipe::Input(ciphertext) => Some(Value::Ciphertext(ciphertext)),
            Recipe::Sum(terms) => self.sum(&terms)?.map(Value::Ciphertext),
            Recipe::Decomposed(node) => {
                let split = node.ciphertext().map(|ct| ops.decompose(ct));
                split.map(Value::Decomposed)
            }
            Recipe::Rotated(node, rotation) => {
                let rotated = node.ciphertext().map(|ct| ops.rotate(ct, rotation));
                rotated.transpose()?.map(Value::Ciphertext)
            }
            Recipe::Turned(node, rotation) => {
                let split = node.decomposed();
                let turned = split.map(|split| ops.rotate_decomposed(split, rotation));
                turned.transpose()?.map(Value::Ciphertext)
            }
        })
    }

    fn sum(&self, terms: &[Term<H>]) -> Result<Option<H::Ciphertext>, H::Error> {
        let mut sum: Option<H::Ciphertext> = None;
        for term in terms {
            let (Term::Whole(node) | Term::Product(node, _)) = term;
            let Some(ct) = node.ciphertext() else {
                return Ok(None);
            };
            match (term, &mut sum) {
                (Term::Whole(_), Some(sum)) => self.ops.add(sum, ct),
                (Term::Whole(_), None) => sum = Some(ct.clone()),
                (Term::Product(_, weight), sum) => self.product(sum, ct, weight)?,
            }
        }
        Ok(sum)
    }

    fn product(
        &self,
        sum: &mut Option<H::Ciphertext>,
        ct: &H::Ciphertext,
        weight: &Weight<H>,
    ) -> Result<(), H::Error> {
        match weight {
            Weight::Numbered(index) => {
                self.ops
                    .accumulate(sum, ct, (self.weight)(*index)?.borrow());
            }
            Weight::Encoded(plaintext) => self.ops.accumulate(sum, ct, plaintext),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::strategy::{Strategy as _, ValueTree as _};

    use super::super::tests::{any_conv, any_fc, any_square, values_of};
    use super::super::{ConvShape, LinearShape, PackingError, PlainSlots};
    use super::*;
    use crate::network::Shape;

    const P: u64 = 65537;

    fn on<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(work)
    }

    /// Every schedule on layers of random shapes: the same slots with any number of threads, those too that hold no
    /// output.
    #[test]
    fn threads_do_not_show_in_the_result() {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut schedules = BTreeSet::new();
        for seed in 0..100 {
            let fc = any_fc().new_tree(&mut runner).unwrap().current();
            let conv = any_conv().new_tree(&mut runner).unwrap().current();
            let square = any_square().new_tree(&mut runner).unwrap().current();
            for (layer, n) in [fc, conv, square] {
                let ops = PlainSlots::new(n, P);
                let (weights, values) = values_of(&layer, seed, P);
                for plan in Plan::candidates(&layer, n).unwrap() {
                    let inputs = plan.pack_input(&values);
                    let weight = |index| ops.encode(&plan.weight_slots(&weights, P, index));
                    let expected = plan.run_with(&ops, &inputs, weight).unwrap();
                    for threads in [1, 2, 3] {
                        let run = || plan.run_threaded(&ops, &inputs, weight);
                        assert_eq!(on(threads, run).unwrap(), expected, "{layer:?} {plan:?}");
                    }
                    schedules.insert(plan.schedule_name());
                }
            }
        }
        assert_eq!(schedules, Plan::SCHEDULES.iter().copied().collect());
    }

    /// A chain of partial sums for each of 2,048 channels is longer than a thread's stack would bear.
    #[test]
    fn long_chains_are_followed() {
        let n = 4096;
        let layer = LinearShape::Conv(ConvShape {
            input: Shape::new(2048, 1, 1),
            out_channels: 2048,
            kernel: [1, 1],
            stride: [1, 1],
            padding: [0, 0],
            dilation: [1, 1],
            groups: 1,
        });
        let plan = Plan::named("conv_output_rotation", &layer, n).unwrap();
        let ops = PlainSlots::new(n, P);
        let inputs = plan.pack_input(&[1; 2048]);
        let run = || plan.run_threaded(&ops, &inputs, |_| Ok(vec![1; n]));
        assert_eq!(
            on(2, run).unwrap(),
            plan.run_with(&ops, &inputs, |_| Ok(vec![1; n])).unwrap()
        );
    }

    #[test]
    fn an_error_of_a_weight_or_a_rotation_ends_the_run() {
        let layer = LinearShape::fully_connected(16, 16);
        let plan = Plan::named("fc_hybrid", &layer, 32).unwrap();
        let inputs = plan.pack_input(&[1; 16]);
        let ops = PlainSlots::new(32, P);
        let odd = PackingError::Empty;
        let weight = |index| match index {
            3 => Err(odd.clone()),
            _ => ops.encode(&[1; 32]),
        };
        let run = || plan.run_threaded(&ops, &inputs, weight);
        assert_eq!(on(2, run), Err(odd.clone()));
        let none = PlainSlots::new(3, P);
        let run = || plan.run_threaded(&none, &inputs, |_| Ok(vec![1; 32]));
        assert!(on(2, run).is_err());
    }
}

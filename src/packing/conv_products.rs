//! The products of a convolution: which rotated input meets which plaintext, for every output ciphertext.
//!
//! Built from a [`ConvLayout`]: for each output ciphertext the alignments of its channels, for each of them the
//! input ciphertexts that they take part of and the filter taps that the channels brought together need.
//! Kept are [`Partial`]s, each the products of one alignment with a run of inputs that are alike: what a schedule
//! counts it counts over these, what it runs is listed from them ([`Products::listed`]).
//! Without groups all full outputs are alike and kept once. A product with a plaintext that shapes
//! alone make zero is not listed.

use std::ops::Range;

use super::alignment::Alignment;
use super::conv_layout::{ConvLayout, Stride};
use super::shape::{ConvShape, PackingError};
use super::slots::Slots;
use crate::bfv::Rotation;

/// A product, and the plaintext that it is with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Product {
    /// Output ciphertext of a lane.
    pub(super) output: usize,
    /// How its channels are brought to those of the output, after the product.
    pub(super) alignment: Alignment,
    /// Input ciphertext of a lane.
    pub(super) input: usize,
    /// Index of the tap that the input is rotated for.
    pub(super) tap: usize,
}

/// Products of one alignment: of each input of a run with each tap of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Partial {
    pub(super) alignment: Alignment,
    /// Index of the run of inputs.
    pub(super) run: usize,
    /// Index of the set of taps.
    pub(super) taps: usize,
}

/// Taps that an input is rotated for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Taps {
    /// The phases of the input that need them.
    phases: Vec<usize>,
    /// Indices, rising.
    pub(super) indices: Vec<usize>,
    /// How many of them turn the input.
    pub(super) turning: u64,
}

/// All products, by output; those of an output in the order of their alignments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Products {
    pub(super) layout: ConvLayout,
    /// Input ciphertexts of a lane, in runs.
    runs: Vec<Range<usize>>,
    /// For each run, the set of all taps that its inputs are rotated for.
    of_run: Vec<usize>,
    taps: Vec<Taps>,
    /// Of each kind of output.
    kinds: Vec<Vec<Partial>>,
    outputs: usize,
}

impl Products {
    pub(super) fn new(
        conv: &ConvShape,
        slots: Slots,
        stride: Stride,
    ) -> Result<Self, PackingError> {
        let layout = ConvLayout::new(conv, slots, stride)?;
        let (channels, runs) = (layout.channels, layout.input_runs());
        let outputs = channels.output_ciphertexts();
        let last_full = channels.outputs.is_multiple_of(channels.in_ciphertext());
        let distinct = |&output: &usize| {
            channels.groups > 1 || output == 0 || (output + 1 == outputs && !last_full)
        };
        let mut products = Self {
            of_run: vec![0; runs.len()],
            layout,
            runs,
            taps: Vec::new(),
            kinds: Vec::new(),
            outputs,
        };
        for output in (0..outputs).filter(distinct) {
            let kind = products.partials(output);
            products.kinds.push(kind);
        }
        products.find_taps_of_runs();
        Ok(products)
    }

    fn partials(&mut self, output: usize) -> Vec<Partial> {
        let channels = self.layout.channels;
        let meetings = channels.meetings(output, &self.runs);
        let only = (!self.layout.has_phases()).then(|| self.set_of(vec![0]));
        let partial = |(alignment, run): (Alignment, usize)| Partial {
            alignment,
            run,
            taps: only.unwrap_or_else(|| {
                // With phases, a run is one input.
                let met = channels.met(output, run, alignment);
                self.set_of(self.layout.phases_of(met))
            }),
        };
        meetings.into_iter().map(partial).collect()
    }

    /// The set of the taps that phases need.
    fn set_of(&mut self, phases: Vec<usize>) -> usize {
        // Most are the one before.
        if let Some(set) = self.taps.iter().rposition(|taps| taps.phases == phases) {
            return set;
        }
        let indices = self.layout.taps_of(&phases);
        let turning = indices.iter().filter(|&&tap| self.layout.taps[tap] > 0);
        let turning = turning.count() as u64;
        self.taps.push(Taps {
            phases,
            indices,
            turning,
        });
        self.taps.len() - 1
    }

    fn find_taps_of_runs(&mut self) {
        let mut sets: Vec<Vec<usize>> = vec![Vec::new(); self.runs.len()];
        for partial in self.kinds.iter().flatten() {
            let sets = &mut sets[partial.run];
            if !sets.contains(&partial.taps) {
                sets.push(partial.taps);
            }
        }
        for (run, sets) in sets.into_iter().enumerate() {
            self.of_run[run] = match sets.as_slice() {
                &[set] => set,
                sets => {
                    let phases = sets.iter().flat_map(|&set| &self.taps[set].phases);
                    let mut phases: Vec<usize> = phases.copied().collect();
                    phases.sort_unstable();
                    phases.dedup();
                    self.set_of(phases)
                }
            };
        }
    }

    /// Output ciphertexts of a lane.
    pub(super) const fn outputs(&self) -> usize {
        self.outputs
    }

    /// Outputs that are of the first kind; after it each kind has one.
    const fn alike(&self) -> usize {
        self.outputs - self.kinds.len() + 1
    }

    /// Each kind of output: its products and how many outputs there are of it.
    pub(super) fn kinds(&self) -> impl Iterator<Item = (&[Partial], u64)> {
        let alike = self.alike() as u64;
        let times = (0..).map(move |kind| if kind == 0 { alike } else { 1 });
        self.kinds.iter().map(Vec::as_slice).zip(times)
    }

    /// Each run of inputs: the taps that they are rotated for, and how many inputs there are in it.
    pub(super) fn runs(&self) -> impl Iterator<Item = (&Taps, u64)> {
        let taps = self.of_run.iter().map(|&set| &self.taps[set]);
        taps.zip(self.runs.iter().map(|run| run.len() as u64))
    }

    /// The taps that an input is rotated for.
    pub(super) fn taps_of_input(&self, input: usize) -> &[usize] {
        let run = self.runs.partition_point(|run| run.end <= input);
        &self.taps[self.of_run[run]].indices
    }

    /// Inputs in a partial's run.
    pub(super) fn inputs_of(&self, partial: &Partial) -> u64 {
        self.runs[partial.run].len() as u64
    }

    /// The taps of a partial.
    pub(super) fn taps_of(&self, partial: &Partial) -> &Taps {
        &self.taps[partial.taps]
    }

    /// Products of an output of a kind.
    pub(super) fn count(&self, kind: &[Partial]) -> u64 {
        let of = |partial| self.inputs_of(partial) * self.taps_of(partial).indices.len() as u64;
        kind.iter().map(of).sum()
    }

    /// Products of a lane.
    pub(super) fn len(&self) -> u64 {
        self.kinds()
            .map(|(kind, times)| times * self.count(kind))
            .sum()
    }

    /// All products of a lane, by output, alignment, input, tap.
    pub(super) fn listed(&self) -> Vec<Product> {
        let outputs = (0..self.outputs).map(|output| {
            let kind = (output + 1).saturating_sub(self.alike());
            (output, &self.kinds[kind])
        });
        let mut products = Vec::with_capacity(self.len() as usize);
        for (output, partials) in outputs {
            for partial in partials {
                let inputs = self.runs[partial.run].clone();
                let taps = &self.taps_of(partial).indices;
                let all = inputs.flat_map(|input| taps.iter().map(move |&tap| (input, tap)));
                products.extend(all.map(|(input, tap)| Product {
                    output,
                    alignment: partial.alignment,
                    input,
                    tap,
                }));
            }
        }
        products
    }

    /// The exchange of rows.
    pub(super) const fn swap(&self) -> Rotation {
        self.layout.slots.rotation(self.layout.slots.row())
    }
}

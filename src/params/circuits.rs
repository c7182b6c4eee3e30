//! The circuits around a domain: what they cost as a function of its p.
//!
//! A circuit on shares mod p takes some ANDs, transfers and labels for every bit of p. A p that serves larger rings
//! lies in a sparser class, and may be a bit or two wider than a smaller ring's; a choice of ring is then
//! one of circuits too. What they cost is asked of the prices ([`Prices::circuits_cost`]), with the least modulus
//! that holds them for the values of the other domain: ANDs are a sum of what either modulus takes, so
//! that the choice does not depend on it. Either modulus stands for all of its width, priced as the greatest: between
//! them there is at most one AND of rounding, and layers whose p are as wide ask for one price.

use super::prices::Prices;
use super::selector::Selector;
use crate::gc::{Clip, ShareCircuit, ShareFunction};
use crate::network::{ResolvedNetwork, Step, StepKind};

/// What a step computes by garbled circuit, if that is how it is done.
pub const fn circuit_function(step: &Step) -> Option<ShareFunction> {
    Some(match &step.kind {
        StepKind::Relu(requantize) | StepKind::Requantize(requantize) => {
            ShareFunction::Requantize(*requantize)
        }
        StepKind::Clip(requantize, high) => ShareFunction::Clip(Clip {
            shift: requantize.shift,
            low: 0,
            high: *high,
        }),
        StepKind::MaxPool(pool, then) => ShareFunction::MaxPool {
            window: pool.kernel[0] * pool.kernel[1],
            then: *then,
        },
        StepKind::Argmax => ShareFunction::Argmax {
            values: step.shape_in.len(),
        },
        StepKind::Linear(_)
        | StepKind::Square
        | StepKind::SumPool(_)
        | StepKind::Flatten
        | StepKind::Add(_) => return None,
    })
}

/// The greatest modulus as wide as this one.
const fn widest(p: u64) -> u64 {
    u64::MAX >> p.leading_zeros()
}

impl<P: Prices> Selector<P> {
    /// Objective of all circuits that read or write shares of `domain` under a p of this one's width; those without a
    /// price are left out.
    pub(super) fn circuits_score(&self, network: &ResolvedNetwork, domain: usize, p: u64) -> f64 {
        let modulus = |of: usize| match network.domains.get(of) {
            _ if of == domain => widest(p),
            Some(other) => widest(2 * other.bound + 1),
            None => 1,
        };
        let around = |step: &&Step| step.domain == domain || network.operand_domain(step) == domain;
        // The place that an argmax gives has a modulus of its own; nothing of it depends on p but its operand.
        let circuits = network.steps.iter().filter(around).filter_map(|step| {
            let circuit = ShareCircuit {
                function: circuit_function(step)?,
                p_in: modulus(network.operand_domain(step)),
                p_out: match step.kind {
                    StepKind::Argmax => crate::gc::places(step.shape_in.len()),
                    _ => modulus(step.domain),
                },
            };
            Some((circuit, step.shape_out.len() as u64))
        });
        let cost = |(circuit, count): (ShareCircuit, u64)| {
            let mut known = self.circuits.borrow_mut();
            let cost = known
                .entry((circuit, count))
                .or_insert_with(|| self.prices.circuits_cost(&circuit, count));
            cost.map_or(0.0, |cost| self.request.objective.score(cost)[0])
        };
        circuits.map(cost).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::{LayerCost, RING_DEGREES};
    use super::super::tests::resolved;
    use super::super::{LayerWork, LinearAlone, Request, Selection, TransformPrices};
    use super::*;
    use crate::network::{ConvParams, LayerKind, NetworkParams, Quantizer, Shape};
    use crate::units::{Bytes, Nanos};

    /// Counted transforms, and so many nanoseconds an AND.
    #[derive(Clone, Copy)]
    struct Circuits(f64);

    impl Prices for Circuits {
        fn layer_cost(&self, work: &LayerWork) -> Option<Nanos> {
            TransformPrices.layer_cost(work)
        }

        fn circuits_cost(&self, circuit: &ShareCircuit, count: u64) -> Option<LayerCost> {
            let ands = circuit.and_count().ok()? as f64;
            Some(LayerCost {
                time: Nanos(self.0 * ands * count as f64),
                bytes: Bytes(0),
            })
        }
    }

    /// Convolutions whose p is narrow: a class that serves larger rings begins a few bits higher.
    fn narrow(channels: usize, size: usize, bits: u32) -> ResolvedNetwork {
        let conv = LayerKind::Conv(ConvParams {
            out_channels: channels,
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
            dilation: [1, 1],
            groups: 1,
            bias: false,
            quantizer: Quantizer {
                input_bits: bits,
                weight_bits: bits,
            },
            p_bits: None,
        });
        let layers = [conv.clone(), LayerKind::Relu, conv, LayerKind::Relu];
        let network = NetworkParams {
            name: "narrow".to_owned(),
            input: Shape::new(channels, size, size),
            layers: NetworkParams::chain(layers),
        };
        network.resolve(None).unwrap()
    }

    fn select<P: Prices>(network: &ResolvedNetwork, prices: P) -> Selection {
        let selector = Selector::new(Request::default(), prices).unwrap();
        selector.network(network).unwrap()
    }

    fn times(selection: &Selection) -> f64 {
        let costs = selection.costs.iter().flatten();
        costs.map(|cost| cost.time.0).sum()
    }

    fn widths(selection: &Selection) -> u32 {
        let layers = selection.layers.iter().flatten();
        layers.map(|layer| layer.p_bits).sum()
    }

    /// Circuits that cost something never make p wider, somewhere narrower, and what is saved by them is more than what
    /// the linear layers then cost more; circuits for nothing change nothing.
    #[test]
    fn dearer_circuits_make_p_narrower() {
        let mut narrower = 0;
        for (channels, size, bits) in [(1, 8, 2), (2, 16, 2), (4, 16, 3), (8, 16, 2), (16, 8, 3)] {
            let network = narrow(channels, size, bits);
            let linear = select(&network, LinearAlone(Circuits(50.0)));
            assert_eq!(select(&network, TransformPrices), linear);
            assert_eq!(select(&network, Circuits(0.0)).costs, linear.costs);
            for price in [1.0, 50.0, 2000.0] {
                let prices = Circuits(price);
                let chosen = select(&network, prices);
                assert!(widths(&chosen) <= widths(&linear), "{network:?}");
                narrower += usize::from(widths(&chosen) < widths(&linear));
                let total = |selection: &Selection| {
                    let selector = Selector::new(Request::default(), prices).unwrap();
                    // Each circuit lies between two domains, and counts for the p of both.
                    let p = |domain: usize| {
                        let steps = network.steps.iter().zip(&selection.layers);
                        let mut of = steps.filter(|(step, _)| step.domain == domain);
                        of.find_map(|(_, layer)| layer.as_ref().map(|layer| layer.p))
                    };
                    let domains =
                        (0..network.domains.len()).filter_map(|domain| Some((domain, p(domain)?)));
                    let circuits: f64 = domains
                        .map(|(domain, p)| selector.circuits_score(&network, domain, p))
                        .sum();
                    times(selection) + circuits
                };
                assert!(total(&chosen) <= total(&linear) * (1.0 + 1e-12));
            }
        }
        assert!(narrower > 0);
    }

    /// A layer alone in its domain against every ring tried by itself.
    #[test]
    fn no_other_ring_is_cheaper_with_its_circuits() {
        let mut smaller = 0;
        for (channels, size, bits) in [(1, 8, 2), (2, 16, 2), (4, 16, 3), (8, 16, 2), (16, 8, 3)] {
            let network = narrow(channels, size, bits);
            let linear = select(&network, LinearAlone(TransformPrices));
            for price in [0.1, 1.0, 20.0, 2000.0] {
                let score = |request: Request| -> Vec<(f64, usize)> {
                    let selector = Selector::new(request, Circuits(price)).unwrap();
                    let steps = network.steps.iter().enumerate();
                    let linear = steps.filter(|(_, step)| step.kind.is_encrypted());
                    let of_step = |(index, step): (usize, &Step)| {
                        let selection = selector.domain_of(&network, index);
                        let (Ok(selection), domain) = (selection, step.domain) else {
                            return (f64::INFINITY, 0);
                        };
                        let chosen = selection.layers[index].as_ref().unwrap();
                        let around = selector.circuits_score(&network, domain, chosen.p);
                        (selection.costs[index].unwrap().time.0 + around, chosen.n)
                    };
                    linear.map(of_step).collect()
                };
                let chosen = score(Request::default());
                let mut least = vec![f64::INFINITY; chosen.len()];
                for n in RING_DEGREES {
                    let mut request = Request::default();
                    request.limits.degrees = (n, n);
                    if Selector::new(request, Circuits(price)).is_err() {
                        continue;
                    }
                    for (least, (alone, _)) in least.iter_mut().zip(score(request)) {
                        *least = least.min(alone);
                    }
                }
                let scores: Vec<f64> = chosen.iter().map(|(score, _)| *score).collect();
                assert_eq!(scores, least, "{network:?} at {price}");
                let rings = linear.layers.iter().flatten().map(|layer| layer.n);
                smaller += chosen
                    .iter()
                    .zip(rings)
                    .filter(|((_, n), all)| n < all)
                    .count();
            }
        }
        assert!(smaller > 0);
    }

    #[test]
    fn a_circuit_costs_more_for_every_bit() {
        let network = resolved("toy");
        let selector = Selector::new(Request::default(), Circuits(1.0)).unwrap();
        let domain = network.steps[0].domain;
        let scores: Vec<f64> = (10..30)
            .map(|bits| selector.circuits_score(&network, domain, (1 << bits) - 1))
            .collect();
        assert!(scores.is_sorted_by(|a, b| a < b), "{scores:?}");
        let selector = Selector::new(Request::default(), TransformPrices).unwrap();
        assert_eq!(selector.circuits_score(&network, domain, 12_289), 0.0);
    }
}

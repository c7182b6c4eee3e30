//! The pruned search against trying everything: every ring, packing, number of limbs, key switching, number
//! of kept limbs and width of every kind of modulus.

use proptest::prelude::*;

use super::layer_at::{Basis, LayerAt, SentBits};
use super::noise_form::LayerNoise;
use super::packed::{Keys, Packed};
use super::plaintext::PlaintextRule;
use super::reply::ReplyGoal;
use super::tests::{assert_sound, fully_connected, objectives, one_layer, sum_of_two};
use super::widths::{MAX_LIMB_BITS, MAX_LIMBS, MAX_WINDOWS, least_width};
use super::*;
use crate::network::{
    ConvParams, LayerKind, Origin, Quantizer, ResolvedNetwork, Shape, Step, StepKind,
};
use crate::packing::{LinearShape, Plan, Windows};
use crate::security::max_log_q;

/// All splits of q with this many limbs.
fn splits(n: usize, limbs: usize) -> impl Iterator<Item = Widths> {
    let bits = least_width(n)..=MAX_LIMB_BITS;
    (1..=limbs).flat_map(move |kept| {
        let dropped = limbs - kept;
        let others = if dropped == 0 {
            least_width(n)..=least_width(n)
        } else {
            bits.clone()
        };
        bits.clone().flat_map(move |kept_bits| {
            others.clone().map(move |dropped_bits| Widths {
                kept,
                kept_bits,
                dropped,
                dropped_bits,
            })
        })
    })
}

/// Whether some special primes make the split decrypt and keep it secure: all are tried.
fn works(layer: &LayerAt, widths: &Widths, switching: KeySwitching) -> bool {
    let special = switching.special() as u32;
    let tried = match (special, layer.limits.widths) {
        (0, _) => 0..=0,
        (_, Some((_, bits))) => bits..=bits,
        (_, None) => least_width(layer.n)..=MAX_LIMB_BITS,
    };
    tried.into_iter().any(|bits| {
        widths.total() + special * bits <= layer.max_bits
            && (layer.limits.q_bits.0..=layer.limits.q_bits.1).contains(&widths.total())
            && layer
                .fit(widths, (switching, bits))
                .is_some_and(|fit| fit.margin_bits >= 0.0)
    })
}

/// Whether a split is not against the limits.
fn allowed(limits: &Limits, widths: &Widths) -> bool {
    let same = |only: Widths| {
        let (kept, dropped) = (only.kept == widths.kept, only.dropped == widths.dropped);
        let last = only.dropped == 0 || only.dropped_bits == widths.dropped_bits;
        kept && dropped && only.kept_bits == widths.kept_bits && last
    };
    limits.limbs.is_none_or(|limbs| limbs == widths.limbs())
        && limits.widths.is_none_or(|(only, _)| same(only))
}

/// A layer as the oracle is asked for it: its step, the p of each ring degree, its share of δ.
struct Layer<'a> {
    network: &'a ResolvedNetwork,
    step: usize,
    modulus: &'a dyn Fn(usize) -> Option<u64>,
    failure_log2: f64,
}

/// The least score of all candidates for a layer; `None` if nothing works.
fn exhaustive(layer: &Layer<'_>, request: &Request, prices: &dyn Prices) -> Option<[f64; 2]> {
    let shape = LinearShape::of_step(&layer.network.steps[layer.step]).unwrap();
    let operand = layer.network.origins()[layer.step];
    let (least, greatest) = request.limits.degrees;
    let mut best: Option<[f64; 2]> = None;
    let degrees = RING_DEGREES.into_iter();
    for n in degrees.filter(|n| (least..=greatest).contains(n)) {
        let (Some(max_bits), Some(p)) = (max_log_q(&request.requirement, n), (layer.modulus)(n))
        else {
            continue;
        };
        let plans = Plan::candidates(&shape, n).unwrap_or_default();
        let packings = Packed::all(&shape, n).unwrap_or_default();
        for (plan, packed) in plans.iter().zip(&packings) {
            let outputs = plan.output_ciphertexts();
            let only = request.limits.windows;
            let counts = (1..=MAX_WINDOWS).filter(|count| only.is_none_or(|only| only == *count));
            let (failure_log2, flooding) = (layer.failure_log2, request.flooding_bits);
            for windows in counts.map(|count| Windows::new(p, count)) {
                let at = LayerAt {
                    n,
                    windows,
                    p_log2: (p as f64).log2(),
                    ciphertexts: (windows.inputs(plan) as u64, outputs as u64),
                    noise: LayerNoise::tracked(plan, windows),
                    goal: ReplyGoal::new((outputs * n) as u64, failure_log2, flooding),
                    max_bits,
                    limits: request.limits,
                };
                let read = (operand, Keys::Of(&shape));
                exhaust((&at, packed, read), (request, prices), &mut best);
            }
        }
    }
    best
}

/// The same for one ring, packing and number of windows.
fn exhaust(
    (layer, packed, read): (&LayerAt, &Packed, (Origin, Keys<'_>)),
    (request, prices): (&Request, &dyn Prices),
    best: &mut Option<[f64; 2]>,
) {
    for basis in every_basis(&request.limits) {
        let all = splits(layer.n, basis.limbs);
        for widths in all.filter(|widths| allowed(&request.limits, widths)) {
            let work = packed.work(layer.windows, (basis, SentBits::from(&widths)), read);
            let Some(time) = prices.layer_cost(&work) else {
                continue;
            };
            let bytes = work.bytes();
            let score = request.objective.score(LayerCost { time, bytes });
            if best.is_none_or(|best| score < best) && works(layer, &widths, basis.switching) {
                *best = Some(score);
            }
        }
    }
}

fn every_basis(limits: &Limits) -> impl Iterator<Item = Basis> + use<> {
    let limits = *limits;
    let all = (1..=MAX_LIMBS).flat_map(|limbs| {
        let switchings = KeySwitching::ALL.into_iter();
        switchings.map(move |switching| Basis { limbs, switching })
    });
    all.filter(move |basis| {
        basis.switching.special() <= basis.limbs
            && limits.switching.is_none_or(|only| only == basis.switching)
            && limits.limbs.is_none_or(|only| only == basis.limbs)
    })
}

/// The least score of a network's only domain, over every p that it may have.
fn exhaustive_domain(network: &ResolvedNetwork, domain: usize, request: &Request) -> Option<f64> {
    let rule = PlaintextRule::of_domain(network, domain, request.p_bound)?;
    let linear = |step: &&Step| matches!(step.kind, StepKind::Linear(_));
    let layers = network.steps.iter().filter(linear).count() as u64;
    let of_domain: Vec<usize> = (0..network.steps.len())
        .filter(|&index| network.steps[index].domain == domain)
        .filter(|&index| linear(&&network.steps[index]))
        .collect();
    let score = |greatest: usize| -> Option<f64> {
        let p = rule.prime(greatest)?;
        let scores = of_domain.iter().map(|&step| {
            let layer = Layer {
                network,
                step,
                modulus: &|n| (n <= greatest).then_some(p),
                failure_log2: split(request.failure_log2, layers),
            };
            Some(exhaustive(&layer, request, &TransformPrices)?[0])
        });
        scores.sum()
    };
    let (least, greatest) = request.limits.degrees;
    let degrees = RING_DEGREES.into_iter();
    degrees
        .filter(|n| (least..=greatest).contains(n))
        .filter_map(score)
        .reduce(f64::min)
}

fn assert_agrees(network: &ResolvedNetwork, request: &Request) {
    let rule = PlaintextRule::of_domain(network, network.steps[0].domain, request.p_bound);
    let layer = Layer {
        network,
        step: 0,
        modulus: &|n| rule?.prime(n),
        failure_log2: request.failure_log2,
    };
    let everything = exhaustive(&layer, request, &TransformPrices);
    match select_network(network, request, &TransformPrices) {
        Ok(selection) => {
            assert_sound(network, request, &selection);
            let cost = selection.costs[0].unwrap();
            let score = request.objective.score(cost);
            assert_eq!(
                Some(score[0]),
                everything.map(|best| best[0]),
                "{selection:?}"
            );
            let moduli = selection.layers[0].as_ref().unwrap();
            let total: u32 = moduli.q.iter().map(|q| q.ilog2() + 1).sum();
            let (least, greatest) = request.limits.q_bits;
            assert!((least..=greatest).contains(&total));
        }
        Err(error) => assert_eq!(everything, None, "{error}"),
    }
}

fn requests() -> impl Strategy<Value = Request> {
    let switching = prop::option::weighted(0.4, prop::sample::select(&KeySwitching::ALL[..]));
    let degrees = prop::sample::select(&[(0, 2048), (0, 4096), (4096, 4096), (0, 8192)][..]);
    let level = prop::sample::select(&[128_u32, 192][..]);
    let q_bits = prop::sample::select(&[(0, u32::MAX), (60, 180), (0, 90)][..]);
    let bits = 30..=MAX_LIMB_BITS;
    let widths = (1_usize..3, bits.clone(), 0_usize..3, bits.clone(), bits).prop_map(
        |(kept, kept_bits, dropped, dropped_bits, special)| {
            let widths = Widths {
                kept,
                kept_bits,
                dropped,
                dropped_bits,
            };
            (widths, special)
        },
    );
    let moduli = prop_oneof![
        6 => Just((None, None)),
        2 => (1_usize..5).prop_map(|limbs| (Some(limbs), None)),
        2 => widths.prop_map(|widths| (None, Some(widths))),
    ];
    let goal = (
        -80.0..-6.6_f64,
        prop_oneof![Just(0_u32), Just(40), 1..60_u32],
    );
    let windows = prop::option::weighted(0.2, 1..=MAX_WINDOWS);
    let limits = (switching, degrees, q_bits, windows, moduli);
    (objectives(), limits, level, goal).prop_map(
        |(objective, limits, level, (failure_log2, flooding_bits))| {
            let (switching, degrees, q_bits, windows, (limbs, widths)) = limits;
            let mut request = Request {
                failure_log2,
                flooding_bits,
                objective,
                ..Request::default()
            };
            request.requirement.level = level;
            request.limits.degrees = degrees;
            request.limits.switching = switching;
            request.limits.q_bits = q_bits;
            request.limits.windows = windows;
            request.limits.limbs = limbs;
            request.limits.widths = widths;
            request
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 32, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn nothing_cheaper_exists_for_fully_connected_layers(
        inputs in 1_usize..3000, outputs in 1_usize..300, request in requests(),
    ) {
        assert_agrees(&fully_connected(inputs, outputs, None), &request);
    }

    #[test]
    fn nothing_cheaper_exists_for_convolutions(
        channels in 1_usize..40, size in 1_usize..33, out_channels in 1_usize..40,
        kernel in prop::sample::select(&[1_usize, 3, 5][..]), stride in 1_usize..4,
        groups in prop::sample::select(&[1_usize, 1, 2, 5, 32][..]),
        bits in (2_u32..10, 2_u32..10), request in requests(),
    ) {
        let [channels, out_channels] =
            [channels, out_channels].map(|all| all.div_ceil(groups) * groups);
        let conv = ConvParams {
            out_channels,
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [kernel / 2; 2],
            dilation: [1, 1],
            groups,
            bias: true,
            quantizer: Quantizer { input_bits: bits.0, weight_bits: bits.1 },
            p_bits: None,
        };
        assert_agrees(&one_layer(Shape::new(channels, size, size), LayerKind::Conv(conv)), &request);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 16, ..ProptestConfig::with_cases(12) })]

    /// Two convolutions that meet in an addition: one p for both, of every ring degree that it may serve.
    #[test]
    fn nothing_cheaper_exists_where_layers_share_their_modulus(
        channels in 1_usize..9, size in 3_usize..13,
        kernels in prop::array::uniform2(prop::sample::select(&[1_usize, 3, 5][..])),
        bits in prop::array::uniform2(2_u32..8), request in requests(),
    ) {
        let network = sum_of_two(Shape::new(channels, size, size), kernels, bits);
        let linear = |step: &&Step| matches!(step.kind, StepKind::Linear(_));
        let domain = network.steps.iter().find(linear).unwrap().domain;
        let everything = exhaustive_domain(&network, domain, &request);
        match select_network(&network, &request, &TransformPrices) {
            Ok(selection) => {
                assert_sound(&network, &request, &selection);
                let costs = selection.costs.iter().flatten();
                let score: f64 = costs.map(|&cost| request.objective.score(cost)[0]).sum();
                let best = everything.unwrap();
                prop_assert!((score / best - 1.0).abs() < 1e-12, "{} {}", score, best);
            }
            Err(error) => prop_assert_eq!(everything, None, "{}", error),
        }
    }
}

#[test]
fn nothing_cheaper_exists_in_large_rings() {
    let mut request = Request::default();
    request.limits.degrees = (8192, 16_384);
    assert_agrees(&fully_connected(20_000, 10, None), &request);
    request.limits.degrees = (32_768, 32_768);
    request.objective = Objective::Bytes;
    assert_agrees(&fully_connected(64, 10, None), &request);
}

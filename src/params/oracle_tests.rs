//! The pruned search against trying everything: every ring, packing, number of limbs, key switching, number
//! of kept limbs and width of every kind of modulus.

use proptest::prelude::*;

use super::layer_at::{Basis, LayerAt, SentBits};
use super::noise_form::LayerNoise;
use super::packed::{Keys, Packed};
use super::plaintext::PlaintextRule;
use super::reply::ReplyGoal;
use super::tests::{assert_sound, fully_connected, objectives, one_layer};
use super::widths::{MAX_LIMB_BITS, MAX_LIMBS, least_width};
use super::*;
use crate::network::{ConvParams, LayerKind, Quantizer, ResolvedNetwork, Shape};
use crate::packing::{LinearShape, Plan};
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
    let tried = match special {
        0 => 0..=0,
        _ => least_width(layer.n)..=MAX_LIMB_BITS,
    };
    tried.into_iter().any(|bits| {
        widths.total() + special * bits <= layer.max_bits
            && (layer.limits.q_bits.0..=layer.limits.q_bits.1).contains(&widths.total())
            && layer
                .fit(widths, (switching, bits))
                .is_some_and(|fit| fit.margin_bits >= 0.0)
    })
}

/// The least score of all candidates for a network's only layer; `None` if nothing works.
fn exhaustive(
    network: &ResolvedNetwork,
    request: &Request,
    prices: &dyn Prices,
) -> Option<[f64; 2]> {
    let shape = LinearShape::of_step(&network.steps[0]).unwrap();
    let rule = PlaintextRule::of_domain(network, network.steps[0].domain, request.p_bound)?;
    let (least, greatest) = request.limits.degrees;
    let mut best: Option<[f64; 2]> = None;
    for n in RING_DEGREES
        .into_iter()
        .filter(|n| (least..=greatest).contains(n))
    {
        let (Some(max_bits), Some(p)) = (max_log_q(&request.requirement, n), rule.prime(n)) else {
            continue;
        };
        let plans = Plan::candidates(&shape, n).unwrap_or_default();
        let packings = Packed::all(&shape, n).unwrap_or_default();
        for (plan, packed) in plans.iter().zip(&packings) {
            let coefficients = (plan.output_ciphertexts() * n) as u64;
            let layer = LayerAt {
                n,
                p,
                p_log2: (p as f64).log2(),
                ciphertexts: (packed.inputs, packed.outputs),
                noise: LayerNoise::tracked(plan, p),
                goal: ReplyGoal::new(coefficients, request.failure_log2, request.flooding_bits),
                max_bits,
                limits: request.limits,
            };
            for (limbs, switching) in
                (1..=MAX_LIMBS).flat_map(|limbs| KeySwitching::ALL.map(|kind| (limbs, kind)))
            {
                let prescribed = request.limits.switching;
                if prescribed.is_some_and(|only| only != switching) || switching.special() > limbs {
                    continue;
                }
                for widths in splits(n, limbs) {
                    let read = (network.origins()[0], Keys::Of(&shape));
                    let basis = Basis { limbs, switching };
                    let work = packed.work(basis, SentBits::from(&widths), read);
                    let Some(time) = prices.layer_cost(&work) else {
                        continue;
                    };
                    let bytes = work.bytes();
                    let score = request.objective.score(LayerCost { time, bytes });
                    if best.is_none_or(|best| score < best) && works(&layer, &widths, switching) {
                        best = Some(score);
                    }
                }
            }
        }
    }
    best
}

fn assert_agrees(network: &ResolvedNetwork, request: &Request) {
    let everything = exhaustive(network, request, &TransformPrices);
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
    let goal = (
        -80.0..-6.6_f64,
        prop_oneof![Just(0_u32), Just(40), 1..60_u32],
    );
    (objectives(), switching, degrees, level, q_bits, goal).prop_map(
        |(objective, switching, degrees, level, q_bits, (failure_log2, flooding_bits))| {
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
        kernel in prop::sample::select(&[1_usize, 3, 5][..]),
        bits in (2_u32..10, 2_u32..10), request in requests(),
    ) {
        let conv = ConvParams {
            out_channels,
            kernel: [kernel; 2],
            stride: [1, 1],
            padding: [kernel / 2; 2],
            dilation: [1, 1],
            groups: 1,
            bias: true,
            quantizer: Quantizer { input_bits: bits.0, weight_bits: bits.1 },
            p_bits: None,
        };
        assert_agrees(&one_layer(Shape::new(channels, size, size), LayerKind::Conv(conv)), &request);
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

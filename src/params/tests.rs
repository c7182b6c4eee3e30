//! Selection as a whole: on the built-in networks, on random layers, on impossible requests; the search
//! against trying everything is in `oracle_tests`.

use proptest::prelude::*;

use super::reply::log2_product;
use super::widths::MAX_LIMB_BITS;
use super::*;
use crate::bfv::{BfvLiteral, BfvParams};
use crate::network::{
    ConvParams, FcParams, LayerKind, LayerParams, NetworkParams, Quantizer, ResolvedNetwork, Shape,
    Source, zoo,
};
use crate::security::{Attack, Requirement, SecretKind, SecurityError, Table, check};

pub(super) fn resolved(name: &str) -> ResolvedNetwork {
    zoo::load(name).unwrap().resolve(None).unwrap()
}

pub(super) fn one_layer(input: Shape, kind: LayerKind) -> ResolvedNetwork {
    let inputs = vec![Source::Input];
    let layers = vec![LayerParams {
        name: "only".into(),
        inputs,
        kind,
    }];
    let network = NetworkParams {
        name: "one layer".into(),
        input,
        layers,
    };
    network.resolve(None).unwrap()
}

pub(super) fn fully_connected(
    inputs: usize,
    outputs: usize,
    p_bits: Option<u32>,
) -> ResolvedNetwork {
    let quantizer = Quantizer {
        input_bits: 8,
        weight_bits: 8,
    };
    let fc = FcParams {
        outputs,
        bias: true,
        quantizer,
        p_bits,
    };
    one_layer(Shape::new(inputs, 1, 1), LayerKind::Fc(fc))
}

/// Two convolutions of the input with kernels and weights of these sizes, added up: they share a p.
pub(super) fn sum_of_two(input: Shape, kernels: [usize; 2], bits: [u32; 2]) -> ResolvedNetwork {
    let conv = |at: usize| {
        LayerKind::Conv(ConvParams {
            out_channels: 3,
            kernel: [kernels[at]; 2],
            stride: [1, 1],
            padding: [kernels[at] / 2; 2],
            dilation: [1, 1],
            groups: 1,
            bias: at == 0,
            quantizer: Quantizer {
                input_bits: 6,
                weight_bits: bits[at],
            },
            p_bits: None,
        })
    };
    let layer = |name: &str, inputs: &[Source], kind| LayerParams {
        name: name.into(),
        inputs: inputs.to_vec(),
        kind,
    };
    let layers = vec![
        layer("one", &[Source::Input], conv(0)),
        layer("two", &[Source::Input], conv(1)),
        layer("sum", &[Source::Layer(0), Source::Layer(1)], LayerKind::Add),
        layer("relu", &[Source::Layer(2)], LayerKind::Relu),
    ];
    let network = NetworkParams {
        name: "sum of two".into(),
        input,
        layers,
    };
    network.resolve(None).unwrap()
}

fn select(network: &ResolvedNetwork, request: &Request) -> Result<Selection, ParamsError> {
    select_network(network, request, &TransformPrices)
}

/// Everything that must hold of a selection, whatever was asked.
pub(super) fn assert_sound(network: &ResolvedNetwork, request: &Request, selection: &Selection) {
    let mut failure = 0.0;
    for (step, crypto) in network.steps.iter().zip(&selection.layers) {
        assert_eq!(crypto.is_some(), step.kind.is_encrypted(), "{}", step.name);
        let Some(crypto) = crypto else { continue };
        let moduli = [crypto.q.clone(), crypto.special.clone()].concat();
        let verdict = check(&request.requirement, crypto.n, log2_product(&moduli)).unwrap();
        assert_eq!(verdict, crypto.security);
        assert!(crypto.security_bits >= request.requirement.level);
        assert!((crypto.total_bits - log2_product(&moduli)).abs() < 1e-9);
        // The scheme accepts them, under the same requirement.
        BfvParams::new(&BfvLiteral::from(crypto), &request.requirement).unwrap();
        assert!(moduli.iter().all(|&q| q >> MAX_LIMB_BITS == 0));
        if request.p_bound == PlaintextBound::Exact && crypto.p_holds_all_values {
            assert!(crypto.p > 2 * network.domains[step.domain].bound);
        }
        for (other, theirs) in network.steps.iter().zip(&selection.layers) {
            let p = theirs.as_ref().map_or(crypto.p, |theirs| theirs.p);
            assert!(other.domain != step.domain || p == crypto.p);
        }
        assert!(crypto.noise_margin_bits >= 0.0 && crypto.failure_probability >= 1e-300);
        assert_eq!(crypto.flooding_log2.is_some(), request.flooding_bits > 0);
        failure += crypto.failure_log2.exp2();
    }
    assert!(failure <= request.failure_log2.exp2() * (1.0 + 1e-9));
}

#[test]
fn every_built_in_network_gets_parameters() {
    for name in zoo::names() {
        let (network, request) = (resolved(name), Request::default());
        let selection = select(&network, &request).unwrap();
        assert_sound(&network, &request, &selection);
        let text = serde_json::to_string(&selection).unwrap();
        let read: Selection = serde_json::from_str(&text).unwrap();
        let moduli = |s: &Selection| {
            let literals = s.layers.iter().flatten().map(BfvLiteral::from);
            literals.collect::<Vec<_>>()
        };
        assert_eq!(moduli(&read), moduli(&selection));
    }
}

#[test]
fn the_papers_mode_needs_smaller_rings() {
    let network = resolved("table2-baseline");
    let papers = Request {
        requirement: Requirement {
            table: Table::Standard2018,
            ..Requirement::default()
        },
        failure_log2: 1e-3_f64.log2(),
        flooding_bits: 0,
        p_bound: PlaintextBound::Paper,
        ..Request::default()
    };
    let selection = select(&network, &papers).unwrap();
    assert_sound(&network, &papers, &selection);
    for crypto in selection.layers.iter().flatten() {
        // NASS section 4.1.1: n is 2048, 4096 or 8192; q has 60 to 180 bits.
        assert!(crypto.n <= 8192 && crypto.q_bits < 180.0);
        assert_eq!(crypto.p_bits, 23);
        assert_eq!(crypto.flooding_log2, None);
    }
    assert!(
        selection
            .layers
            .iter()
            .flatten()
            .any(|crypto| !crypto.p_holds_all_values)
    );
    let flooded = select(&network, &Request::default()).unwrap();
    for (ours, theirs) in flooded
        .layers
        .iter()
        .flatten()
        .zip(selection.layers.iter().flatten())
    {
        assert!(ours.q_bits > theirs.q_bits + 20.0);
    }
}

#[test]
fn the_papers_bound_on_p_is_its_formula() {
    let conv = ConvParams {
        out_channels: 4,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [1, 1],
        dilation: [1, 1],
        groups: 1,
        bias: false,
        quantizer: Quantizer {
            input_bits: 5,
            weight_bits: 6,
        },
        p_bits: None,
    };
    let network = one_layer(Shape::new(8, 8, 8), LayerKind::Conv(conv));
    let request = Request {
        p_bound: PlaintextBound::Paper,
        ..Request::default()
    };
    let crypto = select(&network, &request).unwrap().layers[0]
        .clone()
        .unwrap();
    // 5 + 6 + ceil(log2 9) = 15 bits; the least prime above 2^15 that is 1 mod 2n.
    let p = ascending_ntt_primes(crypto.n, (1 << 15) - 1, 20)
        .next()
        .unwrap();
    assert_eq!(crypto.p, p);
}

#[test]
fn moduli_are_decimal_strings_in_json() {
    let network = fully_connected(64, 10, None);
    let selection = select(&network, &Request::default()).unwrap();
    let json = serde_json::to_value(&selection.layers[0]).unwrap();
    let crypto = selection.layers[0].clone().unwrap();
    assert_eq!(json["p"], crypto.p.to_string());
    assert_eq!(json["q"][0], crypto.q[0].to_string());
    assert_eq!(json["security_table"], "2024");
    assert_eq!(json["flooding_bits"], 40);
    for bad in [
        serde_json::json!(17),
        serde_json::json!("-1"),
        serde_json::json!("x"),
    ] {
        let mut damaged = json.clone();
        damaged["p"] = bad;
        assert!(serde_json::from_value::<LayerCrypto>(damaged).is_err());
    }
}

#[test]
fn every_refusal_names_layer_limit_and_bits() {
    let network = fully_connected(64, 10, None);
    let ask = |change: fn(&mut Request)| {
        let mut request = Request::default();
        change(&mut request);
        select(&network, &request).unwrap_err()
    };
    assert_eq!(
        ask(|r| r.requirement.secret = SecretKind::Error),
        ParamsError::Secret {
            asked: SecretKind::Error
        }
    );
    assert!(matches!(
        ask(|r| r.requirement.level = 150),
        ParamsError::Security(SecurityError::NotInTable { .. })
    ));
    let goals: [fn(&mut Request); 3] = [
        |r| r.failure_log2 = 0.0,
        |r| r.failure_log2 = f64::NAN,
        |r| r.flooding_bits = 129,
    ];
    for change in goals {
        assert!(matches!(ask(change), ParamsError::Goal { .. }));
    }
    let refused = |network: &ResolvedNetwork, flooding_bits| {
        select(
            network,
            &Request {
                flooding_bits,
                ..Request::default()
            },
        )
        .unwrap_err()
    };
    // The only 14-bit prime that is 1 mod 4096 is 12289; it forbids larger rings.
    assert!(matches!(
        refused(&fully_connected(64, 10, Some(14)), 40),
        ParamsError::InsufficientSecurity { n: 2048, short_bits, .. } if short_bits > 1.0
    ));
    // 2^(-10^200) would take room for 10^100 standard deviations.
    assert!(matches!(
        ask(|r| r.failure_log2 = -1e200),
        ParamsError::TooMuchNoise { short_bits, .. } if short_bits > 1.0
    ));
    for bits in [10, 61, 62] {
        assert_eq!(
            refused(&fully_connected(64, 10, Some(bits)), 40),
            ParamsError::NoPlaintextModulus {
                layer: "only".into(),
                bits
            }
        );
    }
    let mut large = resolved("toy");
    large.steps[0].shape_in = Shape::new(2, 400, 400);
    assert!(matches!(refused(&large, 40), ParamsError::Packing { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn never_below_what_was_asked(
        inputs in 1_usize..3000, outputs in 1_usize..200, quantum: bool,
        level in prop::sample::select(&[128_u32, 192, 256][..]),
        table in prop::sample::select(&Table::ALL[..]),
        failure_log2 in -80.0..-6.6_f64, flooding_bits in 0_u32..60,
        objective in objectives(),
        switching in prop::option::of(prop::sample::select(&KeySwitching::ALL[..])),
    ) {
        let attack = if quantum { Attack::Quantum } else { Attack::Classical };
        let request = Request {
            requirement: Requirement { table, attack, level, ..Requirement::default() },
            failure_log2,
            flooding_bits,
            objective,
            limits: Limits { switching, ..Limits::default() },
            ..Request::default()
        };
        let network = fully_connected(inputs, outputs, None);
        match select(&network, &request) {
            Ok(selection) => assert_sound(&network, &request, &selection),
            // Digits alone, or three special primes, may leave nothing.
            Err(error) => prop_assert!(switching.is_some(), "{error}"),
        }
    }
}

fn any_request() -> impl Strategy<Value = Request> {
    let tables = vec![Table::Guidelines2024, Table::Standard2018, Table::Estimate];
    let attacks = vec![Attack::Classical, Attack::Quantum];
    (
        prop::sample::select(tables),
        prop::sample::select(attacks),
        prop::sample::select(&[128_u32, 192, 256, 140][..]),
        -80.0..-6.6_f64,
        0_u32..60,
        objectives(),
    )
        .prop_map(
            |(table, attack, level, failure_log2, flooding_bits, objective)| Request {
                requirement: Requirement {
                    table,
                    attack,
                    level,
                    secret: SecretKind::Ternary,
                },
                failure_log2,
                flooding_bits,
                objective,
                ..Request::default()
            },
        )
}

fn any_network() -> impl Strategy<Value = ResolvedNetwork> {
    let sizes = prop::sample::select(&[1_usize, 3, 5][..]);
    let conv = (
        1_usize..20,
        2_usize..20,
        1_usize..20,
        sizes,
        prop::array::uniform2(1_usize..4),
        prop::sample::select(&[1_usize, 1, 2, 4][..]),
        prop::array::uniform2(2_u32..10),
    );
    let conv = conv.prop_map(|(c_in, size, c_out, kernel, stride, groups, bits)| {
        let of_groups = |channels: usize| channels.div_ceil(groups) * groups;
        let conv = ConvParams {
            out_channels: of_groups(c_out),
            kernel: [kernel; 2],
            stride,
            padding: [kernel / 2; 2],
            dilation: [1, 1],
            groups,
            bias: true,
            quantizer: Quantizer {
                input_bits: bits[0],
                weight_bits: bits[1],
            },
            p_bits: None,
        };
        one_layer(
            Shape::new(of_groups(c_in), size, size),
            LayerKind::Conv(conv),
        )
    });
    let sum = (1_usize..9, 3_usize..13, prop::array::uniform2(2_u32..9)).prop_map(
        |(channels, size, bits)| sum_of_two(Shape::new(channels, size, size), [3, 1], bits),
    );
    prop_oneof![conv, sum]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Convolutions, with strides and groups, and layers that share a p, under any table and attack: what comes
    /// out has the level asked for, or is refused because nothing has.
    #[test]
    fn never_below_the_security_asked_for(network in any_network(), request in any_request()) {
        match select(&network, &request) {
            Ok(selection) => {
                assert_sound(&network, &request, &selection);
                for layer in selection.layers.iter().flatten() {
                    prop_assert_eq!(layer.security_table, request.requirement.table);
                    prop_assert_eq!(layer.security.attack, request.requirement.attack);
                }
            }
            Err(error) => {
                let Requirement { table, attack, level, .. } = request.requirement;
                let no_cell = match table {
                    Table::Estimate => attack == Attack::Quantum,
                    _ => level == 140,
                };
                prop_assert!(no_cell, "{}", error);
                prop_assert!(matches!(error, ParamsError::Security(_)), "{}", error);
            }
        }
    }
}

/// With weights given, p follows their own sums (DESIGN, ruling 3): Σ|w|·x_max + |bias| of the worst output,
/// and half a unit of the rounding that follows.
#[test]
fn given_weights_decide_on_p() {
    use rand::SeedableRng;
    let quantizer = Quantizer {
        input_bits: 5,
        weight_bits: 6,
    };
    let fc = |outputs| {
        LayerKind::Fc(FcParams {
            outputs,
            bias: true,
            quantizer,
            p_bits: None,
        })
    };
    let network = NetworkParams {
        name: "given".into(),
        input: Shape::new(1037, 1, 1),
        layers: NetworkParams::chain([fc(20), LayerKind::Relu, fc(6)]),
    };
    let mut narrower = 0;
    for seed in 0..8 {
        let mut rng = rand::rngs::ChaCha8Rng::seed_from_u64(seed);
        let weights = crate::network::Weights::random(&network, &mut rng).unwrap();
        let (given, worst) = (
            network.resolve(Some(&weights)).unwrap(),
            network.resolve(None).unwrap(),
        );
        let [ours, blind] = [&given, &worst].map(|network| {
            let layers = select(network, &Request::default()).unwrap().layers;
            layers.into_iter().flatten().collect::<Vec<_>>()
        });
        // A signed input of 5 bits, then what a ReLU of 5 bits gives.
        let linear = given.steps.iter().filter(|step| step.kind.is_encrypted());
        for ((step, x_max), (ours, blind)) in linear.zip([16, 31]).zip(ours.iter().zip(&blind)) {
            let layer = &weights.layers[&step.name];
            let rows = layer.weight.chunks(step.shape_in.len()).zip(&layer.bias);
            let sums = rows.map(|(row, bias)| {
                let sum: u64 = row.iter().map(|w| u64::from(w.unsigned_abs())).sum();
                sum * x_max + bias.unsigned_abs()
            });
            let bound = sums.max().unwrap();
            let reader = given.steps.iter().find(|reader| {
                let Some(Source::Layer(index)) = reader.inputs.first() else {
                    return false;
                };
                given.steps[*index].name == step.name
            });
            let shift = reader.and_then(|reader| reader.kind.requantize());
            let half = shift.map_or(0, |then| (1_u64 << then.shift) >> 1);
            let least = ascending_ntt_primes(ours.n, 2 * (bound + half), 60).next();
            assert_eq!(Some(ours.p), least, "{}: {bound} + {half}", step.name);
            assert!(ours.p <= blind.p, "{}: {} {}", step.name, ours.p, blind.p);
            narrower += u32::from(ours.p < blind.p);
        }
    }
    assert!(narrower > 4, "{narrower}");
}

#[test]
fn a_weight_that_is_none_is_refused() {
    for weight in [f64::NAN, f64::INFINITY, -0.1] {
        let request = Request {
            objective: Objective::Weighted(weight),
            ..Request::default()
        };
        let refused = Selector::new(request, TransformPrices).unwrap_err();
        assert!(
            matches!(refused, ParamsError::Objective { .. }),
            "{refused}"
        );
        assert!(refused.to_string().contains("a finite number, 0 or more"));
    }
}

pub(super) fn objectives() -> impl Strategy<Value = Objective> {
    prop_oneof![
        Just(Objective::Time),
        Just(Objective::Bytes),
        (0.0..1.0_f64).prop_map(Objective::Weighted)
    ]
}

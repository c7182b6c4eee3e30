//! Ranges, shifts and domains of small networks worked out by hand, and what is refused.

use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use super::*;
use crate::network::resolved::Domain;
use crate::network::{LayerWeights, zoo};

fn read(layers: &str) -> NetworkParams {
    let text = format!("name = \"net\"\ninput = [1, 4, 4]\n{layers}");
    NetworkParams::from_toml(&text).unwrap().0
}

fn fc(name: &str, outputs: usize, bits: [u32; 2]) -> String {
    let [input, weight] = bits;
    format!(
        "[[layers]]\nname = \"{name}\"\nkind = \"fc\"\noutputs = {outputs}\n\
         input_bits = {input}\nweight_bits = {weight}\n"
    )
}

fn plain(name: &str, kind: &str) -> String {
    format!("[[layers]]\nname = \"{name}\"\nkind = \"{kind}\"\n")
}

fn pool(kind: &str, size: usize) -> String {
    plain("pool", kind) + &format!("kernel = [{size}, {size}]\nstride = [1, 1]\n")
}

fn steps(network: &ResolvedNetwork) -> Vec<(&str, usize)> {
    let steps = network.steps.iter();
    steps
        .map(|step| (step.name.as_str(), step.domain))
        .collect()
}

#[test]
fn a_chain_without_weights() {
    let text = fc("a", 3, [4, 5]) + &plain("r", "relu") + &fc("b", 2, [6, 3]);
    let resolved = read(&text).resolve(None).unwrap();
    assert_eq!(steps(&resolved), [("a", 0), ("r", 1), ("b", 1)]);
    assert_eq!(resolved.input_range, ValueRange { low: -8, high: 7 });
    // 16 terms and the bias, w_max 15, x_max 8: 2040, 11 bits, 5 more than the 6 kept.
    let a = 17 * 15 * 8;
    assert_eq!(resolved.steps[0].range_out, ValueRange { low: -a, high: a });
    let requantize = Requantize {
        shift: 5,
        output_bits: 6,
        signed: false,
    };
    assert_eq!(resolved.steps[1].kind, StepKind::Relu(requantize));
    let domain = |bound| Domain {
        bound,
        p_bits: None,
    };
    assert_eq!(resolved.domains, [domain(2040 + 16), domain(4 * 3 * 63)]);
}

#[test]
fn weights_bring_their_own_sums_and_exponents() {
    let text = fc("a", 2, [4, 3]) + &plain("r", "relu") + &fc("b", 1, [5, 3]);
    let network = read(&text);
    let layer = |weight: Vec<i32>, bias: Vec<i64>, exponent| LayerWeights {
        weight,
        bias,
        exponent,
    };
    let mut rows = vec![1; 16];
    rows.extend([-3; 16]);
    let mut weights = Weights {
        input_exponent: -3,
        layers: [
            ("a".to_owned(), layer(rows, vec![5, -7], -2)),
            ("b".to_owned(), layer(vec![3, -3], vec![9], 0)),
        ]
        .into(),
        activations: [("r".to_owned(), 1)].into(),
    };
    let resolved = network.resolve(Some(&weights)).unwrap();
    // 16 · 3 · 8 + 7, and half of 2^6: from exponent -5 to 1.
    assert_eq!(resolved.steps[0].range_out.high, 391);
    assert_eq!(resolved.domains[0].bound, 391 + 32);
    assert_eq!(resolved.steps[1].kind.requantize().unwrap().shift, 6);
    assert_eq!(resolved.domains[1].bound, 6 * 31 + 9);

    weights.activations.insert("r".into(), -6);
    let error = network.resolve(Some(&weights)).unwrap_err().to_string();
    assert_eq!(
        error,
        "step `r`: exponent -6 after an operand of exponent -5; expected -5 to 57"
    );
    weights.activations.remove("r");
    let error = network.resolve(Some(&weights)).unwrap_err().to_string();
    assert!(error.starts_with("tensor `r.exponent` is missing"));
    weights.activations = [("r".to_owned(), 1), ("s".to_owned(), 1)].into();
    let error = network.resolve(Some(&weights)).unwrap_err().to_string();
    assert!(error.starts_with("tensor `s.exponent` is unknown"));
}

#[test]
fn two_linear_layers_in_a_row_get_one_requantization() {
    let readers = "from = \"a\"\n";
    let text = fc("a", 3, [4, 4])
        + &fc("b", 2, [4, 4])
        + &fc("c", 2, [6, 4])
        + readers
        + &plain("sum", "add")
        + "from = [\"b\", \"c\"]\n"
        + &plain("out", "relu");
    let resolved = read(&text).resolve(None).unwrap();
    // One step serves both readers, with the bits of the one that wants more.
    let expected = [
        ("a", 0),
        ("b.requantize", 1),
        ("b", 1),
        ("c", 1),
        ("sum", 1),
        ("out", 2),
    ];
    assert_eq!(steps(&resolved), expected);
    let requantize = resolved.steps[1].kind.requantize().unwrap();
    assert_eq!((requantize.output_bits, requantize.signed), (6, true));
    assert_eq!(resolved.steps[3].inputs, [Source::Layer(1)]);
    assert_eq!(resolved.steps[1].layer, 1);
    assert_eq!(resolved.steps[5].layer, 4);
    let names: Vec<&str> = resolved.activation_names().collect();
    assert_eq!(names, ["b.requantize", "out"]);
}

#[test]
fn a_skip_connection_unites_domains_and_aligns_scales() {
    let text = fc("a", 4, [4, 4])
        + &plain("r", "relu")
        + &fc("b", 4, [4, 4])
        + &plain("sum", "add")
        + "from = [\"r\", \"b\"]\n"
        + &plain("s", "relu")
        + &fc("c", 2, [4, 4]);
    let network = read(&text);
    let without = network.resolve(None).unwrap();
    let expected = [("a", 0), ("r", 1), ("b", 1), ("sum", 1), ("s", 2), ("c", 2)];
    assert_eq!(steps(&without), expected);
    assert_eq!(without.steps[3].kind, StepKind::Add([0, 0]));
    let weights = Weights::random(&network, &mut ChaCha20Rng::seed_from_u64(3)).unwrap();
    let with = network.resolve(Some(&weights)).unwrap();
    // b's result has the exponent of r plus that of b's weights, 1 - l_f.
    assert_eq!(with.steps[3].kind, StepKind::Add([3, 0]));
    assert_eq!(
        with.steps[3].range_out.high,
        with.steps[2].range_out.high + 8 * 15
    );
}

#[test]
fn average_pools_widen_and_carry_their_divisor() {
    let layers = plain("r", "relu") + &pool("avg_pool", 2) + &fc("b", 2, [4, 4]);
    let network = read(&layers);
    let weights = Weights::random(&network, &mut ChaCha20Rng::seed_from_u64(3)).unwrap();
    for resolved in [network.resolve(None), network.resolve(Some(&weights))] {
        let resolved = resolved.unwrap();
        assert_eq!(resolved.steps[1].range_out, ValueRange { low: 0, high: 60 });
        assert_eq!(resolved.steps[1].domain, resolved.steps[2].domain);
    }
    let by_nine = plain("r", "relu") + &pool("avg_pool", 3);
    let read_by_fc = read(&(by_nine.clone() + &plain("f", "flatten") + &fc("b", 2, [4, 4])));
    assert!(read_by_fc.resolve(None).is_ok());
    let read_by_relu = read(&(by_nine + &plain("s", "relu")));
    assert_eq!(
        read_by_relu.resolve(None).unwrap_err().to_string(),
        "layer `pool` averages 9 values; expected a power of two, or a pool that is read (through \
         flatten and average pools) by conv or fc alone, whose weights take the divisor"
    );
}

#[test]
fn a_pools_exponent_reaches_the_next_activation() {
    let image = "[[layers]]\nname = \"c\"\nkind = \"conv\"\nout_channels = 1\nkernel = [1, 1]\n\
                 input_bits = 4\nweight_bits = 4\n";
    let readers = pool("avg_pool", 2) + &plain("q", "relu") + &fc("a", 4, [4, 4]);
    let pooled = read(&(image.to_owned() + &readers));
    let weights = Weights::random(&pooled, &mut ChaCha20Rng::seed_from_u64(3)).unwrap();
    let resolved = pooled.resolve(Some(&weights)).unwrap();
    let exponents = weights.input_exponent + weights.layers["c"].exponent - 2;
    let shift = resolved.steps[2].kind.requantize().unwrap().shift as i32;
    assert_eq!(weights.activations["q"], exponents + shift);
}

#[test]
fn a_max_pool_keeps_signs_until_a_relu_drops_them() {
    let text = fc("a", 16, [4, 4]);
    let image = text.replace(
        "kind = \"fc\"\noutputs = 16",
        "kind = \"conv\"\nkernel = [1, 1]\nout_channels = 1",
    );
    let before =
        read(&(image.clone() + &pool("max_pool", 2) + &plain("r", "relu") + &fc("b", 2, [5, 4])));
    let resolved = before.resolve(None).unwrap();
    let kept = |step: usize| {
        let requantize = resolved.steps[step].kind.requantize().unwrap();
        (requantize.output_bits, requantize.signed, requantize.shift)
    };
    // |y| <= 2 * 7 * 8 needs 8 bits with its sign; 6 with the sign are 5 without.
    assert_eq!([kept(1), kept(2)], [(6, true, 2), (5, false, 0)]);
    assert_eq!(
        steps(&resolved),
        [("a", 0), ("pool", 1), ("r", 2), ("b", 2)]
    );

    let after = read(&(image + &plain("r", "relu") + &pool("max_pool", 2) + &fc("b", 2, [5, 4])));
    let resolved = after.resolve(None).unwrap();
    let pool = resolved.steps[2].kind.requantize().unwrap();
    assert_eq!((pool.output_bits, pool.signed, pool.shift), (5, false, 0));
}

#[test]
fn an_activation_without_reader_keeps_the_bits_before_it() {
    let last = |text: String| {
        let resolved = read(&text).resolve(None).unwrap();
        resolved
            .steps
            .last()
            .unwrap()
            .kind
            .requantize()
            .unwrap()
            .output_bits
    };
    assert_eq!(last(fc("a", 2, [6, 4]) + &plain("r", "relu")), 6);
    assert_eq!(last(plain("r", "relu")), 8);
}

#[test]
fn layers_that_share_p_agree_on_its_width() {
    let prescribed = |name: &str, bits: u32| fc(name, 4, [4, 4]) + &format!("p_bits = {bits}\n");
    let text = |bits| {
        prescribed("a", 20)
            + &prescribed("b", bits)
            + "from = \"input\"\n"
            + &plain("sum", "add")
            + "from = [\"a\", \"b\"]\n"
            + &plain("r", "relu")
    };
    assert_eq!(
        read(&text(20)).resolve(None).unwrap().domains[0].p_bits,
        Some(20)
    );
    assert_eq!(
        read(&text(21)).resolve(None).unwrap_err().to_string(),
        "layer `b`: p_bits is 21; expected 20 as in the layers that share its p"
    );
}

#[test]
fn values_beyond_62_bits_are_refused() {
    let text = fc("a", 1 << 16, [24, 24]) + &plain("r", "relu") + &fc("b", 2, [24, 24]);
    assert_eq!(
        read(&text).resolve(None).unwrap_err().to_string(),
        "step `b`: values of up to 64 bits; expected at most 62"
    );
}

#[test]
fn the_network_of_nass_has_the_worst_cases_of_its_table() {
    let network = zoo::load("nass-cifar-acc").unwrap();
    let worst = network.resolve(None).unwrap();
    // conv2 reads 6 bits of 24 channels through 3x5 and has 7-bit weights.
    let conv2 = worst.steps.iter().find(|s| s.name == "conv2").unwrap();
    assert_eq!(conv2.range_out.high, (24 * 15 + 1) * 63 * 63);
    // A pool of four widens the 7 bits of relu2 for conv3.
    let conv3 = worst.steps.iter().find(|s| s.name == "conv3").unwrap();
    assert_eq!(
        conv3.range_in,
        ValueRange {
            low: 0,
            high: 4 * 127
        }
    );
    assert_eq!(worst.domains.len(), 6);
}

/// One output of a 1x1 convolution or of a row of a matrix, in real numbers.
fn real_sum(weights: &LayerWeights, (output, terms): (usize, usize), x: &[f64], bias: f64) -> f64 {
    let row = &weights.weight[output * terms..(output + 1) * terms];
    let scale = f64::from(weights.exponent).exp2();
    let products = row.iter().zip(x).map(|(w, x)| f64::from(*w) * scale * x);
    products.sum::<f64>() + weights.bias[output] as f64 * bias
}

/// conv, relu, conv added to what it reads, relu, pool, fc: integers beside real numbers.
fn integers_beside_reals(seed: u64) {
    let conv = |name: &str| {
        plain(name, "conv")
            + "kernel = [1, 1]\nout_channels = 2\ninput_bits = 14\nweight_bits = 10\n"
    };
    let text = conv("a")
        + &plain("r", "relu")
        + &conv("b")
        + &plain("sum", "add")
        + "from = [\"r\", \"b\"]\n"
        + &plain("s", "relu")
        + &pool("avg_pool", 2)
        + &fc("c", 1, [14, 10]);
    let network = read(&text);
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut weights = Weights::random(&network, &mut rng).unwrap();
    // Room above, so that nothing is clamped.
    *weights.activations.get_mut("r").unwrap() += 1;
    *weights.activations.get_mut("s").unwrap() += 2;
    let resolved = network.resolve(Some(&weights)).unwrap();
    let input = resolved.random_input(&mut rng);
    let [a, b, c] = ["a", "b", "c"].map(|name| &weights.layers[name]);
    let scale = |exponent: i32| f64::from(exponent).exp2();
    let bias = |from: i32, layer: &LayerWeights| scale(from + layer.exponent);
    let [r, s] = ["r", "s"].map(|name| weights.activations[name]);

    let mut images = [[0.0; 16]; 2];
    for (pixel, x) in input.iter().enumerate() {
        let x = [*x as f64 * scale(weights.input_exponent)];
        let unit = bias(weights.input_exponent, a);
        let after_r = [0, 1].map(|o| real_sum(a, (o, 1), &x, unit).max(0.0));
        for output in 0..2 {
            let sum = after_r[output] + real_sum(b, (output, 2), &after_r, bias(r, b));
            images[output][pixel] = sum.max(0.0);
        }
    }
    let mean = |image: &[f64; 16], at: usize| {
        let corner = at / 3 * 4 + at % 3;
        [0, 1, 4, 5]
            .map(|step| image[corner + step])
            .iter()
            .sum::<f64>()
            / 4.0
    };
    let pooled: Vec<f64> = images
        .iter()
        .flat_map(|image| (0..9).map(|at| mean(image, at)))
        .collect();
    // The pool's exponent is that of s less 2.
    let expected = real_sum(c, (0, 18), &pooled, bias(s - 2, c));
    let output = crate::network::evaluate(&resolved, &weights, &input).unwrap();
    let given = output[0] as f64 * bias(s - 2, c);
    let size: f64 = pooled.iter().sum();
    assert!(
        (given - expected).abs() < 1e-3 * size,
        "{given} for {expected}"
    );
}

#[test]
fn integers_follow_the_real_numbers_they_stand_for() {
    for seed in 0..10 {
        integers_beside_reals(seed);
    }
}

#[test]
fn a_clip_keeps_its_maximum_and_an_argmax_its_places() {
    let clip = |max: u32| plain("c", "clip") + &format!("max = {max}\n");
    let text = fc("a", 3, [4, 5]) + &clip(40) + &fc("b", 5, [6, 3]) + &plain("top", "argmax");
    let resolved = read(&text).resolve(None).unwrap();
    assert_eq!(steps(&resolved), [("a", 0), ("c", 1), ("b", 1), ("top", 2)]);
    let requantize = Requantize {
        shift: 5,
        output_bits: 6,
        signed: false,
    };
    assert_eq!(resolved.steps[1].kind, StepKind::Clip(requantize, 40));
    let range = |step: usize| {
        let ValueRange { low, high } = resolved.steps[step].range_out;
        [low, high]
    };
    assert_eq!(
        [range(1), range(2), range(3)],
        [[0, 40], [-480, 480], [0, 4]]
    );
    let refused = read(&(fc("a", 3, [4, 5]) + &clip(64) + &fc("b", 2, [6, 3]))).resolve(None);
    let told = "layer `c`: max is 64; expected at most 63, the greatest of its 6 bits";
    assert_eq!(refused.unwrap_err().to_string(), told);
}

fn square(bits: u32) -> String {
    plain("s", "square") + &format!("input_bits = {bits}\n")
}

/// Sums of 12 bits with their sign: 17 · 15 · 8 = 2040.
fn sums() -> String {
    fc("a", 3, [4, 5])
}

#[test]
fn a_square_reads_its_bits_and_gives_twice_as_many() {
    let signed = Requantize {
        shift: 9,
        output_bits: 3,
        signed: true,
    };
    let domain = |bound| Domain {
        bound,
        p_bits: None,
    };
    // Of 3 bits: -4 to 3, squares up to 16, which 6 bits hold and 4 don't.
    let wide = read(&(sums() + &square(3) + &fc("b", 2, [6, 3])));
    let resolved = wide.resolve(None).unwrap();
    assert_eq!(
        steps(&resolved),
        [("a", 0), ("s.requantize", 1), ("s", 1), ("b", 1)]
    );
    assert_eq!(resolved.steps[1].kind, StepKind::Requantize(signed));
    assert_eq!(resolved.steps[2].kind, StepKind::Square);
    assert_eq!(resolved.steps[2].range_out, ValueRange { low: 0, high: 16 });
    assert_eq!(resolved.domains, [domain(2040 + 256), domain(4 * 3 * 16)]);
    assert_eq!(wide.counts().unwrap().total.relus, 0);

    let narrow = read(&(sums() + &square(3) + &fc("b", 2, [4, 3])));
    let resolved = narrow.resolve(None).unwrap();
    assert_eq!(
        steps(&resolved),
        [
            ("a", 0),
            ("s.requantize", 1),
            ("s", 1),
            ("b.requantize", 2),
            ("b", 2)
        ]
    );
    let unsigned = Requantize {
        shift: 1,
        output_bits: 4,
        signed: false,
    };
    assert_eq!(resolved.steps[3].kind, StepKind::Requantize(unsigned));
    let domains = [2040 + 256, 16 + 1, 4 * 3 * 15].map(domain);
    assert_eq!(resolved.domains, domains);
}

/// Where the bits suffice for the worst case, nothing is re-quantized: no circuit, one p.
#[test]
fn a_square_reads_sums_of_no_more_than_its_bits_as_they_are() {
    let most = 2040 * 2040;
    let network = read(&(sums() + &square(12) + &fc("b", 2, [22, 3])));
    let resolved = network.resolve(None).unwrap();
    assert_eq!(steps(&resolved), [("a", 0), ("s", 0), ("b", 0)]);
    assert_eq!(resolved.domains[0].bound, 4 * 3 * most);
    let network = read(&(sums() + &square(11) + &fc("b", 2, [21, 3])));
    let resolved = network.resolve(None).unwrap();
    assert_eq!(resolved.steps[1].name, "s.requantize");
    // Sums over windows are wider: of four squares up to 15², which 10 bits hold and 9 don't.
    for (bits, last) in [(10, "b"), (9, "b.requantize")] {
        let text = plain("r", "relu") + &square(4) + &pool("avg_pool", 2) + &fc("b", 2, [bits, 3]);
        let resolved = read(&text).resolve(None).unwrap();
        assert_eq!(resolved.steps[1].range_out.high, 225);
        assert_eq!(resolved.steps[3].name, last);
    }
}

#[test]
fn weights_do_not_change_what_is_requantized_before_and_after_a_square() {
    let network = read(&(sums() + &square(3) + &fc("b", 2, [4, 3])));
    let layer = |count: usize| LayerWeights {
        weight: vec![0; count],
        bias: vec![0; count / if count == 48 { 16 } else { 3 }],
        exponent: -2,
    };
    let mut weights = Weights {
        input_exponent: -3,
        layers: [("a".to_owned(), layer(48)), ("b".to_owned(), layer(6))].into(),
        activations: [
            ("s.requantize".to_owned(), -1),
            ("b.requantize".to_owned(), 1),
        ]
        .into(),
    };
    let resolved = network.resolve(Some(&weights)).unwrap();
    assert_eq!(steps(&resolved).len(), 5);
    let shift = |step: usize| resolved.steps[step].kind.requantize().unwrap().shift;
    // Exponents: -5 of the sums to -1, twice that of the squares to 1.
    assert_eq!([shift(1), shift(3)], [4, 3]);
    weights.activations.insert("b.requantize".into(), -3);
    let error = network.resolve(Some(&weights)).unwrap_err().to_string();
    assert_eq!(
        error,
        "step `b.requantize`: exponent -3 after an operand of exponent -2; expected -2 to 60"
    );
}

#[test]
fn squares_beyond_62_bits_are_refused() {
    let text = "name = \"net\"\ninput = [1, 64, 64]\n".to_owned()
        + &plain("pool", "avg_pool")
        + "kernel = [64, 64]\n"
        + &square(24);
    let network = NetworkParams::from_toml(&text).unwrap().0;
    // 2^12 values of up to 2^23.
    assert_eq!(
        network.resolve(None).unwrap_err().to_string(),
        "step `s`: values of up to 71 bits; expected at most 62"
    );
}

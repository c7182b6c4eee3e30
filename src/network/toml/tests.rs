//! Round trips of random networks, defaults, and the one line each refusal is.

use proptest::prelude::*;

use super::*;

fn refusal(text: &str) -> String {
    let message = NetworkParams::from_toml(text).unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

/// A network of one layer after line 3: the layer's header is line 4.
fn one_layer(fields: &str) -> String {
    format!("name = \"net\"\ninput = [1, 8, 8]\n\n[[layers]]\nname = \"a\"\n{fields}")
}

fn any_kind() -> impl Strategy<Value = LayerKind> {
    let quantizer = (2_u32..25, 2_u32..25).prop_map(|(input_bits, weight_bits)| Quantizer {
        input_bits,
        weight_bits,
    });
    let p_bits = prop::option::of(2_u32..63);
    let common = (any::<bool>(), quantizer, p_bits);
    let conv = (
        1_usize..9,
        [1_usize..6, 1..6],
        [1_usize..3, 1..3],
        [0_usize..4, 0..4],
        ([1_usize..3, 1..3], 1_usize..3),
    );
    let window = ([1_usize..3, 1..3], [1_usize..3, 1..3]);
    let window = window.prop_map(|(kernel, stride)| PoolParams { kernel, stride });
    prop_oneof![
        (conv, common.clone()).prop_map(|((out, kernel, stride, padding, dilated), common)| {
            let (bias, quantizer, p_bits) = common;
            let (dilation, groups) = dilated;
            LayerKind::Conv(ConvParams {
                out_channels: out * groups,
                kernel,
                stride,
                padding,
                dilation,
                groups,
                bias,
                quantizer,
                p_bits,
            })
        }),
        (1_usize..9, common).prop_map(|(outputs, (bias, quantizer, p_bits))| {
            LayerKind::Fc(FcParams {
                outputs,
                bias,
                quantizer,
                p_bits,
            })
        }),
        window.clone().prop_map(LayerKind::AvgPool),
        window.prop_map(LayerKind::MaxPool),
        Just(LayerKind::Relu),
        (1_u32..200).prop_map(|max| LayerKind::Clip { max }),
        (2_u32..25).prop_map(|input_bits| LayerKind::Square { input_bits }),
        Just(LayerKind::Flatten),
    ]
}

proptest! {
    #[test]
    fn a_network_survives_its_text(
        name in "[a-z\"\\\\ é]{0,8}",
        kinds in prop::collection::vec(any_kind(), 0..5),
        places: bool,
    ) {
        let mut layers = NetworkParams::chain(kinds);
        let last = layers.len();
        layers.push(LayerParams {
            name: "odd \"name\" \\ ü".into(),
            inputs: vec![previous(last), previous(last)],
            kind: LayerKind::Add,
        });
        layers.push(LayerParams {
            name: "out".into(),
            inputs: vec![Source::Layer(last)],
            kind: if places { LayerKind::Argmax } else { LayerKind::Relu },
        });
        let network = NetworkParams { name, input: Shape::new(2, 20, 21), layers };
        prop_assume!(network.shapes().is_ok());
        let text = network.to_toml().unwrap();
        prop_assert_eq!(NetworkParams::from_toml(&text), Ok((network, vec![])));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,60}", cut in 0_usize..400) {
        let _ = NetworkParams::from_toml(&text);
        let toy = include_str!("../../../data/networks/toy.toml");
        let _ = NetworkParams::from_toml(&toy[..cut.min(toy.len())]);
    }
}

#[test]
fn defaults_are_filled_in_and_told() {
    let text = one_layer(
        "kind = \"conv\"\nout_channels = 2\nkernel = [3, 5]\npadding = \"same\"\n",
    ) + "[[layers]]\nname = \"p\"\nkind = \"max_pool\"\nkernel = [2, 4]\n"
        + "[[layers]]\nname = \"f\"\nkind = \"fc\"\noutputs = 2\nfrom = [\"p\"]\nweight_bits = 5\n"
        + "[[layers]]\nname = \"s\"\nkind = \"square\"\n";
    let (network, warnings) = NetworkParams::from_toml(&text).unwrap();
    let eight = Quantizer {
        input_bits: 8,
        weight_bits: 8,
    };
    let conv = ConvParams {
        out_channels: 2,
        kernel: [3, 5],
        stride: [1, 1],
        padding: [1, 2],
        dilation: [1, 1],
        groups: 1,
        bias: true,
        quantizer: eight,
        p_bits: None,
    };
    assert_eq!(network.layers[0].kind, LayerKind::Conv(conv));
    assert_eq!(network.layers[0].inputs, [Source::Input]);
    let pool = PoolParams {
        kernel: [2, 4],
        stride: [2, 4],
    };
    assert_eq!(network.layers[1].kind, LayerKind::MaxPool(pool));
    assert_eq!(network.layers[2].inputs, [Source::Layer(1)]);
    let bits = LayerKind::Square { input_bits: 8 };
    assert_eq!(network.layers[3].kind, bits);
    let layers = ["a", "f", "s"].map(str::to_owned).to_vec();
    assert_eq!(warnings, [NetworkWarning::DefaultQuantizer { layers }]);
    assert_eq!(
        warnings[0].to_string(),
        "no input_bits or weight_bits for a, f, s: 8 is used"
    );
}

#[test]
fn unknown_kinds_and_fields_are_refused() {
    assert_eq!(
        refusal(&one_layer("kind = \"softmax\"\n")),
        "line 6, column 8, layers[0].kind: unknown variant `softmax`, expected one of `conv`, `fc`, \
         `relu`, `clip`, `square`, `avg_pool`, `max_pool`, `flatten`, `add`, `argmax`"
    );
    assert!(
        refusal(&one_layer("kind = \"relu\"\nslope = 0.1\n")).starts_with(
            "line 7, column 1, layers[0].slope: unknown field `slope`, expected one of"
        )
    );
    assert_eq!(
        refusal(&one_layer("kind = \"relu\"\nkernel = [2, 2]\n")),
        "line 4, column 1, layers[0].kernel: no field of this kind of layer, expected only name, \
         kind, from"
    );
    assert_eq!(
        refusal(&one_layer("kind = \"square\"\nweight_bits = 8\n")),
        "line 4, column 1, layers[0].weight_bits: no field of this kind of layer, expected only name, \
         kind, from, input_bits"
    );
    assert_eq!(
        refusal(&one_layer("kind = \"square\"\ninput_bits = 25\n")),
        "layer `a`: input_bits is 25; expected 2 to 24"
    );
    assert!(
        refusal("name = \"net\"\ninput = [1, 8, 8]\ncolour = 1\n")
            .starts_with("line 3, column 1, colour: unknown field `colour`, expected one of")
    );
}

#[test]
fn values_of_the_wrong_kind_are_refused() {
    assert_eq!(
        refusal(&one_layer(
            "kind = \"conv\"\nout_channels = 2\nkernel = [3, \"x\"]\n"
        )),
        "line 8, column 14, layers[0].kernel[1]: invalid type: string \"x\", expected usize"
    );
    assert_eq!(
        refusal(&one_layer(
            "kind = \"conv\"\nout_channels = 2\nkernel = [3, 3]\npadding = \"full\"\n"
        )),
        "line 9, column 11, layers[0].padding: invalid value: string \"full\", expected \"same\" or \
         [height, width]"
    );
    assert_eq!(
        refusal(&one_layer("kind = \"relu\"\nfrom = 3\n")),
        "line 7, column 8, layers[0].from: invalid type: integer `3`, expected a layer's name or a \
         list of names"
    );
    assert!(
        refusal("name = \"net\"\ninput = [1, 8\n").starts_with("line 2, column 14, top level:")
    );
    assert_eq!(
        refusal("name = \"net\"\ninput = [1, 8, 8]\n"),
        "line 1, column 1, top level: missing field `layers`"
    );
}

#[test]
fn fields_a_kind_needs_and_names_it_reads_are_checked() {
    assert_eq!(
        refusal(&one_layer("kind = \"conv\"\nout_channels = 2\n")),
        "line 4, column 1, layers[0].kernel: missing, expected [height, width]"
    );
    assert_eq!(
        refusal(&one_layer("kind = \"fc\"\n")),
        "line 4, column 1, layers[0].outputs: missing, expected a number"
    );
    assert_eq!(
        refusal(&one_layer(
            "kind = \"conv\"\nout_channels = 2\nkernel = [2, 3]\npadding = \"same\"\n"
        )),
        "line 4, column 1, layers[0].padding: \"same\" with kernel [2, 3], expected an odd kernel"
    );
    assert_eq!(
        refusal(&one_layer("kind = \"relu\"\nfrom = \"b\"\n")),
        "line 4, column 1, layers[0].from: `b`, expected `input` or the name of an earlier layer"
    );
    assert_eq!(
        refusal(&one_layer(
            "kind = \"conv\"\nout_channels = 2\nkernel = [9, 3]\n"
        )),
        "layer `a`: kernel 9x3 does not fit; expected at most the padded input, 8x8"
    );
}

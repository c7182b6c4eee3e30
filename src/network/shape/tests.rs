//! Each rule broken once, and window sizes against counting positions.

use proptest::prelude::*;

use super::*;
use crate::network::layer::{FcParams, PoolParams, Quantizer};

const EIGHT: Quantizer = Quantizer {
    input_bits: 8,
    weight_bits: 8,
};

fn conv(kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> ConvParams {
    ConvParams {
        out_channels: 3,
        kernel,
        stride,
        padding,
        dilation: [1, 1],
        groups: 1,
        bias: true,
        quantizer: EIGHT,
        p_bits: None,
    }
}

fn fc(outputs: usize) -> FcParams {
    FcParams {
        outputs,
        bias: true,
        quantizer: EIGHT,
        p_bits: None,
    }
}

fn chain(kinds: impl IntoIterator<Item = LayerKind>) -> NetworkParams {
    NetworkParams {
        name: "net".into(),
        input: Shape::new(2, 8, 9),
        layers: NetworkParams::chain(kinds),
    }
}

fn refusal(network: &NetworkParams) -> String {
    network.shapes().unwrap_err().to_string()
}

/// Output positions along an axis, found by trying every start.
fn positions(size: usize, kernel: usize, stride: usize, padding: usize) -> usize {
    let padded = size + 2 * padding;
    (0..padded)
        .filter(|start| start % stride == 0 && start + kernel <= padded)
        .count()
}

proptest! {
    #[test]
    fn a_convolution_has_an_output_wherever_its_kernel_fits(
        size in [1_usize..12, 1..12],
        kernel in [1_usize..6, 1..6],
        stride in [1_usize..4, 1..4],
        padding in [0_usize..4, 0..4],
    ) {
        let mut network = chain([LayerKind::Conv(conv(kernel, stride, padding))]);
        network.input = Shape::new(2, size[0], size[1]);
        let expected = [0, 1].map(|i| positions(size[i], kernel[i], stride[i], padding[i]));
        match network.shapes() {
            Ok(shapes) => prop_assert_eq!(shapes, [Shape::new(3, expected[0], expected[1])]),
            Err(_) => prop_assert!(expected.contains(&0)),
        }
    }
}

#[test]
fn shapes_follow_the_layers() {
    let pool = PoolParams {
        kernel: [2, 3],
        stride: [2, 3],
    };
    let network = chain([
        LayerKind::Conv(conv([3, 3], [1, 1], [1, 1])),
        LayerKind::Relu,
        LayerKind::AvgPool(pool),
        LayerKind::Flatten,
        LayerKind::Fc(fc(7)),
    ]);
    let expected = [
        Shape::new(3, 8, 9),
        Shape::new(3, 8, 9),
        Shape::new(3, 4, 3),
        Shape::new(36, 1, 1),
        Shape::new(7, 1, 1),
    ];
    assert_eq!(network.shapes().unwrap(), expected);
}

#[test]
fn names_are_unique_and_usable() {
    assert_eq!(
        refusal(&chain([])),
        "network `net` has no layers; expected at least one"
    );
    for name in ["", "input", "conv1.requantize", "a\nb"] {
        let mut network = chain([LayerKind::Fc(fc(2))]);
        network.layers[0].name = name.into();
        assert!(refusal(&network).starts_with(&format!("layer 0 is named {name:?}; expected")));
    }
    let mut network = chain([LayerKind::Relu, LayerKind::Fc(fc(2))]);
    network.layers[1].name = "relu1".into();
    assert_eq!(
        refusal(&network),
        "layers 0 and 1 are both named `relu1`; expected unique names"
    );
}

#[test]
fn operands_come_earlier_and_are_as_many_as_needed() {
    let mut network = chain([LayerKind::Relu, LayerKind::Add, LayerKind::Relu]);
    assert_eq!(refusal(&network), "layer `add1`: 1 operands; add expects 2");
    network.layers[1].inputs = vec![Source::Layer(0), Source::Layer(2)];
    assert_eq!(
        refusal(&network),
        "layer `add1` reads layer 2; expected an earlier one (below 1)"
    );
    network.layers[0].kind = LayerKind::Conv(conv([3, 3], [1, 1], [0, 0]));
    network.layers[1].inputs = vec![Source::Input, Source::Layer(0)];
    assert_eq!(
        refusal(&network),
        "layer `add1` adds 2x8x9 and 3x6x7; expected equal shapes"
    );
}

#[test]
fn the_output_is_the_last_layer_and_the_only_one_unread() {
    let network = chain([LayerKind::Relu, LayerKind::Flatten]);
    assert_eq!(
        refusal(&network),
        "the last layer `flatten1` is flatten; expected conv, fc, relu, clip, square, max_pool or argmax"
    );
    let mut network = chain([LayerKind::Relu, LayerKind::Fc(fc(2))]);
    network.layers[1].inputs = vec![Source::Input];
    assert_eq!(
        refusal(&network),
        "layer `relu1` is read by no other; expected only the last layer to be the output"
    );
}

#[test]
fn an_argmax_is_the_last_layer_and_gives_one_place() {
    let network = chain([LayerKind::Clip { max: 6 }, LayerKind::Argmax]);
    let shapes = network.shapes().unwrap();
    assert_eq!(shapes, [network.input, Shape::new(1, 1, 1)]);
    let network = chain([LayerKind::Argmax, LayerKind::Relu]);
    let told = "layer `argmax1` is an argmax and not the last layer; expected nothing after it";
    assert_eq!(refusal(&network), told);
    let mut network = chain([LayerKind::Argmax]);
    network.input = Shape::new(1025, 1, 1);
    let told = "layer `argmax1`: number of values is 1025; expected 2 to 1024";
    assert_eq!(refusal(&network), told);
    let network = chain([LayerKind::Clip { max: 0 }]);
    let told = "layer `clip1`: max is 0; expected 1 to 16777215";
    assert_eq!(refusal(&network), told);
}

#[test]
fn numbers_stay_in_range() {
    let network = chain([LayerKind::Conv(conv([9, 3], [1, 1], [0, 0]))]);
    assert_eq!(
        refusal(&network),
        "layer `conv1`: kernel 9x3 does not fit; expected at most the padded input, 8x9"
    );
    let network = chain([LayerKind::Conv(conv([3, 3], [1, 0], [0, 0]))]);
    assert_eq!(
        refusal(&network),
        "layer `conv1`: stride is 0; expected 1 to 1048576"
    );
    let pool = PoolParams {
        kernel: [0, 2],
        stride: [2, 2],
    };
    let network = chain([LayerKind::MaxPool(pool)]);
    assert_eq!(
        refusal(&network),
        "layer `max_pool1`: kernel is 0; expected 1 to 1048576"
    );
    let mut wide = fc(2);
    wide.quantizer.weight_bits = 25;
    assert_eq!(
        refusal(&chain([LayerKind::Fc(wide)])),
        "layer `fc1`: weight_bits is 25; expected 2 to 24"
    );
    let mut narrow = fc(2);
    narrow.p_bits = Some(63);
    assert_eq!(
        refusal(&chain([LayerKind::Fc(narrow)])),
        "layer `fc1`: p_bits is 63; expected 2 to 62"
    );
    let mut network = chain([LayerKind::Relu]);
    network.input = Shape::new(3, 0, 3);
    assert_eq!(
        refusal(&network),
        "layer `input`: height is 0; expected 1 to 1048576"
    );
}

#[test]
fn sizes_that_would_overflow_are_refused() {
    let big = 1 << 20;
    let mut network = chain([LayerKind::Relu]);
    network.input = Shape::new(big, big, big);
    assert_eq!(
        refusal(&network),
        "layer `input`: 1152921504606846976 values; expected at most 2147483648"
    );
    let network = chain([LayerKind::Conv(ConvParams {
        out_channels: big,
        ..conv([big, big], [1, 1], [big, big])
    })]);
    assert!(refusal(&network).contains("weights; expected at most 2147483648"));
    let network = chain([LayerKind::Conv(ConvParams {
        out_channels: big,
        ..conv([1, 1], [1, 1], [big, big])
    })]);
    assert!(refusal(&network).contains("values; expected at most 2147483648"));
}

#[test]
fn dilation_widens_a_kernel_and_groups_divide_the_channels() {
    let mut wide = conv([3, 3], [1, 1], [0, 0]);
    wide.dilation = [3, 4];
    let shapes = chain([LayerKind::Conv(wide.clone())]).shapes();
    assert_eq!(shapes, Ok(vec![Shape::new(3, 2, 1)]));
    wide.dilation = [3, 5];
    let fit = NetworkError::KernelDoesNotFit {
        layer: "conv1".into(),
        kernel: [7, 11],
        padded: [8, 9],
    };
    assert_eq!(chain([LayerKind::Conv(wide)]).shapes(), Err(fit));
    let mut grouped = conv([1, 1], [1, 1], [0, 0]);
    grouped.groups = 2;
    let groups = NetworkError::Groups {
        layer: "conv1".into(),
        groups: 2,
        channels: [2, 3],
    };
    assert_eq!(
        chain([LayerKind::Conv(grouped.clone())]).shapes(),
        Err(groups)
    );
    grouped.out_channels = 6;
    let counts = chain([LayerKind::Conv(grouped)]).counts().unwrap().total;
    assert_eq!((counts.parameters, counts.flops), (6 + 6, 6 * 72));
}

//! The network of `nass params`: a name, a file, or a single layer from flags.

use super::Args;
use crate::cli::error::Failure;
use crate::cli::globals::Globals;
use crate::cli::inputs;
use crate::network::{ConvParams, FcParams, LayerKind, NetworkParams, Quantizer, Shape};

pub(super) fn network(args: &Args, globals: &Globals) -> Result<NetworkParams, Failure> {
    let quantizer = match numbers(&args.bits, ',')[..] {
        [Some(input_bits), Some(weight_bits)] => Quantizer {
            input_bits: u32::try_from(input_bits).unwrap_or(u32::MAX),
            weight_bits: u32::try_from(weight_bits).unwrap_or(u32::MAX),
        },
        _ => return Err(Failure::unusable("--bits: expected `LI,LF`, as `8,8`")),
    };
    match (&args.network, &args.conv, &args.fc) {
        (Some(net), _, _) => inputs::network(net, globals),
        (None, Some(conv), _) => convolution(conv, quantizer)
            .ok_or_else(|| Failure::unusable("--conv: expected `CxHxW,OUT,KHxKW`, odd kernels")),
        (None, None, Some(fc)) => fully_connected(fc, quantizer)
            .ok_or_else(|| Failure::unusable("--fc: expected `INxOUT`, as `1024x10`")),
        (None, None, None) => Err(Failure::unusable("expected a network, --conv or --fc")),
    }
}

fn numbers(text: &str, separator: char) -> Vec<Option<usize>> {
    text.split(separator)
        .map(|part| part.trim().parse().ok())
        .collect()
}

fn convolution(text: &str, quantizer: Quantizer) -> Option<NetworkParams> {
    let [input, out, kernel] = text.split(',').collect::<Vec<_>>().try_into().ok()?;
    let [channels, height, width] = numbers(input, 'x').try_into().ok()?;
    let [rows, columns] = numbers(kernel, 'x').try_into().ok()?;
    let kernel: [usize; 2] = [rows?, columns?];
    let odd = kernel.iter().all(|size| size % 2 == 1);
    let conv = ConvParams {
        out_channels: out.trim().parse().ok()?,
        kernel,
        stride: [1, 1],
        padding: kernel.map(|size| size / 2),
        dilation: [1, 1],
        groups: 1,
        bias: true,
        quantizer,
        p_bits: None,
    };
    odd.then_some(single(
        Shape::new(channels?, height?, width?),
        LayerKind::Conv(conv),
    ))
}

fn fully_connected(text: &str, quantizer: Quantizer) -> Option<NetworkParams> {
    let [inputs, outputs] = numbers(text, 'x').try_into().ok()?;
    let fc = FcParams {
        outputs: outputs?,
        bias: true,
        quantizer,
        p_bits: None,
    };
    Some(single(Shape::new(inputs?, 1, 1), LayerKind::Fc(fc)))
}

fn single(input: Shape, kind: LayerKind) -> NetworkParams {
    let layers = NetworkParams::chain([kind]);
    NetworkParams {
        name: "layer".to_owned(),
        input,
        layers,
    }
}

//! Networks as TOML text: the writer, whose text the reader takes back unchanged.
//!
//! Fields with their default value are left out, quantizers are always written.

use super::error::NetworkError;
use super::layer::{ConvParams, LayerKind, NetworkParams, Quantizer, Shape, Source};
use super::toml::{previous, same_padding};

impl NetworkParams {
    /// Writes a network; reading the text gives the same network, without warnings.
    ///
    /// # Errors
    /// Those of [`NetworkParams::shapes`].
    pub fn to_toml(&self) -> Result<String, NetworkError> {
        self.shapes()?;
        let Shape {
            channels,
            height,
            width,
        } = self.input;
        let name = quoted(&self.name);
        let mut text = format!("name = {name}\ninput = [{channels}, {height}, {width}]\n");
        for (index, layer) in self.layers.iter().enumerate() {
            let (name, kind) = (quoted(&layer.name), layer.kind.name());
            text += &format!("\n[[layers]]\nname = {name}\nkind = \"{kind}\"\n");
            if layer.inputs != [previous(index)] {
                let name = |source: &Source| match source {
                    Source::Input => quoted("input"),
                    Source::Layer(index) => quoted(&self.layers[*index].name),
                };
                let names: Vec<String> = layer.inputs.iter().map(name).collect();
                text += &format!("from = [{}]\n", names.join(", "));
            }
            text += &kind_fields(&layer.kind);
        }
        Ok(text)
    }
}

fn quoted(text: &str) -> String {
    ::toml::Value::from(text).to_string()
}

/// The lines of a layer's own fields, defaults left out.
fn kind_fields(kind: &LayerKind) -> String {
    let mut text = match kind {
        LayerKind::Conv(conv) => conv_fields(conv),
        LayerKind::Fc(fc) => format!("outputs = {}\n", fc.outputs),
        LayerKind::AvgPool(pool) | LayerKind::MaxPool(pool) => {
            let mut text = format!("kernel = {:?}\n", pool.kernel);
            if pool.stride != pool.kernel {
                text += &format!("stride = {:?}\n", pool.stride);
            }
            text
        }
        LayerKind::Clip { max } => format!("max = {max}\n"),
        LayerKind::Square { input_bits } => format!("input_bits = {input_bits}\n"),
        LayerKind::Relu | LayerKind::Flatten | LayerKind::Add | LayerKind::Argmax => String::new(),
    };
    if let Some(quantizer) = kind.quantizer() {
        if !kind.has_bias() {
            text += "bias = false\n";
        }
        let Quantizer {
            input_bits,
            weight_bits,
        } = quantizer;
        text += &format!("input_bits = {input_bits}\nweight_bits = {weight_bits}\n");
    }
    if let Some(p_bits) = kind.p_bits() {
        text += &format!("p_bits = {p_bits}\n");
    }
    text
}

fn conv_fields(conv: &ConvParams) -> String {
    let mut text = format!("out_channels = {}\n", conv.out_channels);
    text += &format!("kernel = {:?}\n", conv.kernel);
    if conv.stride != [1, 1] {
        text += &format!("stride = {:?}\n", conv.stride);
    }
    if conv.padding != [0, 0] {
        text += &match same_padding(conv.kernel, conv.dilation) {
            Some(same) if same == conv.padding => "padding = \"same\"\n".to_owned(),
            _ => format!("padding = {:?}\n", conv.padding),
        };
    }
    if conv.dilation != [1, 1] {
        text += &format!("dilation = {:?}\n", conv.dilation);
    }
    if conv.groups != 1 {
        text += &format!("groups = {}\n", conv.groups);
    }
    text
}

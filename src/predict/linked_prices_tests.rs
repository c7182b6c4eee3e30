//! What a layer is chosen by, and what is then predicted for it: one number.

use proptest::prelude::*;

use super::{LinkedPrices, PriceList, Reach, Setting, estimate, plan};
use crate::bfv::HeOp;
use crate::calibrate::{Op, Profile, WorkingSet};
use crate::network::{ConvParams, FcParams, LayerKind, NetworkParams, Quantizer, Shape};
use crate::params::{KeySwitching, Limits, Objective, Request, Selector};
use crate::protocol::{
    Action, FRAME_HEADER, Link, Phase, ProtocolSettings, Script, Task, TransferTimes,
};
use crate::units::Nanos;

/// The reference profile, with rotations that read their key from memory, and products that read ciphertexts
/// from afar: none of these prices is another.
fn profile() -> Profile {
    let mut profile = Profile::from_csv(include_str!("../../calibration/reference.csv")).unwrap();
    let dearer = |record: &crate::calibrate::Record, working_set, factor| {
        let mut record = record.clone();
        record.case.working_set = working_set;
        record.median = Nanos(record.median.0 * factor);
        record
    };
    profile.records.retain(|record| {
        let Op::He(op) = record.case.op else {
            return true;
        };
        let turned = matches!(op, HeOp::Rotate | HeOp::HoistedRotate);
        let product = matches!(op, HeOp::Hadamard | HeOp::MultiplyAccumulate);
        match record.case.working_set {
            WorkingSet::Hot => true,
            WorkingSet::Cold => !turned,
            _ => !turned && !product,
        }
    });
    let more: Vec<_> = profile
        .records
        .iter()
        .flat_map(|record| match (record.case.op, record.case.working_set) {
            (Op::He(HeOp::Rotate | HeOp::HoistedRotate), WorkingSet::Hot) => {
                vec![dearer(record, WorkingSet::Cold, 1.37)]
            }
            (Op::He(HeOp::Hadamard | HeOp::MultiplyAccumulate), WorkingSet::Cold) => vec![
                dearer(record, WorkingSet::Shared, 0.83),
                dearer(record, WorkingSet::Near, 1.21),
                dearer(record, WorkingSet::Far, 1.93),
            ],
            _ => vec![],
        })
        .collect();
    assert!(more.len() > 40);
    profile.records.extend(more);
    profile
}

/// A convolution on the client's input, and another layer on shares.
fn network(
    shape: (usize, usize),
    conv: (usize, usize, [usize; 2]),
    outputs: usize,
) -> NetworkParams {
    let quantizer = Quantizer {
        input_bits: 7,
        weight_bits: 7,
    };
    let ((channels, size), (out_channels, kernel, stride)) = (shape, conv);
    let conv = ConvParams {
        out_channels,
        kernel: [kernel; 2],
        stride,
        padding: [kernel / 2; 2],
        dilation: [1, 1],
        groups: 1,
        bias: true,
        quantizer,
        p_bits: None,
    };
    let fc = FcParams {
        outputs,
        bias: true,
        quantizer,
        p_bits: None,
    };
    let layers = [
        LayerKind::Conv(conv),
        LayerKind::Relu,
        LayerKind::Fc(fc),
        LayerKind::Relu,
    ];
    NetworkParams {
        name: "two layers".to_owned(),
        input: Shape::new(channels, size, size),
        layers: NetworkParams::chain(layers),
    }
}

/// Chooses and predicts; returns for each linear layer both times and both sizes, and whether weights come from
/// memory.
/// Seconds of a linear step's operations on ciphertexts and of its messages; what is done to plain values is much the
/// same whatever the parameters, and has no part in their choice.
fn on_ciphertexts(script: &Script, step: usize, setting: &Setting<'_>) -> f64 {
    let online = |action: &&Action| action.step == Some(step) && action.phase == Phase::Online;
    let mut transfers = TransferTimes::new(&setting.link);
    let price = |task| setting.prices.task(task, Reach::MEMORY).unwrap();
    let times = script.actions.iter().filter(online).map(|action| {
        let he = action
            .tasks
            .iter()
            .filter(|task| matches!(task, Task::He { .. }));
        let computed: Nanos = he.map(price).sum();
        (computed + transfers.of(action, computed)).seconds()
    });
    times.sum()
}

fn both(
    network: &NetworkParams,
    (request, link): (Request, Link),
    list: &PriceList,
) -> Vec<([f64; 2], [u64; 2])> {
    let prices = LinkedPrices { list, link };
    let selector = Selector::new(request, prices).unwrap();
    let resolved = network.resolve(None).unwrap();
    let Ok(selection) = selector.network(&resolved) else {
        return Vec::new();
    };
    let setting = Setting {
        request,
        protocol: ProtocolSettings::default(),
        prices: list,
        calibration: "a test's".to_owned(),
        link,
    };
    let script = plan(network, None, &setting).unwrap();
    let predicted = estimate(network, &script, &setting).unwrap();
    let layers = predicted.layers.iter().zip(&selection.costs).enumerate();
    let linear = layers.filter_map(|(step, (layer, cost))| Some((step, layer, (*cost)?)));
    linear
        .map(|(step, layer, cost)| {
            let times = [cost.time.seconds(), on_ciphertexts(&script, step, &setting)];
            (times, [cost.bytes.0 + 2 * FRAME_HEADER, layer.bytes.total])
        })
        .collect()
}

fn assert_one(found: Vec<([f64; 2], [u64; 2])>) {
    for ([chosen, predicted], [sent, foreseen]) in found {
        let relative = chosen / predicted - 1.0;
        assert!(relative.abs() < 1e-9, "{chosen} {predicted}");
        assert_eq!(sent, foreseen);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_price_that_is_chosen_by_is_the_one_that_is_predicted(
        channels in 1_usize..24, size in 3_usize..20, out_channels in 1_usize..24,
        kernel in prop::sample::select(&[1_usize, 3, 5][..]), stride in 1_usize..3,
        outputs in 1_usize..200, flooding_bits in prop::sample::select(&[0_u32, 40][..]),
        wan: bool, small: bool,
        switching in prop::option::of(prop::sample::select(
            &[KeySwitching::Special(1), KeySwitching::Special(2), KeySwitching::Digits(2)][..]
        )),
    ) {
        let request = Request {
            flooding_bits,
            objective: if small { Objective::Bytes } else { Objective::Time },
            limits: Limits { switching, ..Limits::default() },
            ..Request::default()
        };
        let link = if wan { Link::WAN } else { Link::LAN };
        let list = PriceList::new(&profile());
        let network = network((channels, size), (out_channels, kernel, [stride; 2]), outputs);
        assert_one(both(&network, (request, link), &list));
    }
}

/// Layers whose weights, rotated inputs and keys come from memory.
#[test]
fn large_layers_have_one_price_too() {
    let list = PriceList::new(&profile());
    for network in [
        network((64, 16), (64, 3, [1, 1]), 10),
        network((3, 32), (16, 3, [1, 1]), 512),
    ] {
        let found = both(&network, (Request::default(), Link::LAN), &list);
        assert_eq!(found.len(), 2);
        assert_one(found);
    }
}

/// Without a share to add, the first layer does not pay for adding one.
#[test]
fn the_first_layer_adds_no_share() {
    let list = PriceList::new(&profile());
    let same = network((4, 16), (4, 3, [1, 1]), 4);
    let mut twice = same.clone();
    twice.layers.truncate(2);
    let mut again = twice.layers.clone();
    for (index, layer) in again.iter_mut().enumerate() {
        layer.name += " again";
        layer.inputs = vec![crate::network::Source::Layer(index + 1)];
    }
    twice.layers.extend(again);
    let found = both(&twice, (Request::default(), Link::LAN), &list);
    let [first, second] = found[..] else {
        panic!("two layers");
    };
    assert!(first.0[0] < second.0[0], "{first:?} {second:?}");
    assert_one(found);
}

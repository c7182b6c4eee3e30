//! Spaces: decoding, the built-in ones, and what a faulty text is told.

use super::*;
use proptest::prelude::*;

const TINY: &str = r#"name = "tiny"
input = [1, 8, 8]

[[conv]]
filters = [4, 8]
kernel_height = [3]
kernel_width = [1, 5]
weight_bits = [4, 6]
input_bits = [5, 7]
pool = "max"

[[conv]]
filters = [2]
kernel_height = [3]
kernel_width = [3]
weight_bits = [8]
input_bits = [8]
pool = "average"
pool_size = 4

[head]
outputs = 10
weight_bits = [9, 10]
input_bits = [11]
"#;

#[test]
fn decodes_layer_by_layer() {
    let space = Space::from_toml(TINY).unwrap();
    let decisions = space.decisions();
    assert_eq!(decisions.len(), 12);
    assert_eq!(decisions[2].name, "conv1.kernel_width");
    assert_eq!(decisions[2].kind, DecisionKind::Architecture);
    assert_eq!(decisions[10].name, "fc.weight_bits");
    assert_eq!(decisions[10].kind, DecisionKind::Quantizer);

    let network = space.decode(&[1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0]).unwrap();
    let names: Vec<_> = network.layers.iter().map(|l| l.name.as_str()).collect();
    let expected = [
        "conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "flatten", "fc",
    ];
    assert_eq!(names, expected);
    let LayerKind::Conv(conv) = &network.layers[0].kind else {
        panic!("conv1 is a convolution");
    };
    assert_eq!((conv.out_channels, conv.kernel), (8, [3, 5]));
    assert_eq!(conv.padding, [1, 2]);
    let quantizer = Quantizer {
        input_bits: 7,
        weight_bits: 4,
    };
    assert_eq!(conv.quantizer, quantizer);
    let head = network.layers[7].kind.quantizer().unwrap();
    assert_eq!((head.weight_bits, head.input_bits), (10, 11));
    assert!(matches!(network.layers[2].kind, LayerKind::MaxPool(_)));
    assert_eq!(network.shapes().unwrap()[5], Shape::new(2, 1, 1));
}

#[test]
fn refuses_choices_that_are_none() {
    let space = Space::from_toml(TINY).unwrap();
    for choices in [&[0; 11][..], &[0; 13], &[2; 12]] {
        let error = space.decode(choices).unwrap_err();
        assert!(matches!(error, SpaceError::Choices { .. }));
    }
}

#[test]
fn built_in_spaces_have_the_names_they_are_listed_under() {
    for name in Space::built_in_names() {
        assert_eq!(Space::open(name).unwrap().name(), name);
    }
}

#[test]
fn a_written_space_reads_back_the_same() {
    for text in [TINY, BUILT_IN[0].1, BUILT_IN[1].1] {
        let space = Space::from_toml(text).unwrap();
        let again = Space::from_toml(&space.to_toml()).unwrap();
        assert_eq!(again, space);
        assert_eq!(again.to_toml(), space.to_toml());
    }
}

#[test]
fn the_cifar_space_holds_the_network_of_table_2() {
    let space = Space::open("nass-cifar10").unwrap();
    // Filters, f_h, f_w, l_f, l_i of each CR row; Table 2 prints (l_i, l_f).
    let table: [u32; 27] = [
        24, 5, 3, 8, 8, 48, 3, 5, 7, 6, 48, 5, 7, 6, 7, 36, 3, 3, 5, 6, 24, 7, 1, 6, 4, 16, 16,
    ];
    let decisions = space.decisions();
    let choices: Vec<usize> = decisions
        .iter()
        .zip(table)
        .map(|(d, value)| d.options.iter().position(|&o| o == value).unwrap())
        .collect();
    let network = space.decode(&choices).unwrap();
    let head = network.layers.len() - 2;
    assert_eq!(network.shapes().unwrap()[head].len(), 24 * 8 * 8);
}

/// The tiny space with one text in place of another: the line and field of the complaint.
fn complaint(from: &str, to: &str) -> (usize, String) {
    let text = TINY.replacen(from, to, 1);
    assert_ne!(text, TINY);
    match Space::from_toml(&text).unwrap_err() {
        SpaceError::Text { line, field, .. } => (line, field),
        other => panic!("{other}"),
    }
}

#[test]
fn names_line_and_field() {
    let at = |from, to, line: usize, field: &str| {
        assert_eq!(complaint(from, to), (line, field.to_string()), "{to}");
    };
    at("[3]", "[3, 4]", 6, "conv[0].kernel_height");
    at("[1, 5]", "[1, 33]", 7, "conv[0].kernel_width");
    at("[4, 8]", "[4, 4]", 5, "conv[0].filters");
    at("[4, 8]", "[]", 5, "conv[0].filters");
    at("[4, 8]", "[4, \"8\"]", 5, "conv[0].filters[1]");
    at("[4, 8]", "[4, -8]", 5, "conv[0].filters[1]");
    at("[4, 6]", "[1]", 8, "conv[0].weight_bits");
    at("[5, 7]", "[25]", 9, "conv[0].input_bits");
    at("pool_size = 4", "pool_size = 3", 19, "conv[1].pool_size");
    at("pool_size = 4", "pool_size = 0", 19, "conv[1].pool_size");
    at("pool_size = 4", "repeat = 0", 19, "conv[1].repeat");
    at("\"max\"", "\"min\"", 10, "conv[0].pool");
    at("\"tiny\"", "\"a b\"", 1, "name");
    at("[1, 8, 8]", "[1, 0, 8]", 2, "input");
    at("outputs = 10", "outputs = 1", 22, "head.outputs");
    at("outputs = 10", "outputs = 10\ndepth = 3", 23, "head.depth");
    at("[9, 10]", "[40]", 23, "head.weight_bits");
    at("[head]", "[head", 21, "syntax");
    at("[head]", "[tail]", 21, "tail");
    at("input = [1, 8, 8]", "", 1, "top level");
    at("filters = [4, 8]", "", 4, "conv[0]");
    let message = Space::from_toml(&TINY.replace("[3]", "[4]")).unwrap_err();
    let expected = "line 6, conv[0].kernel_height: expected odd numbers, found [4]";
    assert_eq!(message.to_string(), expected);
}

#[test]
fn names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.toml");
    std::fs::write(&path, "name = 3\n").unwrap();
    let error = Space::open(path.to_str().unwrap()).unwrap_err();
    assert!(matches!(error, SpaceError::File { .. }));
    let message = error.to_string();
    assert!(message.contains("bad.toml: line 1, name: "), "{message}");
    let error = Space::open("nowhere.toml").unwrap_err();
    assert!(matches!(error, SpaceError::Read { .. }));
    assert!(error.to_string().contains("nass-mnist"));
}

proptest! {
    #[test]
    fn every_choice_is_a_network(which in 0usize..4, picks in proptest::collection::vec(any::<usize>(), 32)) {
        let name = Space::built_in_names().nth(which).unwrap();
        let space = Space::open(name).unwrap();
        let decisions = space.decisions();
        let choices: Vec<usize> =
            decisions.iter().zip(picks).map(|(d, pick)| pick % d.options.len()).collect();
        let network = space.decode(&choices).unwrap();
        let shapes = network.shapes().unwrap();
        prop_assert_eq!(shapes.last().unwrap().len(), 10);
        prop_assert!(network.resolve(None).is_ok());
    }

    #[test]
    fn no_text_makes_it_panic(text in "[a-z\\[\\]=\"0-9,. \n]{0,80}") {
        let _ = Space::from_toml(&text);
    }
}

//! Whole linear layers beside the sum of what their operations take one by one, for every schedule, and the
//! time to build the plan itself. Times are medians; products are timed over the layer's own plaintexts,
//! one after the other, as they come from memory in the layer.
//!
//! Run with `cargo bench --bench packing`.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench prints, and one that cannot run has nothing to do but stop"
)]

use std::hint::black_box;

use nass::bfv::{
    BfvLiteral, BfvParams, Ciphertext, Evaluator, GaloisKeys, HeOp, HeOps, Plaintext, Rotation,
    SecretKey,
};
use nass::calibrate::time;
use nass::network::Shape;
use nass::packing::{ConvShape, LinearShape, Plan};
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

// As the program has it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const N: usize = 4096;
const P: u64 = 1_032_193;
/// Primes just below 2^50, 1 modulo 16384.
const PRIMES: [u64; 3] = [
    1_125_899_906_826_241,
    1_125_899_906_629_633,
    1_125_899_905_744_897,
];
/// Layers whose encoded weights would take more than this are left out.
const MOST_PLAINTEXTS: usize = 2500;
const ROUNDS: usize = 9;

fn conv(input: [usize; 3], out_channels: usize, kernel: usize, stride: usize) -> LinearShape {
    LinearShape::Conv(ConvShape {
        input: Shape::from(input),
        out_channels,
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [kernel / 2; 2],
        dilation: [1, 1],
        groups: 1,
    })
}

/// Median seconds of `rounds` runs, after one that is not counted.
fn median(rounds: usize, mut run: impl FnMut()) -> f64 {
    run();
    let mut times: Vec<f64> = (0..rounds).map(|_| time(&mut run).1.0 / 1e9).collect();
    times.sort_by(f64::total_cmp);
    times[rounds / 2]
}

struct Ring {
    params: BfvParams,
    secret: SecretKey,
    rng: ChaCha20Rng,
}

impl Ring {
    fn new() -> Self {
        let params = BfvParams::insecure(&BfvLiteral {
            n: N,
            p: P,
            q: PRIMES[..2].to_vec(),
            special: vec![PRIMES[2]],
            digit_bits: None,
            flooding_log2: None,
            reply_limbs: 1,
        });
        let params = params.expect("the parameters are fixed");
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let secret = SecretKey::generate(&params, &mut rng);
        Self {
            params,
            secret,
            rng,
        }
    }

    /// Seconds of the plan's run, of its operations one by one, and of one multiply-accumulate.
    fn layer(&mut self, plan: &Plan) -> [f64; 3] {
        let weights = vec![3; plan.made_for().1.weights()];
        let values = vec![5; plan.made_for().1.inputs()];
        let rotations: Vec<Rotation> = plan.rotations().into_iter().collect();
        let keys = GaloisKeys::generate(&self.secret, &rotations, &mut self.rng).expect("steps");
        let server = Evaluator::new(&self.params, keys).expect("one set of parameters");
        let encoded: Vec<Plaintext> = (0..plan.weight_count())
            .map(|index| server.encode(&plan.weight_slots(&weights, P, index)))
            .collect::<Result<_, _>>()
            .expect("residues");
        let packed = plan.pack_input(&values);
        let inputs: Vec<Ciphertext> = packed
            .iter()
            .map(|slots| self.secret.encrypt(slots, &mut self.rng))
            .map(|fresh| fresh.expect("residues").expand())
            .collect();
        server.reserve(plan.working_ciphertexts());
        let whole = median(ROUNDS, || {
            black_box(plan.run(&server, &inputs, &encoded).expect("keys"));
        });
        let single = operations(&server, &inputs[0], &rotations, &encoded);
        let counts = plan.counts();
        let done = counts.iter().filter(|&(_, count)| count > 0);
        let sum: f64 = done.map(|(op, count)| count as f64 * single(op)).sum();
        [whole, sum, single(HeOp::MultiplyAccumulate)]
    }
}

/// Seconds of an operation, one by one, with these keys and plaintexts in turn.
fn operations<'a>(
    server: &'a Evaluator,
    input: &'a Ciphertext,
    rotations: &'a [Rotation],
    encoded: &'a [Plaintext],
) -> impl Fn(HeOp) -> f64 + 'a {
    move |op| {
        let mut sum = input.clone();
        let each = |times: usize, run: &mut dyn FnMut(usize)| {
            let all = median(ROUNDS, || (0..times).for_each(&mut *run));
            all / times as f64
        };
        let decomposed = server.decompose(input);
        match op {
            HeOp::Add => each(64, &mut |_| server.add(&mut sum, input)),
            HeOp::Hadamard => each(encoded.len(), &mut |index| {
                black_box(server.hadamard(input, &encoded[index]));
            }),
            HeOp::MultiplyAccumulate => each(encoded.len(), &mut |index| {
                server.multiply_accumulate(&mut sum, input, &encoded[index]);
            }),
            HeOp::Rotate => each(rotations.len(), &mut |index| {
                black_box(server.rotate(input, rotations[index]).expect("a key"));
            }),
            HeOp::HoistedRotate => each(rotations.len(), &mut |index| {
                let rotated = server.rotate_decomposed(&decomposed, rotations[index]);
                black_box(rotated.expect("a key"));
            }),
            HeOp::Decompose => each(16, &mut |_| {
                black_box(server.decompose(input));
            }),
            _ => 0.0,
        }
    }
}

fn main() {
    let layers = [
        LinearShape::fully_connected(1024, 128),
        LinearShape::fully_connected(2048, 1000),
        conv([16, 16, 16], 32, 3, 1),
        conv([32, 16, 16], 32, 3, 2),
        conv([64, 16, 16], 64, 1, 1),
        conv([3, 64, 64], 16, 3, 1),
    ];
    let mut ring = Ring::new();
    println!(
        "layer; schedule; layer ms; sum of its operations ms; ratio; products; one us; plan us"
    );
    for layer in layers {
        for plan in Plan::candidates(&layer, N).expect("a plan") {
            let name = plan.schedule_name();
            let keys = plan.rotations().len();
            if plan.weight_count() > MOST_PLAINTEXTS || keys > 600 || name == "fc_naive" {
                continue;
            }
            let built = median(ROUNDS, || {
                black_box(Plan::named(name, &layer, N).expect("a plan").counts());
            });
            let [whole, sum, product] = ring.layer(&plan);
            let [whole, sum] = [whole, sum].map(|seconds| seconds * 1e3);
            let (ratio, [product, built]) = (whole / sum, [product, built].map(|s| s * 1e6));
            let products = plan.counts()[HeOp::MultiplyAccumulate] + plan.counts()[HeOp::Hadamard];
            println!(
                "{}; {name}; {whole:.3}; {sum:.3}; {ratio:.3}; {products}; {product:.2}; {built:.1}",
                name_of(&layer)
            );
        }
    }
}

/// A layer in a few letters.
fn name_of(layer: &LinearShape) -> String {
    match layer {
        LinearShape::Fc { inputs, outputs } => format!("fc {inputs}x{outputs}"),
        LinearShape::Square { values } => format!("square of {values}"),
        LinearShape::Conv(conv) => {
            let Shape {
                channels,
                height,
                width,
            } = conv.input;
            let (outputs, kernel, stride) = (conv.out_channels, conv.kernel[0], conv.stride[0]);
            format!(
                "conv {channels}x{height}x{width} to {outputs}, {kernel}x{kernel}, stride {stride}"
            )
        }
    }
}

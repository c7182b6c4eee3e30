//! The portable kernels against their formulas, and every variant against the portable one, bit for bit.

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};

use super::*;

/// AES-128 of one block.
fn pi(key: [u8; 16], x: u128) -> u128 {
    let mut block = aes::Block::from(x.to_le_bytes());
    Aes128::new(&key.into()).encrypt_block(&mut block);
    u128::from_le_bytes(block.into())
}

/// `H(x, j) = π(π(x) ⊕ j) ⊕ π(x)`.
fn hash(key: [u8; 16], x: u128, j: usize) -> u128 {
    let inner = pi(key, x);
    pi(key, inner ^ j as u128) ^ inner
}

const KEY: [u8; 16] = *b"sixteen byte key";
const DELTA: u128 = 0x0123_4567_89ab_cdef_0f1e_2d3c_4b5a_6979;
const GATE: Gate = Gate { x: 0, y: 2, to: 1 };

fn backends() -> [Backend; 2] {
    [Backend::Portable, Backend::fastest()]
}

/// Any bits, from AES.
fn random_quads<const N: usize>(seed: u128) -> [Quad; N] {
    std::array::from_fn(|q| {
        Quad(std::array::from_fn(|k| {
            pi(KEY, seed << 64 | (4 * q + k) as u128)
        }))
    })
}

fn random_rows() -> Vec<Row> {
    (0..3).map(random_quads).collect()
}

fn lanes(row: &Row) -> Vec<u128> {
    row.iter().flat_map(|quad| quad.0).collect()
}

/// FIPS 197, appendix C.1.
#[test]
fn aes_is_the_standard_one() {
    let key = std::array::from_fn(|i| i as u8);
    let text: [u8; 16] = std::array::from_fn(|i| 17 * i as u8);
    let cipher = 0x69c4_e0d8_6a7b_0430_d8cd_b780_70b4_c55a_u128.to_be_bytes();
    let (text, cipher) = (u128::from_le_bytes(text), u128::from_le_bytes(cipher));
    assert_eq!(pi(key, text), cipher);
    for backend in backends() {
        let mut out = [Quad::default()];
        Cipher::new(backend, &key).counter(text, 0, &mut out);
        assert_eq!(out[0].0[0], cipher);
    }
}

#[test]
fn counter_mode_is_the_formula_for_every_block() {
    for backend in backends() {
        let cipher = Cipher::new(backend, &KEY);
        for quads in [0, 1, 7, 8, 9, 40] {
            let mut out = vec![Quad::default(); quads];
            cipher.counter(DELTA, 1000, &mut out);
            for (i, &block) in (1000_u128..).zip(out.iter().flat_map(|quad| &quad.0)) {
                assert_eq!(block, pi(KEY, DELTA ^ i));
            }
        }
    }
}

/// Values of `openssl enc -aes-128-ecb`, put together by hand: one block hashed with tweak 5, and the
/// counter stream's second and third block.
#[test]
fn the_hash_and_the_stream_have_their_known_answers() {
    let key = std::array::from_fn(|i| i as u8);
    let block = u128::from_le_bytes(std::array::from_fn(|i| 17 * i as u8));
    for backend in backends() {
        let cipher = Cipher::new(backend, &key);
        let mut hashed = [Quad([block; 4])];
        cipher.hash(5, &mut hashed);
        let known = 0x9506_1c36_71c7_1fba_5bc4_e939_1280_89f4_u128.to_be();
        assert_eq!(hashed[0].0[0], known);
        let mut stream = [Quad::default()];
        cipher.counter(block, 1, &mut stream);
        let known = [
            0xa556_156c_7287_6577_f67f_95a9_d9e6_40a7_u128.to_be(),
            0xa7c4_6beb_ce78_544d_5288_95ad_4553_702c_u128.to_be(),
        ];
        assert_eq!(stream[0].0[..2], known);
    }
}

#[test]
fn hashing_blocks_is_the_formula_for_every_block() {
    for backend in backends() {
        let cipher = Cipher::new(backend, &KEY);
        for quads in [0, 1, 7, 8, 9, 20] {
            let before: Vec<Quad> = random_quads::<20>(3)[..quads].to_vec();
            let mut after = before.clone();
            cipher.hash(1000, &mut after);
            let pairs = before
                .iter()
                .zip(&after)
                .flat_map(|(x, h)| x.0.into_iter().zip(h.0));
            for (j, (x, h)) in (1000..).zip(pairs) {
                assert_eq!(h, hash(KEY, x, j));
            }
        }
    }
}

/// Zahur, Rosulek, Evans (Eurocrypt 2015), figure 2, lane by lane.
#[test]
fn garbling_is_the_formula_in_every_lane() {
    let before = random_rows();
    for (backend, first) in backends().into_iter().zip([0, ANDS_OF_A_KEY - LANES]) {
        for first in [first, 77] {
            let (mut rows, mut tables) = (before.clone(), [Table::default(); LANES]);
            let cipher = Cipher::new(backend, &KEY);
            cipher.garble_and(&mut rows, And { gate: GATE, first }, DELTA, &mut tables);
            let (a, b, w) = (lanes(&rows[0]), lanes(&rows[2]), lanes(&rows[1]));
            assert_eq!((&a, &b), (&lanes(&before[0]), &lanes(&before[2])));
            for k in 0..LANES {
                let (j, p_a, p_b) = (2 * (first + k), a[k] & 1, b[k] & 1);
                let h_a = [0, DELTA].map(|d| hash(KEY, a[k] ^ d, j));
                let h_b = [0, DELTA].map(|d| hash(KEY, b[k] ^ d, j + 1));
                let t_g = h_a[0] ^ h_a[1] ^ (p_b * DELTA);
                let t_e = h_b[0] ^ h_b[1] ^ a[k];
                assert_eq!(tables[k], [t_g, t_e]);
                let w_e = h_b[0] ^ (p_b * (t_e ^ a[k]));
                assert_eq!(w[k], h_a[0] ^ (p_a * t_g) ^ w_e);
            }
        }
    }
}

const ANDS_OF_A_KEY: usize = super::super::hash::ANDS_PER_KEY;

#[test]
fn every_pair_of_active_labels_evaluates_to_the_and() {
    for backend in backends() {
        let and = And {
            gate: GATE,
            first: 5,
        };
        for (x, y) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let (mut rows, mut tables) = (random_rows(), [Table::default(); LANES]);
            let cipher = Cipher::new(backend, &KEY);
            cipher.garble_and(&mut rows, and, DELTA, &mut tables);
            let zero = lanes(&rows[1]);
            for quad in &mut rows[0] {
                quad.0 = quad.0.map(|label| label ^ (x * DELTA));
            }
            for quad in &mut rows[2] {
                quad.0 = quad.0.map(|label| label ^ (y * DELTA));
            }
            cipher.evaluate_and(&mut rows, and, &tables);
            for (active, zero) in lanes(&rows[1]).iter().zip(zero) {
                assert_eq!(*active, zero ^ (x * y * DELTA));
            }
        }
    }
}

/// Gates that write where they read.
#[test]
fn rows_may_be_overwritten_and_read_twice() {
    let gates = [(0, 1, 0), (0, 1, 1), (0, 0, 0), (2, 2, 1)].map(|(x, y, to)| Gate { x, y, to });
    for gate in gates {
        let and = And { gate, first: 9 };
        let results = backends().map(|backend| {
            let (mut rows, mut tables) = (random_rows(), [Table::default(); LANES]);
            let cipher = Cipher::new(backend, &KEY);
            cipher.garble_and(&mut rows, and, DELTA, &mut tables);
            cipher.evaluate_and(&mut rows, and, &tables);
            let summed = rows.clone();
            backend.xor(&mut rows, &[gate]);
            for k in 0..LANES {
                let sum = lanes(&summed[gate.x])[k] ^ lanes(&summed[gate.y])[k];
                assert_eq!(lanes(&rows[gate.to])[k], sum);
            }
            (rows.iter().map(lanes).collect::<Vec<_>>(), tables)
        });
        assert!(results[0] == results[1]);
    }
}

#[test]
fn transposing_exchanges_rows_and_columns() {
    let square: Square = random_quads(7);
    for backend in backends() {
        let mut transposed = square;
        backend.transpose(&mut transposed);
        for (i, row) in square.iter().enumerate() {
            for (j, column) in transposed.iter().enumerate() {
                for s in 0..4 {
                    assert_eq!(row.0[s] >> j & 1, column.0[s] >> i & 1);
                }
            }
        }
    }
}

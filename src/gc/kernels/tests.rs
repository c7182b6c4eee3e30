//! The portable kernels against their formulas, and every variant against the portable one, bit for bit.

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};

use super::super::program::And;
use super::*;

/// AES-128 of one block.
fn pi(key: [u8; 16], x: u128) -> u128 {
    let mut block = aes::Block::from(x.to_le_bytes());
    Aes128::new(&key.into()).encrypt_block(&mut block);
    u128::from_le_bytes(block.into())
}

/// The header of `hash`, word for word.
fn hash(hash: GarblingHash, key: [u8; 16], x: u128, j: usize) -> u128 {
    let j = j as u128;
    match hash {
        GarblingHash::Tmmo => {
            let inner = pi(key, x);
            pi(key, inner ^ j) ^ inner
        }
        GarblingHash::Rekeyed => pi((u128::from_le_bytes(key) ^ j).to_le_bytes(), x) ^ x,
        GarblingHash::FixedKeyAsInPapers => {
            let doubled = if x >> 127 == 1 {
                (x << 1) ^ 0x87
            } else {
                x << 1
            };
            pi(key, doubled ^ j) ^ doubled ^ j
        }
    }
}

const KEY: [u8; 16] = *b"sixteen byte key";
const DELTA: u128 = 0x0123_4567_89ab_cdef_0f1e_2d3c_4b5a_6979;
/// `row 1 = row 3 ⊕ ¬(row 0) · (row 2 ⊕ row 3)`; row 4 is zero.
const AND: And = And {
    x: [0, 4],
    y: [2, 3],
    negated: [true, false],
    add: 3,
    to: 1,
};

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
    let zero = [Quad::default(); QUADS];
    (0..4).map(random_quads).chain([zero]).collect()
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
                assert_eq!(h, hash(GarblingHash::Tmmo, KEY, x, j));
            }
        }
    }
}

fn garbled(
    backend: Backend,
    hash: GarblingHash,
    steps: &[Step],
    rows: &mut [Row],
    quads: usize,
) -> Vec<Bytes64> {
    let ands = steps.iter().filter(|step| matches!(step, Step::And(_)));
    let mut tables = vec![[0; 64]; 2 * quads * ands.count()];
    let work = work(hash, steps, rows, quads);
    Cipher::new(backend, &KEY).garble(work, DELTA, &mut tables);
    tables
}

fn work<'a>(hash: GarblingHash, steps: &'a [Step], rows: &'a mut [Row], quads: usize) -> Work<'a> {
    Work {
        hash,
        steps,
        rows,
        quads,
        first: FIRST,
        lanes: 4 * quads - 1,
    }
}

const FIRST: usize = 77;

fn blocks(bytes: &[Bytes64]) -> Vec<u128> {
    let (blocks, _) = bytes.as_flattened().as_chunks();
    blocks.iter().map(|&b| u128::from_le_bytes(b)).collect()
}

const KNOWN: [[u8; 16]; 3] = [
    [
        0x1c, 0xe2, 0x29, 0x36, 0x15, 0xf7, 0x30, 0x4e, 0x54, 0xa8, 0xb6, 0xfa, 0xb4, 0x24, 0xf7,
        0x73,
    ],
    [
        0xfc, 0x15, 0x28, 0xa6, 0x6e, 0x1c, 0xe2, 0x5a, 0x51, 0x0e, 0x50, 0x5f, 0xaf, 0x04, 0xc4,
        0x12,
    ],
    [
        0x9c, 0x94, 0xb3, 0x36, 0x35, 0x41, 0x61, 0x31, 0x25, 0x85, 0x0c, 0x1b, 0x18, 0xeb, 0x17,
        0xea,
    ],
];

/// Known answers, from OpenSSL's AES-128 and the formulas.
#[test]
fn hashes_have_their_known_answers() {
    let x = u128::from_le_bytes(std::array::from_fn(|i| 0xf0 | i as u8));
    let answers = GarblingHash::ALL.map(|h| hash(h, KEY, x, 5).to_le_bytes());
    assert_eq!(answers, KNOWN);
}

/// Zahur, Rosulek, Evans (Eurocrypt 2015), figure 2, lane by lane, for a step's second AND.
#[test]
fn garbling_is_the_formula_in_every_lane() {
    let before = random_rows();
    let steps = [Step::And(AND), Step::And(AND)];
    for backend in backends() {
        for (h, quads) in GarblingHash::ALL.into_iter().zip([QUADS, 3, 1]) {
            let mut rows = before.clone();
            let tables = garbled(backend, h, &steps, &mut rows, quads);
            let tables = blocks(&tables[2 * quads..]);
            for k in 0..4 * quads {
                let [a, _, b, c, _] = std::array::from_fn(|row| lanes(&before[row])[k]);
                let (a, b) = (a ^ DELTA, b ^ c);
                let (j, p_a, p_b) = (2 * (FIRST + 4 * quads - 1 + k), a & 1, b & 1);
                let h_a = [0, DELTA].map(|d| hash(h, KEY, a ^ d, j));
                let h_b = [0, DELTA].map(|d| hash(h, KEY, b ^ d, j + 1));
                let t_g = h_a[0] ^ h_a[1] ^ (p_b * DELTA);
                let t_e = h_b[0] ^ h_b[1] ^ a;
                assert_eq!([tables[k], tables[4 * quads + k]], [t_g, t_e]);
                let w_e = h_b[0] ^ (p_b * (t_e ^ a));
                let w = h_a[0] ^ (p_a * t_g) ^ w_e ^ c;
                assert_eq!(lanes(&rows[1])[k], w);
            }
        }
    }
}

#[test]
fn every_pair_of_active_labels_evaluates_to_the_and() {
    for backend in backends() {
        for (h, quads) in GarblingHash::ALL.into_iter().zip([QUADS, 5, 1]) {
            for (x, y) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let mut rows = random_rows();
                let steps = [Step::And(AND)];
                let tables = garbled(backend, h, &steps, &mut rows, quads);
                let zero = lanes(&rows[1]);
                for (row, bit) in [(0, x), (2, y)] {
                    backend.choose(&mut rows[row], bit * u32::MAX, DELTA);
                }
                let work = work(h, &steps, &mut rows, quads);
                Cipher::new(backend, &KEY).evaluate(work, &tables);
                let (x, y) = (u128::from(x), u128::from(y));
                for (zero, active) in zero.iter().zip(lanes(&rows[1])).take(4 * quads) {
                    assert_eq!(active, zero ^ ((1 - x) * y * DELTA));
                }
            }
        }
    }
}

/// Steps that write where they read, on every variant.
#[test]
fn all_variants_agree_bit_for_bit() {
    let and = |x, y, add, to| {
        Step::And(And {
            x,
            y,
            negated: [false, true],
            add,
            to,
        })
    };
    let xor = |terms, to| Step::Xor { terms, to };
    let steps = [
        and([0, 1], [2, 2], 3, 0),
        xor([0, 1, 2, 3], 2),
        and([2, 4], [0, 4], 4, 2),
        xor([2, 2, 1, 4], 1),
        and([3, 1], [1, 0], 3, 3),
    ];
    for hash in GarblingHash::ALL {
        for quads in 1..=QUADS {
            let results = backends().map(|backend| {
                let mut rows = random_rows();
                let tables = garbled(backend, hash, &steps, &mut rows, quads);
                let garbled: Vec<_> = rows.iter().map(lanes).collect();
                let work = work(hash, &steps, &mut rows, quads);
                Cipher::new(backend, &KEY).evaluate(work, &tables);
                (tables, garbled, rows.iter().map(lanes).collect::<Vec<_>>())
            });
            assert!(results[0] == results[1]);
        }
    }
}

#[test]
fn labels_are_chosen_and_read_lane_by_lane() {
    let bits = 0x9a5c_33f1_u32;
    for backend in backends() {
        let mut row: Row = random_quads(3);
        let before = lanes(&row);
        backend.choose(&mut row, bits, DELTA);
        let read = backend.lowest_bits(&row);
        for (k, (after, before)) in lanes(&row).iter().zip(before).enumerate() {
            let bit = u128::from(bits >> k & 1);
            assert_eq!(*after, before ^ (bit * DELTA));
            assert_eq!(u128::from(read >> k & 1), after & 1);
        }
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

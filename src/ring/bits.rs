//! Residues modulo q as strings of bits, w = ⌈log2 q⌉ each, lowest bits first: packed, unpacked and
//! checked, or picked out of a random string.
//!
//! Residue i lies at the bits i·w … i·w + w − 1, bit 8k + j being bit j of byte k; n residues, n a
//! multiple of 8, fill n·w/8 bytes exactly. Eight residues begin on a byte, which is what the vector
//! kernels work on. `accept` keeps the strings that are below q in their order: of uniform bits
//! these are uniform modulo q (rejection sampling).
//!
//! All variants give the same bits. What is accepted decides addresses in `accept` alone, which is for
//! public polynomials only.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use super::modulus::Modulus;

/// Residues that begin on a byte together.
const GROUP: usize = 8;

/// Bytes of `n` residues, n a multiple of 8.
pub const fn packed_size(q: Modulus, n: usize) -> usize {
    n / GROUP * q.bits() as usize
}

/// Writes `residues`, a multiple of eight of them, into `packed_size` bytes.
pub fn pack(q: Modulus, residues: &[u64], out: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(token) = avx512::token(q) {
        return avx512::pack(token, q.bits(), residues, out);
    }
    portable::pack(q.bits(), residues, out);
}

/// Reads as many residues as `out` takes from the `packed_size` bytes that hold them.
///
/// # Errors
/// The first value that is not below q.
pub fn unpack(q: Modulus, bytes: &[u8], out: &mut [u64]) -> Result<(), u64> {
    #[cfg(target_arch = "x86_64")]
    if let Some(token) = avx512::token(q) {
        return check(q, avx512::unpack(token, q, bytes, out), out);
    }
    check(q, portable::unpack(q, bytes, out), out)
}

/// Whether all residues were found to be in range, and else the first that is not.
fn check(q: Modulus, in_range: bool, residues: &[u64]) -> Result<(), u64> {
    if in_range {
        return Ok(());
    }
    let offender = residues.iter().find(|&&x| x >= q.value());
    offender.map_or(Ok(()), |&x| Err(x))
}

/// Whether all of `x` are below q; where all are, no branch depends on one.
pub fn in_range(q: Modulus, x: &[u64]) -> bool {
    #[cfg(target_arch = "x86_64")]
    if let Some(token) = fearless_simd::Level::new().as_avx512() {
        return avx512::in_range(token, q, x);
    }
    portable::in_range(q, x)
}

/// Puts the values below q among the strings of w bits in `bytes` (whole groups of eight) into `out`
/// in order, until it is full. The number of values put there.
pub(super) fn accept(q: Modulus, bytes: &[u8], out: &mut [u64]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if let Some(token) = avx512::token(q) {
        return avx512::accept(token, q, bytes, out);
    }
    portable::accept(q, bytes, out)
}

/// The N bytes from `at` on, zeros where there are none.
#[inline]
fn window<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let rest = bytes.get(at..).unwrap_or_default();
    if let Some(window) = rest.first_chunk() {
        return *window;
    }
    let mut window = [0; N];
    for (to, &from) in window.iter_mut().zip(rest) {
        *to = from;
    }
    window
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Accept = fn(Modulus, &[u8], &mut [u64]) -> usize;
    type Unpack = fn(Modulus, &[u8], &mut [u64]) -> bool;
    type Pack = fn(Modulus, &[u64], &mut [u8]);

    /// The variants: the portable one, and the one that this processor takes.
    const ACCEPT: [Accept; 2] = [portable::accept, accept];
    const UNPACK: [Unpack; 2] = [portable::unpack, |q, bytes, out| {
        unpack(q, bytes, out).is_ok()
    }];
    const PACK: [Pack; 2] = [|q, x, out| portable::pack(q.bits(), x, out), pack];

    /// Bit by bit.
    fn string(bytes: &[u8], width: usize, index: usize) -> u64 {
        let bit = |at: usize| u64::from(bytes[at / 8] >> (at % 8) & 1);
        (0..width).fold(0, |x, j| x | bit(index * width + j) << j)
    }

    fn modulus() -> impl Strategy<Value = Modulus> {
        (5_u32..=61, any::<u64>()).prop_map(|(bits, x)| {
            let value = (1 << (bits - 1)) | (x >> (64 - bits)) | 1;
            Modulus::new(value).unwrap()
        })
    }

    proptest! {
        #[test]
        fn residues_lie_where_they_should_and_come_back(
            q in modulus(),
            words in prop::collection::vec(any::<u64>(), 1..80),
        ) {
            let n = words.len() / 8 * 8;
            let residues: Vec<u64> = words[..n].iter().map(|&x| q.reduce(x)).collect();
            let width = q.bits() as usize;
            for pack in PACK {
                let mut bytes = vec![0xff; packed_size(q, n)];
                pack(q, &residues, &mut bytes);
                for (i, &x) in residues.iter().enumerate() {
                    prop_assert_eq!(string(&bytes, width, i), x);
                }
                for unpack in UNPACK {
                    let mut back = vec![1; n];
                    prop_assert!(unpack(q, &bytes, &mut back));
                    prop_assert_eq!(&back, &residues);
                }
            }
        }

        #[test]
        fn any_string_is_checked_and_picked_from(
            q in modulus(),
            noise in prop::collection::vec(any::<u8>(), 61 * 9),
            groups in 0_usize..9,
            room in 0_usize..80,
        ) {
            let width = q.bits() as usize;
            let bytes = &noise[..groups * width];
            let strings: Vec<u64> = (0..8 * groups).map(|i| string(bytes, width, i)).collect();
            let bad = strings.iter().find(|&&x| x >= q.value());
            let mut out = vec![0; strings.len()];
            prop_assert_eq!(unpack(q, bytes, &mut out).err(), bad.copied());
            for unpack in UNPACK {
                prop_assert_eq!(unpack(q, bytes, &mut out), bad.is_none());
                prop_assert_eq!(&out, &strings);
            }
            for in_range in [portable::in_range, in_range] {
                prop_assert_eq!(in_range(q, &strings), bad.is_none());
                prop_assert!(!in_range(q, &[&strings[..], &[q.value()]].concat()));
                prop_assert!(!in_range(q, &[&[u64::MAX], &strings[..]].concat()));
            }
            let below = strings.iter().copied().filter(|&x| x < q.value());
            let expected: Vec<u64> = below.take(room).collect();
            for accept in ACCEPT {
                let mut out = vec![0; room];
                let count = accept(q, bytes, &mut out);
                prop_assert_eq!(&out[..count], &expected);
            }
        }
    }
}

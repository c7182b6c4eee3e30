//! The moduli that a case's widths stand for: the greatest primes of so many bits.

use super::case::Case;
use crate::bfv::BfvLiteral;
use crate::gc::{ShareCircuit, ShareFunction};
use crate::network::Requantize;
use crate::ring::{is_accepted_prime, is_plaintext_prime};

impl Case {
    /// The parameters of a BFV case: q's primes of equal size, then the special one, all as large as
    /// their bits allow; replies of one limb; as much flooding as q has room for, 2^60 at most.
    pub(super) fn literal(&self) -> Option<BfvLiteral> {
        let &Self {
            n,
            limbs,
            q_bits,
            p_bits,
            ..
        } = self;
        let limb_bits = q_bits.checked_div(u32::try_from(limbs).ok()?)?;
        let digit_bits = match self.param("digit") {
            Some(bits) => Some(bits.parse().ok()?),
            None => None,
        };
        let special_bits: Vec<u32> = match self.param("special") {
            Some(primes) => primes
                .split('+')
                .map(|bits| bits.parse().ok())
                .collect::<Option<_>>()?,
            None => Vec::new(),
        };
        if digit_bits.is_none() && special_bits.is_empty() {
            return None;
        }
        let accepted = |bits| below(bits, n).filter(|&x| is_accepted_prime(x, n).is_ok());
        let q: Vec<u64> = accepted(limb_bits).take(limbs).collect();
        let mut special = Vec::new();
        for bits in special_bits {
            let other = |prime: &u64| !q.contains(prime) && !special.contains(prime);
            special.push(accepted(bits).find(other)?);
        }
        let p = below(p_bits, n).find(|&x| is_plaintext_prime(x, n).is_ok())?;
        let flooding_log2 = q_bits.checked_sub(p_bits + 6).map(|room| room.min(60));
        let reply_limbs = 1;
        (q.len() == limbs).then_some(BfvLiteral {
            n,
            p,
            q,
            special,
            digit_bits,
            flooding_log2,
            reply_limbs,
        })
    }
}

/// ReLU on shares modulo the greatest prime of `bits` bits (1 modulo 32), from a product of that
/// width to 8 bits.
pub(super) fn relu(bits: u32) -> Option<ShareCircuit> {
    let p = below(bits, 16).find(|&x| is_plaintext_prime(x, 16).is_ok())?;
    let shift = bits.saturating_sub(13);
    let function = ShareFunction::Requantize(Requantize {
        shift,
        output_bits: 8,
        signed: false,
    });
    Some(ShareCircuit {
        function,
        p_in: p,
        p_out: p,
    })
}

/// How many numbers are looked at for primes; of any size here one in 30 or more is one.
const LOOKED_AT: usize = 10_000;

/// The greatest numbers of `bits` bits that are 1 modulo 2n, downwards.
fn below(bits: u32, n: usize) -> impl Iterator<Item = u64> {
    let (step, end) = (2 * n as u64, 1u64.checked_shl(bits).unwrap_or(0));
    let numbers = (1..).map_while(move |i: u64| (end + 1).checked_sub(i.checked_mul(step)?));
    let numbers = numbers.take_while(move |&x| x > end / 2).take(LOOKED_AT);
    numbers.filter(move |x| x % step == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bfv::BfvParams;

    #[test]
    fn parameters_are_what_the_case_says() {
        for case in Case::builtin()
            .unwrap()
            .into_iter()
            .filter(|case| case.n > 0)
        {
            let literal = case.literal().unwrap();
            let q_bits: f64 = literal.q.iter().map(|&q| (q as f64).log2()).sum();
            assert_eq!(q_bits.ceil() as u32, case.q_bits, "{case}");
            assert_eq!(literal.p.ilog2() + 1, case.p_bits);
            let bits: Vec<String> = literal
                .special
                .iter()
                .map(|x| (x.ilog2() + 1).to_string())
                .collect();
            assert_eq!(case.param("special").unwrap_or_default(), bits.join("+"));
            let digits = literal.digit_bits.map(|bits| bits.to_string());
            assert_eq!(case.param("digit"), digits.as_deref());
            assert!(BfvParams::insecure(&literal).is_ok(), "{case}");
        }
    }

    #[test]
    fn circuits_have_the_width_that_was_asked_for() {
        for bits in [20, 30] {
            assert_eq!(relu(bits).unwrap().evaluator_input_bits(), bits as usize);
        }
        assert!(relu(3).is_none());
    }
}

//! Polynomial rings `Z_q[x]/(xⁿ+1)` in RNS form: moduli, transforms, bases, polynomials, samplers.
//!
//! A [`Modulus`] is one odd number below 2^61; an [`NttPlan`] transforms polynomials modulo one
//! prime; an [`RnsBasis`] holds the primes whose product is q; a [`Poly`] holds one polynomial's
//! residues and its representation in its type; an [`Automorphism`] permutes its values. [`sampler`]
//! draws polynomials, [`pointwise`] holds the loops. The prime rules ([`is_accepted_prime`], [`is_plaintext_prime`]) are stated in terms of
//! n and one number, with the reason of a refusal.
//!
//! Nothing here knows of a scheme.

mod automorphism;
mod basis;
pub mod bits;
mod inner_products;
mod modulus;
mod ntt;
pub mod pointwise;
mod poly;
mod primality;
mod residues;
mod rounding;
pub mod sampler;

pub use automorphism::Automorphism;
pub use basis::{BasisError, RnsBasis};
pub use inner_products::{LaneOfBoth, SumOfBoth};
pub use modulus::{Constant, Modulus};
pub use ntt::{
    MAX_DEGREE, MIN_DEGREE, NttPlan, PrimeError, exponent, is_accepted_prime, is_plaintext_prime,
    position,
};
pub use poly::{Coefficient, Factor, Ntt, Poly, Values};
pub use primality::is_prime;
pub use residues::Residues;
pub use rounding::Rounding;

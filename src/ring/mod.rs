//! Polynomial rings Z_q[x]/(xⁿ+1) in RNS form: moduli, transforms, bases, polynomials, samplers.

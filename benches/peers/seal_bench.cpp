// BFV in Microsoft SEAL, one sample at a time: `seal_bench N P PRIME...`
//
// In: ring degree, plaintext modulus and primes, of which the last of several is SEAL's special prime.
// Out: `peer NAME`, sizes in bytes, `ready`; then for each line `OPERATION CALLS` of the input the
// nanoseconds of so many calls, or `none` where SEAL has no such operation. Every operation's
// result is decrypted and compared before `ready`; a wrong one ends the program with exit code 1.
// SEAL is asked for no level of security: what is compared is cost.

#include <seal/seal.h>
#include <seal/util/ntt.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

using Slots = std::vector<std::uint64_t>;

static void require(bool holds, const std::string &what) {
    if (holds) return;
    std::cerr << "seal_bench: " << what << '\n';
    std::exit(1);
}

static std::string peer_name() {
    std::string name = "SEAL " SEAL_VERSION;
#ifdef SEAL_USE_INTEL_HEXL
    name += " + HEXL";
#endif
#if defined(__clang__)
    name += ", clang " + std::to_string(__clang_major__);
#elif defined(__GNUC__)
    name += ", GCC " + std::to_string(__GNUC__);
#endif
    return name;
}

static seal::EncryptionParameters parameters(const Slots &numbers) {
    seal::EncryptionParameters parameters(seal::scheme_type::bfv);
    parameters.set_poly_modulus_degree(numbers[0]);
    parameters.set_plain_modulus(numbers[1]);
    parameters.set_coeff_modulus(std::vector<seal::Modulus>(numbers.begin() + 2, numbers.end()));
    return parameters;
}

template <typename Object> static std::size_t bytes(const Object &object) {
    std::ostringstream out;
    return static_cast<std::size_t>(object.save(out, seal::compr_mode_type::none));
}

// SEAL with keys and operands.
struct Bench {
    explicit Bench(const Slots &numbers)
        : context(parameters(numbers), true, seal::sec_level_type::none),
          p(numbers[1]), keys((require(context.parameters_set(), context.parameter_error_message()), context)),
          secret(keys.secret_key()), encoder(context), evaluator(context),
          encryptor(context, secret), decryptor(context, secret) {
        seal::PublicKey key;
        keys.create_public_key(key);
        encryptor.set_public_key(key);
        for (std::uint64_t i = 0; i < encoder.slot_count(); ++i) {
            slots.push_back((7919 * i * i + 1) % p);
            factors.push_back((104729 * i * i + 3) % p);
        }
        encoder.encode(slots, plain);
        factor = encode_factor(factors);
        encryptor.encrypt_symmetric(plain, ct);
        evaluator.transform_to_ntt(ct, ct_ntt);
        acc = product = ct_ntt;
        residues.assign(numbers[0], 1);
        if (context.using_keyswitching()) keys.create_galois_keys(std::vector<int>{1}, galois);
    }

    seal::Plaintext encode_factor(const Slots &values) {
        seal::Plaintext out;
        encoder.encode(values, out);
        evaluator.transform_to_ntt_inplace(out, context.first_parms_id());
        return out;
    }

    void rotate_ntt(seal::Ciphertext &out) {
        evaluator.transform_from_ntt(ct_ntt, out);
        evaluator.rotate_rows_inplace(out, 1, galois);
        evaluator.transform_to_ntt_inplace(out);
    }

    // The operations by name; each call does the work once.
    std::map<std::string, std::function<void()>> operations() {
        std::map<std::string, std::function<void()>> ops;
        const auto *tables = context.first_context_data()->small_ntt_tables();
        ops["ntt_forward"] = [=, this] {
            seal::util::ntt_negacyclic_harvey(seal::util::CoeffIter(residues.data()), tables[0]);
        };
        ops["add"] = [this] { evaluator.add_inplace(acc, ct_ntt); };
        ops["hadamard"] = [this] { evaluator.multiply_plain_inplace(product, factor); };
        ops["multiply_accumulate"] = [this] {
            evaluator.multiply_plain(ct_ntt, factor, scratch);
            evaluator.add_inplace(acc, scratch);
        };
        ops["encode"] = [this] { encoder.encode(slots, scratch_plain); };
        ops["encode_factor"] = [this] { scratch_factor = encode_factor(slots); };
        ops["decode"] = [this] { encoder.decode(plain, scratch_slots); };
        ops["encrypt_secret"] = [this] { auto seeded = encryptor.encrypt_symmetric(plain); };
        ops["encode_encrypt_secret"] = [this] {
            encoder.encode(slots, scratch_plain);
            auto seeded = encryptor.encrypt_symmetric(scratch_plain);
        };
        ops["encrypt_public"] = [this] { encryptor.encrypt(plain, scratch); };
        ops["encode_encrypt_public"] = [this] {
            encoder.encode(slots, scratch_plain);
            encryptor.encrypt(scratch_plain, scratch);
        };
        ops["decrypt"] = [this] {
            decryptor.decrypt(ct, scratch_plain);
            encoder.decode(scratch_plain, scratch_slots);
        };
        if (context.using_keyswitching()) {
            ops["rotate"] = [this] { rotate_ntt(scratch); };
            ops["galois_key"] = [this] { keys.create_galois_keys(std::vector<int>{1}, scratch_keys); };
        }
        return ops;
    }

    void expect(seal::Ciphertext got, const Slots &wanted, const std::string &operation) {
        if (got.is_ntt_form()) evaluator.transform_from_ntt_inplace(got);
        decryptor.decrypt(got, scratch_plain);
        encoder.decode(scratch_plain, scratch_slots);
        require(scratch_slots == wanted, "wrong result of " + operation);
    }

    void check() {
        Slots sum(slots), products(slots), both(slots), turned(slots);
        for (std::size_t i = 0; i < slots.size(); ++i) {
            sum[i] = 2 * slots[i] % p;
            products[i] = slots[i] * factors[i] % p;
            both[i] = (slots[i] + products[i]) % p;
        }
        const auto half = static_cast<std::ptrdiff_t>(turned.size() / 2);
        std::rotate(turned.begin(), turned.begin() + 1, turned.begin() + half);
        std::rotate(turned.begin() + half, turned.begin() + half + 1, turned.end());

        encoder.decode(plain, scratch_slots);
        require(scratch_slots == slots, "wrong result of decode");
        expect(ct, slots, "encrypt_secret");
        seal::Ciphertext out;
        encryptor.encrypt(plain, out);
        expect(out, slots, "encrypt_public");
        evaluator.add(ct_ntt, ct_ntt, out);
        expect(out, sum, "add");
        evaluator.multiply_plain(ct_ntt, factor, out);
        expect(out, products, "hadamard");
        evaluator.add_inplace(out, ct_ntt);
        expect(out, both, "multiply_accumulate");
        if (context.using_keyswitching()) {
            rotate_ntt(out);
            expect(out, turned, "rotate");
        }
    }

    seal::SEALContext context;
    std::uint64_t p;
    seal::KeyGenerator keys;
    seal::SecretKey secret;
    seal::BatchEncoder encoder;
    seal::Evaluator evaluator;
    seal::Encryptor encryptor;
    seal::Decryptor decryptor;
    seal::GaloisKeys galois, scratch_keys;
    Slots slots, factors, residues, scratch_slots;
    seal::Plaintext plain, factor, scratch_plain, scratch_factor;
    seal::Ciphertext ct, ct_ntt, acc, product, scratch;
};

int main(int argc, char **argv) {
    require(argc >= 4, "usage: seal_bench N P PRIME...");
    Slots numbers;
    for (int i = 1; i < argc; ++i) numbers.push_back(std::strtoull(argv[i], nullptr, 10));
    Bench bench(numbers);
    bench.check();
    std::cout << "peer " << peer_name() << '\n';
    std::cout << "bytes_ciphertext " << bytes(bench.encryptor.encrypt_symmetric(bench.plain)) << '\n';
    if (bench.context.using_keyswitching())
        std::cout << "bytes_galois_key " << bytes(bench.keys.create_galois_keys(std::vector<int>{1})) << '\n';
    std::cout << "ready" << std::endl;

    const auto operations = bench.operations();
    std::string name;
    unsigned calls = 0;
    while (std::cin >> name >> calls) {
        const auto found = operations.find(name);
        if (found == operations.end()) {
            std::cout << "none" << std::endl;
            continue;
        }
        const auto start = std::chrono::steady_clock::now();
        for (unsigned i = 0; i < calls; ++i) found->second();
        const std::chrono::nanoseconds time = std::chrono::steady_clock::now() - start;
        std::cout << time.count() << std::endl;
    }
}

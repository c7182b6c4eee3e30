// Half-gate garbling in emp-tool and oblivious transfer in emp-ot: `emp_bench [PORT]`
//
// Out: CSV `peer,config,op,median_ns,min_ns,samples,bytes`, times and bytes of one unit (an AND gate, a
// ReLU, a transfer). PORT is a free TCP port of the loopback (12345). Everything is checked against
// plain computation; a wrong result ends the program with exit code 1.
//
// Garbling: one thread, garbler and evaluator in turn, tables in memory. `independent_and`: 8192 gates
// in one call; `independent_and_direct`: the same by the two gate functions alone, without backend and
// channel. `relu_w22`: 64 ReLUs on additive shares modulo a p of 22 bits, from emp-tool's adder,
// subtractor and selection. Transfers: two processes, semi-honest, 2^21 transfers a run after one that
// holds the set-up; CPU time of each party. Ferret makes 2.4 million transfers in a round.

#include <emp-ot/emp-ot.h>
#include <emp-tool/emp-tool.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

using emp::Bit;
using emp::block;
using Bits = std::vector<bool>;
using Wires = std::vector<Bit>;

// Takes two plain strings, since it stands in loops that are timed.
static void require(bool holds, const char *what, const char *of = "") {
    if (holds) return;
    std::cerr << "emp_bench: " << what << of << '\n';
    std::_Exit(1);
}

static double nanoseconds(clockid_t clock) {
    timespec time;
    clock_gettime(clock, &time);
    return 1e9 * static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec);
}

static void print(const std::string &peer, const std::string &config, const std::string &op,
                  std::vector<double> samples, double bytes) {
    std::sort(samples.begin(), samples.end());
#if defined(__clang__)
    const std::string compiler = " clang " + std::to_string(__clang_major__);
#else
    const std::string compiler = " GCC " + std::to_string(__GNUC__);
#endif
    std::cout << peer << compiler << ',' << config << ',' << op << ',' << samples[samples.size() / 2]
              << ',' << samples.front() << ',' << samples.size() << ',' << bytes << std::endl;
}

// ---- Garbling

// What the garbler sends waits here for the evaluator.
struct Tape : emp::IOChannel {
    std::vector<char> data;
    std::size_t end = 0, at = 0;

    void send_data_internal(const void *from, int64_t size) override {
        if (end + static_cast<std::size_t>(size) > data.size()) data.resize(2 * (end + size));
        std::memcpy(data.data() + end, from, static_cast<std::size_t>(size));
        end += static_cast<std::size_t>(size);
    }
    void recv_data_internal(void *to, int64_t size) override {
        require(at + static_cast<std::size_t>(size) <= end, "the evaluator reads more than was sent");
        std::memcpy(to, data.data() + at, static_cast<std::size_t>(size));
        at += static_cast<std::size_t>(size);
    }
};

// emp-tool leaves inputs to the protocol above; circuits need the public constants.
template <typename Party> struct WithConstants : Party {
    using Party::Party;
    void feed(void *out, int, const bool *in, size_t count) override {
        for (size_t i = 0; i < count; ++i) this->public_label(static_cast<block *>(out) + i, in[i]);
    }
};

// A circuit as wires and in the clear, with what it is a batch of.
struct Job {
    std::string config, unit;
    std::size_t units;
    Bits input;
    std::function<void(const Wires &, Wires &)> circuit;
    std::function<Bits(const Bits &)> clear;
};

static void garbling(const Job &job) {
    constexpr int rounds = 300, warm_up = 20;
    Tape tape;
    WithConstants<emp::HalfGateGen> garbler(&tape);
    WithConstants<emp::HalfGateEva> evaluator(&tape);
    const block delta = garbler.delta;

    Wires zero(job.input.size()), active(job.input.size()), garbled, evaluated;
    emp::PRG().random_block(&zero.data()->bit, static_cast<int64_t>(zero.size()));
    for (std::size_t i = 0; i < zero.size(); ++i)
        active[i] = job.input[i] ? Bit(zero[i].bit ^ delta) : zero[i];

    std::vector<double> garble, evaluate;
    const double units = static_cast<double>(job.units);
    const auto timed = [&](emp::Backend *party, const Wires &in, Wires &out) {
        emp::backend = party;
        const double start = nanoseconds(CLOCK_MONOTONIC);
        job.circuit(in, out);
        return (nanoseconds(CLOCK_MONOTONIC) - start) / units;
    };
    for (int round = -warm_up; round < rounds; ++round) {
        tape.end = tape.at = 0;
        const double garbling = timed(&garbler, zero, garbled);
        const double evaluating = timed(&evaluator, active, evaluated);
        if (round < 0) continue;
        garble.push_back(garbling);
        evaluate.push_back(evaluating);
    }

    const Bits wanted = job.clear(job.input);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const block label = garbled[i].bit ^ (wanted[i] ? delta : emp::zero_block);
        require(emp::cmpBlock(&label, &evaluated[i].bit, 1), "wrong result of ", job.config.c_str());
    }
    const double bytes = static_cast<double>(tape.end) / units;
    print("emp-tool", job.config, "garble_per_" + job.unit, garble, bytes);
    print("emp-tool", job.config, "evaluate_per_" + job.unit, evaluate, bytes);
}

static Job independent_ands() {
    constexpr std::size_t count = 8192;
    Bits input(2 * count);
    for (std::size_t i = 0; i < 2 * count; ++i) input[i] = i * i % 7 < 4;
    return {"independent_and", "and", count, input,
            [](const Wires &in, Wires &out) {
                out.resize(count);
                emp::backend->and_gate_n(out.data(), in.data(), in.data() + count, count);
            },
            [](const Bits &in) {
                Bits out(count);
                for (std::size_t i = 0; i < count; ++i) out[i] = in[i] && in[count + i];
                return out;
            }};
}

static void direct_ands() {
    constexpr std::size_t count = 8192;
    constexpr int rounds = 300;
    block keys[2];
    emp::PRG().random_block(keys, 2);
    const block delta = emp::set_bit(keys[0], 0);
    std::vector<block> zero(2 * count), active(2 * count), out(count), table(2 * count);
    emp::PRG().random_block(zero.data(), 2 * count);
    for (std::size_t i = 0; i < 2 * count; ++i) active[i] = i % 3 ? zero[i] ^ delta : zero[i];
    std::vector<double> garble, evaluate;
    for (int round = 0; round < rounds; ++round) {
        emp::MITCCRH<8> hash, same;
        hash.setS(keys[1]);
        same.setS(keys[1]);
        double start = nanoseconds(CLOCK_MONOTONIC);
        for (std::size_t i = 0; i < count; ++i) {
            const block a = zero[i], b = zero[count + i];
            out[i] = emp::halfgates_garble(a, a ^ delta, b, b ^ delta, delta, &table[2 * i], &hash);
        }
        garble.push_back((nanoseconds(CLOCK_MONOTONIC) - start) / count);
        start = nanoseconds(CLOCK_MONOTONIC);
        for (std::size_t i = 0; i < count; ++i) {
            const block got = emp::halfgates_eval(active[i], active[count + i], &table[2 * i], &same);
            out[i] = out[i] ^ got;
        }
        evaluate.push_back((nanoseconds(CLOCK_MONOTONIC) - start) / count);
    }
    for (std::size_t i = 0; i < count; ++i) {
        const block wanted = i % 3 && (count + i) % 3 ? delta : emp::zero_block;
        require(emp::cmpBlock(&out[i], &wanted, 1), "wrong result of ", "direct gates");
    }
    print("emp-tool", "independent_and_direct", "garble_per_and", garble, 32);
    print("emp-tool", "independent_and_direct", "evaluate_per_and", evaluate, 32);
}

constexpr int width = 22;
constexpr std::uint64_t modulus = 4169729;

static void constant(Bit *out, std::uint64_t value, int bits) {
    for (int i = 0; i < bits; ++i) out[i] = Bit((value >> i) & 1, emp::PUBLIC);
}

// out = a + b mod p, with one spare bit above the sum.
static void add_modulo(Bit *out, const Bit *a, const Bit *b, const Bit *p) {
    Bit sum[width + 1], less[width + 1], below;
    emp::add_full(sum, &sum[width], a, b, static_cast<const Bit *>(nullptr), width);
    emp::sub_full(less, &below, sum, p, static_cast<const Bit *>(nullptr), width + 1);
    emp::if_then_else(out, sum, less, width, below);
}

// Shares a, b of x and a mask c: x if x < (p + 1)/2, else 0; plus c.
static Job relus() {
    constexpr std::size_t count = 64, words = 3;
    Bits input(count * words * width);
    for (std::size_t i = 0; i < count * words; ++i)
        for (int k = 0; k < width; ++k) input[i * width + k] = (i * 2654435761 % modulus >> k) & 1;
    return {"relu_w22", "relu", count, input,
            [](const Wires &in, Wires &out) {
                out.resize(count * width);
                Bit p[width + 1], half[width];
                constant(p, modulus, width + 1);
                constant(half, (modulus + 1) / 2, width);
                for (std::size_t i = 0; i < count; ++i) {
                    const Bit *a = in.data() + i * words * width;
                    Bit x[width], ignored[width], positive;
                    add_modulo(x, a, a + width, p);
                    emp::sub_full(ignored, &positive, x, half, static_cast<const Bit *>(nullptr), width);
                    for (Bit &bit : x) bit = bit & positive;
                    add_modulo(out.data() + i * width, x, a + 2 * width, p);
                }
            },
            [](const Bits &in) {
                const auto word = [&](std::size_t at) {
                    std::uint64_t value = 0;
                    for (int k = 0; k < width; ++k) value |= std::uint64_t{in[at * width + k]} << k;
                    return value;
                };
                Bits out;
                for (std::size_t i = 0; i < count; ++i) {
                    const std::uint64_t x = (word(words * i) + word(words * i + 1)) % modulus;
                    const std::uint64_t y = x < (modulus + 1) / 2 ? x : 0;
                    const std::uint64_t z = (y + word(words * i + 2)) % modulus;
                    for (int k = 0; k < width; ++k) out.push_back((z >> k) & 1);
                }
                return out;
            }};
}

// ---- Oblivious transfer

constexpr int64_t transfers = int64_t{1} << 21;
constexpr int runs = 9;

struct Side {
    double cpu[runs], bytes;
};

// Runs one party's side; the sender (party ALICE) prints both.
static void transfer(emp::NetIO &io, int party, const std::string &config, const std::string &op,
                     const std::function<void()> &side) {
    Side mine{};
    side();
    io.flush();
    for (double &cpu : mine.cpu) {
        io.sync();
        const auto sent = io.bytes_sent;
        const double start = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
        side();
        io.flush();
        cpu = (nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - start) / transfers;
        mine.bytes = static_cast<double>(io.bytes_sent - sent) / transfers;
    }
    if (party == emp::BOB) {
        io.send_data(&mine, sizeof mine);
        io.flush();
        return;
    }
    Side theirs;
    io.recv_data(&theirs, sizeof theirs);
    print("emp-ot", config, op + "_sender_cpu", {mine.cpu, mine.cpu + runs}, mine.bytes);
    print("emp-ot", config, op + "_receiver_cpu", {theirs.cpu, theirs.cpu + runs}, theirs.bytes);
}

static void extension(emp::NetIO &io, int party, const std::string &config, emp::RandomCOT &ot) {
    std::vector<block> m0(transfers), m1(transfers), out(transfers), other(transfers);
    const std::unique_ptr<bool[]> choice(new bool[transfers]);
    const block seed = emp::makeBlock(3, 4);
    emp::PRG shared(&seed);
    shared.random_block(m0.data(), transfers);
    shared.random_block(m1.data(), transfers);
    shared.random_bool(choice.get(), transfers);
    transfer(io, party, config, "random_correlated", [&] { ot.rcot(out.data(), transfers); });
    transfer(io, party, config, "random", [&] {
        if (party == emp::ALICE) ot.send_rot(out.data(), other.data(), transfers);
        else ot.recv_rot(out.data(), choice.get(), transfers);
    });
    transfer(io, party, config, "chosen", [&] {
        if (party == emp::ALICE) ot.send(m0.data(), m1.data(), transfers);
        else ot.recv(out.data(), choice.get(), transfers);
    });
    if (party == emp::ALICE) return;
    for (int64_t i = 0; i < transfers; ++i)
        require(emp::cmpBlock(&out[i], choice[i] ? &m1[i] : &m0[i], 1), "wrong transfer by ", config.c_str());
}

static void all_transfers(int party, int port) {
    constexpr bool malicious = false;
    emp::NetIO io(party == emp::ALICE ? nullptr : "127.0.0.1", port, true);
    emp::IKNP iknp(party, &io, malicious);
    extension(io, party, "iknp", iknp);
    emp::SoftSpokenOT<2> softspoken2(party, &io, malicious);
    extension(io, party, "softspoken2", softspoken2);
    emp::SoftSpokenOT<4> softspoken4(party, &io, malicious);
    extension(io, party, "softspoken4", softspoken4);
    emp::SoftSpokenOT<8> softspoken8(party, &io, malicious);
    extension(io, party, "softspoken8", softspoken8);
    emp::Ferret ferret(party, &io, malicious, emp::tuning::ferret_b11);
    extension(io, party, "ferret_b11", ferret);
}

int main(int argc, char **argv) {
    const int port = argc > 1 ? std::atoi(argv[1]) : 12345;
    std::cout << "peer,config,op,median_ns,min_ns,samples,bytes" << std::endl;
    garbling(independent_ands());
    direct_ands();
    garbling(relus());
    const pid_t child = fork();
    require(child >= 0, "no second process");
    all_transfers(child == 0 ? emp::BOB : emp::ALICE, port);
    if (child == 0) std::_Exit(0);
    int status = 1;
    require(waitpid(child, &status, 0) == child && status == 0, "the receiver failed");
}

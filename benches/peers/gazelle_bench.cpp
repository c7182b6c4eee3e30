// Half gates in Gazelle's own code: `gazelle_bench`
//
// Out: CSV rows as those of emp_bench, without the head: `relu_w22`, 64 ReLUs on additive shares modulo a p of 22
// bits, 8w + 2 = 178 ANDs each. One thread, tables in memory, fixed-key AES. Garbling holds drawing the labels. Results
// are compared with plain computation; a wrong one ends the program with exit code 1.

#include <cryptoTools/Common/BitVector.h>

#include "gc/gazelle_circuits.h"
#include "gc/util.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <string>

using namespace lbcrypto;

static double nanoseconds() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return 1e9 * static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec);
}

static void print(const std::string &op, std::vector<double> samples, double unit, int bytes) {
    std::sort(samples.begin(), samples.end());
#if defined(__clang__)
    const std::string compiler = " clang " + std::to_string(__clang_major__);
#else
    const std::string compiler = " GCC " + std::to_string(__GNUC__);
#endif
    std::cout << "gazelle" << compiler << ",relu_w22," << op << ',' << samples[samples.size() / 2] / unit << ','
              << samples.front() / unit << ',' << samples.size() << ',' << bytes << std::endl;
}

int main() {
    constexpr ui64 width = 22, count = 64, p = 4169729, ands = 8 * width + 2;
    constexpr int rounds = 300;
    GarbledCircuit gc;
    BuildContext context;
    buildRELULayer(gc, context, width, count, p);
    if (gc.garbledTable.size() != count * ands) {
        std::cerr << "gazelle_bench: a ReLU has not 8w + 2 ANDs\n";
        return 1;
    }
    std::vector<uv64> in(count, uv64(3)), expected(count, uv64(1)), got(count, uv64(1));
    for (ui64 i = 0; i < count; ++i) {
        for (ui64 j = 0; j < 3; ++j) in[i][j] = (3 * i + j) * 2654435761 % p;
        relu_ref(in[i], expected[i], 0, p);
    }
    InputMap bits(gc.n);
    pack_inputs(in, bits, width);
    InputLabels labels(gc.n);
    ExtractedLabels active(gc.n);
    OutputMap decode(gc.m), opened(gc.m);
    OutputLabels results(gc.m);
    std::vector<double> garbling, evaluating;
    for (int round = 0; round < rounds; ++round) {
        double start = nanoseconds();
        garbleCircuit(&gc, labels, decode);
        garbling.push_back(nanoseconds() - start);
        extractLabels(active, labels, bits);
        start = nanoseconds();
        evaluate(&gc, active, results);
        evaluating.push_back(nanoseconds() - start);
    }
    mapOutputs(decode, results, opened);
    unpack_outputs(opened, got, width);
    if (got != expected) {
        std::cerr << "gazelle_bench: wrong results\n";
        return 1;
    }
    print("garble_per_relu", garbling, count, ands * 32);
    print("evaluate_per_relu", evaluating, count, ands * 32);
    print("garble_per_and", garbling, count * ands, 32);
    print("evaluate_per_and", evaluating, count * ands, 32);
}

// All that Gazelle's circuits need of cryptoTools.
#pragma once

#include <array>
#include <cassert>
#include <cstdio>
#include <vector>

namespace osuCrypto {
using BitVector = std::vector<bool>;
}

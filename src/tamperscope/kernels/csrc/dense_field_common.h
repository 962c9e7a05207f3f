// What both halves of the dense-field library share: threads, and random numbers without state.
#ifndef TAMPERSCOPE_DENSE_FIELD_COMMON_H
#define TAMPERSCOPE_DENSE_FIELD_COMMON_H

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace dense_field {

// Runs work(0) ... work(count - 1) on up to `threads` threads. Which thread runs which item is
// left open, so `work` must not let one item see what another one writes.
template <class Work>
void parallel_for(int count, int threads, const Work& work) {
    threads = std::max(1, std::min(threads, count));
    if (threads == 1) {
        for (int item = 0; item < count; ++item) work(item);
        return;
    }
    std::atomic<int> next{0};
    auto run = [&] {
        for (int item = next++; item < count; item = next++) work(item);
    };
    std::vector<std::thread> pool;
    for (int i = 1; i < threads; ++i) pool.emplace_back(run);
    run();
    for (auto& thread : pool) thread.join();
}

// Mixes 64 bits so that every input bit reaches every output bit: the finaliser of SplitMix64,
// G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
inline uint64_t mixed(uint64_t z) {
    z += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

// Random numbers that depend only on what they are for: (seed, round, node), then a counter.
// No state passes from node to node, so the order in which nodes are visited does not matter.
class Draws {
public:
    Draws(uint64_t seed, uint32_t round, uint64_t node)
        : key_(mixed(mixed(seed ^ (uint64_t(round) << 40)) ^ node)) {}

    // Uniform in [0, bound), bound > 0.
    uint32_t below(uint32_t bound) {
        return uint32_t(((mixed(key_ + counter_++) >> 32) * uint64_t(bound)) >> 32);
    }

    // Uniform in [-radius, radius].
    int around(int radius) { return int(below(2 * uint32_t(radius) + 1)) - radius; }

private:
    uint64_t key_;
    uint64_t counter_ = 0;
};

}  // namespace dense_field

#endif

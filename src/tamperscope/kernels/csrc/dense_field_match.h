// A nearest-neighbour field between descriptors, by PatchMatch with first-order propagation.
//
// C. Barnes, E. Shechtman, A. Finkelstein, D. Goldman, "PatchMatch: a randomized correspondence
// algorithm for structural image editing", SIGGRAPH 2009; first-order (linear) propagation after
// D. Cozzolino, G. Poggi, L. Verdoliva, "Efficient dense-field copy-move forgery detection", IEEE
// TIFS 10(11), 2015, section IV. What differs: the target may have several layers (the same panel at
// several sizes), seeds come from a hash of the descriptors besides chance, and the sweep runs in
// stripes of fixed height that see each other's previous round, so that the result does not depend
// on the number of threads. All arithmetic is in whole numbers.
#ifndef TAMPERSCOPE_DENSE_FIELD_MATCH_H
#define TAMPERSCOPE_DENSE_FIELD_MATCH_H

#include <climits>
#include <cmath>

#include "dense_field_common.h"

namespace dense_field {

constexpr int STRIPE = 16;     // rows of nodes swept by one thread without a break
constexpr int MAX_BITS = 16;   // of the hash

struct Layer {
    const int16_t* descriptors;  // [height][width][depth]
    const uint8_t* valid;        // [height][width] may be matched to
    int height, width;
};

struct Node {
    int32_t x, y, layer;
    int32_t distance;  // INT32_MAX: nothing found yet
};

struct Settings {
    int depth;        // of a descriptor
    int stride;       // pixels of the source between nodes
    int rounds;       // sweeps
    int turned_draws; // tries on a circle around a neighbour's partner, per node and round
    int local_draws;  // random tries around the best so far, per node and round
    int hash_draws;   // tries from the source's own bucket, per node and round
    int bits;         // of the hash, <= MAX_BITS
    int exclusion;    // least distance between a node and its target, in source pixels; 0: none
    uint64_t seed;
    int threads;
};

inline int32_t squared_distance(const int16_t* a, const int16_t* b, int depth) {
    int32_t sum = 0;
    for (int i = 0; i < depth; i += 16)
        for (int j = i; j < i + 16; ++j) {
            const int32_t d = int32_t(a[j]) - int32_t(b[j]);
            sum += d * d;
        }
    return sum;
}

// Valid target pixels, ordered by a code of one bit per feature: above the feature's median or not.
class Buckets {
public:
    Buckets(const std::vector<Layer>& layers, const Settings& settings)
        : bits_(settings.bits), depth_(settings.depth) {
        size_t count = 0;
        for (const Layer& layer : layers)
            for (size_t i = 0, n = size_t(layer.height) * layer.width; i < n; ++i)
                count += layer.valid[i] != 0;
        entries_.resize(count);
        set_medians(layers);
        start_.assign((size_t(1) << bits_) + 1, 0);
        visit(layers, [&](uint32_t code, Node) { ++start_[code + 1]; });
        for (size_t c = 1; c < start_.size(); ++c) start_[c] += start_[c - 1];
        std::vector<uint32_t> next(start_.begin(), start_.end() - 1);
        visit(layers, [&](uint32_t code, Node node) { entries_[next[code]++] = node; });
    }

    uint32_t code(const int16_t* descriptor) const {
        uint32_t code = 0;
        for (int b = 0; b < bits_; ++b) code |= uint32_t(descriptor[b] > median_[b]) << b;
        return code;
    }

    bool empty() const { return entries_.empty(); }

    const Node& any(Draws& draws) const { return entries_[draws.below(uint32_t(entries_.size()))]; }

    // A pixel whose code is `code`, or null where there is none.
    const Node* like(uint32_t code, Draws& draws) const {
        const uint32_t first = start_[code], count = start_[code + 1] - first;
        return count ? &entries_[first + draws.below(count)] : nullptr;
    }

    int bits() const { return bits_; }

private:
    template <class Visitor>
    void visit(const std::vector<Layer>& layers, const Visitor& visitor) const {
        for (size_t l = 0; l < layers.size(); ++l) {
            const Layer& layer = layers[l];
            for (int y = 0; y < layer.height; ++y)
                for (int x = 0; x < layer.width; ++x) {
                    const size_t i = size_t(y) * layer.width + x;
                    if (layer.valid[i])
                        visitor(code(layer.descriptors + i * depth_), Node{x, y, int32_t(l), 0});
                }
        }
    }

    void set_medians(const std::vector<Layer>& layers) {
        // Every valid pixel counts in a small image, every so many-th in a large one.
        const size_t step = std::max<size_t>(1, entries_.size() / 4096);
        std::vector<std::vector<int16_t>> sample(bits_);
        size_t seen = 0;
        for (const Layer& layer : layers)
            for (size_t i = 0, n = size_t(layer.height) * layer.width; i < n; ++i)
                if (layer.valid[i] && seen++ % step == 0)
                    for (int b = 0; b < bits_; ++b)
                        sample[b].push_back(layer.descriptors[i * depth_ + b]);
        for (int b = 0; b < bits_; ++b) {
            median_[b] = 0;
            if (sample[b].empty()) continue;
            auto middle = sample[b].begin() + sample[b].size() / 2;
            std::nth_element(sample[b].begin(), middle, sample[b].end());
            median_[b] = *middle;
        }
    }

    int bits_, depth_;
    int16_t median_[MAX_BITS];
    std::vector<uint32_t> start_;  // [2^bits + 1]
    std::vector<Node> entries_;
};

class Field {
public:
    Field(const int16_t* descriptors, int height, int width, const uint8_t* usable,
          const std::vector<Layer>& layers, const Settings& settings)
        : source_(descriptors), height_(height), width_(width), usable_(usable), layers_(layers),
          settings_(settings), rows_((height + settings.stride - 1) / settings.stride),
          columns_((width + settings.stride - 1) / settings.stride),
          now_(size_t(rows_) * columns_, Node{-1, -1, -1, INT32_MAX}),
          buckets_(layers, settings) {
        for (const Layer& layer : layers_) {
            step_x_.push_back(int((2 * int64_t(settings.stride) * layer.width + base().width) /
                                  (2 * int64_t(base().width))));
            step_y_.push_back(int((2 * int64_t(settings.stride) * layer.height + base().height) /
                                  (2 * int64_t(base().height))));
        }
    }

    const std::vector<Node>& solve() {
        if (buckets_.empty()) return now_;
        for (int round = 0; round < settings_.rounds; ++round) {
            before_ = now_;
            // Every second round the stripes lie half a stripe lower, so no border stays one.
            const int shift = round % 4 >= 2 ? STRIPE / 2 : 0;
            const int stripes = (rows_ + shift + STRIPE - 1) / STRIPE;
            parallel_for(stripes, settings_.threads, [&](int stripe) {
                const int first = std::max(0, stripe * STRIPE - shift);
                const int last = std::min(rows_, (stripe + 1) * STRIPE - shift);
                sweep(round, first, last);
            });
        }
        return now_;
    }

private:
    // The first layer has the size of the target panel.
    const Layer& base() const { return layers_[0]; }

    void sweep(int round, int first, int last) {
        const int sign = round % 2 ? -1 : 1;
        for (int i = 0; i < last - first; ++i) {
            const int row = sign > 0 ? first + i : last - 1 - i;
            for (int j = 0; j < columns_; ++j) {
                const int column = sign > 0 ? j : columns_ - 1 - j;
                const size_t pixel =
                    size_t(row) * settings_.stride * width_ + size_t(column) * settings_.stride;
                if (!usable_[pixel]) continue;
                Visit visit{row, column, source_ + pixel * settings_.depth,
                            now_[size_t(row) * columns_ + column]};
                propagate(visit, sign, first, last);
                Draws draws(settings_.seed, uint32_t(round), uint64_t(row) * columns_ + column);
                propagate_turned(visit, sign, first, last, draws);
                search(visit, draws);
                now_[size_t(row) * columns_ + column] = visit.best;
            }
        }
    }

    struct Visit {
        int row, column;
        const int16_t* descriptor;
        Node best;
    };

    // Keeps the candidate if it is allowed and nearer.
    void offer(Visit& visit, int x, int y, int l) const {
        const Layer& layer = layers_[l];
        if (x < 0 || y < 0 || x >= layer.width || y >= layer.height) return;
        if (x == visit.best.x && y == visit.best.y && l == visit.best.layer) return;
        const size_t pixel = size_t(y) * layer.width + x;
        if (!layer.valid[pixel]) return;
        if (settings_.exclusion && too_near(visit, x, y, layer)) return;
        const int32_t distance = squared_distance(
            visit.descriptor, layer.descriptors + pixel * settings_.depth, settings_.depth);
        if (distance < visit.best.distance) visit.best = Node{x, y, l, distance};
    }

    bool too_near(const Visit& visit, int x, int y, const Layer& layer) const {
        const int64_t dx = (2 * int64_t(x) + 1) * base().width / (2 * layer.width) -
                           int64_t(visit.column) * settings_.stride;
        const int64_t dy = (2 * int64_t(y) + 1) * base().height / (2 * layer.height) -
                           int64_t(visit.row) * settings_.stride;
        return dx * dx + dy * dy < int64_t(settings_.exclusion) * settings_.exclusion;
    }

    // The node at (row, column) as this stripe may see it; null outside, or where nothing is known.
    const Node* known(int row, int column, int first, int last) const {
        if (row < 0 || row >= rows_ || column < 0 || column >= columns_) return nullptr;
        const size_t i = size_t(row) * columns_ + column;
        const Node& node = row >= first && row < last ? now_[i] : before_[i];
        return node.distance == INT32_MAX ? nullptr : &node;
    }

    void propagate(Visit& visit, int sign, int first, int last) const {
        static constexpr int TOWARD[4][2] = {{1, 0}, {0, 1}, {1, 1}, {-1, 1}};
        for (const auto& toward : TOWARD) {
            const int dx = sign * toward[0], dy = sign * toward[1];
            const Node* one = known(visit.row - dy, visit.column - dx, first, last);
            if (!one) continue;
            offer(visit, one->x + dx * step_x_[one->layer], one->y + dy * step_y_[one->layer],
                  one->layer);
            const Node* two = known(visit.row - 2 * dy, visit.column - 2 * dx, first, last);
            if (two && two->layer == one->layer)
                offer(visit, 2 * one->x - two->x, 2 * one->y - two->y, one->layer);
        }
        complete_square(visit, sign, first, last);
    }

    // The linear prediction from the three other corners of a square of nodes.
    void complete_square(Visit& visit, int sign, int first, int last) const {
        const Node* beside = known(visit.row, visit.column - sign, first, last);
        const Node* above = known(visit.row - sign, visit.column, first, last);
        const Node* across = known(visit.row - sign, visit.column - sign, first, last);
        if (beside && above && across && beside->layer == above->layer &&
            beside->layer == across->layer)
            offer(visit, beside->x + above->x - across->x, beside->y + above->y - across->y,
                  beside->layer);
    }

    // Wherever a neighbour's partner is turned to, the node's own lies on a circle around it.
    void propagate_turned(Visit& visit, int sign, int first, int last, Draws& draws) const {
        static constexpr int TOWARD[2][2] = {{1, 0}, {0, 1}};
        for (int k = 0; k < settings_.turned_draws; ++k) {
            const auto& toward = TOWARD[k % 2];
            const Node* one = known(visit.row - sign * toward[1], visit.column - sign * toward[0],
                                    first, last);
            if (!one) continue;
            const int side = int(draws.below(4)), along = draws.around(256);
            // A point of the unit square's rim in 1/256; drawn onto the circle by its length.
            const int u = side < 2 ? along : (side == 2 ? 256 : -256);
            const int v = side < 2 ? (side == 0 ? 256 : -256) : along;
            const int length = int(std::sqrt(double(u * u + v * v)));
            offer(visit, one->x + turned(u * step_x_[one->layer], length),
                  one->y + turned(v * step_y_[one->layer], length), one->layer);
        }
    }

    // value / length to the nearest whole number.
    static int turned(int value, int length) {
        return (2 * value + (value < 0 ? -length : length)) / (2 * length);
    }

    void search(Visit& visit, Draws& draws) const {
        const Node& any = buckets_.any(draws);
        offer(visit, any.x, any.y, any.layer);
        const uint32_t code = buckets_.code(visit.descriptor);
        for (int k = 0; k < settings_.hash_draws; ++k) {
            // Every second try flips one bit: noise may have carried a feature over its median.
            const uint32_t flip = k % 2 ? 1u << draws.below(uint32_t(buckets_.bits())) : 0u;
            if (const Node* node = buckets_.like(code ^ flip, draws))
                offer(visit, node->x, node->y, node->layer);
        }
        int radius = 2 * settings_.stride;
        for (int k = 0; k < settings_.local_draws && visit.best.distance != INT32_MAX; ++k) {
            const Node centre = visit.best;
            const int l = near_layer(centre.layer, draws);
            const Layer &from = layers_[centre.layer], &to = layers_[l];
            const int x = int((2 * int64_t(centre.x) + 1) * to.width / (2 * from.width));
            const int y = int((2 * int64_t(centre.y) + 1) * to.height / (2 * from.height));
            offer(visit, x + draws.around(radius), y + draws.around(radius), l);
            radius = std::max(1, radius / 2);
        }
    }

    // Mostly the layer itself, one time in four a neighbouring size.
    int near_layer(int layer, Draws& draws) const {
        if (layers_.size() == 1) return layer;
        const uint32_t draw = draws.below(8);
        const int moved = layer + (draw == 0) - (draw == 1);
        return std::min(std::max(moved, 0), int(layers_.size()) - 1);
    }

    const int16_t* source_;
    int height_, width_;
    const uint8_t* usable_;
    std::vector<Layer> layers_;
    Settings settings_;
    int rows_, columns_;
    std::vector<Node> now_, before_;
    std::vector<int> step_x_, step_y_;
    Buckets buckets_;
};

}  // namespace dense_field

#endif

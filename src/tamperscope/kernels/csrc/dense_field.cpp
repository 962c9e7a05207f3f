// Plain C interface of the dense field; tamperscope/kernels/dense_field.py is its other side and
// checks every size and type before it calls.
#include "dense_field_features.h"
#include "dense_field_match.h"

#if defined(_WIN32)
#define TAMPERSCOPE_EXPORT extern "C" __declspec(dllexport)
#else
#define TAMPERSCOPE_EXPORT extern "C" __attribute__((visibility("default")))
#endif

// Both return 0, or 1 where memory (or another thread) was not to be had.

TAMPERSCOPE_EXPORT int dense_field_features(
    const uint16_t* image, int height, int width, int radius, int points, const int32_t* dx,
    const int32_t* dy, int filters, const int32_t* parity, const int32_t* feature,
    const double* taps, double shrink, int features, double* magnitudes,
    int16_t* descriptors, int depth, double unit, float* strength, double magnitude_unit,
    int threads) {
    try {
        const dense_field::Bank bank{radius, points,  dx,   dy,     filters,
                                     parity, feature, taps, shrink, features};
        const dense_field::FeatureOutput out{magnitudes, descriptors, depth,
                                             unit,       strength,    magnitude_unit};
        dense_field::features(image, height, width, bank, out, threads);
        return 0;
    } catch (...) {  // nothing may leave through a C interface
        return 1;
    }
}

TAMPERSCOPE_EXPORT int dense_field_match(
    const int16_t* source, int height, int width, const uint8_t* usable, int layers,
    const int16_t* const* descriptors, const uint8_t* const* valid, const int32_t* heights,
    const int32_t* widths, int depth, int stride, int rounds, int turned_draws, int local_draws,
    int hash_draws, int bits, int exclusion, uint64_t seed, int threads, int32_t* nodes) {
    try {
        std::vector<dense_field::Layer> targets;
        for (int l = 0; l < layers; ++l)
            targets.push_back({descriptors[l], valid[l], heights[l], widths[l]});
        const dense_field::Settings settings{depth,       stride,     rounds, turned_draws,
                                             local_draws, hash_draws, bits,   exclusion,
                                             seed,        threads};
        dense_field::Field field(source, height, width, usable, targets, settings);
        int32_t* out = nodes;
        for (const dense_field::Node& node : field.solve()) {
            *out++ = node.x;
            *out++ = node.y;
            *out++ = node.layer;
            *out++ = node.distance;
        }
        return 0;
    } catch (...) {
        return 1;
    }
}

// Magnitudes of circular moments around every pixel, by a bank of filters in whole numbers.
//
// The image holds whole numbers below 2^16 and the filters whole numbers, all of whose products and
// partial sums stay below 2^53. Double arithmetic on those is exact, so the result does not depend
// on the order of summation, on fused multiply-add or on the instruction set.
//
// The filters are even or odd in x and in y (as cosine and sine harmonics are). Four pixels that
// mirror each other are therefore folded first, and each filter then runs over one quadrant.
#ifndef TAMPERSCOPE_DENSE_FIELD_FEATURES_H
#define TAMPERSCOPE_DENSE_FIELD_FEATURES_H

#include <cmath>
#include <cstring>

#include "dense_field_common.h"

namespace dense_field {

// Pixels of a row done together: two vector registers of doubles with AVX2, which compilers keep in
// registers; four of SSE2, one of AVX-512.
#if defined(__AVX__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif

constexpr int ABREAST = 4;  // filters that share one load of the folded pixels

struct Bank {
    int radius;
    int points;              // of the quadrant dx >= 0, dy >= 0
    const int32_t* dx;       // [points]
    const int32_t* dy;       // [points]
    int filters;             // a multiple of ABREAST; groups of ABREAST share a parity
    const int32_t* parity;   // [filters] bit 0: odd in x, bit 1: odd in y
    const int32_t* feature;  // [filters] feature it belongs to; -1: padding
    const double* taps;      // [filters][points] whole numbers, already divided by the folding
    double shrink;           // a power of two: brings sums below 2^24 before they are squared
    int features;
};

// Nearest whole number, ties to even, for |x| < 2^51; vectorises everywhere.
inline double rounded(double x) {
    constexpr double SHIFT = 6755399441055744.0;  // 1.5 * 2^52
    return (x + SHIFT) - SHIFT;
}

// Sums of LANES neighbouring pixels for ABREAST filters of one parity.
inline void apply_filters(const double* folded, const double* taps, int points,
                          double (&sums)[ABREAST][LANES]) {
    double acc[ABREAST][LANES] = {};
    for (int p = 0; p < points; ++p) {
        const double* value = folded + p * LANES;
        for (int f = 0; f < ABREAST; ++f) {
            const double tap = taps[f * points + p];
            for (int i = 0; i < LANES; ++i) acc[f][i] += tap * value[i];
        }
    }
    std::memcpy(sums, acc, sizeof(acc));
}

// Folds the pixels around `centre` (LANES of them): folded[parity][point][lane].
inline void fold(const Bank& bank, const double* centre, int pitch, double* folded) {
    const int plane = bank.points * LANES;
    for (int p = 0; p < bank.points; ++p) {
        const int dx = bank.dx[p], dy = bank.dy[p];
        const double* below_right = centre + dy * pitch + dx;
        const double* below_left = centre + dy * pitch - dx;
        const double* above_right = centre - dy * pitch + dx;
        const double* above_left = centre - dy * pitch - dx;
        double* out = folded + p * LANES;
        for (int i = 0; i < LANES; ++i) {
            const double even_below = below_right[i] + below_left[i];
            const double odd_below = below_right[i] - below_left[i];
            const double even_above = above_right[i] + above_left[i];
            const double odd_above = above_right[i] - above_left[i];
            out[i] = even_below + even_above;
            out[plane + i] = odd_below + odd_above;
            out[2 * plane + i] = even_below - even_above;
            out[3 * plane + i] = odd_below - odd_above;
        }
    }
}

// Squared magnitudes of all features at LANES pixels: squares[feature * LANES + lane].
inline void square_magnitudes(const Bank& bank, const double* folded, double* squares) {
    std::fill(squares, squares + bank.features * LANES, 0.0);
    double sums[ABREAST][LANES];
    for (int first = 0; first < bank.filters; first += ABREAST) {
        const double* plane = folded + bank.parity[first] * bank.points * LANES;
        apply_filters(plane, bank.taps + size_t(first) * bank.points, bank.points, sums);
        for (int f = 0; f < ABREAST; ++f) {
            const int feature = bank.feature[first + f];
            if (feature < 0) continue;
            double* out = squares + feature * LANES;
            for (int i = 0; i < LANES; ++i) {
                const double value = rounded(sums[f][i] * bank.shrink);
                out[i] += value * value;
            }
        }
    }
}

struct FeatureOutput {
    double* magnitudes;    // [height][width][features], or null; zero within `radius` of the border
    int16_t* descriptors;  // [height][width][depth], or null; likewise
    int depth;             // >= features, the rest stays zero
    double unit;           // length of a descriptor
    float* strength;       // [height][width] root of the sum of squared magnitudes, or null
    double magnitude_unit;  // what a sum of 1 means after `shrink`
};

inline void write_pixel(const Bank& bank, const FeatureOutput& out, size_t pixel,
                        const double* squares) {
    double total = 0.0;
    for (int f = 0; f < bank.features; ++f) total += squares[f * LANES];
    const double norm = std::sqrt(total);
    if (out.strength) out.strength[pixel] = float(norm * out.magnitude_unit);
    if (out.magnitudes) {
        double* row = out.magnitudes + pixel * bank.features;
        for (int f = 0; f < bank.features; ++f)
            row[f] = std::sqrt(squares[f * LANES]) * out.magnitude_unit;
    }
    if (out.descriptors && total > 0.0) {
        int16_t* row = out.descriptors + pixel * out.depth;
        for (int f = 0; f < bank.features; ++f)
            row[f] = int16_t(rounded(std::sqrt(squares[f * LANES]) * out.unit / norm));
    }
}

inline void features(const uint16_t* image, int height, int width, const Bank& bank,
                     const FeatureOutput& out, int threads) {
    const int r = bank.radius;
    const int pitch = width + LANES;  // the last block of a row may read past it
    std::vector<double> padded(size_t(height) * pitch, 0.0);
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x)
            padded[size_t(y) * pitch + x] = image[size_t(y) * width + x];
    parallel_for(std::max(height - 2 * r, 0), threads, [&](int row) {
        thread_local std::vector<double> folded, squares;
        folded.resize(size_t(4) * bank.points * LANES);
        squares.resize(size_t(bank.features) * LANES);
        const int y = row + r;
        for (int x = r; x < width - r; x += LANES) {
            fold(bank, padded.data() + size_t(y) * pitch + x, pitch, folded.data());
            square_magnitudes(bank, folded.data(), squares.data());
            const int used = std::min(LANES, width - r - x);
            for (int i = 0; i < used; ++i)
                write_pixel(bank, out, size_t(y) * width + x + i, squares.data() + i);
        }
    });
}

}  // namespace dense_field

#endif

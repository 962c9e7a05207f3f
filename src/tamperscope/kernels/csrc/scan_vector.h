// Vectors of floats as wide as the instruction set allows, and the functions the scan needs on them.
//
// One source serves every instruction set: GCC's and Clang's vector extensions become AVX-512, AVX2,
// SSE2 or NEON instructions according to the compiler's flags. The polynomials are minimax fits
// (Lawson's algorithm, relative error); they are not to be compiled with -ffast-math, which licenses
// the compiler to undo the rounding in exp2.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__AVX512F__) || defined(__SSE2__)
#include <immintrin.h>
#endif

namespace scan {

#if defined(__AVX512F__)
constexpr int LANES = 16;
#elif defined(__AVX2__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif

typedef float Vec __attribute__((vector_size(LANES * 4)));
typedef int32_t IntVec __attribute__((vector_size(LANES * 4)));

inline Vec load(const float* from) {
  Vec v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

inline void store(float* to, Vec v) { std::memcpy(to, &v, sizeof v); }

inline Vec splat(float x) { return x - Vec{}; }

// Write around the caches where the processor can: for results too large to stay in them. Order with
// other threads is restored by stream_fence().
inline void stream(float* to, Vec v) {
#if defined(__AVX512F__) || defined(__AVX2__) || defined(__SSE2__)
  if (reinterpret_cast<uintptr_t>(to) % sizeof v == 0) {
#if defined(__AVX512F__)
    _mm512_stream_ps(to, (__m512)v);
#elif defined(__AVX2__)
    _mm256_stream_ps(to, (__m256)v);
#else
    _mm_stream_ps(to, (__m128)v);
#endif
    return;
  }
#endif
  store(to, v);
}

inline void stream_fence() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

// The first `count` lanes; the others are zero and not read.
inline Vec load_some(const float* from, int count) {
  if (count >= LANES) return load(from);
  Vec v{};
  if (count > 0) std::memcpy(&v, from, sizeof(float) * static_cast<size_t>(count));
  return v;
}

inline void store_some(float* to, Vec v, int count) {
  if (count >= LANES) return store(to, v);
  if (count > 0) std::memcpy(to, &v, sizeof(float) * static_cast<size_t>(count));
}

// Not below `low`, not above `high`; NaN stays NaN, which the order of the operands decides: the x86
// instructions return the second one when either is NaN.
inline Vec at_least(Vec x, float low) {
#if defined(__AVX512F__)
  return (Vec)_mm512_maskz_max_ps(0xffff, (__m512)splat(low), (__m512)x);
#elif defined(__AVX2__)
  return (Vec)_mm256_max_ps((__m256)splat(low), (__m256)x);
#elif defined(__SSE2__)
  return (Vec)_mm_max_ps((__m128)splat(low), (__m128)x);
#else
  return x < low ? splat(low) : x;
#endif
}

inline Vec at_most(Vec x, float high) {
#if defined(__AVX512F__)
  return (Vec)_mm512_maskz_min_ps(0xffff, (__m512)splat(high), (__m512)x);
#elif defined(__AVX2__)
  return (Vec)_mm256_min_ps((__m256)splat(high), (__m256)x);
#elif defined(__SSE2__)
  return (Vec)_mm_min_ps((__m128)splat(high), (__m128)x);
#else
  return x > high ? splat(high) : x;
#endif
}

inline float sum(Vec v) {
  float total = 0;
  for (int i = 0; i < LANES; ++i) total += v[i];
  return total;
}

// 2^x; exactly 1 at 0, because slow decays are multiplied thousands of times. Relative error of the
// polynomial 9e-8. Overflows to infinity, underflows to 0 below the normal numbers, keeps NaN.
inline Vec exp2(Vec x) {
  constexpr float c1 = 0.693147004f, c2 = 0.240222424f, c3 = 0.0555073358f, c4 = 0.00967151299f,
                  c5 = 0.00132647273f;
#if defined(__AVX512DQ__)
  const Vec f = (Vec)_mm512_reduce_ps((__m512)x, 0);  // x - round(x); 0 for infinities
  const Vec whole = x - f;
#else
  constexpr float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to the nearest integer
  x = at_most(at_least(x, -127.0f), 128.0f);
  const Vec shifted = x + magic;
  const Vec f = x - (shifted - magic);
#endif
  Vec p = f * c5 + c4;
  p = p * f + c3;
  p = p * f + c2;
  p = p * f + c1;
  p = p * f + 1.0f;
#if defined(__AVX512DQ__)
  // The masked form: GCC warns about the undefined register in its own header in the other.
  return (Vec)_mm512_maskz_scalef_ps(0xffff, (__m512)p, (__m512)whole);
#else
  // The low bits of `shifted` hold the integer; the shift drops all others.
  const IntVec exponent = ((IntVec)shifted << 23) + (127 << 23);
  return p * (Vec)exponent;
#endif
}

constexpr float LOG2_E = 1.44269504f;

inline Vec absolute(Vec x) { return (Vec)((IntVec)x & 0x7fffffff); }

// log(1 + t) for 0 <= t <= 1, relative error 3e-8.
inline Vec log1p_unit(Vec t) {
  Vec q = t * 0.0052326927f - 0.0295052323f;
  q = q * t + 0.0782259405f;
  q = q * t - 0.136632442f;
  q = q * t + 0.191060066f;
  q = q * t - 0.24842982f;
  q = q * t + 0.333190978f;
  q = q * t - 0.499994934f;
  q = q * t + 0.99999994f;
  return t * q;
}

// log(1 + exp(z)) = max(z, 0) + log(1 + exp(-|z|)): relative accuracy also where it is small.
inline Vec softplus(Vec z) {
  const Vec t = exp2(absolute(z) * -LOG2_E);
  return at_least(z, 0.0f) + log1p_unit(t);
}

// 1 / x for 1 <= x <= 2.
inline Vec reciprocal(Vec x) {
#if defined(__AVX512F__)
  const Vec r = (Vec)_mm512_maskz_rcp14_ps(0xffff, (__m512)x);
  return r * (2.0f - x * r);  // one Newton step: a third of the time of a division
#else
  return 1.0f / x;
#endif
}

// Softplus and its derivative, the logistic function.
inline Vec softplus_and_slope(Vec z, Vec& slope) {
  const Vec t = exp2(absolute(z) * -LOG2_E);
  slope = (z < 0.0f ? t : splat(1.0f)) * reciprocal(1.0f + t);
  return at_least(z, 0.0f) + log1p_unit(t);
}

// ---- shuffles -----------------------------------------------------------------------------------

#define SCAN_INLINE inline __attribute__((always_inline))

template <int STEP, int... J>
SCAN_INLINE void exchange(Vec& a, Vec& b, std::integer_sequence<int, J...>) {
  const Vec low = __builtin_shufflevector(a, b, ((J & STEP) ? LANES + J - STEP : J)...);
  const Vec high = __builtin_shufflevector(a, b, ((J & STEP) ? LANES + J : J + STEP)...);
  a = low;
  b = high;
}

template <int STEP>
SCAN_INLINE void transpose_from(Vec* rows) {
  if constexpr (STEP < LANES) {
#pragma GCC unroll 16
    for (int i = 0; i < LANES; ++i) {
      if (!(i & STEP)) {
        exchange<STEP>(rows[i], rows[i + STEP], std::make_integer_sequence<int, LANES>{});
      }
    }
    transpose_from<STEP * 2>(rows);
  }
}

// Transpose a LANES x LANES block in registers (Eklundh).
SCAN_INLINE void transpose(Vec* rows) { transpose_from<1>(rows); }

template <int HALF, int... J>
SCAN_INLINE Vec fold(Vec a, Vec b, std::integer_sequence<int, J...>) {
  // Adjacent groups of HALF lanes are added; a's results fill the lower, b's the upper half.
  return __builtin_shufflevector(a, b, ((J / HALF) * 2 * HALF + J % HALF)...) +
         __builtin_shufflevector(a, b, ((J / HALF) * 2 * HALF + J % HALF + HALF)...);
}

template <int HALF>
SCAN_INLINE Vec sum_from(Vec* rows) {
  if constexpr (HALF == 0) {
    return rows[0];
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < HALF; ++i) {
      rows[i] = fold<HALF>(rows[2 * i], rows[2 * i + 1], std::make_integer_sequence<int, LANES>{});
    }
    return sum_from<HALF / 2>(rows);
  }
}

// Lane i of the result is the sum over the lanes of vector i of `from`.
SCAN_INLINE Vec sum_rows(const float* from) {
  Vec rows[LANES];
#pragma GCC unroll 16
  for (int i = 0; i < LANES; ++i) rows[i] = load(from + i * LANES);
  return sum_from<LANES / 2>(rows);
}

// ---- flush to zero ------------------------------------------------------------------------------

// While alive, denormal numbers count as zero in this thread. A state that decays over zero padding
// becomes denormal, and arithmetic on those is an order of magnitude slower.
class FlushDenormals {
 public:
#if defined(__SSE2__)
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }
  ~FlushDenormals() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#elif defined(__aarch64__)
  FlushDenormals() {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    asm volatile("msr fpcr, %0" ::"r"(before_ | (uint64_t{1} << 24)));
  }
  ~FlushDenormals() { asm volatile("msr fpcr, %0" ::"r"(before_)); }

 private:
  uint64_t before_;
#endif
};

}  // namespace scan

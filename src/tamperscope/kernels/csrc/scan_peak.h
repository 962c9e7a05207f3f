// What this machine can do at best, measured with the scan's own functions: the benchmark compares
// the kernels with these rates. Not used by any kernel.
#pragma once

#include "scan_vector.h"

namespace scan {

enum Peak : int64_t { EXP2 = 0, SOFTPLUS = 1, MULTIPLY_ADD = 2, COPY = 3 };

// Mirrored field by field by PeakArguments in benchmarks/scan_peaks.py.
struct Peaks {
  int64_t kind, count, repeats, failed;  // count: floats of a task, a multiple of 16 vectors
  const float *a, *b;                    // COPY: [task][count]
  float* to;                             // COPY: [task][count], 64-byte aligned; else [task]
};

// Eight vectors in flight: enough to hide every latency.
template <typename Function>
SCAN_INLINE float rate_of(const Peaks& p, Function function) {
  constexpr int IN_FLIGHT = 8;
  Vec x[IN_FLIGHT], total{};
  for (int i = 0; i < IN_FLIGHT; ++i) x[i] = splat(-0.01f * static_cast<float>(i + 1));
  for (int64_t repeat = 0; repeat < p.repeats; ++repeat) {
    for (int64_t at = 0; at < p.count; at += IN_FLIGHT * LANES) {
#pragma GCC unroll 8
      for (int i = 0; i < IN_FLIGHT; ++i) {
        Vec v = x[i];
        asm volatile("" : "+m"(v));  // the compiler must not see that the input never changes
        total += function(v);
      }
    }
  }
  return sum(total);
}

inline bool measure_peak(const Peaks& p, int64_t task) {
  switch (p.kind) {
    case EXP2:
      p.to[task] = rate_of(p, [](Vec v) { return exp2(v); });
      return true;
    case SOFTPLUS:
      p.to[task] = rate_of(p, [](Vec v) { return softplus(v); });
      return true;
    case MULTIPLY_ADD: {
      Vec totals[12]{};
      const Vec factor = splat(0.999f), term = splat(1e-3f);
      for (int64_t i = 0; i < p.repeats * (p.count / LANES) / 12; ++i) {
#pragma GCC unroll 12
        for (int j = 0; j < 12; ++j) totals[j] = totals[j] * factor + term;
      }
      Vec total{};
      for (const Vec& part : totals) total += part;
      p.to[task] = sum(total);
      return true;
    }
    case COPY:
      for (int64_t repeat = 0; repeat < p.repeats; ++repeat) {
        const int64_t first = task * p.count;
        for (int64_t i = first; i < first + p.count; i += LANES) {
          stream(p.to + i, load(p.a + i) + load(p.b + i));
        }
      }
      return true;
  }
  return false;
}

}  // namespace scan

// The recurrence over one tile: a few steps of a block of channels, all of it in the nearest caches.
//
// Lanes are channels, so the recurrence runs down the steps of every lane independently and needs no
// communication between lanes; only the gradients of B and C, which channels share, sum over lanes.
// Whoever calls brings the tile into step-major order: by transposing (selective_scan, whose
// sequences are contiguous in time) or for nothing (ss2d, whose maps are channels-last).
#pragma once

#include <cstddef>
#include <new>

#include "scan_vector.h"

namespace scan {

constexpr int STEPS = 32;       // of a tile; also the distance of the checkpoints
constexpr int MOST_VECTORS = 4;  // of a block of channels
#if defined(__AVX512F__)
constexpr int MOST_STATES = 16;  // advanced together: what 32 registers hold
#else
constexpr int MOST_STATES = 4;
#endif
constexpr int MOST_STATES_BACK = 4;
constexpr float LN_2 = 0.693147181f;

// Passed by value into the loops: through a reference the compiler would have to read it again after
// every store.
struct Tile {
  int steps, vectors, states;
  ptrdiff_t width;                // floats from one step to the next: vectors * LANES
  const float *A, *skip;          // A [states][width], times log2(e); skip [width]
  const float* u;                 // [steps], u_step floats apart: in a map where that is possible
  ptrdiff_t u_step;
  const float* delta;             // [steps][width]; positive
  const float *B, *C;             // [t * step + n * state]
  ptrdiff_t step, state;
  float* h;                       // [states][width]: before the tile, then after it
};

// What comes out of a tile: y_step floats from one step to the next, written or added to; added to
// only where all states advance in one pass, as the order of additions must not depend on the way.
struct Out {
  float* y;
  ptrdiff_t y_step;
  bool adds;
};

template <int N>
SCAN_INLINE void advance_states(const Tile tile, int first, const Out to) {
  for (int v = 0; v < tile.vectors; ++v) {
    const ptrdiff_t at = v * LANES;
    Vec h[N], A[N];
#pragma GCC unroll 16
    for (int n = 0; n < N; ++n) {
      h[n] = load(tile.h + (first + n) * tile.width + at);
      A[n] = load(tile.A + (first + n) * tile.width + at);
    }
    const Vec skip = load(tile.skip + at);
    for (int t = 0; t < tile.steps; ++t) {
      const Vec u = load(tile.u + t * tile.u_step + at);
      const Vec delta = load(tile.delta + t * tile.width + at);
      const Vec entering = u * delta;
      const float* B = tile.B + t * tile.step + first * tile.state;
      const float* C = tile.C + t * tile.step + first * tile.state;
      float* y = to.y + t * to.y_step + at;
      Vec out = first == 0 ? u * skip : load(y);
#pragma GCC unroll 16
      for (int n = 0; n < N; ++n) {
        h[n] = exp2(A[n] * delta) * h[n] + entering * B[n * tile.state];
        out += h[n] * C[n * tile.state];
      }
      if (to.adds) out += load(y);
      store(y, out);
    }
#pragma GCC unroll 16
    for (int n = 0; n < N; ++n) store(tile.h + (first + n) * tile.width + at, h[n]);
  }
}

// Whether advance() takes all states in one pass.
inline bool in_one_pass(int64_t states) {
  return states <= MOST_STATES && (states & (states - 1)) == 0;
}

// y[t] = sum over states of C h + skip u, and the states after the tile.
inline void advance(const Tile& tile, const Out to) {
  int n = 0;
  if constexpr (MOST_STATES >= 16) {
    for (; n + 16 <= tile.states; n += 16) advance_states<16>(tile, n, to);
    for (; n + 8 <= tile.states; n += 8) advance_states<8>(tile, n, to);
  }
  for (; n + 4 <= tile.states; n += 4) advance_states<4>(tile, n, to);
  for (; n + 2 <= tile.states; n += 2) advance_states<2>(tile, n, to);
  for (; n < tile.states; ++n) advance_states<1>(tile, n, to);
}

struct TileGradients {
  const float* dy;            // [steps][width]
  float *du, *ddelta;         // [steps][width]; du without the skip term until finish()
  float *dA, *dskip;          // [states][width], [width]: added to
  float *carry;               // [states][width]: a[t+1] g[t+1] of the tile to the right
  float *dB, *dC;             // [t * step + n * state]: sums over the block's channels, written
  ptrdiff_t step, state;
  float *decays, *kept;       // scratch: [STEPS][MOST_STATES_BACK][LANES], one step more for kept
  float *sum_B, *sum_C;       // scratch: [STEPS * MOST_STATES_BACK][LANES]
};

// States after every step, from the checkpoint in tile.h, which stays as it is.
template <int N>
SCAN_INLINE void recompute(const Tile tile, const TileGradients grads, int first, ptrdiff_t at) {
  Vec h[N], A[N];
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) {
    h[n] = load(tile.h + (first + n) * tile.width + at);
    A[n] = load(tile.A + (first + n) * tile.width + at);
    store(grads.kept + n * LANES, h[n]);
  }
  for (int t = 0; t < tile.steps; ++t) {
    const ptrdiff_t here = t * tile.width + at;
    const Vec delta = load(tile.delta + here);
    const Vec entering = load(tile.u + t * tile.u_step + at) * delta;
    const float* B = tile.B + t * tile.step + first * tile.state;
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
      const Vec decay = exp2(A[n] * delta);
      h[n] = decay * h[n] + entering * B[n * tile.state];
      store(grads.decays + (t * N + n) * LANES, decay);
      store(grads.kept + ((t + 1) * N + n) * LANES, h[n]);
    }
  }
}

template <int N>
SCAN_INLINE void retreat_vector(const Tile tile, const TileGradients grads, int first,
                                ptrdiff_t at) {
  Vec carry[N], A[N], dA[N];
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) {
    carry[n] = load(grads.carry + (first + n) * tile.width + at);
    A[n] = load(tile.A + (first + n) * tile.width + at) * LN_2;
    dA[n] = Vec{};
  }
  for (int t = tile.steps - 1; t >= 0; --t) {
    const ptrdiff_t here = t * tile.width + at;
    const Vec delta = load(tile.delta + here), dy = load(grads.dy + here);
    const Vec entering = load(tile.u + t * tile.u_step + at) * delta;
    const float* B = tile.B + t * tile.step + first * tile.state;
    const float* C = tile.C + t * tile.step + first * tile.state;
    Vec ddelta = first == 0 ? Vec{} : load(grads.ddelta + here);
    Vec dentering = first == 0 ? Vec{} : load(grads.du + here);
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
      const ptrdiff_t cell = (t * N + n) * LANES;
      const Vec before = load(grads.kept + cell), after = load(grads.kept + cell + N * LANES);
      const Vec g = carry[n] + dy * C[n * tile.state];
      const Vec sum_B = at == 0 ? Vec{} : load(grads.sum_B + cell);
      const Vec sum_C = at == 0 ? Vec{} : load(grads.sum_C + cell);
      store(grads.sum_B + cell, g * entering + sum_B);
      store(grads.sum_C + cell, after * dy + sum_C);
      carry[n] = load(grads.decays + cell) * g;
      const Vec dexponent = carry[n] * before;
      ddelta += dexponent * A[n];
      dA[n] += dexponent * delta;
      dentering += g * B[n * tile.state];
    }
    store(grads.ddelta + here, ddelta);
    store(grads.du + here, dentering);
  }
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) {
    const ptrdiff_t cell = (first + n) * tile.width + at;
    store(grads.carry + cell, carry[n]);
    store(grads.dA + cell, load(grads.dA + cell) + dA[n]);
  }
}

// Sums over lanes of the [steps][N] vectors, for states `first` on.
template <int N>
SCAN_INLINE void sum_lanes(float* vectors, int steps, const TileGradients& grads, int first,
                           float* sums) {
  const int count = steps * N;
  for (int i = count; i % LANES; ++i) store(vectors + i * LANES, Vec{});
  for (int i = 0; i < count; i += LANES) {
    float lanes[LANES];
    store(lanes, sum_rows(vectors + i * LANES));
    for (int j = 0; j < LANES && i + j < count; ++j) {
      sums[((i + j) / N) * grads.step + (first + (i + j) % N) * grads.state] = lanes[j];
    }
  }
}

template <int N>
inline void retreat_states(const Tile& tile, const TileGradients& grads, int first) {
  for (int v = 0; v < tile.vectors; ++v) {
    recompute<N>(tile, grads, first, v * LANES);
    retreat_vector<N>(tile, grads, first, v * LANES);
  }
  sum_lanes<N>(grads.sum_B, tile.steps, grads, first, grads.dB);
  sum_lanes<N>(grads.sum_C, tile.steps, grads, first, grads.dC);
}

// Gradients of everything the tile saw, given dy and what flows in from the right.
inline void retreat(const Tile tile, const TileGradients grads) {
  int n = 0;
  for (; n + 4 <= tile.states; n += 4) retreat_states<4>(tile, grads, n);
  for (; n + 2 <= tile.states; n += 2) retreat_states<2>(tile, grads, n);
  for (; n < tile.states; ++n) retreat_states<1>(tile, grads, n);
  for (int v = 0; v < tile.vectors; ++v) {
    const ptrdiff_t at = v * LANES;
    const Vec skip = load(tile.skip + at);
    Vec dskip = load(grads.dskip + at);
    for (int t = 0; t < tile.steps; ++t) {
      const ptrdiff_t here = t * tile.width + at;
      const Vec u = load(tile.u + t * tile.u_step + at), dy = load(grads.dy + here);
      const Vec dentering = load(grads.du + here);
      store(grads.du + here, dentering * load(tile.delta + here) + dy * skip);
      store(grads.ddelta + here, load(grads.ddelta + here) + dentering * u);
      dskip += dy * u;
    }
    store(grads.dskip + at, dskip);
  }
}

// One allocation, handed out in up to MOST_PIECES pieces that start on cache lines; `failed` instead
// of an exception, which must not cross the C interface.
class Scratch {
 public:
  static constexpr size_t LINE = 16, MOST_PIECES = 32;

  explicit Scratch(size_t floats)
      : memory_(static_cast<float*>(
            ::operator new((floats + MOST_PIECES * LINE) * sizeof(float), std::align_val_t{64},
                           std::nothrow))) {}
  ~Scratch() { ::operator delete(memory_, std::align_val_t{64}); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  bool failed() const { return memory_ == nullptr; }

  float* take(size_t floats) {
    float* start = memory_ + used_;
    used_ += (floats + LINE - 1) / LINE * LINE;
    return start;
  }

 private:
  float* memory_;
  size_t used_ = 0;
};

inline void zero(float* to, ptrdiff_t count) {
  std::memset(to, 0, sizeof(float) * static_cast<size_t>(count));
}

// `count` values, then zeros up to `width`, each times `factor`.
inline void copy_padded(float* to, const float* from, ptrdiff_t count, ptrdiff_t width,
                        float factor = 1.0f) {
  for (ptrdiff_t i = 0; i < width; ++i) to[i] = from != nullptr && i < count ? from[i] * factor : 0;
}

}  // namespace scan

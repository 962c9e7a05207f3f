// selective_scan: (batch, channel, length) sequences, transposed tile by tile.
#pragma once

#include "scan_tile.h"

namespace scan {

// Mirrored field by field by SequenceArguments in tamperscope/kernels/native_scan.py.
struct Sequences {
  int64_t batch, groups, channels, states, length;  // channels: of one group
  int64_t vectors, softplus, failed;                // vectors: of a block; failed: out, no memory
  const float *u, *delta;                           // [batch][group * channels][length]
  const float* A;                                   // [group * channels][states]
  const float *B, *C;                               // [batch][group][states][length]
  const float *skip, *bias;                         // [group * channels] or null
  float* y;                                         // like u
  float* checkpoints;  // [task][tile][states][vectors * LANES], the state before each tile; or null
  const float* dy;
  float *du, *ddelta;                  // like u
  float *dA;                           // [batch][group * channels][states]
  float *dB, *dC;                      // [block][batch][group][states][length]
  float *dskip, *dbias;                // [batch][group * channels]

  int64_t width() const { return vectors * LANES; }
  int64_t blocks() const { return (channels + width() - 1) / width(); }
  int64_t tiles() const { return (length + STEPS - 1) / STEPS; }
};

// Where a task's block lies.
struct Place {
  int64_t batch, group, block, channel, row, width;  // channel: over all groups; row: over batches
  int count;                                         // channels that exist

  Place(const Sequences& s, int64_t task) {
    block = task % s.blocks();
    group = task / s.blocks() % s.groups;
    batch = task / s.blocks() / s.groups;
    width = s.width();
    channel = group * s.channels + block * width;
    row = batch * s.groups * s.channels + channel;
    const int64_t left = s.channels - block * width;
    count = static_cast<int>(left < width ? left : width);
  }
};

// Run a function on tasks [begin, end), as a thread pool hands them out.
template <typename Arguments>
void run(int64_t begin, int64_t end, Arguments* arguments,
         bool (*one)(const Arguments&, int64_t)) {
  const FlushDenormals guard;
  for (int64_t task = begin; task < end; ++task) {
    if (!one(*arguments, task)) __atomic_store_n(&arguments->failed, 1, __ATOMIC_RELAXED);
  }
}

// Bring `steps` steps of `rows` sequences into step-major order; missing rows become zeros.
inline void read_tile(const float* from, int64_t length, int rows, int steps, int64_t width,
                      float* to) {
  for (int first = 0; first < width; first += LANES) {
    const int present = rows - first;
    for (int t = 0; t < steps; t += LANES) {
      const float* corner = from + first * length + t;
      Vec block[LANES];
      if (present >= LANES && steps - t >= LANES) {
#pragma GCC unroll 16
        for (int i = 0; i < LANES; ++i) block[i] = load(corner + i * length);
      } else {
        for (int i = 0; i < LANES; ++i) {
          block[i] = i < present ? load_some(corner + i * length, steps - t) : Vec{};
        }
      }
      transpose(block);
#pragma GCC unroll 16
      for (int i = 0; i < LANES; ++i) store(to + (t + i) * width + first, block[i]);
    }
  }
}

inline void write_tile(const float* from, int64_t length, int rows, int steps, int64_t width,
                       float* to) {
  for (int first = 0; first < rows; first += LANES) {
    const int present = rows - first;
    for (int t = 0; t < steps; t += LANES) {
      float* corner = to + first * length + t;
      Vec block[LANES];
#pragma GCC unroll 16
      for (int i = 0; i < LANES; ++i) block[i] = load(from + (t + i) * width + first);
      transpose(block);
      if (present >= LANES && steps - t >= LANES) {
#pragma GCC unroll 16
        for (int i = 0; i < LANES; ++i) store(corner + i * length, block[i]);
      } else {
        for (int i = 0; i < LANES && i < present; ++i) {
          store_some(corner + i * length, block[i], steps - t);
        }
      }
    }
  }
}

inline void prefetch_tile(const float* from, int64_t length, int rows) {
  for (int i = 0; i < rows; ++i) {
    for (int t = 0; t < STEPS; t += 16) __builtin_prefetch(from + i * length + t, 0, 2);
  }
}

// What of a block does not change from step to step.
struct Parameters {
  float *A, *skip, *bias;

  Parameters(Scratch& scratch, const Sequences& s, const Place& place)
      : A(scratch.take(s.states * place.width)),
        skip(scratch.take(place.width)),
        bias(scratch.take(place.width)) {
    const float* rows = s.A + place.channel * s.states;
    for (int64_t n = 0; n < s.states; ++n) {
      for (int64_t c = 0; c < place.width; ++c) {
        A[n * place.width + c] = c < place.count ? rows[c * s.states + n] * LOG2_E : 0.0f;
      }
    }
    copy_padded(skip, s.skip ? s.skip + place.channel : nullptr, place.count, place.width);
    copy_padded(bias, s.bias ? s.bias + place.channel : nullptr, place.count, place.width);
  }
};

inline Tile make_tile(const Sequences& s, const Place& place, const Parameters& fixed, float* u,
                      float* delta, float* h, int64_t start) {
  const int64_t left = s.length - start;
  const int64_t shared = (place.batch * s.groups + place.group) * s.states * s.length + start;
  return {static_cast<int>(left < STEPS ? left : STEPS),
          static_cast<int>(s.vectors),
          static_cast<int>(s.states),
          place.width,
          fixed.A,
          fixed.skip,
          u,
          delta,
          s.B + shared,
          s.C + shared,
          1,
          s.length,
          h};
}

inline bool forward_block(const Sequences& s, int64_t task) {
  const Place place(s, task);
  const int64_t width = place.width, state_size = s.states * width;
  Scratch scratch(2 * state_size + (3 * STEPS + 2) * width);
  if (scratch.failed()) return false;
  const Parameters fixed(scratch, s, place);
  float* h = scratch.take(state_size);
  float *u = scratch.take(STEPS * width), *delta = scratch.take(STEPS * width);
  float* y = scratch.take(STEPS * width);
  zero(h, state_size);
  for (int64_t tile_number = 0; tile_number < s.tiles(); ++tile_number) {
    const int64_t start = tile_number * STEPS;
    const int64_t corner = place.row * s.length + start;
    const Tile tile = make_tile(s, place, fixed, u, delta, h, start);
    prefetch_tile(s.u + corner + STEPS, s.length, place.count);
    prefetch_tile(s.delta + corner + STEPS, s.length, place.count);
    if (s.checkpoints) {
      std::memcpy(s.checkpoints + (task * s.tiles() + tile_number) * state_size, h,
                  sizeof(float) * static_cast<size_t>(state_size));
    }
    read_tile(s.u + corner, s.length, place.count, tile.steps, width, u);
    read_tile(s.delta + corner, s.length, place.count, tile.steps, width, delta);
    for (int64_t at = 0; at < width; at += LANES) {
      const Vec bias = load(fixed.bias + at);
      for (int t = 0; t < tile.steps; ++t) {
        const Vec z = load(delta + t * width + at) + bias;
        store(delta + t * width + at, s.softplus ? softplus(z) : z);
      }
    }
    advance(tile, y);
    write_tile(y, s.length, place.count, tile.steps, width, s.y + corner);
  }
  return true;
}

// Scratch that retreat() needs besides the tile itself.
inline TileGradients make_gradients(Scratch& scratch, int64_t states, int64_t width) {
  TileGradients g{};
  const size_t cells = STEPS * MOST_STATES_BACK * LANES;
  g.du = scratch.take(STEPS * width);
  g.ddelta = scratch.take(STEPS * width);
  g.dA = scratch.take(states * width);
  g.dskip = scratch.take(width);
  g.carry = scratch.take(states * width);
  g.dB = scratch.take(STEPS * states);
  g.dC = scratch.take(STEPS * states);
  g.decays = scratch.take(cells);
  g.kept = scratch.take(cells + MOST_STATES_BACK * LANES);
  g.sum_B = scratch.take(cells);
  g.sum_C = scratch.take(cells);
  zero(g.dA, states * width);
  zero(g.dskip, width);
  zero(g.carry, states * width);
  return g;
}

inline size_t gradients_size(int64_t states, int64_t width) {
  return 2 * STEPS * width + 2 * states * width + width + 2 * STEPS * states +
         (4 * STEPS + 1) * MOST_STATES_BACK * LANES;
}

inline void write_shared(const Sequences& s, const Place& place, const Tile& tile, int64_t start,
                         const TileGradients& g) {
  const int64_t part = (place.block * s.batch + place.batch) * s.groups + place.group;
  float* dB = s.dB + part * s.states * s.length + start;
  float* dC = s.dC + part * s.states * s.length + start;
  for (int64_t n = 0; n < s.states; ++n) {
    for (int t = 0; t < tile.steps; ++t) {
      dB[n * s.length + t] = g.dB[t * s.states + n];
      dC[n * s.length + t] = g.dC[t * s.states + n];
    }
  }
}

inline void write_parameters(const Sequences& s, const Place& place, const TileGradients& g,
                             const float* dbias) {
  for (int c = 0; c < place.count; ++c) {
    for (int64_t n = 0; n < s.states; ++n) {
      s.dA[(place.row + c) * s.states + n] = g.dA[n * place.width + c];
    }
    s.dskip[place.row + c] = g.dskip[c];
    s.dbias[place.row + c] = dbias[c];
  }
}

inline bool backward_block(const Sequences& s, int64_t task) {
  const Place place(s, task);
  const int64_t width = place.width, state_size = s.states * width;
  Scratch scratch(state_size + (4 * STEPS + 3) * width + gradients_size(s.states, width));
  if (scratch.failed()) return false;
  const Parameters fixed(scratch, s, place);
  float *u = scratch.take(STEPS * width), *delta = scratch.take(STEPS * width);
  float *dy = scratch.take(STEPS * width), *slope = scratch.take(STEPS * width);
  float* dbias = scratch.take(width);
  TileGradients g = make_gradients(scratch, s.states, width);
  g.dy = dy;
  zero(dbias, width);
  for (int64_t tile_number = s.tiles() - 1; tile_number >= 0; --tile_number) {
    const int64_t start = tile_number * STEPS;
    const int64_t corner = place.row * s.length + start;
    float* h = s.checkpoints + (task * s.tiles() + tile_number) * state_size;
    const Tile tile = make_tile(s, place, fixed, u, delta, h, start);
    if (start > 0) {
      prefetch_tile(s.u + corner - STEPS, s.length, place.count);
      prefetch_tile(s.delta + corner - STEPS, s.length, place.count);
      prefetch_tile(s.dy + corner - STEPS, s.length, place.count);
    }
    read_tile(s.u + corner, s.length, place.count, tile.steps, width, u);
    read_tile(s.delta + corner, s.length, place.count, tile.steps, width, delta);
    read_tile(s.dy + corner, s.length, place.count, tile.steps, width, dy);
    for (int64_t at = 0; at < width; at += LANES) {
      const Vec bias = load(fixed.bias + at);
      for (int t = 0; t < tile.steps; ++t) {
        const Vec z = load(delta + t * width + at) + bias;
        Vec derivative = splat(1.0f);
        store(delta + t * width + at, s.softplus ? softplus_and_slope(z, derivative) : z);
        store(slope + t * width + at, derivative);
      }
    }
    retreat(tile, g);
    for (int64_t at = 0; at < width; at += LANES) {
      Vec total = load(dbias + at);
      for (int t = 0; t < tile.steps; ++t) {
        const Vec dz = load(g.ddelta + t * width + at) * load(slope + t * width + at);
        store(g.ddelta + t * width + at, dz);
        total += dz;
      }
      store(dbias + at, total);
    }
    write_tile(g.du, s.length, place.count, tile.steps, width, s.du + corner);
    write_tile(g.ddelta, s.length, place.count, tile.steps, width, s.ddelta + corner);
    write_shared(s, place, tile, start, g);
  }
  write_parameters(s, place, g, dbias);
  return true;
}

}  // namespace scan

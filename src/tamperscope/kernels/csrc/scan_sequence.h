// selective_scan: (batch, channel, length) sequences, transposed tile by tile.
#pragma once

#include "scan_tile.h"

namespace scan {

constexpr int64_t STREAMED = 1 << 20;  // floats: results from here on do not stay in a core's cache

// Mirrored field by field by SequenceArguments in tamperscope/kernels/native_scan.py.
struct Sequences {
  int64_t batch, groups, channels, states, length;  // channels: of one group
  int64_t softplus, failed;                         // failed: set to 1 where memory ran out
  int64_t parts;                                    // backward: tasks that share a group's blocks
  const float *u, *delta;                           // [batch][group * channels][length]
  const float* A;                                   // [group * channels][states]
  const float *B, *C;                               // [batch][group][states][length]
  const float *skip, *bias;                         // [group * channels] or null
  float* y;                                         // like u
  float* checkpoints;                  // [batch][group][block][tile][states][LANES], or null
  const float* dy;
  float *du, *ddelta;                  // like u
  float *dA;                           // [batch][group * channels][states]
  float *dB, *dC;                      // [part][batch][group][states][length]
  float *dskip, *dbias;                // [batch][group * channels]

  // A block is one vector wide: with more rows than that in flight, the streams of u, delta and y
  // evict each other from the cache (measured: 2 x slower with three vectors).
  int64_t blocks() const { return (channels + LANES - 1) / LANES; }
  int64_t tiles() const { return (length + STEPS - 1) / STEPS; }
  bool streams() const { return batch * groups * channels * length >= STREAMED; }
};

// Where a block of channels lies; blocks are numbered through groups and batch entries.
struct Place {
  int64_t number, batch, group, channel, row;  // channel: over all groups; row: over batch entries
  int count;                                   // channels that exist

  Place(const Sequences& s, int64_t number_) : number(number_) {
    const int64_t first = number % s.blocks() * LANES;
    group = number / s.blocks() % s.groups;
    batch = number / s.blocks() / s.groups;
    channel = group * s.channels + first;
    row = batch * s.groups * s.channels + channel;
    count = static_cast<int>(s.channels - first < LANES ? s.channels - first : LANES);
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
  stream_fence();
}

// Bring `steps` steps of `rows` sequences into step-major order; missing rows become zeros.
inline void read_tile(const float* from, int64_t length, int rows, int steps, float* to) {
  for (int t = 0; t < steps; t += LANES) {
    Vec block[LANES];
    if (rows == LANES && steps - t >= LANES) {
#pragma GCC unroll 16
      for (int i = 0; i < LANES; ++i) block[i] = load(from + i * length + t);
    } else {
      for (int i = 0; i < LANES; ++i) {
        block[i] = i < rows ? load_some(from + i * length + t, steps - t) : Vec{};
      }
    }
    transpose(block);
#pragma GCC unroll 16
    for (int i = 0; i < LANES; ++i) store(to + (t + i) * LANES, block[i]);
  }
}

// The way back. `streams`: around the caches, which sixteen rows a power of two apart would thrash
// (measured: the backward pass takes half the time).
inline void write_tile(const float* from, int64_t length, int rows, int steps, bool streams,
                       float* to) {
  for (int t = 0; t < steps; t += LANES) {
    Vec block[LANES];
#pragma GCC unroll 16
    for (int i = 0; i < LANES; ++i) block[i] = load(from + (t + i) * LANES);
    transpose(block);
    if (rows == LANES && steps - t >= LANES) {
#pragma GCC unroll 16
      for (int i = 0; i < LANES; ++i) {
        streams ? stream(to + i * length + t, block[i]) : store(to + i * length + t, block[i]);
      }
    } else {
      for (int i = 0; i < rows; ++i) store_some(to + i * length + t, block[i], steps - t);
    }
  }
}

// A tile to come on its way into the cache, a little with every step of this one: asked for all at
// once, it keeps the processor waiting until the last part is under way.
struct Ahead {
  static constexpr int LINE = 16;  // floats
  const float* tensors[3];         // from the tile's first step on; null where there are fewer
  int64_t length;
  int rows;

  SCAN_INLINE void fetch(int t) const {
    const int row = t % LINE;
    if (row >= rows) return;
    for (const float* from : tensors) {
      if (from != nullptr) __builtin_prefetch(from + row * length + t / LINE * LINE, 0, 2);
    }
  }
};
static_assert(LANES <= Ahead::LINE, "every row of a block has its step");

// What of a block does not change from step to step.
struct Parameters {
  float *A, *skip, *bias;

  Parameters(Scratch& scratch, const Sequences& s, const Place& place)
      : A(scratch.take(s.states * LANES)), skip(scratch.take(LANES)), bias(scratch.take(LANES)) {
    fill(s, place);
  }

  void fill(const Sequences& s, const Place& place) {
    const float* rows = s.A + place.channel * s.states;
    for (int64_t n = 0; n < s.states; ++n) {
      for (int64_t c = 0; c < LANES; ++c) {
        A[n * LANES + c] = c < place.count ? rows[c * s.states + n] * LOG2_E : 0.0f;
      }
    }
    copy_padded(skip, s.skip ? s.skip + place.channel : nullptr, place.count, LANES);
    copy_padded(bias, s.bias ? s.bias + place.channel : nullptr, place.count, LANES);
  }
};

inline Tile make_tile(const Sequences& s, const Place& place, const Parameters& fixed, float* u,
                      float* delta, float* h, int64_t start) {
  const int64_t left = s.length - start;
  const int64_t shared = (place.batch * s.groups + place.group) * s.states * s.length + start;
  return {static_cast<int>(left < STEPS ? left : STEPS),
          1,
          static_cast<int>(s.states),
          LANES,
          fixed.A,
          fixed.skip,
          u,
          LANES,
          delta,
          s.B + shared,
          s.C + shared,
          1,
          s.length,
          h};
}

// delta = softplus(delta + bias), or without the softplus; `slope` is its derivative where asked for.
inline void step_sizes(const Sequences& s, const Parameters& fixed, int steps, const Ahead ahead,
                       float* delta, float* slope) {
  const Vec bias = load(fixed.bias);
  for (int t = 0; t < steps; ++t) {
    ahead.fetch(t);
    float* here = delta + t * LANES;
    const Vec z = load(here) + bias;
    if (slope) {
      Vec derivative = splat(1.0f);
      store(here, s.softplus ? softplus_and_slope(z, derivative) : z);
      store(slope + t * LANES, derivative);
    } else {
      store(here, s.softplus ? softplus(z) : z);
    }
  }
}

inline bool forward_block(const Sequences& s, int64_t task) {
  const Place place(s, task);
  const int64_t state_size = s.states * LANES;
  Scratch scratch(2 * state_size + (3 * STEPS + 2) * LANES);
  if (scratch.failed()) return false;
  const Parameters fixed(scratch, s, place);
  float* h = scratch.take(state_size);
  float *u = scratch.take(STEPS * LANES), *delta = scratch.take(STEPS * LANES);
  float* y = scratch.take(STEPS * LANES);
  zero(h, state_size);
  for (int64_t start = 0; start < s.length; start += STEPS) {
    const int64_t corner = place.row * s.length + start;
    const Tile tile = make_tile(s, place, fixed, u, delta, h, start);
    const int64_t next = corner + 2 * STEPS;
    const Ahead ahead{{s.u + next, s.delta + next}, s.length, place.count};
    if (s.checkpoints) {
      std::memcpy(s.checkpoints + (task * s.tiles() + start / STEPS) * state_size, h,
                  sizeof(float) * static_cast<size_t>(state_size));
    }
    read_tile(s.u + corner, s.length, place.count, tile.steps, u);
    read_tile(s.delta + corner, s.length, place.count, tile.steps, delta);
    step_sizes(s, fixed, tile.steps, ahead, delta, nullptr);
    advance(tile, {y, LANES, false});
    write_tile(y, s.length, place.count, tile.steps, s.streams(), s.y + corner);
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
  g.step = 1;
  g.state = STEPS;
  g.decays = scratch.take(cells);
  g.kept = scratch.take(cells + MOST_STATES_BACK * LANES);
  g.sum_B = scratch.take(cells);
  g.sum_C = scratch.take(cells);
  return g;
}

inline size_t gradients_size(int64_t states, int64_t width) {
  return 2 * STEPS * width + 2 * states * width + width + 2 * STEPS * states +
         (4 * STEPS + 1) * MOST_STATES_BACK * LANES;
}

// From the gradient of the step sizes to that of what went into the softplus; adds up the bias's.
inline void finish_step_sizes(const Tile& tile, const float* slope, const TileGradients& g,
                              float* dbias) {
  for (int64_t at = 0; at < tile.width; at += LANES) {
    Vec total = load(dbias + at);
    for (int t = 0; t < tile.steps; ++t) {
      const Vec dz = load(g.ddelta + t * tile.width + at) * load(slope + t * tile.width + at);
      store(g.ddelta + t * tile.width + at, dz);
      total += dz;
    }
    store(dbias + at, total);
  }
}

// The gradients of B and C are sums over channels: blocks of one task are added up in its part.
inline void write_shared(const Sequences& s, const Place& place, int64_t part, bool adds,
                         const Tile& tile, int64_t start, const TileGradients& g) {
  const int64_t group = (part * s.batch + place.batch) * s.groups + place.group;
  float* dB = s.dB + group * s.states * s.length + start;
  float* dC = s.dC + group * s.states * s.length + start;
  for (int64_t n = 0; n < s.states; ++n) {
    for (int t = 0; t < tile.steps; t += LANES) {
      const int64_t to = n * s.length + t, from = n * g.state + t;
      const int left = tile.steps - t;
      const Vec B = adds ? load_some(dB + to, left) : Vec{};
      const Vec C = adds ? load_some(dC + to, left) : Vec{};
      store_some(dB + to, B + load(g.dB + from), left);
      store_some(dC + to, C + load(g.dC + from), left);
    }
  }
}

inline void write_parameters(const Sequences& s, const Place& place, const TileGradients& g,
                             const float* dbias) {
  for (int c = 0; c < place.count; ++c) {
    for (int64_t n = 0; n < s.states; ++n) {
      s.dA[(place.row + c) * s.states + n] = g.dA[n * LANES + c];
    }
    s.dskip[place.row + c] = g.dskip[c];
    s.dbias[place.row + c] = dbias[c];
  }
}

// Memory of one backward task, and its way through one block of channels.
struct BackwardBlock {
  Scratch scratch;
  float *u, *delta, *dy, *slope, *dbias;
  TileGradients g;

  explicit BackwardBlock(const Sequences& s)
      : scratch(s.states * LANES + (4 * STEPS + 3) * LANES + gradients_size(s.states, LANES)) {
    if (scratch.failed()) return;
    u = scratch.take(STEPS * LANES);
    delta = scratch.take(STEPS * LANES);
    dy = scratch.take(STEPS * LANES);
    slope = scratch.take(STEPS * LANES);
    dbias = scratch.take(LANES);
    g = make_gradients(scratch, s.states, LANES);
    g.dy = dy;
  }

  void clear(const Sequences& s) {
    zero(g.dA, s.states * LANES);
    zero(g.carry, s.states * LANES);
    zero(g.dskip, LANES);
    zero(dbias, LANES);
  }

  void read(const Sequences& s, const Place& place, const Parameters& fixed, int steps,
            int64_t start) {
    const int64_t corner = place.row * s.length + start;
    const int64_t next = corner - 2 * STEPS;
    const Ahead ahead{{s.u + next, s.delta + next, s.dy + next}, s.length,
                      start < 2 * STEPS ? 0 : place.count};
    read_tile(s.u + corner, s.length, place.count, steps, u);
    read_tile(s.delta + corner, s.length, place.count, steps, delta);
    read_tile(s.dy + corner, s.length, place.count, steps, dy);
    step_sizes(s, fixed, steps, ahead, delta, slope);
  }

  void run(const Sequences& s, const Place& place, const Parameters& fixed, int64_t part,
           bool adds) {
    clear(s);
    for (int64_t number = s.tiles() - 1; number >= 0; --number) {
      const int64_t start = number * STEPS, corner = place.row * s.length + start;
      float* h = s.checkpoints + (place.number * s.tiles() + number) * s.states * LANES;
      const Tile tile = make_tile(s, place, fixed, u, delta, h, start);
      read(s, place, fixed, tile.steps, start);
      retreat(tile, g);
      finish_step_sizes(tile, slope, g, dbias);
      write_tile(g.du, s.length, place.count, tile.steps, s.streams(), s.du + corner);
      write_tile(g.ddelta, s.length, place.count, tile.steps, s.streams(), s.ddelta + corner);
      write_shared(s, place, part, adds, tile, start, g);
    }
    write_parameters(s, place, g, dbias);
  }
};

// A task: the blocks of one part of one group.
inline bool backward_blocks(const Sequences& s, int64_t task) {
  const int64_t part = task % s.parts, group = task / s.parts;  // group: over batch entries
  const int64_t first = part * s.blocks() / s.parts, end = (part + 1) * s.blocks() / s.parts;
  BackwardBlock block(s);
  if (block.scratch.failed()) return false;
  Parameters fixed(block.scratch, s, Place(s, group * s.blocks() + first));
  for (int64_t number = first; number < end; ++number) {
    const Place place(s, group * s.blocks() + number);
    fixed.fill(s, place);
    block.run(s, place, fixed, part, number > first);
  }
  return true;
}

}  // namespace scan

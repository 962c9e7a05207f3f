// ss2d: the selective scan along the routes of a channels-last map, which is read and written in
// place. No sequence is ever laid out: the route is a list of cells, and a step's channels lie next
// to each other in memory already. The projection from rank to step sizes happens per tile, in cache.
#pragma once

#include "scan_sequence.h"

namespace scan {

constexpr int DIRECTIONS = 4;
constexpr int TOGETHER = 8;  // steps or ranks that one pass over a matrix product keeps in registers

// Mirrored field by field by MapArguments in tamperscope/kernels/native_ss2d.py.
struct Maps {
  int64_t batch, cells, channels, states, rank, length, vectors, failed;
  int64_t parts;        // directions are shared out among this many tasks, in order
  int64_t part_stride;  // floats between the parts of y and dx; 0 where no cell is visited twice
  int64_t proj_direction, proj_batch, proj_row, proj_block;  // strides of proj and dproj, floats
  const int32_t *cell;  // [4][length]: cell of every step, -1 for padding
  const int32_t *row;   // [4][length]: row of proj of every step
  const float *x;                     // [batch][cells][channels]
  const float *proj;                  // at batch, direction, row: rank + 2 states floats
  const float *dt_weight, *dt_bias;   // [4][rank][channels], [4][channels]
  const float *A, *skip;              // [4 * channels][states], [4 * channels]
  float *y;                           // [part][batch][cells][channels]
  float *checkpoints;                 // [batch][block][4][tile][states][width] or null
  const float *dy;                    // like x
  float *dx;                          // [part][batch][cells][channels]
  float *dproj;                       // [block], then like proj
  float *ddt_weight, *ddt_bias;       // [batch][4][rank][channels], [batch][4][channels]
  float *dA, *dskip;                  // [batch][4 * channels][states], [batch][4 * channels]

  int64_t width() const { return vectors * LANES; }
  int64_t blocks() const { return (channels + width() - 1) / width(); }
  int64_t tiles() const { return (length + STEPS - 1) / STEPS; }
  int64_t entries() const { return rank + 2 * states; }
};

// One direction of one block of channels.
struct Lane {
  int64_t batch, block, direction, first, width;  // first: channel
  int count;                                      // channels that exist
  const int32_t *cell, *row;
  const float *x, *proj;
  float *y, *checkpoints;
  bool adds;  // whether an earlier direction of this task has written y and dx already
  int64_t part;

  Lane(const Maps& m, int64_t task, int64_t direction_) : direction(direction_) {
    block = task % m.blocks();
    part = task / m.blocks() % m.parts;
    batch = task / m.blocks() / m.parts;
    width = m.width();
    first = block * width;
    const int64_t left = m.channels - first;
    count = static_cast<int>(left < width ? left : width);
    cell = m.cell + direction * m.length;
    row = m.row + direction * m.length;
    x = m.x + batch * m.cells * m.channels + first;
    proj = m.proj + direction * m.proj_direction + batch * m.proj_batch;
    y = m.y ? m.y + part * m.part_stride + batch * m.cells * m.channels + first : nullptr;
    checkpoints = m.checkpoints
                      ? m.checkpoints + ((batch * m.blocks() + block) * DIRECTIONS + direction) *
                                            m.tiles() * m.states * width
                      : nullptr;
    adds = m.part_stride > 0 && direction > first_direction(m, part);
  }

  static int64_t first_direction(const Maps& m, int64_t part) { return DIRECTIONS * part / m.parts; }
};

struct MapParameters {
  float *A, *skip, *bias, *weight;  // [states][width], [width], [width], [rank][width]
  float* turned;                    // backward: weight as [width][rank, padded to full vectors]

  MapParameters(Scratch& scratch, const Maps& m)
      : A(scratch.take(m.states * m.width())),
        skip(scratch.take(m.width())),
        bias(scratch.take(m.width())),
        weight(scratch.take(m.rank * m.width())),
        turned(scratch.take(padded_rank(m) * m.width())) {}

  static int64_t padded_rank(const Maps& m) { return (m.rank + LANES - 1) / LANES * LANES; }

  void fill(const Maps& m, const Lane& lane) {
    const int64_t channel = lane.direction * m.channels + lane.first;
    for (int64_t n = 0; n < m.states; ++n) {
      for (int64_t c = 0; c < lane.width; ++c) {
        const float rate = c < lane.count ? m.A[(channel + c) * m.states + n] : 0.0f;
        A[n * lane.width + c] = rate * LOG2_E;
      }
    }
    copy_padded(skip, m.skip + channel, lane.count, lane.width);
    copy_padded(bias, m.dt_bias + channel, lane.count, lane.width);
    for (int64_t r = 0; r < m.rank; ++r) {
      const float* from = m.dt_weight + (lane.direction * m.rank + r) * m.channels + lane.first;
      copy_padded(weight + r * lane.width, from, lane.count, lane.width);
    }
  }

  void turn(const Maps& m) {
    const int64_t width = m.width(), padded = padded_rank(m);
    for (int64_t r = 0; r < padded; ++r) {
      for (int64_t c = 0; c < width; ++c) {
        turned[c * padded + r] = r < m.rank ? weight[r * width + c] : 0.0f;
      }
    }
  }

  static size_t size(const Maps& m) {
    return (m.states + 2 + m.rank + padded_rank(m)) * m.width();
  }
};

inline void gather(const float* map, const Maps& m, const Lane& lane, int64_t start, int steps,
                   float* to) {
  for (int t = 0; t < steps; ++t) {
    const int64_t cell = lane.cell[start + t];
    const float* from = map + cell * m.channels;
    for (int64_t at = 0; at < lane.width; at += LANES) {
      const Vec v = cell < 0 ? Vec{} : load_some(from + at, static_cast<int>(lane.count - at));
      store(to + t * lane.width + at, v);
    }
  }
}

inline void scatter(const float* from, const Maps& m, const Lane& lane, int64_t start, int steps,
                    float* map) {
  for (int t = 0; t < steps; ++t) {
    const int64_t cell = lane.cell[start + t];
    if (cell < 0) continue;
    float* to = map + cell * m.channels;
    for (int64_t at = 0; at < lane.count; at += LANES) {
      const int left = static_cast<int>(lane.count - at);
      Vec v = load(from + t * lane.width + at);
      if (lane.adds) v += load_some(to + at, left);
      store_some(to + at, v, left);
    }
  }
}

// Rows of proj for the steps of a tile.
struct Rows {
  const float* at;
  ptrdiff_t step;  // floats from one step to the next
};

// Where a full tile's rows are evenly spaced they are read in place, else copied to `copy`.
inline Rows find_rows(const Maps& m, const Lane& lane, int64_t start, int steps, float* copy) {
  const int32_t* row = lane.row + start;
  const ptrdiff_t apart = steps > 1 ? row[1] - row[0] : 0;
  bool even = steps == STEPS;
  for (int t = 1; t < steps; ++t) even &= row[t] - row[t - 1] == apart;
  if (even) return {lane.proj + row[0] * m.proj_row, apart * m.proj_row};
  const int64_t entries = m.entries();
  for (int t = 0; t < steps; ++t) {
    const float* from = lane.proj + row[t] * m.proj_row;
    for (int64_t i = 0; i < entries; ++i) copy[t * entries + i] = from[i];
  }
  return {copy, entries};
}

// The cells of a tile to come on their way into the cache, a few with every few steps of this one; see
// Ahead. What is only written is fetched as well: a line has to be there before part of it is changed.
struct CellsAhead {
  const int32_t* cell;
  int64_t steps;         // that there are; none: nothing is fetched
  int64_t channels;      // floats from one cell to the next
  const float* maps[3];  // null where there are fewer

  SCAN_INLINE void fetch(int first, int64_t at) const {
    if (first + TOGETHER > steps) return;
    for (int i = 0; i < TOGETHER; ++i) {
      if (cell[first + i] < 0) continue;
      for (const float* map : maps) {
        if (map != nullptr) __builtin_prefetch(map + cell[first + i] * channels + at);
      }
    }
  }
};

// delta = softplus(weight dt + bias); with SLOPE also the derivative of the softplus.
template <bool SLOPE>
inline void project(const Maps& m, const MapParameters& fixed, const Rows rows, int steps,
                    const CellsAhead ahead, float* delta, float* slope) {
  const int64_t width = m.width(), rank = m.rank;
  for (int64_t at = 0; at < width; at += LANES) {
    const Vec bias = load(fixed.bias + at);
    for (int t = 0; t < steps; t += TOGETHER) {  // rows beyond `steps` are scratch, and finite
      const float* dt = rows.at + t * rows.step;
      ahead.fetch(t, at);
      Vec z[TOGETHER];
#pragma GCC unroll 8
      for (int i = 0; i < TOGETHER; ++i) z[i] = bias;
      for (int64_t r = 0; r < rank; ++r) {
        const Vec weight = load(fixed.weight + r * width + at);
#pragma GCC unroll 8
        for (int i = 0; i < TOGETHER; ++i) z[i] += weight * dt[i * rows.step + r];
      }
      for (int i = 0; i < TOGETHER; ++i) {
        float* here = delta + (t + i) * width + at;
        if constexpr (SLOPE) {
          Vec derivative;
          store(here, softplus_and_slope(z[i], derivative));
          store(slope + (t + i) * width + at, derivative);
        } else {
          store(here, softplus(z[i]));
        }
      }
    }
  }
}

// Floats from one step of a tile to the next in a map, where the map can be read and written in
// place: all channels of the block exist and the cells are evenly spaced. Otherwise 0.
inline ptrdiff_t step_in_place(const Maps& m, const Lane& lane, int64_t start, int steps) {
  const int32_t* cell = lane.cell + start;
  if (lane.count < lane.width || steps < 2) return 0;
  const ptrdiff_t apart = cell[1] - cell[0];
  bool even = cell[0] >= 0 && apart != 0;
  for (int t = 1; t < steps; ++t) even &= cell[t] >= 0 && cell[t] - cell[t - 1] == apart;
  return even ? apart * m.channels : 0;
}

inline Tile make_map_tile(const Maps& m, const MapParameters& fixed, const float* u,
                          ptrdiff_t u_step, const float* delta, const Rows rows, float* h, int64_t start) {
  const int64_t left = m.length - start;
  return {static_cast<int>(left < STEPS ? left : STEPS),
          static_cast<int>(m.vectors),
          static_cast<int>(m.states),
          m.width(),
          fixed.A,
          fixed.skip,
          u,
          u_step,
          delta,
          rows.at + m.rank,
          rows.at + m.rank + m.states,
          rows.step,
          1,
          h};
}

inline bool forward_map(const Maps& m, int64_t task) {
  const int64_t width = m.width(), state_size = m.states * width;
  Scratch scratch(MapParameters::size(m) + state_size + 3 * STEPS * width + STEPS * m.entries());
  if (scratch.failed()) return false;
  MapParameters fixed(scratch, m);
  float *h = scratch.take(state_size), *rows = scratch.take(STEPS * m.entries());
  float *u = scratch.take(STEPS * width), *delta = scratch.take(STEPS * width);
  float* y = scratch.take(STEPS * width);
  zero(rows, STEPS * m.entries());
  const int64_t part = task / m.blocks() % m.parts;
  const int64_t end = Lane::first_direction(m, part + 1);
  for (int64_t direction = Lane::first_direction(m, part); direction < end; ++direction) {
    const Lane lane(m, task, direction);
    fixed.fill(m, lane);
    zero(h, state_size);
    for (int64_t start = 0; start < m.length; start += STEPS) {
      const int steps = static_cast<int>(m.length - start < STEPS ? m.length - start : STEPS);
      const Rows here = find_rows(m, lane, start, steps, rows);
      const ptrdiff_t apart = step_in_place(m, lane, start, steps);
      const ptrdiff_t corner = lane.cell[start] * m.channels;
      const Tile tile = make_map_tile(m, fixed, apart ? lane.x + corner : u, apart ? apart : width,
                                      delta, here, h, start);
      const int64_t next = start + 2 * STEPS;
      const CellsAhead ahead{lane.cell + next, m.length - next, m.channels, {lane.x, lane.y}};
      if (lane.checkpoints) {
        std::memcpy(lane.checkpoints + start / STEPS * state_size, h,
                    sizeof(float) * static_cast<size_t>(state_size));
      }
      if (!apart) gather(lane.x, m, lane, start, steps, u);
      project<false>(m, fixed, here, steps, ahead, delta, nullptr);
      const bool straight = apart && in_one_pass(m.states);
      advance(tile, straight ? Out{lane.y + corner, apart, lane.adds} : Out{y, width, false});
      if (!straight) scatter(y, m, lane, start, steps, lane.y);
    }
  }
  return true;
}

// Gradient of the rank entries of proj: sums over channels of dz * weight, into [steps][entries].
// Lanes are ranks here, so nothing needs adding up across lanes.
inline void rank_gradients(const Maps& m, const MapParameters& fixed, const float* dz, int steps,
                           float* drows) {
  const int64_t width = m.width(), entries = m.entries(), padded = fixed.padded_rank(m);
  for (int64_t first = 0; first < m.rank; first += LANES) {
    const int count = static_cast<int>(m.rank - first);
    for (int t = 0; t < steps; t += TOGETHER) {  // rows of dz beyond `steps` are scratch
      Vec total[TOGETHER]{};
      for (int64_t c = 0; c < width; ++c) {
        const Vec weight = load(fixed.turned + c * padded + first);
#pragma GCC unroll 8
        for (int i = 0; i < TOGETHER; ++i) total[i] += weight * dz[(t + i) * width + c];
      }
      for (int i = 0; i < TOGETHER && t + i < steps; ++i) {
        store_some(drows + (t + i) * entries + first, total[i], count);
      }
    }
  }
}

// Gradient of the projection from rank to step sizes: sums over steps of dz * dt, added to dweight.
inline void weight_gradients(const Maps& m, const float* dz, const Rows rows, int steps,
                             float* dweight) {
  const int64_t width = m.width();
  for (int64_t at = 0; at < width; at += LANES) {
    for (int64_t first = 0; first < m.rank; first += TOGETHER) {
      const int64_t count = m.rank - first < TOGETHER ? m.rank - first : TOGETHER;
      int64_t rank[TOGETHER];  // past the last one the first again: computed, not stored
      for (int64_t i = 0; i < TOGETHER; ++i) rank[i] = first + (i < count ? i : 0);
      Vec total[TOGETHER]{};
      for (int t = 0; t < steps; ++t) {
        const Vec here = load(dz + t * width + at);
        const float* dt = rows.at + t * rows.step;
#pragma GCC unroll 8
        for (int i = 0; i < TOGETHER; ++i) total[i] += here * dt[rank[i]];
      }
      for (int64_t i = 0; i < count; ++i) {
        float* to = dweight + (first + i) * width + at;
        store(to, load(to) + total[i]);
      }
    }
  }
}

inline void write_rows(const Maps& m, const Lane& lane, int64_t start, const Tile& tile,
                       const float* drows) {
  const int64_t entries = m.entries();
  float* to = m.dproj + lane.block * m.proj_block + lane.direction * m.proj_direction +
              lane.batch * m.proj_batch;
  for (int t = 0; t < tile.steps; ++t) {
    std::memcpy(to + lane.row[start + t] * m.proj_row, drows + t * entries,
                sizeof(float) * static_cast<size_t>(entries));
  }
}

inline void write_map_parameters(const Maps& m, const Lane& lane, const TileGradients& g,
                                 const float* dweight, const float* dbias) {
  const int64_t channel = (lane.batch * DIRECTIONS + lane.direction) * m.channels + lane.first;
  for (int c = 0; c < lane.count; ++c) {
    for (int64_t n = 0; n < m.states; ++n) {
      m.dA[(channel + c) * m.states + n] = g.dA[n * lane.width + c];
    }
    m.dskip[channel + c] = g.dskip[c];
    m.ddt_bias[channel + c] = dbias[c];
  }
  for (int64_t r = 0; r < m.rank; ++r) {
    const int64_t matrix = (lane.batch * DIRECTIONS + lane.direction) * m.rank + r;
    std::memcpy(m.ddt_weight + matrix * m.channels + lane.first, dweight + r * lane.width,
                sizeof(float) * static_cast<size_t>(lane.count));
  }
}

inline bool backward_map(const Maps& m, int64_t task) {
  const int64_t width = m.width(), state_size = m.states * width, entries = m.entries();
  const size_t rows_size = STEPS * entries;
  Scratch scratch(MapParameters::size(m) + 4 * STEPS * width + 2 * rows_size +
                  (m.rank + 1) * width + gradients_size(m.states, width));
  if (scratch.failed()) return false;
  MapParameters fixed(scratch, m);
  float *u = scratch.take(STEPS * width), *delta = scratch.take(STEPS * width);
  float *dy = scratch.take(STEPS * width), *slope = scratch.take(STEPS * width);
  float *rows = scratch.take(rows_size), *drows = scratch.take(rows_size);
  float *dweight = scratch.take(m.rank * width), *dbias = scratch.take(width);
  TileGradients g = make_gradients(scratch, m.states, width);
  g.dy = dy;
  g.dB = drows + m.rank;  // written where they belong in the gradient of proj
  g.dC = drows + m.rank + m.states;
  g.step = entries;
  g.state = 1;
  zero(rows, static_cast<ptrdiff_t>(rows_size));
  const int64_t part = task / m.blocks() % m.parts;
  const int64_t end = Lane::first_direction(m, part + 1);
  for (int64_t direction = Lane::first_direction(m, part); direction < end; ++direction) {
    const Lane lane(m, task, direction);
    const float* dy_map = m.dy + lane.batch * m.cells * m.channels + lane.first;
    float* dx = m.dx + part * m.part_stride + lane.batch * m.cells * m.channels + lane.first;
    fixed.fill(m, lane);
    fixed.turn(m);
    zero(g.carry, state_size);
    zero(g.dA, state_size);
    zero(g.dskip, width);
    zero(dbias, width);
    zero(dweight, m.rank * width);
    for (int64_t tile_number = m.tiles() - 1; tile_number >= 0; --tile_number) {
      const int64_t start = tile_number * STEPS;
      float* h = lane.checkpoints + tile_number * state_size;
      const int steps = static_cast<int>(m.length - start < STEPS ? m.length - start : STEPS);
      const Rows here = find_rows(m, lane, start, steps, rows);
      const Tile tile = make_map_tile(m, fixed, u, m.width(), delta, here, h, start);
      const int64_t next = start - 2 * STEPS;
      const CellsAhead ahead{lane.cell + next, next < 0 ? 0 : STEPS, m.channels,
                             {lane.x, dy_map, dx}};
      gather(lane.x, m, lane, start, tile.steps, u);
      gather(dy_map, m, lane, start, tile.steps, dy);
      project<true>(m, fixed, here, tile.steps, ahead, delta, slope);
      retreat(tile, g);
      finish_step_sizes(tile, slope, g, dbias);
      rank_gradients(m, fixed, g.ddelta, tile.steps, drows);
      weight_gradients(m, g.ddelta, here, tile.steps, dweight);
      scatter(g.du, m, lane, start, tile.steps, dx);
      write_rows(m, lane, start, tile, drows);
    }
    write_map_parameters(m, lane, g, dweight, dbias);
  }
  return true;
}

}  // namespace scan

// The selective scan on sequences that are contiguous in time, forward and backward: C interface.
//
// A task is a block of channels, from the first step to the last or back, tile by tile. Tasks write to disjoint memory, so any number of threads gives the same bits;
// where tasks share a gradient each writes its own part and the caller adds the parts up.
// Every tensor is float32 and contiguous; tamperscope/kernels/native_scan.py checks.

#include "scan_map.h"
#include "scan_peak.h"
#include "scan_sequence.h"

#if defined(_WIN32)
#define SCAN_EXPORT extern "C" __declspec(dllexport)
#else
#define SCAN_EXPORT extern "C" __attribute__((visibility("default")))
#endif

// Vector lanes, steps of a tile, most vectors of a block of a map: they shape the checkpoints.
SCAN_EXPORT void tamperscope_scan_layout(int64_t* layout) {
  layout[0] = scan::LANES;
  layout[1] = scan::STEPS;
  layout[2] = scan::MOST_VECTORS;
}

SCAN_EXPORT void tamperscope_scan_forward(int64_t begin, int64_t end, void* arguments) {
  scan::run(begin, end, static_cast<scan::Sequences*>(arguments), scan::forward_block);
}

SCAN_EXPORT void tamperscope_scan_backward(int64_t begin, int64_t end, void* arguments) {
  scan::run(begin, end, static_cast<scan::Sequences*>(arguments), scan::backward_blocks);
}

SCAN_EXPORT void tamperscope_ss2d_forward(int64_t begin, int64_t end, void* arguments) {
  scan::run(begin, end, static_cast<scan::Maps*>(arguments), scan::forward_map);
}

SCAN_EXPORT void tamperscope_ss2d_backward(int64_t begin, int64_t end, void* arguments) {
  scan::run(begin, end, static_cast<scan::Maps*>(arguments), scan::backward_map);
}

SCAN_EXPORT void tamperscope_scan_peak(int64_t begin, int64_t end, void* arguments) {
  scan::run(begin, end, static_cast<scan::Peaks*>(arguments), scan::measure_peak);
}

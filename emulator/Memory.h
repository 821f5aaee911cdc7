// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The three memories of the machine as flat bytes.

#ifndef ASIC_EMULATOR_MEMORY_H
#define ASIC_EMULATOR_MEMORY_H

#include "target/Types.h"

#include <cstdint>
#include <cstdlib>
#include <memory>

namespace asic::emulator {

/// Zero-filled storage; the host hands out pages when they are first touched.
class Memory {
public:
  Memory(uint64_t dramBytes, uint64_t sramBytes, uint64_t accBytes)
      : sizes{dramBytes, sramBytes, accBytes} {
    for (unsigned i = 0; i < 3; ++i)
      blocks[i].reset(
          static_cast<uint8_t *>(std::calloc(sizes[i] ? sizes[i] : 1, 1)));
  }

  /// False when the host had no room.
  bool valid() const { return blocks[0] && blocks[1] && blocks[2]; }
  uint64_t size(Space space) const { return sizes[unsigned(space)]; }
  uint8_t *data(Space space) const { return blocks[unsigned(space)].get(); }

private:
  struct Free {
    void operator()(uint8_t *p) const { std::free(p); }
  };
  uint64_t sizes[3];
  std::unique_ptr<uint8_t, Free> blocks[3];
};

} // namespace asic::emulator

#endif // ASIC_EMULATOR_MEMORY_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The program as a value. Its binary form is in Container.cpp, its JSON
// sections are in ProgramJson.cpp.

#include "runtime/Program.h"
#include "runtime/isa/Support.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/SHA256.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <tuple>
#include <unistd.h>

using namespace asic;
using llvm::Error;
using llvm::Expected;
using llvm::Twine;

std::string asic::sha256Hex(llvm::ArrayRef<uint8_t> bytes) {
  return llvm::toHex(llvm::SHA256::hash(bytes), /*LowerCase=*/true);
}

int64_t IoTensor::numElements() const {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

uint64_t IoTensor::byteExtent() const {
  if (numElements() == 0)
    return 0;
  uint64_t last = 0;
  for (size_t i = 0; i < shape.size(); ++i)
    last += uint64_t(shape[i] - 1) * uint64_t(strides[i]);
  return (last + 1) * (bitWidth(deviceType) / 8);
}

std::string Program::targetHash() const {
  return sha256Hex(llvm::arrayRefFromStringRef(target));
}

llvm::ArrayRef<uint8_t> Program::encoded(size_t pc) const {
  return llvm::ArrayRef(text).slice(pc * isa::instructionBytes,
                                    isa::instructionBytes);
}

Expected<isa::Instruction> Program::instruction(size_t pc) const {
  return isa::decode(encoded(pc));
}

Error Program::append(const isa::Instruction &instruction) {
  auto bytes = isa::encode(instruction);
  if (!bytes)
    return bytes.takeError();
  text.insert(text.end(), bytes->begin(), bytes->end());
  return Error::success();
}

const DebugEntry *Program::findDebug(uint32_t tag) const {
  auto it = std::lower_bound(
      debug.begin(), debug.end(), tag,
      [](const DebugEntry &entry, uint32_t t) { return entry.tag < t; });
  return it != debug.end() && it->tag == tag ? &*it : nullptr;
}

uint64_t Program::constantBytes() const {
  uint64_t total = 0;
  for (const ConstantBlock &block : constants)
    total += block.bytes.size();
  return total;
}

const StateRegion *Program::findState(llvm::StringRef path) const {
  auto it = llvm::find_if(
      state, [&](const StateRegion &region) { return region.path == path; });
  return it == state.end() ? nullptr : &*it;
}

bool asic::isSameMemory(const IoTensor &a, const IoTensor &b) {
  return a.address == b.address && a.shape == b.shape && a.dtype == b.dtype &&
         a.deviceType == b.deviceType && a.strides == b.strides &&
         a.quantization == b.quantization;
}

/// Constants ascend and lie in the declared DRAM.
static Error verifyConstants(const Program &program) {
  uint64_t limit = program.meta.dramBytes, end = 0;
  for (const ConstantBlock &block : program.constants) {
    if (block.address < end)
      return makeError("expected ascending constants, got address " +
                       Twine(block.address));
    if (block.address > limit || block.bytes.size() > limit - block.address)
      return makeError("expected constants inside " + Twine(limit) +
                       " bytes of dram, got address " + Twine(block.address) +
                       " and " + Twine(block.bytes.size()) + " bytes");
    end = block.address + block.bytes.size();
  }
  return Error::success();
}

/// The tensors that have a path as their state.
using StateTensors = llvm::StringMap<llvm::SmallVector<const IoTensor *, 1>>;

static StateTensors collectStates(llvm::ArrayRef<IoTensor> tensors) {
  StateTensors result;
  for (const IoTensor &tensor : tensors)
    if (!tensor.state.empty())
      result[tensor.state].push_back(&tensor);
  return result;
}

/// A region is exactly the bytes of its two tensors, inside the declared DRAM.
static Error verifyRegion(const StateRegion &region, const StateTensors &inputs,
                          const StateTensors &outputs, uint64_t limit) {
  auto fail = [&](const Twine &message) {
    return makeError("state '" + region.path + "': " + message);
  };
  auto before = inputs.lookup(region.path), after = outputs.lookup(region.path);
  if (before.size() != 1 || after.size() != 1)
    return fail("expected one input and one output, got " +
                Twine(before.size()) + " and " + Twine(after.size()));
  const IoTensor &tensor = *before.front();
  if (!isSameMemory(tensor, *after.front()))
    return fail("expected its input and its output alike and at one address");
  if (region.address != tensor.address || region.bytes != tensor.byteExtent())
    return fail("expected the " + Twine(tensor.byteExtent()) + " bytes from " +
                Twine(tensor.address) + ", got " + Twine(region.bytes) +
                " from " + Twine(region.address));
  if (region.address > limit || region.bytes > limit - region.address)
    return fail("expected a place inside " + Twine(limit) +
                " bytes of dram, got address " + Twine(region.address));
  return Error::success();
}

namespace {
/// Bytes of DRAM that somebody fills before a run.
struct FilledRange {
  uint64_t begin, end;
  const StateRegion *region;
  std::string what;
};
} // namespace

/// No constant, input or other region lies in a region.
static Error verifyApart(std::vector<FilledRange> ranges) {
  llvm::erase_if(ranges, [](const FilledRange &r) { return r.begin == r.end; });
  llvm::sort(ranges, [](const FilledRange &a, const FilledRange &b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  // Of what begins before: what reaches furthest, and which region does.
  const FilledRange *last = nullptr, *lastRegion = nullptr;
  for (const FilledRange &range : ranges) {
    const FilledRange *other = range.region ? last : lastRegion;
    if (other && range.begin < other->end)
      return makeError("expected every state in bytes of its own, got " +
                       other->what + " over " + range.what);
    if (!last || range.end > last->end)
      last = &range;
    if (range.region && (!lastRegion || range.end > lastRegion->end))
      lastRegion = &range;
  }
  return Error::success();
}

static Error verifyState(const Program &program) {
  if (program.state.empty())
    return Error::success();
  StateTensors inputs = collectStates(program.inputs),
               outputs = collectStates(program.outputs);
  llvm::StringSet<> paths;
  std::vector<FilledRange> ranges;
  for (const StateRegion &region : program.state) {
    if (Error error =
            verifyRegion(region, inputs, outputs, program.meta.dramBytes))
      return error;
    if (!paths.insert(region.path).second)
      return makeError("expected state '" + region.path + "' once");
    ranges.push_back({region.address, region.address + region.bytes, &region,
                      "state '" + region.path + "'"});
  }
  for (const ConstantBlock &block : program.constants)
    ranges.push_back({block.address, block.address + block.bytes.size(),
                      nullptr, "a constant"});
  for (const IoTensor &tensor : program.inputs)
    if (!paths.contains(tensor.state))
      ranges.push_back({tensor.address, tensor.address + tensor.byteExtent(),
                        nullptr, "input '" + tensor.name + "'"});
  return verifyApart(std::move(ranges));
}

Error asic::verify(const Program &program) {
  if (program.text.size() % isa::instructionBytes)
    return makeError("expected text of a multiple of 256 bytes, got " +
                     Twine(program.text.size()));
  for (const isa::LaneProgram &lane : program.lanes)
    if (Error error = isa::verify(lane))
      return error;
  if (Error error = verifyConstants(program))
    return error;
  uint64_t limit = program.meta.dramBytes;
  for (const auto *tensors : {&program.inputs, &program.outputs})
    for (const IoTensor &tensor : *tensors) {
      if (Error error = verify(tensor))
        return error;
      if (tensor.address > limit ||
          tensor.byteExtent() > limit - tensor.address)
        return makeError("expected tensor '" + tensor.name + "' inside " +
                         Twine(limit) + " bytes of dram, got address " +
                         Twine(tensor.address));
    }
  return verifyState(program);
}

static Error osError(const Twine &what, llvm::StringRef path, int code) {
  return makeError(what + " '" + path + "': " + std::strerror(code));
}

/// Writes everything and flushes it to the disk; 0 or an errno.
static int writeAll(int file, llvm::ArrayRef<uint8_t> bytes) {
  while (!bytes.empty()) {
    ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return errno;
    bytes = bytes.drop_front(size_t(written));
  }
  return ::fsync(file) ? errno : 0;
}

Error asic::writeFileAtomically(llvm::StringRef path,
                                llvm::ArrayRef<uint8_t> bytes) {
  std::string temporary =
      (path + ".tmp" + Twine(llvm::sys::Process::getProcessId())).str();
  int file =
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0)
    return osError("cannot write", path, errno);
  int code = writeAll(file, bytes);
  if (::close(file) && !code)
    code = errno;
  if (!code && ::rename(temporary.c_str(), path.str().c_str()))
    code = errno;
  if (!code)
    return Error::success();
  ::unlink(temporary.c_str());
  return osError("cannot write", path, code);
}

Error Program::save(llvm::StringRef path) const {
  return writeFileAtomically(path, serialize());
}

Expected<Program> Program::load(llvm::StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return makeError("cannot read '" + path +
                     "': " + buffer.getError().message());
  return parse(llvm::arrayRefFromStringRef((*buffer)->getBuffer()));
}

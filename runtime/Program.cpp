// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The program as a value. Its binary form is in Container.cpp, its JSON
// sections are in ProgramJson.cpp.

#include "runtime/Program.h"
#include "runtime/isa/Support.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/SHA256.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
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
  return Error::success();
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

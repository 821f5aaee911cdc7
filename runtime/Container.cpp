// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bytes of the program container (docs/isa/container.md). Reading trusts
// nothing: every offset, size and count is checked before it is used.

#include "runtime/ProgramJson.h"
#include "runtime/isa/Support.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/SHA256.h"

#include <cstring>

using namespace asic;
using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;
namespace endian = llvm::support::endian;

static constexpr char kMagic[8] = {'A', 'S', 'I', 'C', 'P', 'R', 'O', 'G'};
/// Header: magic 8, container version 4, isa version 4, target hash 32,
/// content hash 32, file bytes 8, sections 4, zero 4.
static constexpr size_t kHeaderBytes = 96;
static constexpr size_t kTargetHashAt = 16, kContentHashAt = 48,
                        kFileBytesAt = 80, kSectionsAt = 88;
/// Table row: kind 4, zero 4, offset 8, bytes 8.
static constexpr size_t kRowBytes = 24;
static constexpr size_t kSectionAlign = 64;

namespace {
enum Section : uint32_t {
  kTarget = 1,
  kText = 2,
  kLanes = 3,
  kConst = 4,
  kIo = 5,
  kDebug = 6,
  kMeta = 7,
};
} // namespace
static constexpr uint32_t kNumSections = 7;
static constexpr const char *kSectionNames[] = {
    "", "target", "text", "lanes", "const", "io", "debug", "meta"};

using Bytes = std::vector<uint8_t>;

static void appendText(Bytes &out, StringRef text) {
  out.insert(out.end(), text.begin(), text.end());
}

static void append64(Bytes &out, uint64_t value) {
  uint8_t raw[8];
  endian::write64le(raw, value);
  out.insert(out.end(), raw, raw + 8);
}

//===-- Writing --------------------------------------------------------===//

static Bytes writeLanes(const Program &program) {
  Bytes out;
  append64(out, program.lanes.size());
  for (const isa::LaneProgram &lane : program.lanes)
    isa::encode(lane, out);
  return out;
}

/// Count, then {address, bytes} per block, then the bytes of all blocks.
static void writeConstants(const Program &program, Bytes &out) {
  out.reserve(out.size() + 8 + 16 * program.constants.size() +
              program.constantBytes());
  append64(out, program.constants.size());
  for (const ConstantBlock &block : program.constants) {
    append64(out, block.address);
    append64(out, block.bytes.size());
  }
  for (const ConstantBlock &block : program.constants)
    out.insert(out.end(), block.bytes.begin(), block.bytes.end());
}

/// SHA-256 of the file with the hash itself taken as zero.
static std::array<uint8_t, 32> contentHash(ArrayRef<uint8_t> file) {
  llvm::SHA256 hash;
  const uint8_t zeros[32] = {};
  hash.update(file.take_front(kContentHashAt));
  hash.update(ArrayRef(zeros));
  hash.update(file.drop_front(kContentHashAt + 32));
  return hash.final();
}

Bytes Program::serialize() const {
  Bytes out(kHeaderBytes + kNumSections * kRowBytes, 0);
  auto section = [&](Section kind, auto write) {
    out.resize(llvm::alignTo(out.size(), kSectionAlign), 0);
    size_t begin = out.size();
    write();
    uint8_t *row = out.data() + kHeaderBytes + (kind - 1) * kRowBytes;
    endian::write32le(row, kind);
    endian::write64le(row + 8, begin);
    endian::write64le(row + 16, out.size() - begin);
  };
  section(kTarget, [&] { appendText(out, target); });
  section(kText, [&] { out.insert(out.end(), text.begin(), text.end()); });
  section(kLanes,
          [&] { appendText(out, llvm::toStringRef(writeLanes(*this))); });
  section(kConst, [&] { writeConstants(*this, out); });
  section(kIo, [&] { appendText(out, writeIoJson(*this)); });
  section(kDebug, [&] { appendText(out, writeDebugJson(*this)); });
  section(kMeta, [&] { appendText(out, writeMetaJson(*this)); });

  std::memcpy(out.data(), kMagic, sizeof(kMagic));
  endian::write32le(out.data() + 8, containerVersion);
  endian::write32le(out.data() + 12, isa::isaVersion);
  auto targetDigest = llvm::SHA256::hash(llvm::arrayRefFromStringRef(target));
  std::memcpy(out.data() + kTargetHashAt, targetDigest.data(), 32);
  endian::write64le(out.data() + kFileBytesAt, out.size());
  endian::write32le(out.data() + kSectionsAt, kNumSections);
  auto digest = contentHash(out);
  std::memcpy(out.data() + kContentHashAt, digest.data(), 32);
  return out;
}

//===-- Reading --------------------------------------------------------===//

static Error bad(const Twine &message) {
  return makeError("bad program file: " + message);
}

static Error checkHeader(ArrayRef<uint8_t> file) {
  constexpr uint8_t zip[] = {'P', 'K', 3, 4};
  if (file.take_front(sizeof(zip)).equals(zip))
    return bad("expected one program, got an archive of programs and host "
               "functions; run it in Python with asic.load");
  if (file.size() < sizeof(kMagic) ||
      std::memcmp(file.data(), kMagic, sizeof(kMagic)) != 0)
    return bad("expected the magic 'ASICPROG'; this is not a program");
  if (file.size() < kHeaderBytes)
    return bad("expected at least " + Twine(kHeaderBytes) + " bytes, got " +
               Twine(file.size()) + "; the file is truncated");
  uint32_t version = endian::read32le(file.data() + 8);
  if (version > containerVersion)
    return bad("expected container version <= " + Twine(containerVersion) +
               ", got " + Twine(version) + "; a newer release wrote it");
  if (version == 0)
    return bad("expected a container version >= 1, got 0");
  uint32_t isaVersion = endian::read32le(file.data() + 12);
  if (isaVersion != isa::isaVersion)
    return bad("expected instruction set version " + Twine(isa::isaVersion) +
               ", got " + Twine(isaVersion) + "; compile the model again");
  uint64_t size = endian::read64le(file.data() + kFileBytesAt);
  if (size != file.size())
    return bad("expected " + Twine(size) + " bytes, got " + Twine(file.size()) +
               "; the file is truncated or has trailing bytes");
  auto digest = contentHash(file);
  if (std::memcmp(digest.data(), file.data() + kContentHashAt, 32) != 0)
    return bad("expected its content to match its SHA-256; the file is "
               "corrupted");
  return Error::success();
}

/// Fills `sections[kind]`; each known section stands exactly once, in order,
/// aligned and inside the file.
static Error
readTable(ArrayRef<uint8_t> file,
          std::array<ArrayRef<uint8_t>, kNumSections + 1> &sections) {
  uint32_t count = endian::read32le(file.data() + kSectionsAt);
  if (count != kNumSections || endian::read32le(file.data() + 92))
    return bad("expected " + Twine(kNumSections) + " sections, got " +
               Twine(count));
  if (file.size() < kHeaderBytes + kNumSections * kRowBytes)
    return bad("expected a section table; the file is truncated");
  uint64_t end = kHeaderBytes + kNumSections * kRowBytes;
  for (uint32_t kind = 1; kind <= kNumSections; ++kind) {
    const uint8_t *row = file.data() + kHeaderBytes + (kind - 1) * kRowBytes;
    uint64_t offset = endian::read64le(row + 8),
             size = endian::read64le(row + 16);
    if (endian::read32le(row) != kind || endian::read32le(row + 4))
      return bad("expected section " + Twine(kSectionNames[kind]) + " in row " +
                 Twine(kind - 1));
    if (offset != llvm::alignTo(end, kSectionAlign) || offset > file.size() ||
        size > file.size() - offset)
      return bad("expected section " + Twine(kSectionNames[kind]) +
                 " inside the file, got offset " + Twine(offset) + " and " +
                 Twine(size) + " bytes");
    for (uint64_t at = end; at < offset; ++at)
      if (file[at])
        return bad("expected zero bytes between sections");
    sections[kind] = file.slice(offset, size);
    end = offset + size;
  }
  if (end != file.size())
    return bad("expected no bytes after the last section");
  return Error::success();
}

static Error readLanes(ArrayRef<uint8_t> bytes, Program &program) {
  if (bytes.size() < 8)
    return bad("section lanes: expected a count");
  uint64_t count = endian::read64le(bytes.data());
  bytes = bytes.drop_front(8);
  if (count > bytes.size() / isa::laneHeaderBytes)
    return bad("section lanes: expected room for " + Twine(count) +
               " programs, got " + Twine(bytes.size()) + " bytes");
  for (uint64_t i = 0; i < count; ++i) {
    auto lane = isa::decodeLaneProgram(bytes);
    if (!lane)
      return bad("lane program " + Twine(i) + ": " +
                 llvm::toString(lane.takeError()));
    program.lanes.push_back(std::move(*lane));
  }
  if (!bytes.empty())
    return bad("section lanes: expected no bytes after the last program");
  return Error::success();
}

static Error readConstants(ArrayRef<uint8_t> bytes, Program &program) {
  if (bytes.size() < 8)
    return bad("section const: expected a count");
  uint64_t count = endian::read64le(bytes.data());
  bytes = bytes.drop_front(8);
  if (count > bytes.size() / 16)
    return bad("section const: expected room for " + Twine(count) +
               " blocks, got " + Twine(bytes.size()) + " bytes");
  ArrayRef<uint8_t> data = bytes.drop_front(count * 16);
  uint64_t end = 0;
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t address = endian::read64le(bytes.data() + i * 16),
             size = endian::read64le(bytes.data() + i * 16 + 8);
    if (size > data.size())
      return bad("section const: expected " + Twine(size) + " bytes of block " +
                 Twine(i) + ", got " + Twine(data.size()));
    if (address < end || address > (uint64_t(1) << 40) ||
        size > (uint64_t(1) << 40) - address)
      return bad("section const: expected ascending blocks inside 40 bits, "
                 "got address " +
                 Twine(address) + " of block " + Twine(i));
    ArrayRef<uint8_t> block = data.take_front(size);
    program.constants.push_back({address, Bytes(block.begin(), block.end())});
    data = data.drop_front(size);
    end = address + size;
  }
  if (!data.empty())
    return bad("section const: expected no bytes after the last block");
  return Error::success();
}

Expected<Program> Program::parse(ArrayRef<uint8_t> file) {
  if (Error error = checkHeader(file))
    return std::move(error);
  std::array<ArrayRef<uint8_t>, kNumSections + 1> sections;
  if (Error error = readTable(file, sections))
    return std::move(error);

  Program program;
  program.target = llvm::toStringRef(sections[kTarget]).str();
  auto digest = llvm::SHA256::hash(sections[kTarget]);
  if (std::memcmp(digest.data(), file.data() + kTargetHashAt, 32) != 0)
    return bad("expected the target hash to match section target");
  if (sections[kText].size() % isa::instructionBytes)
    return bad("section text: expected a multiple of 256 bytes, got " +
               Twine(sections[kText].size()));
  program.text.assign(sections[kText].begin(), sections[kText].end());
  if (Error error = readLanes(sections[kLanes], program))
    return std::move(error);
  if (Error error = readConstants(sections[kConst], program))
    return std::move(error);
  if (Error error = readIoJson(llvm::toStringRef(sections[kIo]), program))
    return bad("section io: " + llvm::toString(std::move(error)));
  if (Error error = readDebugJson(llvm::toStringRef(sections[kDebug]), program))
    return bad("section debug: " + llvm::toString(std::move(error)));
  if (Error error = readMetaJson(llvm::toStringRef(sections[kMeta]), program))
    return bad("section meta: " + llvm::toString(std::move(error)));
  if (Error error = verify(program))
    return bad(llvm::toString(std::move(error)));
  return program;
}

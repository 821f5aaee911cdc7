// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/Npy.h"
#include "runtime/DType.h"
#include "runtime/isa/Support.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CRC.h"
#include "llvm/Support/Endian.h"

#include <algorithm>
#include <cstring>

using namespace asic;
using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;
namespace endian = llvm::support::endian;

//===-- npy ------------------------------------------------------------===//

static constexpr char kMagic[] = "\x93NUMPY";
static constexpr size_t kMagicBytes = 6;

/// "<f4" and the like; raw bytes for the types that NumPy does not know.
static std::string descrOf(const DType &dtype) {
  StringRef name = dtype.name;
  std::string size = std::to_string(unsigned(dtype.bytes));
  if (dtype.kind == DTypeKind::Bool)
    return "|b1";
  if (name == "bfloat16" || name.starts_with("float8"))
    return "|V" + size;
  const char *kind = dtype.kind == DTypeKind::Signed     ? "i"
                     : dtype.kind == DTypeKind::Unsigned ? "u"
                                                         : "f";
  return (dtype.bytes == 1 ? "|" : "<") + std::string(kind) + size;
}

/// The type of a descr; `wanted` decides between types of one descr.
static const DType *dtypeOf(StringRef descr, StringRef wanted) {
  auto matches = [&](const DType &dtype) {
    std::string own = descrOf(dtype);
    return descr == own ||
           (descr.size() == own.size() &&
            descr.substr(1) == StringRef(own).substr(1) &&
            (descr[0] == '<' || descr[0] == '|' || descr[0] == '='));
  };
  if (const DType *dtype = lookupDType(wanted); dtype && matches(*dtype))
    return dtype;
  for (const DType &dtype : allDTypes())
    if (matches(dtype))
      return &dtype;
  return nullptr;
}

/// The text after `'key':` of the header's Python literal.
static Expected<StringRef> valueOf(StringRef header, StringRef key) {
  size_t at = header.find(("'" + key + "'").str());
  if (at == StringRef::npos)
    return makeError("expected a .npy header with '" + key + "'");
  StringRef rest = header.drop_front(at + key.size() + 2).ltrim();
  if (!rest.consume_front(":"))
    return makeError("expected a .npy header with '" + key + "'");
  return rest.ltrim();
}

static Expected<std::vector<int64_t>> parseShape(StringRef text) {
  if (!text.consume_front("("))
    return makeError("expected a shape in the .npy header");
  text = text.split(')').first;
  std::vector<int64_t> shape;
  llvm::SmallVector<StringRef> parts;
  text.split(parts, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef part : parts) {
    part = part.trim();
    int64_t extent;
    if (part.empty())
      continue;
    if (part.getAsInteger(10, extent) || extent < 0 ||
        extent > (int64_t(1) << 40) || shape.size() == 16)
      return makeError("expected a shape in the .npy header, got '" + part +
                       "'");
    shape.push_back(extent);
  }
  return shape;
}

/// Rewrites column-major elements as row-major.
static void toRowMajor(Array &array, unsigned bytes) {
  std::vector<uint8_t> source = array.bytes;
  size_t rank = array.shape.size();
  std::vector<int64_t> index(rank, 0);
  for (size_t at = 0; at < source.size(); at += bytes) {
    int64_t target = 0;
    for (size_t d = 0; d < rank; ++d)
      target = target * array.shape[d] + index[d];
    std::memcpy(&array.bytes[size_t(target) * bytes], &source[at], bytes);
    for (size_t d = 0; d < rank && ++index[d] == array.shape[d]; ++d)
      index[d] = 0;
  }
}

Expected<Array> asic::parseNpy(ArrayRef<uint8_t> bytes, StringRef wanted) {
  if (bytes.size() < 10 || std::memcmp(bytes.data(), kMagic, kMagicBytes))
    return makeError("expected a .npy file");
  unsigned major = bytes[6];
  if (major < 1 || major > 3)
    return makeError("expected .npy version 1 to 3, got " + Twine(major));
  size_t lengthBytes = major == 1 ? 2 : 4, start = 8 + lengthBytes;
  if (bytes.size() < start)
    return makeError("expected a .npy header; the file is truncated");
  size_t length = major == 1 ? endian::read16le(bytes.data() + 8)
                             : endian::read32le(bytes.data() + 8);
  if (length > bytes.size() - start)
    return makeError("expected a .npy header of " + Twine(length) +
                     " bytes; the file is truncated");
  StringRef header = llvm::toStringRef(bytes.slice(start, length));
  ArrayRef<uint8_t> data = bytes.drop_front(start + length);

  auto descr = valueOf(header, "descr"),
       order = valueOf(header, "fortran_order"),
       shapeText = valueOf(header, "shape");
  for (auto *value : {&descr, &order, &shapeText})
    if (!*value) {
      Error first = value->takeError();
      for (auto *other : {&descr, &order, &shapeText})
        if (other != value && !*other)
          llvm::consumeError(other->takeError());
      return std::move(first);
    }
  StringRef type = descr->split('\'').second.split('\'').first;
  const DType *dtype = type.size() < 3 ? nullptr : dtypeOf(type, wanted);
  if (!dtype)
    return makeError("expected a little-endian numeric dtype, got '" + type +
                     "'");
  auto shape = parseShape(*shapeText);
  if (!shape)
    return shape.takeError();
  uint64_t count = 1;
  for (int64_t extent : *shape) {
    if (extent && count > data.size() / uint64_t(extent))
      return makeError("expected the data of the .npy file; it is truncated");
    count *= uint64_t(extent);
  }
  if (count * dtype->bytes != data.size())
    return makeError("expected " + Twine(count * dtype->bytes) +
                     " bytes of data, got " + Twine(data.size()));
  Array array{dtype->name, std::move(*shape), {data.begin(), data.end()}};
  if (order->starts_with("True"))
    toRowMajor(array, dtype->bytes);
  return array;
}

std::vector<uint8_t> asic::writeNpy(const Array &array) {
  std::string shape = "(";
  for (int64_t extent : array.shape)
    shape += std::to_string(extent) + ",";
  std::string header = "{'descr': '" + descrOf(*lookupDType(array.dtype)) +
                       "', 'fortran_order': False, 'shape': " + shape + "), }";
  // Data starts at a multiple of 64.
  while ((kMagicBytes + 4 + header.size() + 1) % 64)
    header += ' ';
  header += '\n';
  std::vector<uint8_t> out(kMagic, kMagic + kMagicBytes);
  out.push_back(1);
  out.push_back(0);
  out.push_back(uint8_t(header.size()));
  out.push_back(uint8_t(header.size() >> 8));
  out.insert(out.end(), header.begin(), header.end());
  out.insert(out.end(), array.bytes.begin(), array.bytes.end());
  return out;
}

//===-- npz: a zip archive of npy files --------------------------------===//

static constexpr uint32_t kLocalMagic = 0x04034b50, kCentralMagic = 0x02014b50,
                          kEndMagic = 0x06054b50;
static constexpr size_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22;

static Error badZip(const Twine &message) {
  return makeError("bad .npz file: " + message);
}

/// The data of one central-directory record.
static Expected<ArrayRef<uint8_t>>
entryData(ArrayRef<uint8_t> file, const uint8_t *record, StringRef name) {
  if (endian::read16le(record + 10) != 0)
    return badZip("expected '" + name +
                  "' to be stored; write it with numpy.savez, not "
                  "savez_compressed");
  uint64_t size = endian::read32le(record + 20),
           offset = endian::read32le(record + 42);
  if (size == UINT32_MAX || offset == UINT32_MAX)
    return badZip("expected entries below 4 GiB");
  if (offset + kLocalBytes > file.size() ||
      endian::read32le(file.data() + offset) != kLocalMagic)
    return badZip("expected a local header of '" + name + "'");
  uint64_t start = offset + kLocalBytes +
                   endian::read16le(file.data() + offset + 26) +
                   endian::read16le(file.data() + offset + 28);
  if (start > file.size() || size > file.size() - start)
    return badZip("expected the data of '" + name + "'; it is truncated");
  ArrayRef<uint8_t> data = file.slice(start, size);
  if (llvm::crc32(data) != endian::read32le(record + 16))
    return badZip("expected the checksum of '" + name + "' to match");
  return data;
}

Expected<Array> asic::parseNpz(ArrayRef<uint8_t> file, StringRef name,
                               StringRef wanted) {
  // The end record stands last, before a comment that NumPy does not write.
  if (file.size() < kEndBytes ||
      endian::read32le(file.end() - kEndBytes) != kEndMagic)
    return badZip("expected a zip archive");
  const uint8_t *end = file.end() - kEndBytes;
  uint64_t count = endian::read16le(end + 10), at = endian::read32le(end + 16);
  std::string wantedName = (name + ".npy").str();
  for (uint64_t i = 0; i < count; ++i) {
    if (at + kCentralBytes > file.size() ||
        endian::read32le(file.data() + at) != kCentralMagic)
      return badZip("expected a directory record");
    const uint8_t *record = file.data() + at;
    uint64_t nameBytes = endian::read16le(record + 28);
    uint64_t next = at + kCentralBytes + nameBytes +
                    endian::read16le(record + 30) +
                    endian::read16le(record + 32);
    if (next > file.size())
      return badZip("expected a directory record; the file is truncated");
    StringRef entry =
        llvm::toStringRef(file.slice(at + kCentralBytes, nameBytes));
    if (entry == wantedName) {
      auto data = entryData(file, record, entry);
      if (!data)
        return data.takeError();
      return parseNpy(*data, wanted);
    }
    at = next;
  }
  return badZip("expected an entry '" + wantedName + "'");
}

static void append16(std::vector<uint8_t> &out, uint64_t value) {
  out.push_back(uint8_t(value));
  out.push_back(uint8_t(value >> 8));
}

static void append32(std::vector<uint8_t> &out, uint64_t value) {
  append16(out, value);
  append16(out, value >> 16);
}

/// The fields that local and central headers share. The date is fixed, so that
/// equal results are equal files.
static void appendCommon(std::vector<uint8_t> &out, StringRef name,
                         ArrayRef<uint8_t> data) {
  append16(out, 20);   // version
  append16(out, 0);    // flags
  append16(out, 0);    // stored
  append16(out, 0);    // time
  append16(out, 0x21); // 1980-01-01
  append32(out, llvm::crc32(data));
  append32(out, data.size());
  append32(out, data.size());
  append16(out, name.size());
  append16(out, 0); // extra
}

std::vector<uint8_t>
asic::writeNpz(ArrayRef<std::pair<std::string, Array>> arrays) {
  std::vector<uint8_t> out, directory;
  for (const auto &[name, array] : arrays) {
    std::string entry = name + ".npy";
    std::vector<uint8_t> data = writeNpy(array);
    size_t offset = out.size();
    append32(out, kLocalMagic);
    appendCommon(out, entry, data);
    out.insert(out.end(), entry.begin(), entry.end());
    out.insert(out.end(), data.begin(), data.end());
    append32(directory, kCentralMagic);
    append16(directory, 20); // made by
    appendCommon(directory, entry, data);
    append16(directory, 0); // comment
    append16(directory, 0); // disk
    append16(directory, 0); // internal attributes
    append32(directory, 0); // external attributes
    append32(directory, offset);
    directory.insert(directory.end(), entry.begin(), entry.end());
  }
  size_t start = out.size();
  out.insert(out.end(), directory.begin(), directory.end());
  append32(out, kEndMagic);
  append32(out, 0); // disks
  append16(out, arrays.size());
  append16(out, arrays.size());
  append32(out, directory.size());
  append32(out, start);
  append16(out, 0); // comment
  return out;
}

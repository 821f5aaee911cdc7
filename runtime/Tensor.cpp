// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/Tensor.h"
#include "runtime/DType.h"
#include "runtime/FloatBits.h"
#include "runtime/isa/Support.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace asic;
using namespace asic::numerics;
using llvm::Error;
using llvm::Twine;

std::vector<int64_t> asic::rowMajorStrides(llvm::ArrayRef<int64_t> shape,
                                           int64_t elementBytes) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = elementBytes;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

ArrayView Array::view() const {
  const DType *type = lookupDType(dtype);
  return {dtype, shape, rowMajorStrides(shape, type->bytes), bytes.data()};
}

namespace {

/// One element on its way: integers exactly, floats as binary64.
struct Scalar {
  int64_t integer = 0;
  double real = 0;
};

template <typename T>
T readAs(const uint8_t *at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

template <typename T>
void writeAs(uint8_t *at, T value) {
  std::memcpy(at, &value, sizeof(T));
}

} // namespace

/// Value of a user's element; false when a uint64 does not fit 63 bits.
static bool readUser(const DType &dtype, const uint8_t *at, Scalar &value) {
  llvm::StringRef name = dtype.name;
  switch (dtype.kind) {
  case DTypeKind::Bool:
    value.integer = *at != 0;
    return true;
  case DTypeKind::Signed:
    value.integer = dtype.bytes == 1   ? readAs<int8_t>(at)
                    : dtype.bytes == 2 ? readAs<int16_t>(at)
                    : dtype.bytes == 4 ? readAs<int32_t>(at)
                                       : readAs<int64_t>(at);
    return true;
  case DTypeKind::Unsigned: {
    uint64_t raw = dtype.bytes == 1   ? *at
                   : dtype.bytes == 2 ? readAs<uint16_t>(at)
                   : dtype.bytes == 4 ? readAs<uint32_t>(at)
                                      : readAs<uint64_t>(at);
    value.integer = int64_t(raw);
    return raw <= uint64_t(INT64_MAX);
  }
  case DTypeKind::Float:
    if (dtype.bytes == 8)
      value.real = readAs<double>(at);
    else if (dtype.bytes == 4)
      value.real = readAs<float>(at);
    else if (name == "float16")
      value.real = asFloat(fromF16(readAs<uint16_t>(at)));
    else if (name == "bfloat16")
      value.real = asFloat(fromBf16(readAs<uint16_t>(at)));
    else
      value.real =
          asFloat(fromSmall(name == "float8_e5m2" ? kE5M2 : kE4M3, *at));
    return true;
  }
  return false;
}

static void writeUser(const DType &dtype, uint8_t *at, const Scalar &value) {
  if (dtype.kind == DTypeKind::Bool) {
    *at = value.integer != 0;
    return;
  }
  if (dtype.kind != DTypeKind::Float) {
    std::memcpy(at, &value.integer, dtype.bytes);
    return;
  }
  llvm::StringRef name = dtype.name;
  uint32_t bits = bitsAs<uint32_t>(float(value.real));
  if (dtype.bytes == 8)
    writeAs(at, value.real);
  else if (dtype.bytes == 4)
    writeAs(at, bits);
  else if (name == "float16")
    writeAs(at, toF16(bits));
  else if (name == "bfloat16")
    writeAs(at, toBf16(bits));
  else
    *at = toSmall(name == "float8_e5m2" ? kE5M2 : kE4M3, bits);
}

/// Device elements; false when an integer does not fit the type.
static bool writeDevice(ElementType type, uint8_t *at, const Scalar &value) {
  int64_t i = value.integer;
  uint32_t bits = bitsAs<uint32_t>(float(value.real));
  switch (type) {
  case ElementType::I8:
    writeAs(at, int8_t(i));
    return i == int8_t(i);
  case ElementType::U8:
    writeAs(at, uint8_t(i));
    return i == uint8_t(i);
  case ElementType::I16:
    writeAs(at, int16_t(i));
    return i == int16_t(i);
  case ElementType::I32:
    writeAs(at, int32_t(i));
    return i == int32_t(i);
  case ElementType::BF16:
    writeAs(at, toBf16(bits));
    return true;
  case ElementType::F16:
    writeAs(at, toF16(bits));
    return true;
  case ElementType::F32:
    writeAs(at, bits);
    return true;
  case ElementType::E5M2:
    *at = toSmall(kE5M2, bits);
    return true;
  case ElementType::CF8_143:
    *at = toSmall(kCf8_143, bits);
    return true;
  case ElementType::CF8_152:
    *at = toSmall(kCf8_152, bits);
    return true;
  default:
    *at = toSmall(kE4M3, bits);
    return true;
  }
}

static Scalar readDevice(ElementType type, const uint8_t *at) {
  switch (type) {
  case ElementType::I8:
    return {readAs<int8_t>(at), 0};
  case ElementType::U8:
    return {*at, 0};
  case ElementType::I16:
    return {readAs<int16_t>(at), 0};
  case ElementType::I32:
    return {readAs<int32_t>(at), 0};
  case ElementType::BF16:
    return {0, asFloat(fromBf16(readAs<uint16_t>(at)))};
  case ElementType::F16:
    return {0, asFloat(fromF16(readAs<uint16_t>(at)))};
  case ElementType::F32:
    return {0, readAs<float>(at)};
  case ElementType::E5M2:
    return {0, asFloat(fromSmall(kE5M2, *at))};
  case ElementType::CF8_143:
    return {0, asFloat(fromSmall(kCf8_143, *at))};
  case ElementType::CF8_152:
    return {0, asFloat(fromSmall(kCf8_152, *at))};
  default:
    return {0, asFloat(fromSmall(kE4M3, *at))};
  }
}

/// docs/quantization.md §2, in binary32; NaN counts as 0.
static int64_t quantize(const AffineQuantization &q, double value,
                        float inverse) {
  float product = float(value) * inverse;
  double rounded = product != product ? 0.0 : std::nearbyint(double(product));
  double shifted = rounded + double(q.zeroPoint);
  return int64_t(std::clamp(shifted, double(q.lo), double(q.hi)));
}

/// Calls visit(user offset in bytes, device offset in elements) for every
/// element, last dimension fastest; stops at the first false.
template <typename Visit>
static bool forEachElement(const IoTensor &tensor,
                           llvm::ArrayRef<int64_t> userStrides, Visit visit) {
  if (tensor.numElements() == 0)
    return true;
  size_t rank = tensor.shape.size();
  std::vector<int64_t> index(rank, 0);
  int64_t user = 0, device = 0;
  for (;;) {
    if (!visit(user, device))
      return false;
    size_t d = rank;
    for (; d-- > 0;) {
      user += userStrides[d];
      device += tensor.strides[d];
      if (++index[d] < tensor.shape[d])
        break;
      user -= userStrides[d] * tensor.shape[d];
      device -= tensor.strides[d] * tensor.shape[d];
      index[d] = 0;
    }
    if (d == size_t(-1))
      return true;
  }
}

static std::string shapeText(llvm::ArrayRef<int64_t> shape) {
  std::string out = "(";
  for (size_t i = 0; i < shape.size(); ++i)
    out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + (shape.size() == 1 ? ",)" : ")");
}

Error asic::writeTensor(const IoTensor &tensor, const ArrayView &array,
                        uint8_t *dram) {
  if (array.dtype != tensor.dtype)
    return makeError("input '" + tensor.name + "': expected dtype " +
                     tensor.dtype + ", got " + array.dtype);
  if (array.shape != tensor.shape)
    return makeError("input '" + tensor.name + "': expected shape " +
                     shapeText(tensor.shape) + ", got " +
                     shapeText(array.shape));
  const DType &dtype = *lookupDType(tensor.dtype);
  const auto *source = static_cast<const uint8_t *>(array.data);
  uint8_t *target = dram + tensor.address;
  unsigned bytes = bitWidth(tensor.deviceType) / 8;
  const auto &quantization = tensor.quantization;
  float inverse = quantization ? float(1.0 / quantization->scale) : 0.0f;
  bool fits =
      forEachElement(tensor, array.strides, [&](int64_t user, int64_t device) {
        Scalar value;
        if (!readUser(dtype, source + user, value))
          return false;
        if (quantization)
          value.integer = quantize(*quantization, value.real, inverse);
        return writeDevice(tensor.deviceType, target + device * bytes, value);
      });
  if (!fits)
    return makeError("input '" + tensor.name + "': expected values of " +
                     elementTypeName(tensor.deviceType) +
                     ", got one outside its range");
  return Error::success();
}

Array asic::readTensor(const IoTensor &tensor, const uint8_t *dram) {
  const DType &dtype = *lookupDType(tensor.dtype);
  Array array{
      tensor.dtype, tensor.shape,
      std::vector<uint8_t>(size_t(tensor.numElements()) * dtype.bytes, 0)};
  const uint8_t *source = dram + tensor.address;
  unsigned bytes = bitWidth(tensor.deviceType) / 8;
  const auto &quantization = tensor.quantization;
  forEachElement(tensor, rowMajorStrides(tensor.shape, dtype.bytes),
                 [&](int64_t user, int64_t device) {
                   Scalar value =
                       readDevice(tensor.deviceType, source + device * bytes);
                   if (quantization)
                     value.real =
                         float(value.integer - quantization->zeroPoint) *
                         float(quantization->scale);
                   writeUser(dtype, array.bytes.data() + user, value);
                   return true;
                 });
  return array;
}

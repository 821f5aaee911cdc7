// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/ProgramJson.h"
#include "runtime/DType.h"
#include "runtime/isa/Support.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

using namespace asic;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;
namespace json = llvm::json;

/// Bounds that keep hostile files from exhausting memory or stack.
static constexpr unsigned kMaxJsonDepth = 64;
static constexpr size_t kMaxRank = 16;
static constexpr int64_t kMaxDramBytes = int64_t(1) << 40;

//===-- Writing --------------------------------------------------------===//

static std::string toText(json::Value value) {
  std::string text;
  llvm::raw_string_ostream(text) << value;
  return text;
}

static json::Object toJson(const IoTensor &tensor) {
  json::Object out{{"name", tensor.name},
                   {"shape", json::Array(tensor.shape)},
                   {"dtype", tensor.dtype},
                   {"device_type", elementTypeName(tensor.deviceType)},
                   {"address", tensor.address},
                   {"strides", json::Array(tensor.strides)}};
  if (tensor.quantization)
    out["quantization"] =
        json::Object{{"scale", tensor.quantization->scale},
                     {"zero_point", tensor.quantization->zeroPoint},
                     {"lo", tensor.quantization->lo},
                     {"hi", tensor.quantization->hi}};
  if (!tensor.state.empty())
    out["state"] = tensor.state;
  return out;
}

std::string asic::writeIoJson(const Program &program) {
  json::Array inputs, outputs;
  for (const IoTensor &tensor : program.inputs)
    inputs.push_back(toJson(tensor));
  for (const IoTensor &tensor : program.outputs)
    outputs.push_back(toJson(tensor));
  json::Object io{{"inputs", std::move(inputs)},
                  {"outputs", std::move(outputs)}};
  if (!program.state.empty()) {
    json::Array state;
    for (const StateRegion &region : program.state)
      state.push_back(json::Object{{"path", region.path},
                                   {"address", region.address},
                                   {"bytes", region.bytes}});
    io["state"] = std::move(state);
  }
  return toText(std::move(io));
}

std::string asic::writeDebugJson(const Program &program) {
  json::Array entries;
  for (const DebugEntry &entry : program.debug)
    entries.push_back(json::Object{{"tag", entry.tag},
                                   {"layer", json::fixUTF8(entry.layer)},
                                   {"location", json::fixUTF8(entry.location)},
                                   {"source", json::fixUTF8(entry.source)}});
  return toText(std::move(entries));
}

std::string asic::writeMetaJson(const Program &program) {
  const ProgramMeta &meta = program.meta;
  json::Object out{{"dram_bytes", meta.dramBytes},
                   {"compiler_version", meta.compilerVersion},
                   {"extra", json::Object(meta.extra)}};
  if (meta.predictedCycles)
    out["predicted_cycles"] = *meta.predictedCycles;
  return toText(std::move(out));
}

//===-- Reading --------------------------------------------------------===//

/// The parser recurses, so the nesting is bounded before it runs.
static Error checkDepth(StringRef text) {
  unsigned depth = 0;
  bool inString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (inString) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        inString = false;
    } else if (c == '"') {
      inString = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxJsonDepth)
        return makeError("expected at most " + Twine(kMaxJsonDepth) +
                         " levels of nesting");
    } else if ((c == ']' || c == '}') && depth) {
      --depth;
    }
  }
  return Error::success();
}

static Expected<json::Value> parseJson(StringRef text) {
  if (Error error = checkDepth(text))
    return std::move(error);
  auto value = json::parse(text);
  if (!value)
    return makeError("expected JSON: " + llvm::toString(value.takeError()));
  return value;
}

static Error missing(StringRef key, const char *what) {
  return makeError("expected key '" + key + "' with " + what);
}

static Expected<std::string> getString(const json::Object &object,
                                       StringRef key) {
  if (auto value = object.getString(key))
    return value->str();
  return missing(key, "a string");
}

static Expected<int64_t> getInteger(const json::Object &object, StringRef key,
                                    int64_t lo, int64_t hi) {
  auto value = object.getInteger(key);
  if (!value)
    return missing(key, "an integer");
  if (*value < lo || *value > hi)
    return makeError("expected '" + key + "' in [" + Twine(lo) + ", " +
                     Twine(hi) + "], got " + Twine(*value));
  return *value;
}

static Expected<std::vector<int64_t>> getIntegers(const json::Object &object,
                                                  StringRef key) {
  const json::Array *array = object.getArray(key);
  if (!array || array->size() > kMaxRank)
    return missing(key, "a list of at most 16 integers");
  std::vector<int64_t> values;
  for (const json::Value &element : *array) {
    auto value = element.getAsInteger();
    if (!value || *value < 0 || *value > kMaxDramBytes)
      return missing(key, "a list of integers in [0, 2^40]");
    values.push_back(*value);
  }
  return values;
}

/// Reads one field or returns its error.
#define ASIC_READ(target, expression)                                          \
  do {                                                                         \
    auto result = expression;                                                  \
    if (!result)                                                               \
      return result.takeError();                                               \
    target = std::move(*result);                                               \
  } while (false)

static Expected<AffineQuantization>
readQuantization(const json::Object &object) {
  AffineQuantization quantization;
  auto scale = object.getNumber("scale");
  if (!scale)
    return missing("scale", "a number");
  quantization.scale = *scale;
  ASIC_READ(quantization.zeroPoint,
            getInteger(object, "zero_point", INT32_MIN, INT32_MAX));
  ASIC_READ(quantization.lo, getInteger(object, "lo", INT32_MIN, INT32_MAX));
  ASIC_READ(quantization.hi, getInteger(object, "hi", INT32_MIN, INT32_MAX));
  return quantization;
}

static Expected<IoTensor> readTensor(const json::Value &value) {
  const json::Object *object = value.getAsObject();
  if (!object)
    return makeError("expected an object per tensor");
  IoTensor tensor;
  ASIC_READ(tensor.name, getString(*object, "name"));
  ASIC_READ(tensor.shape, getIntegers(*object, "shape"));
  ASIC_READ(tensor.dtype, getString(*object, "dtype"));
  ASIC_READ(tensor.address, getInteger(*object, "address", 0, kMaxDramBytes));
  ASIC_READ(tensor.strides, getIntegers(*object, "strides"));
  std::string deviceType;
  ASIC_READ(deviceType, getString(*object, "device_type"));
  auto type = parseElementType(deviceType);
  if (!type)
    return makeError("expected a device type, got '" + deviceType + "'");
  tensor.deviceType = *type;
  if (const json::Object *quantization = object->getObject("quantization"))
    ASIC_READ(tensor.quantization, readQuantization(*quantization));
  if (object->get("state"))
    ASIC_READ(tensor.state, getString(*object, "state"));
  if (Error error = verify(tensor))
    return std::move(error);
  return tensor;
}

/// Rejects quantisation parameters whose arithmetic would not be defined.
static Error verifyQuantization(const IoTensor &tensor) {
  const AffineQuantization &q = *tensor.quantization;
  if (!(q.scale > 0) || !std::isfinite(float(q.scale)) || float(q.scale) == 0 ||
      !std::isfinite(1.0f / float(q.scale)))
    return makeError("tensor '" + tensor.name +
                     "': expected a positive finite scale");
  if (q.lo > q.hi)
    return makeError("tensor '" + tensor.name + "': expected lo <= hi, got " +
                     Twine(q.lo) + " and " + Twine(q.hi));
  if (!isIntegerType(tensor.deviceType))
    return makeError("tensor '" + tensor.name +
                     "': expected an integer device type for quantisation, "
                     "got " +
                     elementTypeName(tensor.deviceType));
  unsigned bits = bitWidth(tensor.deviceType);
  bool isSigned = isSignedType(tensor.deviceType);
  int64_t min = isSigned ? -(int64_t(1) << (bits - 1)) : 0;
  int64_t max = (int64_t(1) << (bits - isSigned)) - 1;
  if (q.lo < min || q.hi > max || q.zeroPoint < min || q.zeroPoint > max)
    return makeError("tensor '" + tensor.name +
                     "': expected zero point and "
                     "bounds to be values of " +
                     elementTypeName(tensor.deviceType));
  return Error::success();
}

Error asic::verify(const IoTensor &tensor) {
  auto fail = [&](const Twine &message) {
    return makeError("tensor '" + tensor.name + "': " + message);
  };
  if (tensor.name.empty())
    return makeError("expected a tensor name, got an empty one");
  const DType *dtype = lookupDType(tensor.dtype);
  if (!dtype)
    return fail("expected a numpy dtype name, got '" + tensor.dtype + "'");
  if (tensor.deviceType == ElementType::None ||
      tensor.deviceType == ElementType::E8M0 ||
      isSubByteType(tensor.deviceType))
    return fail("expected a byte-sized device type, got " +
                elementTypeName(tensor.deviceType));
  if (tensor.strides.size() != tensor.shape.size())
    return fail("expected " + Twine(tensor.shape.size()) + " strides, got " +
                Twine(tensor.strides.size()));
  // Element counts and extents must not overflow.
  uint64_t last = 0, count = 1;
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    uint64_t extent = tensor.shape[i], stride = tensor.strides[i];
    count *= extent;
    if (extent && stride > uint64_t(kMaxDramBytes) / extent)
      return fail("expected a device extent below 2^40 bytes");
    last += extent ? (extent - 1) * stride : 0;
    if (count > uint64_t(kMaxDramBytes) || last > uint64_t(kMaxDramBytes))
      return fail("expected a device extent below 2^40 bytes");
  }
  unsigned bytes = bitWidth(tensor.deviceType) / 8;
  if (tensor.address % bytes)
    return fail("expected an address that is a multiple of " + Twine(bytes) +
                ", got " + Twine(tensor.address));
  if (tensor.quantization) {
    if (dtype->kind != DTypeKind::Float)
      return fail("expected a float dtype for quantisation, got " +
                  tensor.dtype);
    return verifyQuantization(tensor);
  }
  bool userFloat = dtype->kind == DTypeKind::Float;
  if (userFloat != isFloatType(tensor.deviceType))
    return fail("expected dtype and device type of one kind, got " +
                tensor.dtype + " and " + elementTypeName(tensor.deviceType));
  return Error::success();
}

static Error readTensors(const json::Object &object, StringRef key,
                         std::vector<IoTensor> &tensors) {
  const json::Array *array = object.getArray(key);
  if (!array)
    return missing(key, "a list");
  llvm::StringMap<size_t> names;
  for (const json::Value &element : *array) {
    auto tensor = readTensor(element);
    if (!tensor)
      return tensor.takeError();
    auto [first, isNew] = names.try_emplace(tensor->name, tensors.size());
    // One array may lie in memory in several forms.
    if (!isNew && key == "outputs")
      return makeError("expected unique names in outputs, got '" +
                       tensor->name + "' twice");
    if (!isNew && (tensors[first->second].shape != tensor->shape ||
                   tensors[first->second].dtype != tensor->dtype))
      return makeError("expected forms of input '" + tensor->name +
                       "' with one shape and dtype, got two");
    tensors.push_back(std::move(*tensor));
  }
  return Error::success();
}

static Expected<StateRegion> readRegion(const json::Value &value) {
  const json::Object *object = value.getAsObject();
  if (!object)
    return makeError("expected an object per state");
  StateRegion region;
  ASIC_READ(region.path, getString(*object, "path"));
  ASIC_READ(region.address, getInteger(*object, "address", 0, kMaxDramBytes));
  ASIC_READ(region.bytes, getInteger(*object, "bytes", 0, kMaxDramBytes));
  return region;
}

static Error readState(const json::Object &object, Program &program) {
  const json::Value *list = object.get("state");
  if (!list)
    return Error::success();
  if (!list->getAsArray())
    return missing("state", "a list");
  for (const json::Value &element : *list->getAsArray()) {
    auto region = readRegion(element);
    if (!region)
      return region.takeError();
    program.state.push_back(std::move(*region));
  }
  return Error::success();
}

Error asic::readIoJson(StringRef text, Program &program) {
  auto value = parseJson(text);
  if (!value)
    return value.takeError();
  const json::Object *object = value->getAsObject();
  if (!object)
    return makeError("expected an object");
  if (Error error = readTensors(*object, "inputs", program.inputs))
    return error;
  if (Error error = readTensors(*object, "outputs", program.outputs))
    return error;
  return readState(*object, program);
}

static Expected<DebugEntry> readDebugEntry(const json::Value &value) {
  const json::Object *object = value.getAsObject();
  if (!object)
    return makeError("expected an object per entry");
  DebugEntry entry;
  ASIC_READ(entry.tag, getInteger(*object, "tag", 0, UINT32_MAX));
  ASIC_READ(entry.layer, getString(*object, "layer"));
  ASIC_READ(entry.location, getString(*object, "location"));
  ASIC_READ(entry.source, getString(*object, "source"));
  return entry;
}

Error asic::readDebugJson(StringRef text, Program &program) {
  auto value = parseJson(text);
  if (!value)
    return value.takeError();
  const json::Array *array = value->getAsArray();
  if (!array)
    return makeError("expected a list");
  for (const json::Value &element : *array) {
    auto entry = readDebugEntry(element);
    if (!entry)
      return entry.takeError();
    if (!program.debug.empty() && entry->tag <= program.debug.back().tag)
      return makeError("expected ascending tags, got " + Twine(entry->tag));
    program.debug.push_back(std::move(*entry));
  }
  return Error::success();
}

Error asic::readMetaJson(StringRef text, Program &program) {
  auto value = parseJson(text);
  if (!value)
    return value.takeError();
  const json::Object *object = value->getAsObject();
  if (!object)
    return makeError("expected an object");
  ProgramMeta &meta = program.meta;
  auto dramBytes = getInteger(*object, "dram_bytes", 0, kMaxDramBytes);
  if (!dramBytes)
    return dramBytes.takeError();
  meta.dramBytes = *dramBytes;
  if (object->get("predicted_cycles")) {
    auto cycles = getInteger(*object, "predicted_cycles", 0, INT64_MAX);
    if (!cycles)
      return cycles.takeError();
    meta.predictedCycles = *cycles;
  }
  auto version = getString(*object, "compiler_version");
  if (!version)
    return version.takeError();
  meta.compilerVersion = *version;
  const json::Object *extra = object->getObject("extra");
  if (!extra)
    return missing("extra", "an object");
  meta.extra = *extra;
  return Error::success();
}

#undef ASIC_READ

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/cpu/HostModule.h"

#include "passes/Passes.h"
#include "passes/cpu/Cpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/ExecutionEngine/OptUtils.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/bit.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/ExecutionEngine/Orc/Mangling.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

#include <csetjmp>
#include <cstdlib>

using namespace mlir;

namespace mlir::asic {

namespace {

llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// Describes a tensor type; an error when its shape is not static.
llvm::Expected<HostTensor> describe(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !tensor.hasStaticShape()) {
    std::string text;
    llvm::raw_string_ostream(text) << type;
    return makeError("expected a tensor of static shape at the border of a "
                     "host function, got " +
                     text);
  }
  return describeTensor(tensor);
}

/// A ranked memref descriptor as the C interface lays it out: two pointers,
/// the offset, sizes and strides.
std::vector<int64_t> makeDescriptor(const HostTensor &tensor,
                                    const void *data) {
  size_t rank = tensor.shape.size();
  std::vector<int64_t> words(3 + 2 * rank);
  words[0] = words[1] = reinterpret_cast<int64_t>(data);
  int64_t stride = 1;
  for (size_t i = rank; i-- > 0;) {
    words[3 + i] = tensor.shape[i];
    words[3 + rank + i] = stride;
    stride *= tensor.shape[i];
  }
  return words;
}

/// Narrowing to 16-bit floats, which processors without such an instruction
/// find in the compiler's run-time library; not every process has that loaded.
template <typename Half, typename Wide>
Half narrow(Wide value) {
  static_assert(sizeof(Half) == 2);
  llvm::APFloat number(value);
  bool losesInfo;
  number.convert(std::is_same_v<Half, __bf16> ? llvm::APFloat::BFloat()
                                              : llvm::APFloat::IEEEhalf(),
                 llvm::APFloat::rmNearestTiesToEven, &losesInfo);
  auto bits = static_cast<uint16_t>(number.bitcastToAPInt().getZExtValue());
  return llvm::bit_cast<Half>(bits);
}

/// Where a failed assertion of compiled code goes back to, and what it said.
thread_local std::jmp_buf *failure = nullptr;
thread_local const char *assertion = "";

int noteAssertion(const char *text) {
  assertion = text;
  return 0;
}

[[noreturn]] void leaveProgram() { std::longjmp(*failure, 1); }

/// The buffer that there was no memory for, 0 when another thing failed.
thread_local size_t failedBytes = 0;

/// The memory that compiled code holds, for when it does not come to its end.
thread_local llvm::DenseSet<void *> *buffers = nullptr;

void *allocate(size_t bytes) {
  void *memory = std::malloc(bytes);
  if (!memory && bytes > 0) {
    failedBytes = bytes;
    leaveProgram();
  }
  if (buffers)
    buffers->insert(memory);
  return memory;
}

void release(void *memory) {
  if (buffers)
    buffers->erase(memory);
  std::free(memory);
}

/// Runs compiled code, whose frames hold nothing but buffers; returns whether
/// it came to its end.
bool run(void (*code)(void **), void **arguments) {
  std::jmp_buf here;
  std::jmp_buf *outer = failure;
  llvm::DenseSet<void *> held, *outerBuffers = buffers;
  failure = &here;
  buffers = &held;
  bool isComplete = setjmp(here) == 0;
  if (isComplete)
    code(arguments);
  failure = outer;
  buffers = outerBuffers;
  for (void *memory : held)
    std::free(memory);
  return isComplete;
}

llvm::orc::SymbolMap runtimeSymbols(llvm::orc::MangleAndInterner interner) {
  llvm::orc::SymbolMap symbols;
  auto add = [&](llvm::StringRef name, auto *function) {
    symbols[interner(name)] = {llvm::orc::ExecutorAddr::fromPtr(function),
                               llvm::JITSymbolFlags::Exported};
  };
  add("puts", noteAssertion);
  add("abort", leaveProgram);
  add("malloc", allocate);
  add("free", release);
  add("__truncsfhf2", narrow<_Float16, float>);
  add("__truncdfhf2", narrow<_Float16, double>);
  add("__truncsfbf2", narrow<__bf16, float>);
  add("__truncdfbf2", narrow<__bf16, double>);
  return symbols;
}

/// Collects the functions that callers can name, with their signatures.
llvm::Error readSignatures(ModuleOp module,
                           llvm::StringMap<HostSignature> &signatures) {
  for (auto func : module.getOps<func::FuncOp>()) {
    if (func.isExternal() || !func.isPublic())
      continue;
    HostSignature signature;
    for (Type type : func.getArgumentTypes()) {
      llvm::Expected<HostTensor> tensor = describe(type);
      if (!tensor)
        return tensor.takeError();
      signature.inputs.push_back(std::move(*tensor));
    }
    for (Type type : func.getResultTypes()) {
      llvm::Expected<HostTensor> tensor = describe(type);
      if (!tensor)
        return tensor.takeError();
      signature.outputs.push_back(std::move(*tensor));
    }
    signature.extents = collectExtents(func);
    signatures[func.getName()] = std::move(signature);
    func->setAttr(LLVM::LLVMDialect::getEmitCWrapperAttrName(),
                  UnitAttr::get(module.getContext()));
  }
  return llvm::Error::success();
}

} // namespace

HostTensor describeTensor(RankedTensorType type) {
  HostTensor result;
  result.shape = type.getShape().vec();
  llvm::raw_string_ostream(result.type) << type.getElementType();
  result.elementBytes =
      llvm::divideCeil(type.getElementType().getIntOrFloatBitWidth(), 8);
  return result;
}

llvm::Expected<std::unique_ptr<HostModule>>
HostModule::compile(ModuleOp module) {
  static const bool initialized = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    return true;
  }();
  (void)initialized;
  MLIRContext *context = module.getContext();
  registerBuiltinDialectTranslation(*context);
  registerLLVMDialectTranslation(*context);

  auto result = std::make_unique<HostModule>();
  llvm::StringMap<HostSignature> signatures;
  if (llvm::Error error = readSignatures(module, signatures))
    return std::move(error);

  // The constants have to be read before bufferization drops their names.
  PassManager hoist(context);
  hoist.addNestedPass<func::FuncOp>(createHoistConstantsPass());
  if (failed(hoist.run(module)))
    return makeError("hoisting constants failed");
  for (auto &entry : signatures) {
    Function function;
    function.signature = entry.second;
    auto func = module.lookupSymbol<func::FuncOp>(entry.first());
    for (unsigned i = entry.second.inputs.size(); i < func.getNumArguments();
         ++i) {
      auto attr = func.getArgAttrOfType<DenseResourceElementsAttr>(
          i, kConstantAttrName);
      AsmResourceBlob *blob = attr.getRawHandle().getBlob();
      if (!blob)
        return makeError("expected data for the constant '" +
                         attr.getRawHandle().getKey() +
                         "', got none; pass the weights beside the module");
      llvm::Expected<HostTensor> tensor = describe(attr.getType());
      if (!tensor)
        return tensor.takeError();
      function.constants.push_back(
          {std::move(*tensor), blob->getData().data()});
    }
    result->functions[entry.first()] = std::move(function);
  }

  PassManager lower(context);
  buildHostPipeline(lower);
  if (failed(lower.run(module)))
    return makeError("lowering to LLVM failed");

  llvm::Expected<llvm::orc::JITTargetMachineBuilder> builder =
      llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!builder)
    return builder.takeError();
  builder->setCodeGenOptLevel(llvm::CodeGenOptLevel::Default);
  llvm::Expected<std::unique_ptr<llvm::TargetMachine>> machine =
      builder->createTargetMachine();
  if (!machine)
    return machine.takeError();

  ExecutionEngineOptions options;
  auto transformer = makeOptimizingTransformer(/*optLevel=*/2, /*sizeLevel=*/0,
                                               machine->get());
  options.transformer = transformer;
  options.jitCodeGenOptLevel = llvm::CodeGenOptLevel::Default;
  options.enableObjectDump = false;
  llvm::Expected<std::unique_ptr<ExecutionEngine>> engine =
      ExecutionEngine::create(module, options);
  if (!engine)
    return engine.takeError();
  result->engine = std::move(*engine);
  result->engine->registerSymbols(runtimeSymbols);
  result->engine->initialize();
  return std::move(result);
}

const HostSignature *HostModule::signature(llvm::StringRef function) const {
  auto it = functions.find(function);
  return it == functions.end() ? nullptr : &it->second.signature;
}

llvm::Error HostModule::call(llvm::StringRef name,
                             llvm::ArrayRef<const void *> inputs,
                             llvm::ArrayRef<void *> outputs,
                             llvm::ArrayRef<int64_t> extents) const {
  auto it = functions.find(name);
  if (it == functions.end())
    return makeError("expected a compiled host function, got '" + name + "'");
  const Function &function = it->second;
  const HostSignature &signature = function.signature;
  if (inputs.size() != signature.inputs.size() ||
      outputs.size() != signature.outputs.size())
    return makeError(
        llvm::formatv(
            "expected {0} inputs and {1} outputs for '{2}', got {3} and {4}",
            signature.inputs.size(), signature.outputs.size(), name,
            inputs.size(), outputs.size())
            .str());

  std::vector<int64_t> sizes = extents.vec();
  if (sizes.empty())
    sizes.assign(signature.extents.size(), std::numeric_limits<int64_t>::max());
  if (sizes.size() != signature.extents.size())
    return makeError(llvm::formatv("expected {0} extents for '{1}', got {2}",
                                   signature.extents.size(), name, sizes.size())
                         .str());

  // The C interface takes pointers to descriptors, the packed one pointers to
  // those pointers; numbers are what the packed one points to.
  std::vector<std::vector<int64_t>> descriptors;
  for (size_t i = 0; i < inputs.size(); ++i)
    descriptors.push_back(makeDescriptor(signature.inputs[i], inputs[i]));
  for (const Constant &constant : function.constants)
    descriptors.push_back(makeDescriptor(constant.tensor, constant.data));
  size_t inputsAndConstants = descriptors.size();
  for (size_t i = 0; i < outputs.size(); ++i)
    descriptors.push_back(makeDescriptor(signature.outputs[i], outputs[i]));
  std::vector<void *> pointers;
  for (std::vector<int64_t> &descriptor : descriptors)
    pointers.push_back(descriptor.data());
  std::vector<void *> arguments;
  for (void *&pointer : pointers)
    arguments.push_back(&pointer);
  std::vector<void *> numbers;
  for (int64_t &size : sizes)
    numbers.push_back(&size);
  arguments.insert(arguments.begin() + inputsAndConstants, numbers.begin(),
                   numbers.end());
  auto code = engine->lookupPacked(("_mlir_ciface_" + name).str());
  if (!code)
    return code.takeError();
  failedBytes = 0;
  if (!run(*code, arguments.data()))
    return failedBytes
               ? makeError(
                     "expected memory for a buffer of " +
                     llvm::Twine(failedBytes) +
                     " bytes, got none; call the model with smaller sizes, and "
                     "declare Dims with a smaller max")
               : makeError(llvm::Twine(assertion) +
                           "; the inputs' values have to fit the tables that "
                           "the model looks up");
  return llvm::Error::success();
}

} // namespace mlir::asic

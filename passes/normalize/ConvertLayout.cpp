// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"
#include "passes/Support/TensorBuilder.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

namespace mlir::asic {
#define GEN_PASS_DEF_CONVERTLAYOUTPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

namespace {
/// Kinds of windowed ops.
enum class Kind { conv, depthwise, grouped, poolMax, poolSum };

/// Builds the channels-last form of one channels-first op over `rank` spatial
/// dimensions.
class ChannelsLast {
public:
  ChannelsLast(linalg::LinalgOp op, Kind kind, TensorBuilder &b)
      : op(op), kind(kind), b(b), rank(tensorType(op->getOperand(0)).getRank() -
                                       (kind == Kind::grouped ? 3 : 2)) {}

  /// The result in the original layout.
  Value build();

private:
  /// Loop numbers: n, spatial output, channels, window, reduced channels.
  int64_t spatial(int64_t i) { return 1 + i; }
  int64_t channel() { return 1 + rank; }
  int64_t window(int64_t i) {
    return 1 + rank + (kind == Kind::grouped ? 2 : 1) + i;
  }
  bool reducesChannels() { return kind == Kind::conv || kind == Kind::grouped; }
  int64_t reduced() { return window(rank); }
  int64_t numLoops() { return reducesChannels() ? reduced() + 1 : reduced(); }

  /// `stride · output + dilation · window` per spatial dimension.
  AffineExpr position(int64_t i);
  /// `dims` as expressions with the spatial ones in front of `tail`.
  AffineMap inputMap();
  AffineMap windowMap();
  AffineMap outputMap();
  /// Channels-first to channels-last permutation of input and output.
  SmallVector<int64_t> activationPermutation();
  SmallVector<int64_t> weightPermutation();
  Value accumulate(ImplicitLocOpBuilder &nested, ValueRange args);

  linalg::LinalgOp op;
  Kind kind;
  TensorBuilder &b;
  int64_t rank;
};
} // namespace

AffineExpr ChannelsLast::position(int64_t i) {
  auto factor = [&](StringRef name) -> int64_t {
    auto values = op->getAttrOfType<DenseIntElementsAttr>(name);
    return values ? *(values.getValues<int64_t>().begin() + i) : 1;
  };
  return b.getAffineDimExpr(spatial(i)) * factor("strides") +
         b.getAffineDimExpr(window(i)) * factor("dilations");
}

AffineMap ChannelsLast::inputMap() {
  SmallVector<AffineExpr> exprs{b.getAffineDimExpr(0)};
  for (int64_t i = 0; i < rank; ++i)
    exprs.push_back(position(i));
  if (!reducesChannels() || kind == Kind::grouped)
    exprs.push_back(b.getAffineDimExpr(channel()));
  if (reducesChannels())
    exprs.push_back(b.getAffineDimExpr(reduced()));
  return AffineMap::get(numLoops(), 0, exprs, b.getContext());
}

AffineMap ChannelsLast::windowMap() {
  SmallVector<int64_t> dims;
  for (int64_t i = 0; i < rank; ++i)
    dims.push_back(window(i));
  if (kind == Kind::conv)
    dims.append({reduced(), channel()});
  if (kind == Kind::depthwise)
    dims.push_back(channel());
  if (kind == Kind::grouped)
    dims.append({channel(), reduced(), channel() + 1});
  return b.dimsMap(numLoops(), dims);
}

AffineMap ChannelsLast::outputMap() {
  SmallVector<int64_t> dims = llvm::to_vector(llvm::seq<int64_t>(0, window(0)));
  return b.dimsMap(numLoops(), dims);
}

SmallVector<int64_t> ChannelsLast::activationPermutation() {
  int64_t channels = kind == Kind::grouped ? 2 : 1;
  SmallVector<int64_t> permutation{0};
  for (int64_t i = 0; i < rank; ++i)
    permutation.push_back(1 + channels + i);
  for (int64_t i = 0; i < channels; ++i)
    permutation.push_back(1 + i);
  return permutation;
}

SmallVector<int64_t> ChannelsLast::weightPermutation() {
  // conv f c hw -> hw c f; depthwise c hw -> hw c; grouped g f c hw -> hw g c f
  int64_t leading = kind == Kind::grouped ? 3 : kind == Kind::conv ? 2 : 1;
  SmallVector<int64_t> permutation;
  for (int64_t i = 0; i < rank; ++i)
    permutation.push_back(leading + i);
  if (kind == Kind::conv)
    permutation.append({1, 0});
  else if (kind == Kind::depthwise)
    permutation.push_back(0);
  else
    permutation.append({0, 2, 1});
  return permutation;
}

/// `value` widened to `type`.
static Value widenTo(ImplicitLocOpBuilder &b, Value value, Type type) {
  if (value.getType() == type)
    return value;
  if (isa<FloatType>(type))
    return arith::ExtFOp::create(b, type, value);
  return arith::ExtSIOp::create(b, type, value);
}

Value ChannelsLast::accumulate(ImplicitLocOpBuilder &nested, ValueRange args) {
  Type type = args[2].getType();
  bool isFloat = isa<FloatType>(type);
  Value input = widenTo(nested, args[0], type);
  if (kind == Kind::poolMax) {
    if (isFloat)
      return arith::MaximumFOp::create(nested, args[2], input);
    return arith::MaxSIOp::create(nested, args[2], input);
  }
  if (kind != Kind::poolSum) {
    Value weight = widenTo(nested, args[1], type);
    if (isFloat)
      input = arith::MulFOp::create(nested, input, weight);
    else
      input = arith::MulIOp::create(nested, input, weight);
  }
  if (isFloat)
    return arith::AddFOp::create(nested, args[2], input);
  return arith::AddIOp::create(nested, args[2], input);
}

Value ChannelsLast::build() {
  SmallVector<int64_t> permutation = activationPermutation();
  Value input = b.transpose(op->getOperand(0), permutation);
  Value window = op->getOperand(1);
  if (kind != Kind::poolMax && kind != Kind::poolSum)
    window = b.transpose(window, weightPermutation());
  Value init = b.transpose(op->getOperand(2), permutation);
  linalg::GenericOp generic =
      b.generic({input, window}, init, {inputMap(), windowMap(), outputMap()},
                [&](ImplicitLocOpBuilder &nested, ValueRange args) {
                  return accumulate(nested, args);
                });
  return b.transpose(generic.getResult(0),
                     invertPermutationVector(permutation));
}

static std::optional<Kind> kindOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, std::optional<Kind>>(op)
      .Case<linalg::Conv1DNcwFcwOp, linalg::Conv2DNchwFchwOp,
            linalg::Conv3DNcdhwFcdhwOp>([](auto) { return Kind::conv; })
      .Case<linalg::DepthwiseConv1DNcwCwOp, linalg::DepthwiseConv2DNchwChwOp>(
          [](auto) { return Kind::depthwise; })
      .Case<linalg::Conv2DNgchwGfchwOp>([](auto) { return Kind::grouped; })
      .Case<linalg::PoolingNcwMaxOp, linalg::PoolingNchwMaxOp>(
          [](auto) { return Kind::poolMax; })
      .Case<linalg::PoolingNcwSumOp, linalg::PoolingNchwSumOp>(
          [](auto) { return Kind::poolSum; })
      .Default([](Operation *) { return std::nullopt; });
}

namespace {
struct ConvertLayoutPass
    : mlir::asic::impl::ConvertLayoutPassBase<ConvertLayoutPass> {
  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> ops;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (op.hasPureTensorSemantics())
        ops.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::LinalgOp op : ops) {
      rewriter.setInsertionPoint(op);
      if (std::optional<Kind> kind = kindOf(op)) {
        TensorBuilder b(op.getLoc(), rewriter);
        rewriter.replaceOp(op, ChannelsLast(op, *kind, b).build());
      } else if (!isa<linalg::GenericOp, linalg::FillOp, linalg::TransposeOp,
                      linalg::BroadcastOp>(op)) {
        (void)linalg::generalizeNamedOp(rewriter, op);
      }
    }
  }
};
} // namespace

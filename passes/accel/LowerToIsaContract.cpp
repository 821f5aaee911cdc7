// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Selection of contractions: iterators of an asic.contract are given the places
// m0..m2, k0..k2 and n of the instruction.
#include "passes/accel/LowerToIsaSelect.h"

#include "dialects/Isa/Isa.h"

using namespace mlir;
using namespace mlir::asic;
namespace machine = ::asic::isa;
using machine::Instruction;

namespace {

/// Streams of a contraction, as indices of `LoopDim::strides`.
enum Stream : unsigned { streamA, streamW, streamAcc };

/// A dimension of A whose index can leave A: `sum of iterators - pad` is
/// compared with [0, limit).
struct Bound {
  int64_t first = 0;
  int64_t limit = 0;
  /// Iterator and step of the parallel and of the reduction part, if present.
  std::optional<unsigned> m, k;
  int64_t mStep = 0, kStep = 0;
};

/// Places of the dimensions; null where there is none.
struct Places {
  std::array<const LoopDim *, 3> m = {};
  std::array<const LoopDim *, 3> k = {};
  const LoopDim *n = nullptr;
  const Bound *x = nullptr;
  const Bound *y = nullptr;
};

/// Assigns places to the dimensions of one contraction.
class PlaceAssigner {
public:
  PlaceAssigner(ArrayRef<LoopDim> dims, ArrayRef<Bound> bounds, bool hasBias,
                const SelectOptions &options)
      : bounds(bounds) {
    for (const LoopDim &dim : dims)
      classify(dim);
    // A dimension that all three share is a batch (m2 has a stride in W) or,
    // without a dimension of W alone, the channel of a depthwise contraction.
    if (ns.empty() && !shared.empty() && (options.depthwise || hasBias))
      ns.push_back(shared.pop_back_val());
  }

  /// The first assignment that the address generator can do.
  FailureOr<Places> assign(Operation *user) {
    if (ns.size() > 1 || shared.size() > 1 || ms.size() + shared.size() > 3 ||
        ks.size() > 3)
      return user->emitOpError("expected at most 3 dimensions of a alone, 3 "
                               "reductions, 1 of w alone and 1 of both, got ")
             << ms.size() << ", " << ks.size() << ", " << ns.size() << " and "
             << shared.size() << "; tile outer dimensions to 1";
    SmallVector<unsigned, 3> slots = {0, 1, 2};
    do {
      if (!shared.empty() && slots.size() > ms.size() &&
          llvm::is_contained(ArrayRef(slots).take_front(ms.size()), 2u))
        continue;
      for (unsigned kMask :
           {0b111u, 0b011u, 0b101u, 0b110u, 0b001u, 0b010u, 0b100u, 0b000u}) {
        std::optional<Places> places = tryPlaces(slots, kMask);
        if (places)
          return *places;
      }
    } while (std::next_permutation(slots.begin(), slots.end()));
    return user->emitOpError(
        "expected out-of-range points in at most two dimensions of a, each "
        "from one dimension of acc and one reduction; pad the input instead");
  }

private:
  void classify(const LoopDim &dim) {
    if (dim.reduction)
      ks.push_back(&dim);
    else if (dim.strides[streamW] == 0)
      ms.push_back(&dim);
    else if (dim.strides[streamA] == 0)
      ns.push_back(&dim);
    else
      shared.push_back(&dim);
  }

  /// Places of m by `slots` (innermost first), k in the slots of `kMask`.
  std::optional<Places> tryPlaces(ArrayRef<unsigned> slots, unsigned kMask) {
    if (unsigned(llvm::popcount(kMask)) != ks.size())
      return std::nullopt;
    Places places;
    for (auto [i, dim] : llvm::enumerate(llvm::reverse(ms)))
      places.m[slots[i]] = dim;
    if (!shared.empty())
      places.m[2] = shared.front();
    unsigned next = ks.size();
    for (unsigned slot = 0; slot < 3; ++slot)
      if (kMask >> slot & 1)
        places.k[slot] = ks[--next];
    if (!ns.empty())
      places.n = ns.front();
    // A bound with fewer iterators fits in more places: both orders count.
    auto placeAll = [](auto &&inOrder, Places places) -> std::optional<Places> {
      for (const Bound &bound : inOrder)
        if (!placeBound(bound, places))
          return std::nullopt;
      return places;
    };
    std::optional<Places> result = placeAll(bounds, places);
    return result ? result : placeAll(llvm::reverse(bounds), places);
  }

  /// Makes `bound` the x or y check of `places`, whichever its iterators allow.
  static bool placeBound(const Bound &bound, Places &places) {
    auto fits = [&](unsigned mSlot, unsigned kSlot) {
      auto matches = [](std::optional<unsigned> iterator, const LoopDim *dim) {
        return !iterator || (dim && dim->iterator == *iterator);
      };
      return matches(bound.m, places.m[mSlot]) &&
             matches(bound.k, places.k[kSlot]);
    };
    if (!places.x && fits(0, 1)) {
      places.x = &bound;
      return true;
    }
    if (!places.y && fits(1, 2)) {
      places.y = &bound;
      return true;
    }
    return false;
  }

  ArrayRef<Bound> bounds;
  /// Outermost first.
  SmallVector<const LoopDim *> ms, ks, ns, shared;
};

} // namespace

/// The bound of result `dim` of A's map; none when every point lies inside.
static FailureOr<std::optional<Bound>> getBound(ContractOp op, unsigned dim,
                                                ArrayRef<int64_t> ranges) {
  AffineExpr expr = op.getAMap().getResult(dim);
  AffineMap map = AffineMap::get(ranges.size(), 0, expr);
  BufferView unit;
  unit.sizes = {1};
  unit.strides = {1};
  SmallVector<int64_t> steps;
  Bound bound;
  if (failed(linearize(map, unit, (*op.getPad())[dim], op, steps, bound.first)))
    return failure();
  bound.limit = cast<MemRefType>(op.getA().getType()).getDimSize(dim);
  int64_t lowest = bound.first, highest = bound.first;
  for (auto [iterator, step] : llvm::enumerate(steps)) {
    int64_t reach = step * (ranges[iterator] - 1);
    (reach < 0 ? lowest : highest) += reach;
    if (reach == 0)
      continue;
    auto &part = op.isReduction(iterator) ? bound.k : bound.m;
    if (part || step < 0)
      return op.emitOpError("expected at most one dimension of acc and one "
                            "reduction, with positive steps, in padded "
                            "dimension ")
             << dim << " of a";
    part = iterator;
    (op.isReduction(iterator) ? bound.kStep : bound.mStep) = step;
  }
  if (lowest >= 0 && highest < bound.limit)
    return std::optional<Bound>();
  return std::optional<Bound>(bound);
}

/// Sets the sizes and strides of the places.
static void setPlaces(const Places &places, Instruction &contract) {
  for (unsigned i = 0; i < 3; ++i) {
    const LoopDim *m = places.m[i];
    contract.set(machine::Contract_m0 + i, m ? m->size : 1);
    contract.set(machine::Contract_a_m0 + i, m ? m->strides[streamA] : 0);
    contract.set(machine::Contract_acc_m0 + i, m ? m->strides[streamAcc] : 0);
    const LoopDim *k = places.k[i];
    contract.set(machine::Contract_k0 + i, k ? k->size : 1);
    contract.set(machine::Contract_a_k0 + i, k ? k->strides[streamA] : 0);
    contract.set(machine::Contract_w_k0 + i, k ? k->strides[streamW] : 0);
  }
  if (places.m[2])
    contract.set(machine::Contract_w_m2, places.m[2]->strides[streamW]);
  contract.set(machine::Contract_n, places.n ? places.n->size : 1);
  if (places.n) {
    contract.set(machine::Contract_a_n, places.n->strides[streamA]);
    contract.set(machine::Contract_w_n, places.n->strides[streamW]);
    contract.set(machine::Contract_acc_n, places.n->strides[streamAcc]);
  }
}

/// Sets the fields of the checks. A missing check accepts every point.
static void setBounds(const Places &places, Instruction &contract) {
  if (!places.x && !places.y)
    return;
  contract.set(machine::Contract_has_bounds, 1);
  contract.set(machine::Contract_w, places.x ? places.x->limit : 1);
  contract.set(machine::Contract_h, places.y ? places.y->limit : 1);
  if (const Bound *x = places.x) {
    contract.set(machine::Contract_x0, x->first);
    contract.set(machine::Contract_x_m0, x->mStep);
    contract.set(machine::Contract_x_k1, x->kStep);
  }
  if (const Bound *y = places.y) {
    contract.set(machine::Contract_y0, y->first);
    contract.set(machine::Contract_y_m1, y->mStep);
    contract.set(machine::Contract_y_k2, y->kStep);
  }
}

FailureOr<Instruction> mlir::asic::selectContract(ContractOp op,
                                                  const SelectOptions &options,
                                                  AddressOf addressOf) {
  SmallVector<int64_t> ranges = op.getLoopRanges();
  SmallVector<Bound> bounds;
  if (op.getPad())
    for (unsigned dim = 0; dim < op.getAMap().getNumResults(); ++dim) {
      auto bound = getBound(op, dim, ranges);
      if (failed(bound))
        return failure();
      if (*bound)
        bounds.push_back(**bound);
    }

  // Byte strides of every iterator in A, W and ACC.
  Value operands[] = {op.getA(), op.getW(), op.getAcc()};
  AffineMap maps[] = {op.getAMap(), op.getWMap(), op.getAccMap()};
  SmallVector<LoopDim> dims(ranges.size());
  int64_t addresses[3];
  for (auto [iterator, dim] : llvm::enumerate(dims)) {
    dim.size = ranges[iterator];
    dim.iterator = iterator;
    dim.reduction = op.isReduction(iterator);
  }
  for (unsigned i = 0; i < 3; ++i) {
    FailureOr<BufferView> view = getBufferView(operands[i], op);
    SmallVector<int64_t> strides;
    int64_t offset;
    ArrayRef<int64_t> pads;
    if (i == streamA && op.getPad())
      pads = *op.getPad();
    if (failed(view) ||
        failed(linearize(maps[i], *view, pads, op, strides, offset)))
      return failure();
    for (auto [dim, stride] : llvm::zip_equal(dims, strides))
      dim.strides.push_back(stride);
    addresses[i] = addressOf(view->base) + offset;
  }

  // Bounds compare single iterators, and the bias has one dimension.
  auto isBounded = [&](unsigned iterator) {
    return llvm::any_of(bounds, [&](const Bound &bound) {
      return bound.m == iterator || bound.k == iterator;
    });
  };
  bool hasBias = bool(op.getBias());
  collapse(dims, [&](const LoopDim &outer, const LoopDim &inner) {
    if (isBounded(outer.iterator) || isBounded(inner.iterator))
      return false;
    return !hasBias || inner.strides[streamW] == 0 || inner.reduction;
  });
  FailureOr<Places> places =
      PlaceAssigner(dims, bounds, hasBias, options).assign(op);
  if (failed(places))
    return failure();

  Instruction contract(machine::Opcode::Contract, machine::mxu);
  unsigned typeFields[] = {machine::Contract_a_type, machine::Contract_w_type,
                           machine::Contract_acc_type};
  for (unsigned i = 0; i < 3; ++i) {
    Type type = cast<MemRefType>(operands[i].getType()).getElementType();
    auto element = asicisa::getElementType(type);
    if (!element)
      return op.emitOpError("expected an element type of the machine, got ")
             << type;
    contract.set(typeFields[i], unsigned(*element));
  }
  contract.set(machine::Contract_a_addr, addresses[streamA]);
  contract.set(machine::Contract_w_addr, addresses[streamW]);
  contract.set(machine::Contract_acc_addr, addresses[streamAcc]);
  contract.set(machine::Contract_accumulate, op.getAccumulate());
  contract.set(machine::Contract_a_zero, op.getAZero());
  contract.set(machine::Contract_w_zero, op.getWZero());
  if (hasBias) {
    FailureOr<BufferView> bias = getBufferView(op.getBias(), op);
    if (failed(bias))
      return failure();
    if (bias->strides[0] != bias->elementBytes && bias->sizes[0] != 1)
      return op.emitOpError("expected a contiguous bias, got a stride of ")
             << bias->strides[0] << " bytes";
    contract.set(machine::Contract_has_bias, 1);
    contract.set(machine::Contract_bias_addr,
                 addressOf(bias->base) + bias->offset);
  }
  setPlaces(*places, contract);
  setBounds(*places, contract);
  return contract;
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiled once per host instruction set: ASIC_KERNELS is the name of the table
// and ASIC_KERNELS_NAME its text. Only C headers and internal functions are
// used, so that no code for one instruction set leaks into another.

#include "emulator/LaneMath.h"
#include "emulator/kernels/Kernels.h"

#include <cstdint>
#include <cstring>

using namespace asic::emulator;
using namespace asic::numerics;

/// Points are independent even when the destination is a source register.
#if defined(__clang__)
#define ASIC_POINTWISE                                                         \
  _Pragma("clang loop vectorize(assume_safety) interleave(assume_safety)")
#else
#define ASIC_POINTWISE _Pragma("GCC ivdep")
#endif

#define ASIC_RESTRICT __restrict__

namespace {

//===-- Lane operations ------------------------------------------------===//

#define LANE_LOOP(Name, pragma, expression)                                    \
  void lane##Name([[maybe_unused]] uint32_t *dst,                              \
                  [[maybe_unused]] const uint32_t *pa,                         \
                  [[maybe_unused]] const uint32_t *pb,                         \
                  [[maybe_unused]] const uint32_t *pc,                         \
                  [[maybe_unused]] uint64_t imm, unsigned n) {                 \
    pragma for (unsigned i = 0; i < n; ++i) {                                  \
      [[maybe_unused]] uint32_t a = pa[i], b = pb[i], c = pc[i];               \
      dst[i] = uint32_t(expression);                                           \
    }                                                                          \
  }
#define LANE(Name, expression) LANE_LOOP(Name, ASIC_POINTWISE, expression)
/// Without a request to vectorise: hosts have no vector integer division.
#define LANE_SCALAR(Name, expression) LANE_LOOP(Name, , expression)
#define S(x) int32_t(x)
#define F(x) asFloat(x)

LANE(Const, imm)
LANE(Select, a != 0 ? b : c)
LANE(AddI, a + b)
LANE(SubI, a - b)
LANE(MulI, a *b)
LANE(MinSI, S(a) < S(b) ? a : b)
LANE(MaxSI, S(a) > S(b) ? a : b)
LANE(MinUI, a < b ? a : b)
LANE(MaxUI, a > b ? a : b)
LANE(AndI, a &b)
LANE(OrI, a | b)
LANE(XorI, a ^ b)
LANE(ShlI, b < 32 ? a << (b & 31) : 0u)
LANE(ShrSI, S(a) >> (b < 32 ? b : 31u))
LANE(ShrUI, b < 32 ? a >> (b & 31) : 0u)
// The caller has made sure that no divisor is 0; INT32_MIN / -1 wraps.
LANE_SCALAR(DivSI, b == 0xffffffffu ? 0u - a : uint32_t(S(a) / (b ? S(b) : 1)))
LANE_SCALAR(RemSI, b == 0xffffffffu ? 0u : uint32_t(S(a) % (b ? S(b) : 1)))
LANE(RedMacI, a + b * c)
LANE(SExt8, S(int8_t(a)))
LANE(SExt16, S(int16_t(a)))

LANE(AddF, canonical(F(a) + F(b)))
LANE(SubF, canonical(F(a) - F(b)))
LANE(MulF, canonical(F(a) * F(b)))
LANE(FmaF, canonical(__builtin_fmaf(F(a), F(b), F(c))))
LANE(RedMacF, canonical(__builtin_fmaf(F(b), F(c), F(a))))
LANE(DivF, canonical(F(a) / F(b)))
LANE(MinF, minimumBits(a, b))
LANE(MaxF, maximumBits(a, b))
LANE(NegF, a ^ kSignBit)
LANE(AbsF, a & ~kSignBit)
LANE(RoundEvenF, roundEvenBits(a))
LANE(FloorF, floorBits(a))
LANE(CeilF, ceilBits(a))
LANE(SIToFP, bitsAs<uint32_t>(float(S(a))))
LANE(FPToSI, toIntBits(a))

LANE(ExpF, expBits(a))
LANE(LogF, logBits(a))
LANE(TanhF, tanhBits(a))
LANE(ErfF, erfBits(a))
LANE(SqrtF, sqrtBits(a))
LANE(RsqrtF, rsqrtBits(a))
LANE(PowF, powBits(a, b))

LANE(CmpEq, a == b)
LANE(CmpNe, a != b)
LANE(CmpSlt, S(a) < S(b))
LANE(CmpSle, S(a) <= S(b))
LANE(CmpUlt, a < b)
LANE(CmpUle, a <= b)

LANE(CmpOeq, F(a) == F(b))
LANE(CmpOlt, F(a) < F(b))
LANE(CmpOle, F(a) <= F(b))
LANE(CmpOne, F(a) < F(b) || F(a) > F(b))
LANE(CmpOrd, F(a) == F(a) && F(b) == F(b))
LANE(CmpUeq, !(F(a) < F(b) || F(a) > F(b)))
LANE(CmpUlt_f, !(F(a) >= F(b)))
LANE(CmpUle_f, !(F(a) > F(b)))
LANE(CmpUne, F(a) != F(b))
LANE(CmpUno, F(a) != F(a) || F(b) != F(b))

LANE(RescaleSingle, rescaleSingle(S(a), S(b), S(c)))
LANE(RescaleDouble, rescaleDouble(S(a), S(b), S(c)))
LANE(RescaleEven, rescaleNearestEven(S(a), S(b), S(c)))
LANE(RescaleFloat, rescaleFloat(S(a), S(b), S(c)))

/// Adds the zero point of a `requant` immediate and clamps, in place.
void clampRequant(uint32_t *dst, uint64_t imm, unsigned n) {
  int64_t zero = int16_t(imm >> 16), lo = int16_t(imm >> 32),
          hi = int16_t(imm >> 48);
  for (unsigned i = 0; i < n; ++i) {
    int64_t value = int64_t(int32_t(dst[i])) + zero;
    value = value < lo ? lo : value;
    dst[i] = uint32_t(int32_t(value > hi ? hi : value));
  }
}

constexpr LaneKernel kRescale[] = {laneRescaleSingle, laneRescaleDouble,
                                   laneRescaleEven, laneRescaleFloat};

void laneRescale(uint32_t *dst, const uint32_t *a, const uint32_t *b,
                 const uint32_t *c, uint64_t imm, unsigned n) {
  kRescale[imm & 3](dst, a, b, c, 0, n);
}

void laneRequant(uint32_t *dst, const uint32_t *a, const uint32_t *b,
                 const uint32_t *c, uint64_t imm, unsigned n) {
  kRescale[imm & 3](dst, a, b, c, 0, n);
  clampRequant(dst, imm, n);
}

/// Comparison by arith.cmpi's predicate number; "greater" swaps the sources.
void laneCmpI(uint32_t *dst, const uint32_t *a, const uint32_t *b,
              const uint32_t *c, uint64_t imm, unsigned n) {
  switch (imm) {
  case 0:
    return laneCmpEq(dst, a, b, c, 0, n);
  case 1:
    return laneCmpNe(dst, a, b, c, 0, n);
  case 2:
    return laneCmpSlt(dst, a, b, c, 0, n);
  case 3:
    return laneCmpSle(dst, a, b, c, 0, n);
  case 4:
    return laneCmpSlt(dst, b, a, c, 0, n);
  case 5:
    return laneCmpSle(dst, b, a, c, 0, n);
  case 6:
    return laneCmpUlt(dst, a, b, c, 0, n);
  case 7:
    return laneCmpUle(dst, a, b, c, 0, n);
  case 8:
    return laneCmpUlt(dst, b, a, c, 0, n);
  default:
    return laneCmpUle(dst, b, a, c, 0, n);
  }
}

/// Comparison by arith.cmpf's predicate number.
void laneCmpF(uint32_t *dst, const uint32_t *a, const uint32_t *b,
              const uint32_t *c, uint64_t imm, unsigned n) {
  switch (imm) {
  case 0:
    return laneConst(dst, a, b, c, 0, n);
  case 1:
    return laneCmpOeq(dst, a, b, c, 0, n);
  case 2:
    return laneCmpOlt(dst, b, a, c, 0, n);
  case 3:
    return laneCmpOle(dst, b, a, c, 0, n);
  case 4:
    return laneCmpOlt(dst, a, b, c, 0, n);
  case 5:
    return laneCmpOle(dst, a, b, c, 0, n);
  case 6:
    return laneCmpOne(dst, a, b, c, 0, n);
  case 7:
    return laneCmpOrd(dst, a, b, c, 0, n);
  case 8:
    return laneCmpUeq(dst, a, b, c, 0, n);
  case 9:
    return laneCmpUlt_f(dst, b, a, c, 0, n);
  case 10:
    return laneCmpUle_f(dst, b, a, c, 0, n);
  case 11:
    return laneCmpUlt_f(dst, a, b, c, 0, n);
  case 12:
    return laneCmpUle_f(dst, a, b, c, 0, n);
  case 13:
    return laneCmpUne(dst, a, b, c, 0, n);
  case 14:
    return laneCmpUno(dst, a, b, c, 0, n);
  default:
    return laneConst(dst, a, b, c, 1, n);
  }
}

/// sin and cos: the vector loop, then the few angles that need long division.
template <int shift>
void laneSinCos(uint32_t *dst, const uint32_t *pa, const uint32_t *,
                const uint32_t *, uint64_t, unsigned n) {
  uint32_t angles[stripPoints];
  std::memcpy(angles, pa, n * sizeof(uint32_t));
  ASIC_POINTWISE
  for (unsigned i = 0; i < n; ++i)
    dst[i] = sinCosBits(angles[i], shift);
  for (unsigned i = 0; i < n; ++i) {
    uint32_t magnitude = angles[i] & ~kSignBit;
    if (magnitude >= bitsAs<uint32_t>(kLargeAngle) && magnitude < kInfinity)
      dst[i] = sinCosLargeBits(angles[i], shift);
  }
}

/// Element type numbers of docs/isa/README.md.
enum : unsigned {
  kI8 = 3,
  kU8 = 4,
  kI16 = 5,
  kI32 = 6,
  kBF16 = 7,
  kF16 = 8,
  kF32 = 9,
  kE4M3Type = 10,
  kE5M2Type = 11,
  kCf143 = 16,
  kCf152 = 17,
};

LANE(RoundBf16, fromBf16(toBf16(a)))
LANE(RoundF16, fromF16(toF16(a)))
LANE(RoundF32, canonical(F(a)))
LANE(RoundE4M3, fromSmall(kE4M3, toSmall(kE4M3, a)))
LANE(RoundE5M2, fromSmall(kE5M2, toSmall(kE5M2, a)))
LANE(RoundCf143, fromSmall(kCf8_143, toSmall(kCf8_143, a)))
LANE(RoundCf152, fromSmall(kCf8_152, toSmall(kCf8_152, a)))

void laneRoundToFmt(uint32_t *dst, const uint32_t *a, const uint32_t *b,
                    const uint32_t *c, uint64_t imm, unsigned n) {
  LaneKernel kernel = imm == kBF16       ? laneRoundBf16
                      : imm == kF16      ? laneRoundF16
                      : imm == kE4M3Type ? laneRoundE4M3
                      : imm == kE5M2Type ? laneRoundE5M2
                      : imm == kCf143    ? laneRoundCf143
                      : imm == kCf152    ? laneRoundCf152
                                         : laneRoundF32;
  kernel(dst, a, b, c, 0, n);
}

//===-- Streams --------------------------------------------------------===//

template <typename T>
T readAs(const uint8_t *at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

/// The loop over a row with the contiguous and the broadcast case apart.
template <typename T, typename Widen>
void loadRow(uint32_t *ASIC_RESTRICT dst, const uint8_t *ASIC_RESTRICT src,
             int64_t stride, unsigned n, Widen widen) {
  if (stride == int64_t(sizeof(T))) {
    for (unsigned i = 0; i < n; ++i)
      dst[i] = widen(readAs<T>(src + i * sizeof(T)));
  } else if (stride == 0) {
    uint32_t value = widen(readAs<T>(src));
    for (unsigned i = 0; i < n; ++i)
      dst[i] = value;
  } else {
    for (unsigned i = 0; i < n; ++i)
      dst[i] = widen(readAs<T>(src + int64_t(i) * stride));
  }
}

template <typename T, typename Narrow>
void storeRow(uint8_t *ASIC_RESTRICT dst, int64_t stride,
              const uint32_t *ASIC_RESTRICT src, unsigned n, Narrow narrow) {
  if (stride == int64_t(sizeof(T))) {
    for (unsigned i = 0; i < n; ++i) {
      T value = T(narrow(src[i]));
      std::memcpy(dst + i * sizeof(T), &value, sizeof(T));
    }
  } else {
    for (unsigned i = 0; i < n; ++i) {
      T value = T(narrow(src[i]));
      std::memcpy(dst + int64_t(i) * stride, &value, sizeof(T));
    }
  }
}

#define STREAM(Name, T, widenExpression, narrowExpression)                     \
  void load##Name(uint32_t *dst, const uint8_t *src, int64_t stride,           \
                  unsigned n) {                                                \
    loadRow<T>(dst, src, stride, n,                                            \
               [](T x) { return uint32_t(widenExpression); });                 \
  }                                                                            \
  void store##Name(uint8_t *dst, int64_t stride, const uint32_t *src,          \
                   unsigned n) {                                               \
    storeRow<T>(dst, stride, src, n,                                           \
                [](uint32_t x) { return T(narrowExpression); });               \
  }

STREAM(I8, int8_t, int32_t(x), x)
STREAM(U8, uint8_t, x, x)
STREAM(I16, int16_t, int32_t(x), x)
STREAM(I32, uint32_t, x, x)
STREAM(BF16, uint16_t, fromBf16(x), toBf16(x))
STREAM(F16, uint16_t, fromF16(x), toF16(x))
STREAM(F32, uint32_t, x, canonical(F(x)))
STREAM(E4M3, uint8_t, fromSmall(kE4M3, x), toSmall(kE4M3, x))
STREAM(E5M2, uint8_t, fromSmall(kE5M2, x), toSmall(kE5M2, x))
STREAM(Cf143, uint8_t, fromSmall(kCf8_143, x), toSmall(kCf8_143, x))
STREAM(Cf152, uint8_t, fromSmall(kCf8_152, x), toSmall(kCf8_152, x))

//===-- Contraction ----------------------------------------------------===//

void widenI8(int16_t *ASIC_RESTRICT dst, const int8_t *ASIC_RESTRICT src,
             int zero, size_t n) {
  int16_t z = int16_t(zero);
  for (size_t i = 0; i < n; ++i)
    dst[i] = int16_t(src[i] - z);
}

void widenU8(int16_t *ASIC_RESTRICT dst, const uint8_t *ASIC_RESTRICT src,
             int zero, size_t n) {
  int16_t z = int16_t(zero);
  for (size_t i = 0; i < n; ++i)
    dst[i] = int16_t(src[i] - z);
}

/// A block of R x C dot products; sums are modulo 2^32.
template <unsigned R, unsigned C>
inline void dotBlock(const int16_t *ASIC_RESTRICT a, size_t lda,
                     const int16_t *ASIC_RESTRICT w, size_t ldw, size_t k,
                     uint32_t *ASIC_RESTRICT out, size_t ldo) {
  uint32_t sums[R][C] = {};
  for (size_t i = 0; i < k; ++i)
    for (unsigned r = 0; r < R; ++r)
      for (unsigned c = 0; c < C; ++c)
        sums[r][c] += uint32_t(int32_t(a[r * lda + i]) * w[c * ldw + i]);
  for (unsigned r = 0; r < R; ++r)
    for (unsigned c = 0; c < C; ++c)
      out[r * ldo + c] += sums[r][c];
}

template <unsigned R>
inline void dotRows(const int16_t *a, size_t lda, const int16_t *w, size_t ldw,
                    unsigned cols, size_t k, uint32_t *out, size_t ldo) {
  unsigned c = 0;
  for (; c + 4 <= cols; c += 4)
    dotBlock<R, 4>(a, lda, w + c * ldw, ldw, k, out + c, ldo);
  for (; c < cols; ++c)
    dotBlock<R, 1>(a, lda, w + c * ldw, ldw, k, out + c, ldo);
}

void dotI16(const int16_t *a, size_t lda, unsigned rows, const int16_t *w,
            size_t ldw, unsigned cols, size_t k, uint32_t *out, size_t ldo) {
  unsigned r = 0;
  for (; r + 2 <= rows; r += 2)
    dotRows<2>(a + r * lda, lda, w, ldw, cols, k, out + r * ldo, ldo);
  for (; r < rows; ++r)
    dotRows<1>(a + r * lda, lda, w, ldw, cols, k, out + r * ldo, ldo);
}

void multiplyAddI16(uint32_t *ASIC_RESTRICT out, const int16_t *ASIC_RESTRICT a,
                    const int16_t *ASIC_RESTRICT w, size_t n) {
  for (size_t i = 0; i < n; ++i)
    out[i] += uint32_t(int32_t(a[i]) * w[i]);
}

/// One block of C columns of R rows, sums in registers.
template <unsigned R, unsigned C>
inline void fmaBlock(const float *ASIC_RESTRICT a, size_t lda,
                     const float *ASIC_RESTRICT w, size_t ldw, size_t k,
                     float *ASIC_RESTRICT out, size_t ldo) {
  float sums[R][C];
  for (unsigned r = 0; r < R; ++r)
    for (unsigned c = 0; c < C; ++c)
      sums[r][c] = out[r * ldo + c];
  for (size_t i = 0; i < k; ++i)
    for (unsigned r = 0; r < R; ++r)
      for (unsigned c = 0; c < C; ++c)
        sums[r][c] = __builtin_fmaf(a[r * lda + i], w[i * ldw + c], sums[r][c]);
  for (unsigned r = 0; r < R; ++r)
    for (unsigned c = 0; c < C; ++c)
      out[r * ldo + c] = sums[r][c];
}

template <unsigned R>
inline void fmaRows(const float *a, size_t lda, const float *w, size_t ldw,
                    size_t cols, size_t k, float *out, size_t ldo) {
  size_t c = 0;
  for (; c + 16 <= cols; c += 16)
    fmaBlock<R, 16>(a, lda, w + c, ldw, k, out + c, ldo);
  for (; c < cols; ++c)
    fmaBlock<R, 1>(a, lda, w + c, ldw, k, out + c, ldo);
}

void fmaF32(const float *a, size_t lda, unsigned rows, const float *w,
            size_t ldw, size_t cols, size_t k, float *out, size_t ldo) {
  unsigned r = 0;
  for (; r + 4 <= rows; r += 4)
    fmaRows<4>(a + r * lda, lda, w, ldw, cols, k, out + r * ldo, ldo);
  for (; r < rows; ++r)
    fmaRows<1>(a + r * lda, lda, w, ldw, cols, k, out + r * ldo, ldo);
}

void multiplyAddF32(float *ASIC_RESTRICT out, const float *ASIC_RESTRICT a,
                    const float *ASIC_RESTRICT w, size_t n) {
  for (size_t i = 0; i < n; ++i)
    out[i] = __builtin_fmaf(a[i], w[i], out[i]);
}

//===-- Tables ---------------------------------------------------------===//

/// Reductions share the kernels of their elementwise twins; `Index` depends on
/// the position and is handled by the interpreter.
constexpr LaneKernel laneIndex = nullptr;
constexpr LaneKernel laneSinF = laneSinCos<0>, laneCosF = laneSinCos<1>;
constexpr LaneKernel laneRedAddI = laneAddI, laneRedMulI = laneMulI,
                     laneRedMinSI = laneMinSI, laneRedMaxSI = laneMaxSI,
                     laneRedAndI = laneAndI, laneRedOrI = laneOrI,
                     laneRedAddF = laneAddF, laneRedMulF = laneMulF,
                     laneRedMinF = laneMinF, laneRedMaxF = laneMaxF;

constexpr Kernels makeTable() {
  Kernels table = {};
  table.name = ASIC_KERNELS_NAME;
#define LANE_OP(Name, mnemonic, opcode, sources, rate, summary)                \
  table.lane[opcode] = lane##Name;
#include "runtime/isa/LaneOps.def"
#define STREAM_ROW(number, Name)                                               \
  table.load[number] = load##Name;                                             \
  table.store[number] = store##Name;
  STREAM_ROW(kI8, I8)
  STREAM_ROW(kU8, U8)
  STREAM_ROW(kI16, I16)
  STREAM_ROW(kI32, I32)
  STREAM_ROW(kBF16, BF16)
  STREAM_ROW(kF16, F16)
  STREAM_ROW(kF32, F32)
  STREAM_ROW(kE4M3Type, E4M3)
  STREAM_ROW(kE5M2Type, E5M2)
  STREAM_ROW(kCf143, Cf143)
  STREAM_ROW(kCf152, Cf152)
  table.widenI8 = widenI8;
  table.widenU8 = widenU8;
  table.dotI16 = dotI16;
  table.multiplyAddI16 = multiplyAddI16;
  table.fmaF32 = fmaF32;
  table.multiplyAddF32 = multiplyAddF32;
  return table;
}

} // namespace

namespace asic::emulator {
extern const Kernels ASIC_KERNELS;
const Kernels ASIC_KERNELS = makeTable();
} // namespace asic::emulator

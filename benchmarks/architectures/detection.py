# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Detectors up to the boxes' scores, and two whose selection of boxes must be refused."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.architectures.libraries import Build, image, import_torchvision, net
from benchmarks.architectures.registry import Architecture, Model
from benchmarks.nets.vision import ConvBlock, Yolo


class YoloDecoded(nn.Module):
    """A YOLO whose boxes are expectations over bins: (n, 3, h, w) to (n, 4 + classes, cells)."""

    def __init__(self, classes: int = 20, bins: int = 16) -> None:
        super().__init__()
        self.network = Yolo(classes)
        self.bins, self.classes = bins, classes
        self.register_buffer("steps", torch.arange(bins, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        maps = self.network(x)
        centres, strides = [], []
        for level, part in enumerate(maps):
            height, width = part.shape[-2:]
            rows, columns = torch.meshgrid(
                torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij"
            )
            centres.append(torch.stack([columns, rows], -1).view(-1, 2))
            strides.append(torch.full((height * width, 1), 8.0 * 2**level))
        centre, stride = torch.cat(centres).T, torch.cat(strides).T
        flat = torch.cat([part.flatten(2) for part in maps], 2)
        bins, scores = flat.split([4 * self.bins, self.classes], 1)
        distances = bins.unflatten(1, (4, self.bins)).softmax(2)
        distances = (distances * self.steps.view(1, 1, -1, 1)).sum(2)
        before, after = distances.chunk(2, 1)
        low, high = centre - before, centre + after
        boxes = torch.cat([(low + high) / 2, high - low], 1) * stride
        return torch.cat([boxes, scores.sigmoid()], 1)


class Separable(nn.Module):
    """Depthwise 3x3, pointwise 1x1, batch norm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(channels, channels, 1)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.pointwise(self.depthwise(x)))


class BiFpn(nn.Module):
    """A layer of EfficientDet's neck (arXiv 1911.09070): five levels to five levels."""

    def __init__(self, channels: int = 32, mode: str = "nearest") -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.rand(8, 3) + 0.5)
        self.convs = nn.ModuleList(Separable(channels) for _ in range(8))
        self.mode = mode

    def fuse(self, index: int, *parts: Tensor) -> Tensor:
        """Weighted mean of the parts, and a separable convolution."""
        weights = torch.relu(self.weights[index, : len(parts)])
        weights = weights / (weights.sum() + 1e-4)
        total = sum(weights[i] * part for i, part in enumerate(parts))
        return self.convs[index](nn.functional.silu(total))

    def up(self, x: Tensor, like: Tensor) -> Tensor:
        """`x` enlarged to the size of `like`."""
        return nn.functional.interpolate(x, size=like.shape[-2:], mode=self.mode)

    def forward(self, p3: Tensor, p4: Tensor, p5: Tensor, p6: Tensor, p7: Tensor) -> list[Tensor]:
        def down(x: Tensor) -> Tensor:
            return nn.functional.max_pool2d(x, 3, 2, 1)

        t6 = self.fuse(0, p6, self.up(p7, p6))
        t5 = self.fuse(1, p5, self.up(t6, p5))
        t4 = self.fuse(2, p4, self.up(t5, p4))
        o3 = self.fuse(3, p3, self.up(t4, p3))
        o4 = self.fuse(4, p4, t4, down(o3))
        o5 = self.fuse(5, p5, t5, down(o4))
        o6 = self.fuse(6, p6, t6, down(o5))
        return [o3, o4, o5, o6, self.fuse(7, p7, down(o6))]


class Detr(nn.Module):
    """A set detector (arXiv 2005.12872): convolutions, encoder, decoder with object queries."""

    def __init__(self, width: int = 64, queries: int = 12, classes: int = 20) -> None:
        super().__init__()
        widths = (3, 16, 32, 64, width)
        self.backbone = nn.Sequential(
            *(ConvBlock(a, b, stride=2) for a, b in zip(widths, widths[1:], strict=False))
        )
        self.transformer = nn.Transformer(width, 4, 2, 2, 2 * width, batch_first=True)
        self.queries = nn.Parameter(torch.randn(queries, width))
        self.rows = nn.Parameter(torch.rand(32, width // 2))
        self.columns = nn.Parameter(torch.rand(32, width // 2))
        self.score = nn.Linear(width, classes + 1)
        self.box = nn.Linear(width, 4)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = self.backbone(x)
        height, width = features.shape[-2:]
        place = torch.cat(
            [
                self.columns[:width].unsqueeze(0).repeat(height, 1, 1),
                self.rows[:height].unsqueeze(1).repeat(1, width, 1),
            ],
            -1,
        ).flatten(0, 1)
        memory = features.flatten(2).permute(0, 2, 1) + place
        queries = self.queries.unsqueeze(0).expand(x.shape[0], -1, -1)
        found = self.transformer(memory, queries)
        return {"scores": self.score(found), "boxes": self.box(found).sigmoid()}


class CenterNet(nn.Module):
    """Heat map, its 3x3 maxima, size and offset of objects (arXiv 1904.07850)."""

    def __init__(self, classes: int = 8) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvBlock(3, 16, stride=2), ConvBlock(16, 32, stride=2))
        self.deconv = nn.Sequential(
            nn.ConvTranspose2d(32, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU()
        )
        self.heads = nn.ModuleList(
            nn.Sequential(ConvBlock(32, 32), nn.Conv2d(32, n, 1)) for n in (classes, 2, 2)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        heat, size, offset = (head(self.deconv(self.body(x))) for head in self.heads)
        heat = heat.sigmoid()
        return heat, nn.functional.max_pool2d(heat, 3, 1, 1), size, offset


class RawDetector(nn.Module):
    """Backbone and head of a torchvision detector, without the selection of boxes."""

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.backbone, self.head = detector.backbone, detector.head

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return self.head(list(self.backbone(x).values()))


def _torchvision(name: str, size: int = 64, raw: bool = True) -> Build:
    def build() -> Model:
        detection = import_torchvision().models.detection
        detector = getattr(detection, name)(weights=None, weights_backbone=None)
        if raw:
            return Model(RawDetector(detector), (image(size),))
        return Model(detector, ([image(size)[0]],))

    return build


def _bifpn(mode: str) -> Build:
    return lambda: Model(BiFpn(mode=mode), tuple(image(s, 32) for s in (32, 16, 8, 4, 2)))


_FAMILY = "detection"
_NMS = "data-dependent"
ARCHITECTURES = [
    Architecture("yolo", _FAMILY, "own", net("yolo", 64), "int8"),
    Architecture(
        "yolo_decoded", _FAMILY, "own", lambda: Model(YoloDecoded(), (image(32),)), "int8"
    ),
    Architecture("bifpn_nearest", _FAMILY, "own", _bifpn("nearest"), "int8"),
    Architecture("bifpn_bilinear", _FAMILY, "own", _bifpn("bilinear"), "int8"),
    Architecture("detr", _FAMILY, "own", lambda: Model(Detr(), (image(64),))),
    Architecture("centernet", _FAMILY, "own", lambda: Model(CenterNet(), (image(32),)), "int8"),
    Architecture(
        "ssdlite_heads",
        _FAMILY,
        "torchvision",
        _torchvision("ssdlite320_mobilenet_v3_large", 96),
        "int8",
    ),
    Architecture(
        "retinanet_heads", _FAMILY, "torchvision", _torchvision("retinanet_resnet50_fpn"), "int8"
    ),
    Architecture("fcos_heads", _FAMILY, "torchvision", _torchvision("fcos_resnet50_fpn"), "int8"),
    Architecture(
        "retinanet_nms",
        _FAMILY,
        "torchvision",
        _torchvision("retinanet_resnet50_fpn", raw=False),
        refused=_NMS,
    ),
    Architecture(
        "fasterrcnn_nms",
        _FAMILY,
        "torchvision",
        _torchvision("fasterrcnn_mobilenet_v3_large_320_fpn", raw=False),
        refused=_NMS,
    ),
]

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Dense prediction on images, volumes and videos."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.architectures.libraries import (
    Build,
    image,
    import_torchvision,
    net,
    torchvision,
    transformers,
)
from benchmarks.architectures.registry import Architecture, Model
from benchmarks.nets.vision import ConvBlock


def _double(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(ConvBlock(inputs, outputs), ConvBlock(outputs, outputs))


class TransposedUNet(nn.Module):
    """A U-Net that enlarges with transposed convolutions of kernel 2 and of kernel 4."""

    def __init__(self, width: int = 16, classes: int = 4) -> None:
        super().__init__()
        self.down1, self.down2 = _double(3, width), _double(width, 2 * width)
        self.bottom = _double(2 * width, 4 * width)
        self.up1 = nn.ConvTranspose2d(4 * width, 2 * width, 2, 2)
        self.join1 = _double(4 * width, 2 * width)
        self.up2 = nn.ConvTranspose2d(2 * width, width, 4, 2, 1)
        self.join2 = _double(2 * width, width)
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.down1(x)
        middle = self.down2(nn.functional.max_pool2d(fine, 2))
        x = self.bottom(nn.functional.max_pool2d(middle, 2))
        x = self.join1(torch.cat([self.up1(x), middle], 1))
        return self.head(self.join2(torch.cat([self.up2(x), fine], 1)))


class AttentionUNet(nn.Module):
    """A U-Net whose skip connections pass gates (arXiv 1804.03999)."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.down, self.bottom = _double(3, width), _double(width, 2 * width)
        self.signal = nn.Conv2d(2 * width, width, 1)
        self.skip = nn.Conv2d(width, width, 1)
        self.gate = nn.Conv2d(width, 1, 1)
        self.join = _double(3 * width, width)
        self.head = nn.Conv2d(width, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        skip = self.down(x)
        deep = self.bottom(nn.functional.max_pool2d(skip, 2))
        deep = nn.functional.interpolate(deep, scale_factor=2, mode="bilinear", align_corners=True)
        gate = torch.sigmoid(self.gate(torch.relu(self.signal(deep) + self.skip(skip))))
        return self.head(self.join(torch.cat([deep, skip * gate], 1)))


class PyramidPooling(nn.Module):
    """PSPNet's head (arXiv 1612.01105): averages over grids of 1, 2, 3 and 6 cells."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvBlock(3, width, stride=2), ConvBlock(width, width, stride=2))
        self.grids = (1, 2, 3, 6)
        self.squeeze = nn.ModuleList(ConvBlock(width, 8, 1) for _ in self.grids)
        self.head = nn.Conv2d(width + 8 * len(self.grids), 6, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.body(image)
        size = x.shape[-2:]
        parts = [x]
        for grid, squeeze in zip(self.grids, self.squeeze, strict=True):
            pooled = squeeze(nn.functional.adaptive_avg_pool2d(x, grid))
            parts.append(nn.functional.interpolate(pooled, size, mode="bilinear"))
        out = self.head(torch.cat(parts, 1))
        return nn.functional.interpolate(out, image.shape[-2:], mode="bilinear")


class SegNet(nn.Module):
    """Unpooling at the places of the maxima (arXiv 1511.00561)."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.encode, self.decode = _double(3, width), _double(width, width)
        self.head = nn.Conv2d(width, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x, places = nn.functional.max_pool2d(self.encode(x), 2, return_indices=True)
        return self.head(self.decode(nn.functional.max_unpool2d(x, places, 2)))


class UNet3d(nn.Module):
    """Volumes: 3-D convolutions, pooling, transposed convolution, instance norm."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()

        def block(inputs: int, outputs: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv3d(inputs, outputs, 3, padding=1),
                nn.InstanceNorm3d(outputs, affine=True),
                nn.LeakyReLU(0.01),
            )

        self.down, self.bottom = block(1, width), block(width, 2 * width)
        self.up = nn.ConvTranspose3d(2 * width, width, 2, 2)
        self.join = block(2 * width, width)
        self.head = nn.Conv3d(width, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        skip = self.down(x)
        deep = self.up(self.bottom(nn.functional.max_pool3d(skip, 2)))
        return self.head(self.join(torch.cat([deep, skip], 1)))


class DilatedFcn(nn.Module):
    """Dilated context network (arXiv 1511.07122): dilations 1 to 16, full resolution."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.stem = ConvBlock(3, width)
        self.context = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(width, width, 3, padding=d, dilation=d), nn.ReLU())
                for d in (1, 2, 4, 8, 16)
            )
        )
        self.head = nn.Conv2d(width, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.context(self.stem(x))).argmax(1)


def _segmentation(name: str, size: int = 64) -> Build:
    return torchvision(name, size, "models.segmentation", weights_backbone=None)


def _video(name: str) -> Build:
    def build() -> Model:
        factory = getattr(import_torchvision().models.video, name)
        return Model(factory(weights=None), (torch.randn(1, 3, 4, 32, 32),))

    return build


_SEGMENTATION = "segmentation and dense prediction"
_VIDEO = "video and volumes"
ARCHITECTURES = [
    Architecture("unet", _SEGMENTATION, "own", net("unet", 32), "int8"),
    Architecture(
        "unet_transposed",
        _SEGMENTATION,
        "own",
        lambda: Model(TransposedUNet(), (image(32),)),
        "int8",
    ),
    Architecture(
        "unet_attention",
        _SEGMENTATION,
        "own",
        lambda: Model(AttentionUNet(), (image(32),)),
        "int8",
    ),
    Architecture(
        "pspnet", _SEGMENTATION, "own", lambda: Model(PyramidPooling(), (image(48),)), "int8"
    ),
    Architecture("segnet", _SEGMENTATION, "own", lambda: Model(SegNet(), (image(16),)), "int8"),
    Architecture(
        "dilated_fcn", _SEGMENTATION, "own", lambda: Model(DilatedFcn(), (image(32),)), "int8"
    ),
    Architecture(
        "deeplabv3",
        _SEGMENTATION,
        "torchvision",
        _segmentation("deeplabv3_mobilenet_v3_large"),
        "int8",
    ),
    Architecture(
        "lraspp", _SEGMENTATION, "torchvision", _segmentation("lraspp_mobilenet_v3_large"), "int8"
    ),
    Architecture(
        "fcn_resnet50", _SEGMENTATION, "torchvision", _segmentation("fcn_resnet50"), "int8"
    ),
    Architecture(
        "segformer",
        _SEGMENTATION,
        "transformers",
        transformers(
            "SegformerForSemanticSegmentation",
            "SegformerConfig",
            lambda: {"pixel_values": image(64)},
            depths=[1, 1, 1, 1],
        ),
    ),
    Architecture(
        "dpt",
        _SEGMENTATION,
        "transformers",
        transformers(
            "DPTForDepthEstimation",
            "DPTConfig",
            lambda: {"pixel_values": image(64)},
            hidden_size=64,
            num_hidden_layers=4,
            num_attention_heads=4,
            intermediate_size=128,
            image_size=64,
            backbone_out_indices=[0, 1, 2, 3],
            neck_hidden_sizes=[16, 24, 32, 48],
            fusion_hidden_size=32,
        ),
    ),
    Architecture(
        "unet_3d",
        _VIDEO,
        "own",
        lambda: Model(UNet3d(), (torch.randn(1, 1, 8, 16, 16),)),
        "int8",
    ),
    Architecture("r3d_18", _VIDEO, "torchvision", _video("r3d_18"), "int8"),
    Architecture("r2plus1d_18", _VIDEO, "torchvision", _video("r2plus1d_18"), "int8"),
]

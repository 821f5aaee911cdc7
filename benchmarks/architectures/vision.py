# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Image classifiers: convolutional networks, mixers and vision transformers."""

from __future__ import annotations

from benchmarks.architectures.libraries import Build, net, timm, torchvision
from benchmarks.architectures.registry import Architecture

_CONVOLUTIONAL: dict[str, tuple[str, Build]] = {
    "resnet18": ("own", net("resnet18", 64)),
    "resnet50": ("torchvision", torchvision("resnet50")),
    "resnext50_32x4d": ("torchvision", torchvision("resnext50_32x4d")),
    "densenet121": ("torchvision", torchvision("densenet121")),
    "googlenet": ("torchvision", torchvision("googlenet", aux_logits=False, init_weights=True)),
    "squeezenet1_1": ("torchvision", torchvision("squeezenet1_1")),
    "shufflenet_v2": ("torchvision", torchvision("shufflenet_v2_x0_5")),
    "mobilenet_v2": ("torchvision", torchvision("mobilenet_v2")),
    "mobilenet_v3_small": ("torchvision", torchvision("mobilenet_v3_small")),
    "efficientnet_b0": ("torchvision", torchvision("efficientnet_b0")),
    "regnet_y_400mf": ("torchvision", torchvision("regnet_y_400mf")),
    "convnext_atto": ("timm", timm("convnext_atto")),
    "ghostnet_050": ("timm", timm("ghostnet_050")),
    "repvgg_a0": ("timm", timm("repvgg_a0")),
    "mobilenetv4_small": ("timm", timm("mobilenetv4_conv_small_050")),
    "mixnet_s": ("timm", timm("mixnet_s")),
    "vovnet19b_dw": ("timm", timm("ese_vovnet19b_dw")),
    "nf_regnet_b0": ("timm", timm("nf_regnet_b0")),
}

_ATTENTION: dict[str, tuple[str, Build]] = {
    "vit": ("timm", timm("vit_tiny_patch16_224", img_size=64, depth=2)),
    "deit_distilled": ("timm", timm("deit_tiny_distilled_patch16_224", img_size=64, depth=2)),
    "beit": ("timm", timm("beit_base_patch16_224", img_size=64, depth=2, embed_dim=192)),
    "eva02": ("timm", timm("eva02_tiny_patch14_224", 56, img_size=56, depth=2)),
    "xcit": ("timm", timm("xcit_nano_12_p16_224", img_size=64, depth=2)),
    "swin": ("torchvision", torchvision("swin_t")),
    "maxvit": (
        "timm",
        timm("maxvit_rmlp_pico_rw_256", img_size=64, depths=(1, 1, 1, 1)),
    ),
    "pvt_v2": ("timm", timm("pvt_v2_b0")),
    "mobilevit": ("timm", timm("mobilevit_xxs")),
    "efficientvit": ("timm", timm("efficientvit_b0")),
    "edgenext": ("timm", timm("edgenext_xx_small")),
    "levit": ("timm", timm("levit_128s", img_size=64)),
    "mlp_mixer": ("timm", timm("mixer_s16_224", img_size=64)),
    "gmlp": ("timm", timm("gmlp_s16_224", img_size=64)),
}

ARCHITECTURES = [
    *(
        Architecture(name, "convolutional classifiers", source, build, "int8")
        for name, (source, build) in _CONVOLUTIONAL.items()
    ),
    *(
        Architecture(name, "vision transformers and mixers", source, build)
        for name, (source, build) in _ATTENTION.items()
    ),
]

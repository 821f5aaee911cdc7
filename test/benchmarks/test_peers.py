# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The peers' figures: work is counted right, formulas give known results."""

import pytest
import torch
from torch import nn

from benchmarks import nets
from benchmarks.peers import Product, anchors, products, scale_sim


def test_a_convolution_is_one_product_per_group():
    net = nn.Conv2d(8, 12, (3, 5), stride=2, padding=1, groups=4).eval()
    [product] = products(net, (torch.zeros(2, 8, 16, 20),))
    oh, ow = (16 + 2 - 3) // 2 + 1, (20 + 2 - 5) // 2 + 1
    assert product == Product(m=2 * oh * ow, n=3, k=2 * 3 * 5, count=4)


def test_linear_and_batched_products_are_counted():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(7, 5)

        def forward(self, x, y):
            return self.linear(x), x.reshape(3, 2, 7) @ y

    found = products(Net().eval(), (torch.zeros(6, 7), torch.zeros(3, 7, 4)))
    assert found == [Product(6, 5, 7), Product(2, 4, 7, 3)]


def test_attention_is_two_products_per_head():
    class Net(nn.Module):
        def forward(self, x):
            return nn.functional.scaled_dot_product_attention(x, x, x)

    found = products(Net(), (torch.zeros(2, 3, 8, 4),))
    assert found == [Product(8, 8, 4, 6), Product(8, 4, 8, 6)]


def test_known_results_of_the_simulator():
    # SCALE-Sim v3 run layer by layer on a 16x16 array.
    cycles = scale_sim(products(*nets.get("resnet18")), 16, 16)
    assert cycles == {
        "scalesim-ws": 9226448,
        "scalesim-is": 10478848,
        "scalesim-os": 8005554,
    }


@pytest.mark.parametrize(
    ("size", "dataflow", "cycles"),
    [
        # One fold of a 4x4 array: fill 4 weights, 6 skewed cycles, 10 rows.
        ((10, 4, 4), "ws", 4 + 6 + 10),
        # Two folds along K and three along N.
        ((10, 12, 8), "ws", 6 * (4 + 6 + 10)),
        ((10, 4, 4), "os", 3 * (6 + 4)),
        ((10, 4, 4), "is", 3 * (4 + 6 + 4)),
    ],
)
def test_closed_forms(size, dataflow, cycles):
    assert scale_sim([Product(*size)], 4, 4)[f"scalesim-{dataflow}"] == cycles


def test_anchors_are_sorted_and_sourced():
    found = anchors("resnet18", "npu-256")
    assert [a.cycles for a in found] == sorted(a.cycles for a in found)
    assert all(a.source and a.kind in ("measured", "published") for a in found)
    assert anchors("no_such_net", "npu-256") == []

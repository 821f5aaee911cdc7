# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Driving: bird's-eye views from cameras, point clouds, stereo, flow, forecasting."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.architectures.libraries import image
from benchmarks.architectures.registry import Architecture, Model
from benchmarks.nets.transformer import EncoderLayer
from benchmarks.nets.vision import ConvBlock


class DeformableAttention(nn.Module):
    """Multi-scale deformable attention (arXiv 2010.04159) in plain operators.

    Queries (n, q, width), reference points (n, q, 2) in [0, 1] and values of all levels
    (n, Σ h·w, width) to (n, q, width).
    """

    def __init__(self, width: int = 32, heads: int = 4, points: int = 4) -> None:
        super().__init__()
        self.heads, self.points = heads, points
        self.shapes = ((12, 16), (6, 8))
        count = heads * len(self.shapes) * points
        self.offsets = nn.Linear(width, 2 * count)
        self.weights = nn.Linear(width, count)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, queries: Tensor, reference: Tensor, values: Tensor) -> Tensor:
        batch, count, width = queries.shape
        levels = len(self.shapes)
        size = width // self.heads
        places = (batch, count, self.heads, levels, self.points)
        offsets = self.offsets(queries).view(*places, 2)
        weights = self.weights(queries).view(batch, count, self.heads, -1).softmax(-1)
        scale = torch.tensor([[w, h] for h, w in self.shapes], dtype=torch.float32)
        at = reference[:, :, None, None, None, :] + offsets / scale[None, None, None, :, None, :]
        grids = 2 * at - 1
        parts = self.value(values).split([h * w for h, w in self.shapes], 1)
        sampled = []
        for level, (part, (height, columns)) in enumerate(zip(parts, self.shapes, strict=True)):
            feature = part.transpose(1, 2).reshape(batch * self.heads, size, height, columns)
            grid = grids[:, :, :, level].transpose(1, 2).flatten(0, 1)
            sampled.append(nn.functional.grid_sample(feature, grid, align_corners=False))
        weights = weights.transpose(1, 2).reshape(batch * self.heads, 1, count, -1)
        mixed = (torch.stack(sampled, -2).flatten(-2) * weights).sum(-1)
        return self.out(mixed.view(batch, width, count).transpose(1, 2))


class BevAttention(nn.Module):
    """BEVFormer's spatial cross attention (arXiv 2203.17270): cells look into the cameras.

    Images (cameras, 3, h, w) and projections (cameras, 4, 4) to (1, width, cells, cells).
    """

    def __init__(self, width: int = 32, cells: int = 8, heights: int = 4) -> None:
        super().__init__()
        self.cells, self.heights = cells, heights
        self.queries = nn.Parameter(torch.randn(cells * cells, width))
        self.backbone = nn.Sequential(
            nn.Conv2d(3, width, 3, 4, 1), nn.ReLU(), nn.Conv2d(width, width, 3, 2, 1)
        )
        self.offsets = nn.Linear(width, 2 * heights)
        self.weights = nn.Linear(width, heights)
        self.out = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.feed = nn.Sequential(
            nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
        )
        axis, height = torch.linspace(-1, 1, cells), torch.linspace(-1, 1, heights)
        points = torch.stack(torch.meshgrid(axis, axis, height, indexing="ij"), -1)
        self.register_buffer("points", points.view(-1, heights, 3))

    def forward(self, images: Tensor, projections: Tensor) -> Tensor:
        features = self.backbone(images)
        points = torch.cat([self.points, torch.ones_like(self.points[..., :1])], -1)
        camera = torch.einsum("cij,qzj->cqzi", projections, points)
        depth = camera[..., 2:3]
        place = camera[..., :2] / torch.maximum(depth, torch.full_like(depth, 1e-5))
        seen = (depth > 1e-5).squeeze(-1) & (place.abs() < 1).all(-1)
        place = place + 0.1 * self.offsets(self.queries).view(1, -1, self.heights, 2)
        sampled = nn.functional.grid_sample(features, place.clamp(-2, 2), align_corners=False)
        weights = self.weights(self.queries).softmax(-1)[None, None] * seen[:, None].float()
        count = seen.any(-1).sum(0).clamp(min=1).float()
        x = (sampled * weights).sum(-1).sum(0).t() / count[:, None]
        x = self.norm(self.queries + self.out(x))
        x = x + self.feed(x)
        return x.t().reshape(1, -1, self.cells, self.cells)


class LiftSplat(nn.Module):
    """Features and a depth distribution per pixel, summed into the cells they fall into.

    Images (cameras, 3, h, w) and the cell of every (camera, depth, pixel) to (1, width, cells²).
    """

    def __init__(self, width: int = 16, depths: int = 6, cells: int = 8) -> None:
        super().__init__()
        self.width, self.depths, self.cells = width, depths, cells
        self.backbone = nn.Sequential(ConvBlock(3, 16, stride=4), nn.Conv2d(16, depths + width, 1))
        self.head = ConvBlock(width, width)

    def forward(self, images: Tensor, cell: Tensor) -> Tensor:
        depth, feature = self.backbone(images).split([self.depths, self.width], 1)
        lifted = depth.softmax(1).unsqueeze(1) * feature.unsqueeze(2)
        flat = lifted.permute(0, 2, 3, 4, 1).reshape(-1, self.width)
        grid = torch.zeros(self.cells * self.cells, self.width)
        grid = grid.index_add(0, cell, flat)
        return self.head(grid.t().reshape(1, self.width, self.cells, self.cells))


class PointPillars(nn.Module):
    """Pillars of points scattered into an image (arXiv 1812.05784).

    Points (pillars, points, 9) and cells (pillars, 2) to (1, 32, 8, 8).
    """

    def __init__(self, width: int = 32, cells: int = 16) -> None:
        super().__init__()
        self.width, self.cells = width, cells
        self.linear = nn.Linear(9, width, bias=False)
        self.norm = nn.BatchNorm1d(width)
        self.conv = ConvBlock(width, width, stride=2)

    def forward(self, points: Tensor, cells: Tensor) -> Tensor:
        x = self.norm(self.linear(points).permute(0, 2, 1))
        x = torch.relu(x).amax(2)
        canvas = torch.zeros(self.width, self.cells * self.cells)
        canvas = canvas.index_copy(1, cells[:, 0] * self.cells + cells[:, 1], x.t())
        return self.conv(canvas.view(1, self.width, self.cells, self.cells))


class PointNet(nn.Module):
    """A point cloud (n, 3, points) to class scores, with the learnt input transform."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()

        def shared(*widths: int) -> nn.Sequential:
            layers: list[nn.Module] = []
            for a, b in zip(widths, widths[1:], strict=False):
                layers += [nn.Conv1d(a, b, 1), nn.BatchNorm1d(b), nn.ReLU()]
            return nn.Sequential(*layers)

        self.transform = shared(3, 16, 64)
        self.matrix = nn.Linear(64, 9)
        self.features = shared(3, 32, 128)
        self.head = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, classes))

    def forward(self, cloud: Tensor) -> Tensor:
        matrix = self.matrix(self.transform(cloud).amax(2)).view(-1, 3, 3)
        moved = torch.bmm(matrix + torch.eye(3), cloud)
        return self.head(self.features(moved).max(2)[0])


class PointTransformer(nn.Module):
    """Attention over the nearest neighbours of every point (n, points, 3)."""

    def __init__(self, width: int = 16, neighbours: int = 4) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.embed = nn.Linear(3, width)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.place = nn.Linear(3, width)
        self.out = nn.Linear(width, 8)

    def forward(self, cloud: Tensor) -> Tensor:
        x = self.embed(cloud)
        apart = (cloud.unsqueeze(2) - cloud.unsqueeze(1)).pow(2).sum(-1)
        near = apart.topk(self.neighbours, largest=False).indices
        batch = torch.arange(cloud.shape[0])[:, None, None]
        place = self.place(cloud.unsqueeze(2) - cloud[batch, near])
        scores = self.query(x).unsqueeze(2) - self.key(x)[batch, near] + place
        mixed = (scores.softmax(2) * (self.value(x)[batch, near] + place)).sum(2)
        return self.out(mixed).mean(1)


class StereoVolume(nn.Module):
    """Disparity from a cost volume (arXiv 1803.08669): shifts, 3-D convolutions, soft argmin."""

    def __init__(self, width: int = 8, shifts: int = 6) -> None:
        super().__init__()
        self.shifts = shifts
        self.features = nn.Sequential(ConvBlock(3, width, stride=2), ConvBlock(width, width))
        self.cost = nn.Sequential(
            nn.Conv3d(2 * width, width, 3, padding=1), nn.ReLU(), nn.Conv3d(width, 1, 3, padding=1)
        )

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        a, b = self.features(left), self.features(right)
        pairs = []
        for shift in range(self.shifts):
            moved = nn.functional.pad(b, (shift, 0))[..., : b.shape[-1]]
            pairs.append(torch.cat([a, moved], 1))
        likely = self.cost(torch.stack(pairs, 2)).squeeze(1).neg().softmax(1)
        values = torch.arange(self.shifts, dtype=torch.float32).view(1, -1, 1, 1)
        return (likely * values).sum(1)


class OpticalFlow(nn.Module):
    """RAFT's parts (arXiv 2003.12039): all pairs' correlation, look-up, a recurrent update."""

    def __init__(self, width: int = 16, radius: int = 1, steps: int = 2) -> None:
        super().__init__()
        self.radius, self.steps = radius, steps
        self.features = nn.Sequential(ConvBlock(3, width, stride=4), nn.Conv2d(width, width, 1))
        around = (2 * radius + 1) ** 2
        self.gates = nn.Conv2d(width + around + 2, 2 * width, 3, padding=1)
        self.new = nn.Conv2d(width + around + 2, width, 3, padding=1)
        self.flow = nn.Conv2d(width, 2, 3, padding=1)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        a, b = self.features(first), self.features(second)
        batch, width, height, columns = a.shape
        volume = torch.einsum("bchw,bcij->bhwij", a, b) / width**0.5
        volume = volume.reshape(batch * height * columns, 1, height, columns)
        rows, cols = torch.meshgrid(torch.arange(height), torch.arange(columns), indexing="ij")
        base = torch.stack([cols, rows]).float()[None]
        steps = torch.arange(-self.radius, self.radius + 1).float()
        window = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1)[None]
        extent = torch.tensor([columns - 1.0, height - 1.0])
        flow, hidden = torch.zeros(batch, 2, height, columns), torch.tanh(a)
        for _ in range(self.steps):
            centre = (base + flow).permute(0, 2, 3, 1).reshape(-1, 1, 1, 2)
            grid = 2 * (centre + window) / extent - 1
            seen = nn.functional.grid_sample(volume, grid, align_corners=True)
            seen = seen.view(batch, height, columns, -1).permute(0, 3, 1, 2)
            x = torch.cat([seen, flow], 1)
            update, reset = self.gates(torch.cat([hidden, x], 1)).sigmoid().chunk(2, 1)
            new = torch.tanh(self.new(torch.cat([reset * hidden, x], 1)))
            hidden = (1 - update) * hidden + update * new
            flow = flow + self.flow(hidden)
        return flow


class VectorNet(nn.Module):
    """Forecasting from polylines (arXiv 2005.04259): (n, lines, points, 6) to (n, modes, 8, 2)."""

    def __init__(self, width: int = 32, modes: int = 3) -> None:
        super().__init__()
        self.modes = modes
        self.point = nn.Sequential(nn.Linear(6, width), nn.LayerNorm(width), nn.ReLU())
        self.line = nn.Sequential(nn.Linear(2 * width, width), nn.LayerNorm(width), nn.ReLU())
        self.among = EncoderLayer(width, 4, 2 * width)
        self.head = nn.Linear(width, modes * 16)

    def forward(self, lines: Tensor, valid: Tensor) -> Tensor:
        x = self.point(lines)
        pooled = x.masked_fill(~valid.unsqueeze(-1), -1e4).amax(2, keepdim=True)
        x = self.line(torch.cat([x, pooled.expand_as(x)], -1)).amax(2)
        return self.head(self.among(x)[:, 0]).view(-1, self.modes, 8, 2)


class PilotNet(nn.Module):
    """Steering from an image (arXiv 1604.07316)."""

    def __init__(self) -> None:
        super().__init__()
        widths, kernels = (3, 24, 36, 48, 64, 64), (5, 5, 5, 3, 3)
        layers: list[nn.Module] = []
        for a, b, kernel in zip(widths, widths[1:], kernels, strict=False):
            layers += [nn.Conv2d(a, b, kernel, 2 if kernel == 5 else 1), nn.ELU()]
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Sequential(
            nn.Linear(64 * 1 * 18, 100), nn.ELU(), nn.Linear(100, 10), nn.ELU(), nn.Linear(10, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


class LaneRows(nn.Module):
    """Ultra-fast lanes (arXiv 2004.11757): which column a lane crosses each row anchor at."""

    def __init__(self, columns: int = 20, rows: int = 8, lanes: int = 4) -> None:
        super().__init__()
        self.shape = (columns, rows, lanes)
        self.body = nn.Sequential(
            *(ConvBlock(a, b, stride=2) for a, b in ((3, 16), (16, 32), (32, 8)))
        )
        self.head = nn.Sequential(
            nn.Linear(8 * 8 * 8, 64), nn.ReLU(), nn.Linear(64, columns * rows * lanes)
        )

    def forward(self, x: Tensor) -> Tensor:
        scores = self.head(self.body(x).flatten(1)).view(-1, *self.shape)
        places = torch.arange(self.shape[0], dtype=torch.float32).view(1, -1, 1, 1)
        return (scores.softmax(1) * places).sum(1)


class Occupancy(nn.Module):
    """Camera features lifted to voxels by a learnt height, refined in 3-D."""

    def __init__(self, width: int = 16, heights: int = 4) -> None:
        super().__init__()
        self.heights = heights
        self.features = ConvBlock(3, width * heights, stride=4)
        self.refine = nn.Sequential(
            nn.Conv3d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm3d(width),
            nn.ReLU(),
            nn.ConvTranspose3d(width, width, 2, 2),
            nn.ReLU(),
            nn.Conv3d(width, 2, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.refine(self.features(x).unflatten(1, (-1, self.heights)))


def _projections() -> Tensor:
    forward = torch.tensor([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 1.2], [0, 0, 0, 1]])
    return forward + 0.1 * torch.randn(3, 4, 4)


def _pillars() -> Model:
    cells = torch.randperm(16 * 16)[:40]
    places = torch.stack([cells // 16, cells % 16], 1)
    return Model(PointPillars(), (torch.randn(40, 8, 9), places))


def _lift_splat() -> Model:
    cells = torch.randint(0, 64, (2 * 6 * 4 * 6,))
    return Model(LiftSplat(), (torch.randn(2, 3, 16, 24), cells))


_FAMILY = "driving"
ARCHITECTURES = [
    Architecture(
        "deformable_attention",
        _FAMILY,
        "own",
        lambda: Model(
            DeformableAttention(),
            (torch.randn(1, 20, 32), torch.rand(1, 20, 2), torch.randn(1, 240, 32)),
        ),
    ),
    Architecture(
        "bev_attention",
        _FAMILY,
        "own",
        lambda: Model(BevAttention(), (torch.randn(3, 3, 32, 48), _projections())),
    ),
    Architecture("lift_splat", _FAMILY, "own", _lift_splat),
    Architecture("pointpillars", _FAMILY, "own", _pillars),
    Architecture("pointnet", _FAMILY, "own", lambda: Model(PointNet(), (torch.randn(1, 3, 64),))),
    Architecture(
        "point_transformer",
        _FAMILY,
        "own",
        lambda: Model(PointTransformer(), (torch.randn(1, 24, 3),)),
    ),
    Architecture(
        "stereo_volume", _FAMILY, "own", lambda: Model(StereoVolume(), (image(24), image(24)))
    ),
    Architecture(
        "optical_flow", _FAMILY, "own", lambda: Model(OpticalFlow(), (image(32), image(32)))
    ),
    Architecture(
        "vectornet",
        _FAMILY,
        "own",
        lambda: Model(VectorNet(), (torch.randn(1, 12, 5, 6), torch.rand(1, 12, 5) > 0.2)),
    ),
    Architecture(
        "pilotnet",
        _FAMILY,
        "own",
        lambda: Model(PilotNet(), (torch.randn(1, 3, 66, 200),)),
        "int8",
    ),
    Architecture("lane_rows", _FAMILY, "own", lambda: Model(LaneRows(), (image(64),)), "int8"),
    Architecture("occupancy", _FAMILY, "own", lambda: Model(Occupancy(), (image(32),)), "int8"),
]

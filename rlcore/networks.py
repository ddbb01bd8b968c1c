"""The residual policy-value network of AlphaZero (Silver et al. 2018), and its fused form for playing.

    planes [B, C, H, W] -> stem -> blocks -> trunk [B, channels, H, W] -> policy head -> logits [B, num_actions]
                                                                       -> value head  -> wdl logits [B, 3]

B is the batch. Logits are raw: whoever reads them looks at legal actions only (losses.py, evaluators.py). wdl is
(win, draw, loss) for the side to move. Everything runs fastest in channels-last memory, on CPU and GPU alike.

Differences from the paper: (1) the value is win/draw/loss, not one tanh; (2) the value head pools a few channels over
the board (KataGo, Wu 2019, section 3.3) instead of flattening one plane; (3) both heads start at zero, so that the
first policy is uniform and the first value even; (4) the last norm of a block starts at zero; (5) blocks may have
squeeze-and-excitation (Hu et al. 2018), see ``NetworkConfig.squeeze_excitation``.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from rlcore.config import NetworkConfig

__all__ = [
    "Block",
    "ConvNorm",
    "ConvPolicyHead",
    "LinearPolicyHead",
    "ResNet",
    "SqueezeExcitation",
    "ValueHead",
    "fuse",
]


class ConvNorm(nn.Module):
    """``relu(norm(conv(x)) + skip)``: a convolution that keeps the board's size, batch norm, and what follows it.

    The whole step is one module so that a faster runtime can replace it (``inference``). Without ``relu`` the step
    ends before it, for whoever has more to do first.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, relu: bool = True) -> None:
        super().__init__()
        self.relu = relu
        self.conv: nn.Conv2d = nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(channels_out)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")  # He et al. 2015, eq. 14

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        out: Tensor = self.norm(self.conv(x))
        if skip is not None:
            out = out.add_(skip)
        return functional.relu(out, inplace=True) if self.relu else out


class SqueezeExcitation(nn.Module):
    """A gate in (0, 1) a channel, [B, channels, 1, 1], from all channels' means over the board (Hu et al. 2018, 3)."""

    def __init__(self, channels: int, ratio: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, channels // ratio)
        self.excite = nn.Linear(channels // ratio, channels)

    def forward(self, x: Tensor) -> Tensor:
        hidden = functional.relu(self.squeeze(x.mean((2, 3))), inplace=True)
        gates: Tensor = self.excite(hidden).sigmoid()
        return gates[:, :, None, None]


class Block(nn.Module):
    """Two 3x3 convolutions beside a skip connection (AlphaGo Zero, Silver et al. 2017, Methods).

    With a squeeze-excitation ratio the convolutions' channels are scaled by their gates before they are added.
    """

    def __init__(self, channels: int, squeeze_excitation: int = 0) -> None:
        super().__init__()
        self.first = ConvNorm(channels, channels, 3)
        self.second = ConvNorm(channels, channels, 3, relu=squeeze_excitation == 0)
        self.gates = SqueezeExcitation(channels, squeeze_excitation) if squeeze_excitation else None
        assert isinstance(self.second.norm, nn.BatchNorm2d)
        nn.init.zeros_(self.second.norm.weight)  # starts as the identity: Goyal et al. 2017, section 5.1

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor
        if self.gates is None:
            out = self.second(self.first(x), x)
        else:
            out = self.second(self.first(x))
            # not addcmul: in bfloat16 on a CPU that takes twice as long with 48 channels
            out = functional.relu((out * self.gates(out)).add_(x), inplace=True)
        return out


class ConvPolicyHead(nn.Module):
    """A 3x3 convolution, then a plane of logits [B, num_actions / (H * W), H, W] for each kind of action."""

    def __init__(self, channels: int, planes_out: int) -> None:
        super().__init__()
        self.hidden = ConvNorm(channels, channels, 3)
        self.out = nn.Conv2d(channels, planes_out, 1)
        _start_at_zero(self.out)

    def forward(self, x: Tensor) -> Tensor:
        planes: Tensor = self.out(self.hidden(x))
        return planes


class LinearPolicyHead(nn.Module):
    """For actions that are not squares times planes: two planes, flattened, to logits [B, num_actions, 1, 1]."""

    def __init__(self, channels: int, squares: int, num_actions: int) -> None:
        super().__init__()
        self.hidden = ConvNorm(channels, 2, 1)
        self.out = nn.Linear(2 * squares, num_actions)
        _start_at_zero(self.out)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(self.hidden(x).flatten(1))
        return logits[:, :, None, None]


class ValueHead(nn.Module):
    """Mean and maximum over the board of a few channels, a hidden layer, (win, draw, loss) logits [B, 3]."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.squeeze = ConvNorm(config.channels, config.value_channels, 1)
        self.hidden = nn.Linear(2 * config.value_channels, config.value_hidden)
        self.out = nn.Linear(config.value_hidden, 3)
        nn.init.kaiming_normal_(self.hidden.weight, nonlinearity="relu")
        nn.init.zeros_(self.hidden.bias)
        _start_at_zero(self.out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x)
        most = functional.adaptive_max_pool2d(x, 1).flatten(1)  # on a CPU five times as fast as amax
        pooled = torch.cat((x.mean((2, 3)), most), dim=1)
        wdl: Tensor = self.out(functional.relu(self.hidden(pooled), inplace=True))
        return wdl


class ResNet(nn.Module):
    """A policy-value network over boards.

    Args:
        config: the sizes.
        planes: input planes C.
        board: rows and columns (H, W).
        num_actions: logits. A multiple of H * W gets a convolutional policy head, anything else a linear one.
    """

    def __init__(self, config: NetworkConfig, planes: int, board: tuple[int, int], num_actions: int) -> None:
        super().__init__()
        self.config, self.planes, self.board, self.num_actions = config, planes, board, num_actions
        squares = board[0] * board[1]
        self.stem = ConvNorm(planes, config.channels, 3)
        self.blocks = nn.Sequential(*(Block(config.channels, config.squeeze_excitation) for _ in range(config.blocks)))
        self.policy: nn.Module
        if num_actions % squares == 0:
            self.policy = ConvPolicyHead(config.channels, num_actions // squares)
        else:
            self.policy = LinearPolicyHead(config.channels, squares, num_actions)
        self.value = ValueHead(config)

    def forward(self, planes: Tensor) -> tuple[Tensor, Tensor]:
        """Planes [B, C, H, W] to logits [B, num_actions], indexed by action, and wdl logits [B, 3]."""
        policy, wdl = self.heads(planes)
        return policy.flatten(1), wdl

    def heads(self, planes: Tensor) -> tuple[Tensor, Tensor]:
        """As ``forward``, but logits [B, P, h, w] in the network's memory order: action = plane * h * w + square.

        From channels-last to the order of actions is a transposition that costs a third of a small network's time on
        a CPU. A linear policy head has h = w = 1 and P = num_actions.
        """
        trunk = self.blocks(self.stem(planes))
        return self.policy(trunk), self.value(trunk)


def fuse(network: ResNet) -> ResNet:
    """A frozen copy for playing, in eval mode: every batch norm folded into its convolution.

    w' = w * gamma / sqrt(var + eps); b' = beta - mean * gamma / sqrt(var + eps). Equal to ``network.eval()`` up to
    rounding in float32. The original stays as it is, training mode included.
    """
    fused = copy.deepcopy(network).eval().requires_grad_(False)
    for module in fused.modules():
        if isinstance(module, ConvNorm):
            assert isinstance(module.norm, nn.BatchNorm2d)
            module.conv = fuse_conv_bn_eval(module.conv, module.norm)
            module.norm = nn.Identity()
    return fused


def _start_at_zero(layer: nn.Conv2d | nn.Linear) -> None:
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)

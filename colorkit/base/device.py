"""What the hardware decides: device, precision, memory; and doing the same twice on it."""

import os
import platform
from collections.abc import Iterable

import psutil
import torch
from torch import nn

from .errors import KitError, check_choice

# PyTorch looks at it once, when CUDA is first used, and only then can be deterministic later.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
RESIDENT_SHARE = 0.25  # of the device's memory that the paintings may take; the rest is training's


def choose_device(name: str = "") -> torch.device:
    """Return the device a user named, or the GPU if there is one; KitError if it is not there."""
    available = torch.cuda.is_available()
    if not name:
        return torch.device("cuda" if available else "cpu")
    check_choice("device", name, ("cuda", "cpu"))
    if name == "cuda" and not available:
        raise KitError("device 'cuda': no GPU that PyTorch can use; choose cpu")
    return torch.device(name)


def device_name(device: torch.device) -> str:
    """Name a device for people, such as "cuda: Tesla T4" or "cpu: x86_64"."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return f"{device.type}: {name}"


def total_memory(device: torch.device) -> int:
    """Return the device's memory in bytes; the machine's for the CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return psutil.virtual_memory().total


def free_memory(device: torch.device) -> int:
    """Return how many bytes of the device's memory no process uses."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available


def best_precision(device: torch.device) -> str:
    """Choose "bf16" where a GPU has it, "fp16" on older tensor cores (T4), else "fp32"."""
    if device.type != "cuda":
        return "fp32"
    generation = torch.cuda.get_device_capability(device)[0]  # Ampere is 8, Turing and Volta 7
    return "bf16" if generation >= 8 else "fp16" if generation == 7 else "fp32"


def prepare(seed: int, deterministic: bool) -> None:
    """Fix all chance, and say how exact a GPU has to be.

    fp32 means 32 bits here, so TF32 is off. With `deterministic`, CUDA uses algorithms that
    give the same bits each time (and PyTorch raises RuntimeError where it has none); without,
    cuDNN may try which are the fastest.
    """
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark = not deterministic
    torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(seed)


def compute_in(precision: str, network: nn.Module, device: torch.device) -> None:
    """Let a network compute in "bf16" or "fp16"; its weights, inputs and outputs stay 32 bits.

    Losses and optimizers then see 32 bits only. "fp32" changes nothing. A GPU's tensor cores
    want channels_last; on a CPU its gain is within the noise (results/ has the bench).
    """
    if precision != "fp32":
        if device.type == "cuda":
            network.to(memory_format=torch.channels_last)
        network.forward = torch.autocast(device.type, DTYPES[precision])(network.forward)
        network.register_forward_hook(lambda module, inputs, output: output.float())


def adam(
    parameters: Iterable[nn.Parameter], lr: float, betas: tuple[float, float] = (0.9, 0.999)
) -> torch.optim.Adam:
    """Make PyTorch's Adam, fused on a GPU: one launch a step, and no read by a loss scaler."""
    parameters = list(parameters)
    return torch.optim.Adam(parameters, lr=lr, betas=betas, fused=parameters[0].is_cuda)


def loss_scaler(precision: str, device: torch.device) -> torch.amp.GradScaler:
    """Make what keeps small fp16 gradients from vanishing; it does nothing in other precisions."""
    return torch.amp.GradScaler(device.type, enabled=precision == "fp16")

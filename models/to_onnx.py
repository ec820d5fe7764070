"""Write a trained PyTorch network as one ONNX file, BatchNormalization kept or folded."""

import copy
import itertools
import warnings

import onnx
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def folded(net):
    """Return a copy in which each BatchNormalization is folded into the convolution before it.

    Done here and not by the exporter, which would lose the parameters' names. Both must be
    neighbours in one nn.Sequential.
    """
    net = copy.deepcopy(net).eval()
    for parent in [module for module in net.modules() if isinstance(module, nn.Sequential)]:
        for (name, conv), (after, norm) in itertools.pairwise(list(parent.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(parent, name, fuse_conv_bn_eval(conv, norm))
                delattr(parent, after)
    return net


def export(net, path, picture, output="logits"):
    """Write `net` (input x, symbolic batch) for pictures of shape (C, H, W)."""
    with warnings.catch_warnings():
        # The newer exporter writes the paths of the training machine into the file.
        warnings.filterwarnings("ignore", message="You are using the legacy TorchScript")
        torch.onnx.export(
            net.eval(),
            (torch.zeros(1, *picture),),
            path,
            input_names=["x"],
            output_names=[output],
            dynamic_axes={"x": {0: "batch"}, output: {0: "batch"}},
            opset_version=17,
            dynamo=False,
            do_constant_folding=False,
            training=torch.onnx.TrainingMode.PRESERVE,  # EVAL folds BatchNormalization
        )
    onnx.checker.check_model(onnx.load(path), full_check=True)

"""Train the small network whose circuit is simulated with every transistor: 64 - 16 - 10.

    python models/train_small.py /usr/share/datasets/fashion-mnist

It reads Fashion-MNIST's pictures, averages 3 x 3 pixels to 8 x 8 numbers (24 of the 28 rows and
columns), and trains two dense layers with a ReLU between them by numpy alone (Adam, weight decay so
that no lane has weights much larger than others).
"""

import argparse
from pathlib import Path

import fashion
import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

HIDDEN, EPOCHS, BATCH, RATE, DECAY = 16, 40, 100, 2e-3, 2e-4


def small(x):
    """Return pictures (n, 1, 28, 28) as (n, 64): means of 3 x 3 pixels, without the border."""
    inner = x[:, 0, 2:26, 2:26].reshape(len(x), 8, 3, 8, 3)
    return inner.mean(axis=(2, 4)).reshape(len(x), 64).astype(np.float32)


def scores(weights, x):
    """Return the scores (n, 10), and the hidden layer (n, 16) before its ReLU."""
    w1, b1, w2, b2 = weights
    before = x @ w1 + b1
    return np.maximum(before, 0) @ w2 + b2, before


def gradients(weights, x, y):
    """Return the gradients of the mean cross entropy."""
    logits, before = scores(weights, x)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(y)), y] -= 1
    p /= len(y)
    hidden = np.maximum(before, 0)
    back = (p @ weights[2].T) * (before > 0)
    return x.T @ back, back.sum(axis=0), hidden.T @ p, p.sum(axis=0)


def train(x, y, seed=0):
    """Return the trained weights."""
    rng = np.random.default_rng(seed)
    weights = [
        rng.normal(0, (2 / 64) ** 0.5, (64, HIDDEN)), np.zeros(HIDDEN),
        rng.normal(0, (2 / HIDDEN) ** 0.5, (HIDDEN, 10)), np.zeros(10),
    ]  # fmt: skip
    first, second = ([np.zeros_like(w) for w in weights] for _ in range(2))
    step = 0
    for epoch in range(EPOCHS):
        rate = RATE * 0.5 * (1 + np.cos(np.pi * epoch / EPOCHS))
        order = rng.permutation(len(x))
        for start in range(0, len(x), BATCH):
            some = order[start : start + BATCH]
            step += 1
            for n, g in enumerate(gradients(weights, x[some], y[some])):
                first[n] = 0.9 * first[n] + 0.1 * g
                second[n] = 0.999 * second[n] + 0.001 * g * g
                moved = first[n] / (1 - 0.9**step) / (np.sqrt(second[n] / (1 - 0.999**step)) + 1e-8)
                weights[n] = weights[n] - rate * (moved + (DECAY * weights[n] if n % 2 == 0 else 0))
    return [w.astype(np.float32) for w in weights]


def model(weights):
    """Return the network as an ONNX model."""
    names = ("w1", "b1", "w2", "b2")
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], name="hidden"),
            helper.make_node("Relu", ["h"], ["r"], name="relu"),
            helper.make_node("Gemm", ["r", "w2", "b2"], ["y"], name="scores"),
        ],
        "small_fashion",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("batch", 64))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("batch", 10))],
        [numpy_helper.from_array(w, n) for n, w in zip(names, weights, strict=True)],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(made)
    return made


def main():
    """Read the command line, train, and write the network."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, nargs="?", default=fashion.DEBIAN)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("small_fashion.onnx"))
    args = parser.parse_args()
    x, y = fashion.load(args.data, "train")
    weights = train(small(x), y)
    x, y = fashion.load(args.data, "t10k")
    right = (scores(weights, small(x))[0].argmax(axis=1) == y).mean()
    save(model(weights), args.out)
    print(f"{args.out}: {right:.2%} of {len(y):,} test pictures")


if __name__ == "__main__":
    main()

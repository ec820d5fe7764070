"""Train a classifier, and continue from a checkpoint; shared by several scripts."""

import time

import torch
from torch.nn.functional import cross_entropy


def arguments(parser, epochs, smooth=0.0):
    """Add the options that all classifiers have to the command line."""
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.1, help="peak learning rate")
    parser.add_argument("--decay", type=float, default=5e-4, help="weight decay")
    parser.add_argument("--smooth", type=float, default=smooth, help="label smoothing")
    parser.add_argument("--device", default="cpu", help="cpu (one thread) or cuda")


def recipe(args, *names):
    """Return the options that a checkpoint must agree with, so that training can continue."""
    return {
        name: getattr(args, name) for name in (*names, "seed", "epochs", "batch", "lr", "decay")
    }


def accuracy(net, x, y):
    """Return the share of the uint8 pictures whose largest logit is the label's."""
    net.eval()
    with torch.no_grad():
        hits = sum(
            int((net(pictures / 255).argmax(1) == labels).sum())
            for pictures, labels in zip(x.split(500), y.split(500), strict=True)
        )
    return hits / len(y)


class Training:
    """The state of a training: everything that is in a checkpoint.

    SGD with Nesterov momentum, one learning-rate cycle over all steps, channels last; with `half`
    convolutions in bfloat16. `augment` takes uint8 pictures and a generator and returns [0, 1]
    floats.
    """

    def __init__(self, net, args, recipe, pictures, augment, rise=0.1, half=True):
        self.net = net.to(args.device, memory_format=torch.channels_last)
        self.recipe, self.smooth, self.augment, self.half = recipe, args.smooth, augment, half
        self.device = args.device
        self.rng = torch.Generator().manual_seed(args.seed)
        self.optimizer = torch.optim.SGD(
            self.net.parameters(), args.lr, momentum=0.9, nesterov=True, weight_decay=args.decay
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            args.lr,
            total_steps=pictures // args.batch * args.epochs,
            pct_start=rise,
            cycle_momentum=False,
        )
        self.epoch = 0

    def run_epoch(self, x, y):
        """Train on every picture once, in random order; return the mean loss."""
        self.net.train()
        batch = self.recipe["batch"]
        steps, total = len(x) // batch, 0.0
        for chosen in torch.randperm(len(x), generator=self.rng)[: steps * batch].split(batch):
            pictures = self.augment(x[chosen], self.rng)
            with torch.autocast(self.device, torch.bfloat16, enabled=self.half):
                logits = self.net(pictures.contiguous(memory_format=torch.channels_last))
            loss = cross_entropy(logits.float(), y[chosen], label_smoothing=self.smooth)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            total += loss.item()
        self.epoch += 1
        return total / steps

    def run(self, name, work, train, tests):
        """Train from the last checkpoint in `work` to the last epoch; `tests`: (x, y) by name."""
        checkpoint = work / f"{name}.pt"
        if checkpoint.exists():
            self.restore(checkpoint)
        while self.epoch < self.recipe["epochs"]:
            begin = time.perf_counter()
            loss = self.run_epoch(*train)
            self.save(checkpoint)
            scores = ", ".join(
                f"{part} {100 * accuracy(self.net, *pictures):.2f} %"
                for part, pictures in tests.items()
            )
            print(
                f"{name} epoch {self.epoch}/{self.recipe['epochs']}: loss {loss:.4f}, {scores}, "
                f"{time.perf_counter() - begin:.0f} s",
                flush=True,
            )

    def save(self, path):
        """Write the checkpoint. If the process is killed meanwhile, the previous one remains."""
        part = path.with_suffix(".part")
        state = {
            name: getattr(self, name).state_dict() for name in ("net", "optimizer", "schedule")
        }
        state |= {"recipe": self.recipe, "epoch": self.epoch, "rng": self.rng.get_state()}
        torch.save(state, part)
        part.replace(path)

    def restore(self, path):
        """Continue from a checkpoint. Raises SystemExit if it was trained with other options."""
        state = torch.load(path, weights_only=True, map_location="cpu")
        if state["recipe"] != self.recipe:
            raise SystemExit(f"{path}: trained with {state['recipe']}, wanted {self.recipe}")
        for name in ("net", "optimizer", "schedule"):
            getattr(self, name).load_state_dict(state[name])
        self.epoch = state["epoch"]
        self.rng.set_state(state["rng"])

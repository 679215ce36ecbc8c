"""PyTorch on one thread: the protocol of protocol.ts and the tasks of tasks.ts."""

import itertools
import json
import platform
import sys
import time

import numpy
import torch
from torch import nn

CHECKED_STEPS = 10


def uniform(stream, count, low=0.0, high=1.0):
    """As in numbers.ts: a hash of 0 ... count - 1, in 32 bits."""
    mask = numpy.uint64(0xFFFFFFFF)

    def imul(a, b):
        return a * numpy.uint64(b) & mask

    i = numpy.arange(1, count + 1, dtype=numpy.uint64)
    h = imul(i, 2654435761) ^ numpy.uint64((stream + 1) * 2246822519 & 0xFFFFFFFF)
    h = imul(h ^ (h >> numpy.uint64(15)), 2246822519)
    h = imul(h ^ (h >> numpy.uint64(13)), 3266489917)
    h = h ^ (h >> numpy.uint64(16))
    return (low + (high - low) * (h / 2.0**32)).astype(numpy.float32)


def batch_of(task, index):
    """Inputs [batch, inputs] and targets: numbers [batch, 1], or the classes' numbers [batch] as PyTorch has them."""
    batch, inputs = task["batch"], task["inputs"]
    noise = uniform(2 * index + 1, batch)
    if task["loss"] == "meanSquaredError":
        x = uniform(2 * index, batch * inputs, -1, 1).reshape(batch, inputs)
        y = (0.5 * x[:, 0] + 2 + 0.1 * (noise - 0.5)).astype(numpy.float32).reshape(batch, 1)
        return torch.from_numpy(x), torch.from_numpy(y)
    classes = [layer["units"] for layer in task["layers"] if layer["kind"] == "dense"][-1]
    x = uniform(2 * index, batch * inputs).reshape(batch, inputs)
    y = numpy.floor(noise.astype(numpy.float64) * classes).astype(numpy.int64)
    return torch.from_numpy(x), torch.from_numpy(y)


def model_of(task):
    """The layers with the initial weights of numbers.ts. A last softmax is left to PyTorch's cross_entropy."""
    layers, inputs, stream = [], task["inputs"], 1_000_000
    for spec in task["layers"]:
        if spec["kind"] == "activation":
            if spec["activation"] == "relu":
                layers.append(nn.ReLU())
            continue
        units = spec["units"]
        layer = nn.Linear(inputs, units)
        limit = (6 / (inputs + units)) ** 0.5
        kernel = uniform(stream, inputs * units, -limit, limit).reshape(inputs, units)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(kernel).T)
            layer.bias.zero_()
        layers.append(layer)
        inputs, stream = units, stream + 2
    return nn.Sequential(*layers)


def optimizer_of(spec, parameters):
    if spec["kind"] == "sgd":
        return torch.optim.SGD(parameters, lr=spec["learningRate"])
    return torch.optim.RMSprop(
        parameters, lr=spec["learningRate"], alpha=spec["rho"], eps=spec["epsilon"]
    )


class Training:
    def __init__(self, task):
        self.task = task
        self.batches = [batch_of(task, i) for i in range(task["batches"])]
        regression = task["loss"] == "meanSquaredError"
        self.loss = nn.functional.mse_loss if regression else nn.functional.cross_entropy

    def begin(self):
        self.model = model_of(self.task)
        self.optimizer = optimizer_of(self.task["optimizer"], self.model.parameters())
        self.next = itertools.cycle(self.batches)
        self.last = float("nan")

    def step(self):
        x, y = next(self.next)
        self.optimizer.zero_grad(set_to_none=True)
        output = self.model(x)
        loss = self.loss(output, y)
        loss.backward()
        self.optimizer.step()
        self.last = loss.item()
        if self.task["accuracy"]:
            self.accuracy = (output.argmax(1) == y).float().mean().item()

    def result(self):
        return self.last


class Line:
    def __init__(self, task):
        values = uniform(0, task["batch"], -1, 1).reshape(-1, 1)
        self.x = torch.from_numpy(values)
        self.y = 0.5 * self.x + 2
        self.rate = task["learningRate"]

    def begin(self):
        self.w = torch.tensor([[0.1]], requires_grad=True)
        self.b = torch.tensor([0.0], requires_grad=True)
        self.last = float("nan")

    def step(self):
        loss = (self.x @ self.w + self.b - self.y).square().mean()
        dw, db = torch.autograd.grad(loss, (self.w, self.b))
        with torch.no_grad():
            self.w -= self.rate * dw
            self.b -= self.rate * db
        self.last = loss.item()

    def result(self):
        return self.last


class MatMul:
    def __init__(self, task):
        n = task["size"]
        self.a = torch.from_numpy(uniform(0, n * n, -1, 1).reshape(n, n))
        self.b = torch.from_numpy(uniform(1, n * n, -1, 1).reshape(n, n))

    def begin(self):
        pass

    def step(self):
        self.c = self.a @ self.b

    def result(self):
        return self.c[-1, -1].item()


class Initialise:
    def __init__(self, task):
        self.shape = task["inputs"], task["units"]

    def begin(self):
        pass

    def step(self):
        nn.init.xavier_uniform_(torch.empty(self.shape))

    def result(self):
        return None


KINDS = {"training": Training, "line": Line, "matmul": MatMul, "initialise": Initialise}


def repeat(work, seconds):
    step, clock = work.step, time.perf_counter
    start = clock()
    end = start + seconds
    repetitions = 0
    while True:
        step()
        repetitions += 1
        now = clock()
        if now >= end:
            return {"ms": (now - start) * 1000 / repetitions, "repetitions": repetitions}


def prepare(work, task, seconds):
    work.begin()
    for _ in range(CHECKED_STEPS if task["kind"] in ("training", "line") else 1):
        work.step()
    check = work.result()
    repeat(work, seconds)
    return {"check": check}


def send(message):
    print(json.dumps(message), flush=True)


def main():
    torch.set_num_threads(1)
    send({"versions": {"torch": torch.__version__, "python": platform.python_version()}})
    work = None
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        try:
            if request["do"] == "prepare":
                task = request["task"]
                work = KINDS[task["kind"]](task)
                send(prepare(work, task, request["seconds"]))
            else:
                work.begin()
                send(repeat(work, request["seconds"]))
        except Exception as error:  # whatever it is, the harness prints it
            send({"error": f"{type(error).__name__}: {error}"})


main()

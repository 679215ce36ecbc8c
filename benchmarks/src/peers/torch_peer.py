"""PyTorch: the tasks of tasks.ts."""

import numpy
import torch
from torch import nn

from common import (
    THREADS,
    batch_of,
    convolution_data,
    cycle,
    draw,
    energy,
    lstm_data,
    serve,
    uniform,
)

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


def fill(parameter, values):
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(numpy.ascontiguousarray(values)))


class Recurrent(nn.Module):
    """A recurrent layer with one bias, as Keras has it: PyTorch's second one stays zero. Gates have the same order."""

    def __init__(self, make, units, kernel, recurrent, bias, sequences, stateful):
        super().__init__()
        self.cell = make(kernel.shape[0], units, batch_first=True)
        self.sequences, self.stateful, self.state = sequences, stateful, None
        fill(self.cell.weight_ih_l0, kernel.T)
        fill(self.cell.weight_hh_l0, recurrent.T)
        fill(self.cell.bias_ih_l0, bias)
        fill(self.cell.bias_hh_l0, numpy.zeros_like(bias))
        self.cell.bias_hh_l0.requires_grad_(False)

    def forward(self, x):
        y, state = self.cell(x, self.state)
        if self.stateful:
            self.state = tuple(part.detach() for part in state)
        return y if self.sequences else y[:, -1]


def layer_of(spec, weights):
    """The layer with the next weights. None for a softmax, which is left to PyTorch's cross_entropy."""
    kind = spec["kind"]
    if kind == "activation":
        return ACTIVATIONS[spec["activation"]]() if spec["activation"] in ACTIVATIONS else None
    if kind == "pool":
        return nn.MaxPool2d(2)
    if kind == "flatten":
        return nn.Flatten()
    kernel = next(weights)
    if kind == "simpleRNN":
        return Recurrent(nn.RNN, spec["units"], kernel, next(weights), next(weights), False, False)
    if kind == "lstm":
        return Recurrent(nn.LSTM, spec["units"], kernel, next(weights), next(weights), True, True)
    if kind == "conv":
        size, _, channels, filters = kernel.shape
        layer = nn.Conv2d(channels, filters, size, padding=size // 2)
        fill(layer.weight, kernel.transpose(3, 2, 0, 1))
    else:  # dense, timeDense
        layer = nn.Linear(*kernel.shape)
        fill(layer.weight, kernel.T)
    fill(layer.bias, next(weights))
    return layer


def model_of(task):
    weights = iter([draw(spec) for spec in task["weights"]])
    layers = [layer_of(spec, weights) for spec in task["layers"]]
    return nn.Sequential(*[layer for layer in layers if layer is not None])


def optimizer_of(spec, parameters):
    rate = spec["learningRate"]
    if spec["kind"] == "sgd":
        return torch.optim.SGD(parameters, lr=rate)
    if spec["kind"] == "adam":
        return torch.optim.Adam(parameters, lr=rate, eps=spec["epsilon"])
    return torch.optim.RMSprop(parameters, lr=rate, alpha=spec["rho"], eps=spec["epsilon"])


class Training:
    def __init__(self, task):
        self.task = task
        arrays = [batch_of(task, i) for i in range(task["batches"])]
        self.batches = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in arrays]
        self.classes = task["target"] == "classes"
        self.loss = nn.functional.cross_entropy if self.classes else nn.functional.mse_loss

    def begin(self):
        self.model = model_of(self.task)
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = optimizer_of(self.task["optimizer"], parameters)
        self.next = cycle(self.batches)
        self.last = float("nan")

    def step(self):
        x, y = next(self.next)
        self.optimizer.zero_grad(set_to_none=True)
        output = self.model(x)
        loss = self.loss(output, y)
        loss.backward()
        self.optimizer.step()
        self.last = loss.item()
        if self.classes:
            self.accuracy = (output.argmax(1) == y).float().mean().item()

    def result(self):
        return self.last


class Line:
    def __init__(self, task):
        self.x = torch.from_numpy(uniform(0, (task["batch"], 1), -1, 1))
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
        self.a, self.b = (torch.from_numpy(uniform(i, (n, n), -1, 1)) for i in (0, 1))

    def begin(self):
        pass

    def step(self):
        self.c = self.a @ self.b

    def result(self):
        return self.c[-1, -1].item()


class Convolution:
    def __init__(self, task):
        x, kernel, dy = convolution_data(task)
        self.padding = task["window"] // 2
        self.x = torch.from_numpy(x).requires_grad_()
        kernel = numpy.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
        self.kernel = torch.from_numpy(kernel).requires_grad_()
        self.dy = torch.from_numpy(dy)

    def begin(self):
        pass

    def step(self):
        y = nn.functional.conv2d(self.x, self.kernel, padding=self.padding)
        self.results = (y, *torch.autograd.grad(y, (self.x, self.kernel), self.dy))

    def result(self):
        return energy(*[array.detach().numpy() for array in self.results])


class LSTM:
    def __init__(self, task):
        self.x, self.dh = (torch.from_numpy(array) for array in lstm_data(task))
        weights = [draw(spec) for spec in task["weights"]]
        self.layer = Recurrent(nn.LSTM, task["units"], *weights, True, False)
        self.parameters = [p for p in self.layer.parameters() if p.requires_grad]

    def begin(self):
        pass

    def step(self):
        self.results = torch.autograd.grad(self.layer(self.x), self.parameters, self.dh)

    def result(self):
        return energy(*[array.numpy() for array in self.results])


class Initialise:
    def __init__(self, task):
        self.shape = task["inputs"], task["units"]

    def begin(self):
        pass

    def step(self):
        nn.init.xavier_uniform_(torch.empty(self.shape))

    def result(self):
        return None


torch.set_num_threads(THREADS)
serve(
    {"torch": torch.__version__},
    {
        "training": Training,
        "line": Line,
        "matmul": MatMul,
        "convolution": Convolution,
        "lstm": LSTM,
        "initialise": Initialise,
    },
)

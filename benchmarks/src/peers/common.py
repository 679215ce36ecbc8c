"""The peers' side of protocol.ts in Python, and the numbers of numbers.ts."""

import itertools
import json
import os
import platform
import sys
import time

import numpy

THREADS = int(os.environ.get("BENCH_THREADS", "1"))


def uniform(stream, shape, low=0.0, high=1.0):
    """A hash of 0 ... count - 1, in 32 bits, as an array of numbers from [low, high)."""
    mask = numpy.uint64(0xFFFFFFFF)

    def imul(a, b):
        return a * numpy.uint64(b) & mask

    i = numpy.arange(1, numpy.prod(shape, dtype=int) + 1, dtype=numpy.uint64)
    h = imul(i, 2654435761) ^ numpy.uint64((stream + 1) * 2246822519 & 0xFFFFFFFF)
    h = imul(h ^ (h >> numpy.uint64(15)), 2246822519)
    h = imul(h ^ (h >> numpy.uint64(13)), 3266489917)
    h = h ^ (h >> numpy.uint64(16))
    return (low + (high - low) * (h / 2.0**32)).astype(numpy.float32).reshape(shape)


def draw(spec):
    """The values of a weight, in the layout of Keras."""
    values = uniform(spec["stream"], spec["shape"], -spec["limit"], spec["limit"])
    if "ones" in spec:
        values[slice(*spec["ones"])] = 1
    return values


def batch_of(task, index):
    """Inputs [batch, ...inputShape] and targets [batch, ...outputShape]; for classes their numbers [batch]."""
    shape = (task["batch"], *task["inputShape"])
    target = task["target"]
    if target == "wave":
        start = index * task["inputShape"][0]
        t = ((start + numpy.arange(numpy.prod(shape))) / (10 * numpy.pi)).reshape(shape)
        return numpy.sin(t).astype(numpy.float32), numpy.cos(t).astype(numpy.float32)
    low, high = {"line": (-1, 1), "classes": (0, 1), "input": (-0.5, 0.5)}[target]
    x = uniform(2 * index, shape, low, high)
    if target == "input":
        return x, x
    noise = uniform(2 * index + 1, (task["batch"],))
    if target == "line":
        return x, (0.5 * x[:, 0] + 2 + 0.1 * (noise - 0.5)).astype(numpy.float32).reshape(-1, 1)
    return x, numpy.floor(noise.astype(numpy.float64) * task["outputShape"][0]).astype(numpy.int64)


def convolution_data(task):
    """x, the kernel in Keras's layout and the gradient of y, channels first."""
    batch, size = task["batch"], task["size"]
    window, channels, filters = task["window"], task["channels"], task["filters"]
    return (
        uniform(0, (batch, channels, size, size), -1, 1),
        uniform(1, (window, window, channels, filters), -0.1, 0.1),
        uniform(2, (batch, filters, size, size), -1, 1),
    )


def lstm_data(task):
    """x and the gradient of the outputs."""
    batch, time_steps = task["batch"], task["time"]
    return (
        uniform(0, (batch, time_steps, task["inputs"]), -1, 1),
        uniform(1, (batch, time_steps, task["units"]), -1, 1),
    )


def energy(*arrays):
    """The sum of the squares of several arrays."""
    return float(sum((numpy.asarray(a).astype(numpy.float64) ** 2).sum() for a in arrays))


def cycle(batches):
    return itertools.cycle(batches)


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


def prepare(work, steps, patience, seconds):
    """See `Request` in protocol.ts."""
    work.begin()
    checks, elapsed, first, last = [], 0.0, 0.0, 0.0
    while len(checks) < steps and (
        not checks or elapsed < patience or (len(checks) == 1 and elapsed < 4 * patience)
    ):
        start = time.perf_counter()
        work.step()
        last = time.perf_counter() - start
        if not checks:
            first = last
        elapsed += last
        checks.append(work.result())
    if elapsed < patience:
        repeat(work, seconds)
    return {"checks": checks, "firstMs": first * 1000, "lastMs": last * 1000}


def measure(work, untimed, seconds):
    work.begin()
    for _ in range(untimed):
        work.step()
    return repeat(work, seconds)


def serve(versions, kinds):
    """Answers requests until standard input ends. `kinds`: for each kind of task a class that is made of one, with
    `begin`, `step` and `result`."""
    channel = sys.stdout
    sys.stdout = sys.stderr  # what an engine prints is no answer

    def send(message):
        print(json.dumps(message), file=channel, flush=True)

    send({"versions": {**versions, "python": platform.python_version()}})
    work = None
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        try:
            if request["do"] == "prepare":
                task = request["task"]
                work = kinds[task["kind"]](task)
                send(prepare(work, request["steps"], request["patience"], request["seconds"]))
            else:
                send(measure(work, request["untimed"], request["seconds"]))
        except Exception as error:  # whatever it is, the harness prints it
            send({"error": f"{type(error).__name__}: {error}"})

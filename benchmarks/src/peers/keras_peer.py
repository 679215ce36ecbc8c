"""Keras on TensorFlow: the tasks of tasks.ts. Images have their channels last: TensorFlow has no others on a CPU."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras  # noqa: E402
import numpy  # noqa: E402
import tensorflow as tf  # noqa: E402
from keras import layers  # noqa: E402

from common import (  # noqa: E402
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


def layer_of(spec):
    kind = spec["kind"]
    if kind == "dense":
        return layers.Dense(spec["units"])
    if kind == "activation":
        return layers.Activation(spec["activation"])
    if kind == "conv":
        return layers.Conv2D(spec["filters"], spec["size"], padding="same")
    if kind == "pool":
        return layers.MaxPooling2D(2, 2, padding="same")
    if kind == "flatten":
        return layers.Flatten()
    if kind == "simpleRNN":
        return layers.SimpleRNN(spec["units"], unroll=True)
    if kind == "lstm":
        return layers.LSTM(spec["units"], return_sequences=True, stateful=True)
    return layers.TimeDistributed(layers.Dense(spec["units"]))


def channels_last(array):
    return numpy.ascontiguousarray(numpy.moveaxis(array, 1, -1)) if array.ndim == 4 else array


def weights_of(task, model):
    """The weights of numbers.ts. The kernel behind Flatten meets its inputs in another order."""
    weights = [draw(spec) for spec in task["weights"]]
    for flatten, dense in zip(model.layers, model.layers[1:]):
        if isinstance(flatten, layers.Flatten) and len(flatten.input.shape) == 4:
            _, height, width, channels = flatten.input.shape
            at = next(i for i, w in enumerate(model.weights) if w is dense.kernel)
            units = weights[at].shape[-1]
            kernel = weights[at].reshape(channels, height, width, units)
            weights[at] = kernel.transpose(1, 2, 0, 3).reshape(-1, units)
    return weights


def model_of(task):
    shape = channels_last(numpy.empty((task["batch"], *task["inputShape"]))).shape
    model = keras.Sequential([keras.Input(batch_shape=shape)])
    for spec in task["layers"]:
        model.add(layer_of(spec))
    model.set_weights(weights_of(task, model))
    return model


def optimizer_of(spec):
    rate = spec["learningRate"]
    if spec["kind"] == "sgd":
        return keras.optimizers.SGD(rate)
    if spec["kind"] == "adam":
        return keras.optimizers.Adam(rate, epsilon=spec["epsilon"])
    return keras.optimizers.RMSprop(rate, rho=spec["rho"], epsilon=spec["epsilon"])


class Training:
    def __init__(self, task):
        self.task = task
        self.classes = task["target"] == "classes"
        self.batches = []
        for i in range(task["batches"]):
            x, y = batch_of(task, i)
            if self.classes:
                y = numpy.eye(task["outputShape"][0], dtype=numpy.float32)[y]
            self.batches.append((tf.constant(channels_last(x)), tf.constant(y)))

    def begin(self):
        self.model = model_of(self.task)
        self.model.compile(
            optimizer=optimizer_of(self.task["optimizer"]),
            loss="categorical_crossentropy" if self.classes else "mse",
            metrics=["accuracy"] if self.classes else [],
        )
        self.next = cycle(self.batches)
        self.last = float("nan")

    def step(self):
        x, y = next(self.next)
        logs = self.model.train_on_batch(x, y)
        self.last = float(logs[0] if isinstance(logs, (list, tuple)) else logs)

    def result(self):
        return self.last


class Line:
    def __init__(self, task):
        self.x = tf.constant(uniform(0, (task["batch"], 1), -1, 1))
        self.y = 0.5 * self.x + 2
        self.rate = task["learningRate"]

    def begin(self):
        w, b = tf.Variable([[0.1]]), tf.Variable([0.0])

        @tf.function
        def step(x, y):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(x @ w + b - y))
            dw, db = tape.gradient(loss, (w, b))
            w.assign_sub(self.rate * dw)
            b.assign_sub(self.rate * db)
            return loss

        self.compute = step
        self.last = float("nan")

    def step(self):
        self.last = float(self.compute(self.x, self.y))

    def result(self):
        return self.last


class MatMul:
    def __init__(self, task):
        n = task["size"]
        self.a, self.b = (tf.constant(uniform(i, (n, n), -1, 1)) for i in (0, 1))

    def begin(self):
        pass

    def step(self):
        self.c = keras.ops.matmul(self.a, self.b)

    def result(self):
        return float(self.c[-1, -1])


class Kernel:
    """Computes something of its inputs again and again."""

    def begin(self):
        pass

    def step(self):
        self.results = self.compute(*self.inputs)

    def result(self):
        return energy(*self.results)


class Convolution(Kernel):
    def __init__(self, task):
        x, kernel, dy = convolution_data(task)
        self.inputs = [tf.constant(a) for a in (channels_last(x), kernel, channels_last(dy))]

        @tf.function
        def compute(x, kernel, dy):
            with tf.GradientTape() as tape:
                tape.watch((x, kernel))
                y = keras.ops.conv(x, kernel, padding="same", data_format="channels_last")
            return (y, *tape.gradient(y, (x, kernel), dy))

        self.compute = compute


class LSTM(Kernel):
    def __init__(self, task):
        self.inputs = [tf.constant(array) for array in lstm_data(task)]
        layer = layers.LSTM(task["units"], return_sequences=True)
        layer.build(self.inputs[0].shape)
        layer.set_weights([draw(spec) for spec in task["weights"]])

        @tf.function
        def compute(x, dh):
            with tf.GradientTape() as tape:
                h = layer(x)
            return tape.gradient(h, [weight.value for weight in layer.trainable_weights], dh)

        self.compute = compute


class Initialise:
    def __init__(self, task):
        self.shape = task["inputs"], task["units"]

    def begin(self):
        pass

    def step(self):
        self.values = keras.initializers.GlorotUniform(seed=1)(self.shape)

    def result(self):
        return None


tf.config.threading.set_intra_op_parallelism_threads(THREADS)
tf.config.threading.set_inter_op_parallelism_threads(1)
serve(
    {"keras": keras.__version__, "tensorflow": tf.__version__},
    {
        "training": Training,
        "line": Line,
        "matmul": MatMul,
        "convolution": Convolution,
        "lstm": LSTM,
        "initialise": Initialise,
    },
)

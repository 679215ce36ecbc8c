/** The text of the error that a call throws, which must be of the given class. */
export function messageOf(type: new (message: string) => Error, call: () => unknown): string {
  const error = thrownBy(call);
  if (error instanceof type && error.name === type.name) return error.message;
  throw new Error(`Expected a ${type.name}; got ${String(error)}`, { cause: error });
}

/** What a call throws. */
export function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error('Expected an error, but nothing was thrown');
}

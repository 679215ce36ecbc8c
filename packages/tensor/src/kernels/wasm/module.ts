/**
 * What the machine is made of: a module with `execute`, which runs a list of commands, and `work`, in which the other threads wait
 * for their share; and modules of kernels, put together as kernels are first asked for. All of them have one memory and one
 * table, in which a kernel's place is its number.
 */
import { ModuleBuilder, call, type FunctionRef, type MemoryType } from './assembler/assembler.js';
import type { Expr } from './assembler/code.js';
import { drop, i32, i64, memory } from './assembler/instructions.js';
import { SharedFunctions, type Kernel } from './kernel.js';

/** A command in memory: the kernel's number, whether it is parallel, and the address of its arguments. */
export const COMMAND_BYTES = 12;

/** What threads say to each other, each word on a cache line of its own. The heap begins after it. */
const CONTROL = {
  /** Counts the parallel commands: workers wait for it to change. */
  call: 64,
  /**
   * Who may do what: team · 2¹⁶ + parts · 2⁸ + the next part that nobody has taken. Parts are taken by compare-and-exchange, so
   * that one word tells whether there is a part left, of how many, and whether it is for this team.
   */
  claim: 128,
  /** The present command. Only those who have taken a part of it may look. */
  kernel: 192,
  args: 196,
  /** The size of the memory, in pages, that it was made for. */
  pages: 200,
  /** How many parts of it are done. */
  done: 256,
  /** How many workers sleep and must be woken. */
  sleepers: 320,
} as const;

/** The address of a word that is 1 after a kernel met data that are an error: it cannot throw. */
export const FAULT = 448;

/** Where a worker that fails writes why, as UTF-8 that ends with 0. */
export const FAILURE = 512;
export const FAILURE_BYTES = 256;

/** No more threads than this. */
export const MAX_THREADS = 64;

/** The first address that is free for data. */
export const HEAP_BASE = 1024;

/** How often a worker looks for work before it goes to sleep: some tens of microseconds. */
const SPINS = 20000;

/** How often the main thread looks for the end of others' parts before it calls `overdue`: some milliseconds. */
const WAIT_SPINS = 1 << 22;

/** More parts than any command has: so many are done when one never will be. */
const LOST = 1 << 20;

/** What JavaScript offers to the module that runs commands. Either may throw. */
export interface Watch {
  /** The main thread has waited for others' parts for long, the `times`-th time since it began. */
  overdue(times: number): void;
  /** The thread that had taken a part has failed. */
  lost(): void;
}

/** What a module's instance offers to JavaScript. */
export interface ModuleExports {
  /** Runs the commands from address `from` to address `to`, with that many threads. */
  execute(from: number, to: number, threads: number): unknown;
  /** Runs one part of the command at this address alone. */
  executePart(command: number, part: number, parts: number): unknown;
  /** A worker's life: takes parts of parallel commands until another team is begun. */
  work(team: number): unknown;
  /** A worker's last word after it has failed in its part. */
  lose(): unknown;
  /** Begins a team, numbered from 1 on: the workers of all others end. */
  beginTeam(team: number): unknown;
}

const KERNEL_SIGNATURE = { params: ['i32', 'i32', 'i32'], result: 'void' } as const;

/** The module that runs commands, in binary form. It has no kernels: they are found in the table. */
export function buildRuntime(memoryType: MemoryType): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder(memoryType, false);
  const dispatch = memoryType.shared ? defineThreads(m) : null;
  m.export(defineExecute(m, dispatch));
  m.export(defineExecutePart(m));
  return m.toBytes();
}

/** Kernels in binary form, with their numbers in the table. */
export interface KernelModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** In the order of the kernels. */
  readonly numbers: readonly number[];
  /** The first place of the table that is still free. */
  readonly endNumber: number;
}

/** A module of these kernels; `firstNumber` is the first free place of the table. */
export function buildKernels(
  kernels: readonly Kernel[],
  memoryType: MemoryType,
  relaxed: boolean,
  firstNumber: number,
): KernelModule {
  const m = new ModuleBuilder(memoryType, relaxed, firstNumber);
  const shared = new SharedFunctions();
  const numbers = kernels.map((k) => m.addToTable(k.define(m, shared)));
  return { bytes: m.toBytes(), numbers, endNumber: m.endNumber };
}

/** execute(from, to, threads) */
function defineExecute(
  m: ModuleBuilder,
  dispatch: FunctionRef<readonly ['i32', 'i32', 'i32'], 'void'> | null,
): FunctionRef {
  return m.function('execute', ['i32', 'i32', 'i32'], 'void', (f, at, to, threads) => {
    f.while(i32.lt_u(at, to), () => {
      const number = i32.load(at);
      const args = i32.load(at, 8);
      const alone = (): void =>
        f.do(m.callIndirect(KERNEL_SIGNATURE, number, args, i32.const(0), i32.const(1)));
      if (dispatch === null) alone();
      else {
        const together = i32.and(i32.load(at, 4), i32.gt_s(threads, i32.const(1)));
        f.if(together, () => f.do(call(dispatch, number, args, threads)), alone);
      }
      f.increment(at, COMMAND_BYTES);
    });
  });
}

/** executePart(command, part, parts) */
function defineExecutePart(m: ModuleBuilder): FunctionRef {
  return m.function('executePart', ['i32', 'i32', 'i32'], 'void', (f, at, part, parts) => {
    f.do(m.callIndirect(KERNEL_SIGNATURE, i32.load(at), i32.load(at, 8), part, parts));
  });
}

/**
 * Adds the workers' side, and gives the main thread's: dispatch(kernel, args, threads). A command has as many parts as there are
 * threads, and whoever is free takes the next: where the machine is busy with something else and a worker does not come, the
 * main thread does its part too, and waits for nothing but parts that are being done. What becomes of parts that never are is
 * for JavaScript to say (see `Watch`).
 */
function defineThreads(m: ModuleBuilder): FunctionRef<readonly ['i32', 'i32', 'i32'], 'void'> {
  const at = (address: number): Expr<'i32'> => i32.const(address);
  const overdue = m.import('overdue', ['i32'], 'void');
  const lost = m.import('lost', [], 'void');
  const team = m.function('team', [], 'i32', (f) =>
    f.return(i32.shr_u(i32.atomic.load(at(CONTROL.claim)), i32.const(16))),
  );
  const publish = m.function('publish', ['i32'], 'void', (f, claim) => {
    f.do(
      i32.atomic.store(at(CONTROL.claim), claim),
      drop(i32.atomic.rmw_add(at(CONTROL.call), i32.const(1))),
    );
    f.if(i32.gt_s(i32.atomic.load(at(CONTROL.sleepers)), i32.const(0)), () => {
      f.do(drop(memory.atomic.notify(at(CONTROL.call), i32.const(-1))));
    });
  });
  const beginTeam = m.function('beginTeam', ['i32'], 'void', (f, number) =>
    f.do(call(publish, i32.shl(number, i32.const(16)))),
  );
  m.export(beginTeam);

  /** Does parts of the present command, if it is for this team, until none is left. */
  const takeParts = m.function('takeParts', ['i32'], 'void', (f, own) => {
    const claim = f.local('i32');
    f.loop((again) => {
      f.set(claim, i32.atomic.load(at(CONTROL.claim)));
      const part = i32.and(claim, i32.const(255));
      const parts = i32.and(i32.shr_u(claim, i32.const(8)), i32.const(255));
      f.if(i32.ne(i32.shr_u(claim, i32.const(16)), own), () => f.return());
      f.if(i32.ge_u(part, parts), () => f.return());
      const taken = i32.atomic.rmw_cmpxchg(at(CONTROL.claim), claim, i32.add(claim, i32.const(1)));
      f.br_if(again, i32.ne(taken, claim));
      // An engine tells other threads of memory that has grown. One that starts at this moment may miss it, and would take new
      // memory for none; growing by nothing lets it look.
      f.if(i32.lt_u(memory.size(), i32.load(at(CONTROL.pages))), () => {
        f.do(drop(memory.grow(i32.const(0))));
      });
      const number = i32.load(at(CONTROL.kernel));
      const args = i32.load(at(CONTROL.args));
      f.do(
        m.callIndirect(KERNEL_SIGNATURE, number, args, part, parts),
        drop(i32.atomic.rmw_add(at(CONTROL.done), i32.const(1))),
      );
      f.br(again);
    });
  });

  const work = m.function('work', ['i32'], 'void', (f, own) => {
    const seen = f.local('i32');
    const spins = f.local('i32');
    const sleeping = (change: number): Expr<'void'> =>
      drop(i32.atomic.rmw_add(at(CONTROL.sleepers), i32.const(change)));
    f.while(i32.eq(call(team), own), () => {
      f.set(seen, i32.atomic.load(at(CONTROL.call)));
      f.do(call(takeParts, own));
      // Look for a while, then sleep until the call changes. Whoever changes it looks at `sleepers` afterwards, so that
      // either it sees this thread there or this thread sees the new call.
      f.set(spins, i32.const(SPINS));
      f.while(i32.eq(i32.atomic.load(at(CONTROL.call)), seen), () => {
        f.increment(spins, -1);
        f.if(i32.eqz(spins), () => {
          f.do(
            sleeping(1),
            drop(memory.atomic.wait32(at(CONTROL.call), seen, i64.const(-1n))),
            sleeping(-1),
          );
          f.set(spins, i32.const(SPINS));
        });
      });
    });
  });
  m.export(work);

  const lose = m.function('lose', [], 'void', (f) =>
    f.do(drop(i32.atomic.rmw_add(at(CONTROL.done), i32.const(LOST)))),
  );
  m.export(lose);

  return m.function('dispatch', ['i32', 'i32', 'i32'], 'void', (f, number, args, threads) => {
    const own = f.local('i32', call(team));
    f.do(
      i32.store(at(CONTROL.kernel), number),
      i32.store(at(CONTROL.args), args),
      i32.store(at(CONTROL.pages), memory.size()),
      i32.atomic.store(at(CONTROL.done), i32.const(0)),
      call(publish, i32.or(i32.shl(own, i32.const(16)), i32.shl(threads, i32.const(8)))),
      call(takeParts, own),
    );
    const spins = f.local('i32');
    const times = f.local('i32');
    const done = f.local('i32');
    f.loop((again) => {
      f.increment(spins, 1);
      f.if(i32.eq(spins, i32.const(WAIT_SPINS)), () => {
        f.set(spins, i32.const(0));
        f.increment(times, 1);
        f.do(call(overdue, times));
      });
      f.set(done, i32.atomic.load(at(CONTROL.done)));
      f.br_if(again, i32.lt_s(done, threads));
    });
    f.if(i32.gt_s(done, threads), () => f.do(call(lost)));
  });
}

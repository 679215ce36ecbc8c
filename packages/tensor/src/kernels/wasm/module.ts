/**
 * What the machine is made of: a module with `execute`, which runs a list of commands, and `work`, in which the other threads wait
 * for their share; and modules of kernels, put together as kernels are first asked for. All of them have one memory and one
 * table, in which a kernel's place is its number.
 */
import { ModuleBuilder, call, type FunctionRef, type MemoryType } from './assembler.js';
import type { Expr } from './code.js';
import { drop, i32, i64, memory } from './instructions.js';
import { SharedFunctions, type Kernel } from './kernel.js';

/** A command in memory: the kernel's number, whether it is parallel, and the address of its arguments. */
export const COMMAND_BYTES = 12;

/** What threads say to each other, each word on a cache line of its own. The heap begins after it. */
const CONTROL = {
  /**
   * The call to work: a count of the parallel commands times 256, plus the number of parts of the present one. Workers wait
   * for it to change. One word tells both, so that a worker without a part never mistakes the next command for this one.
   */
  call: 64,
  /** How many workers have done their part of the present command. */
  done: 128,
  /** How many workers sleep and must be woken. */
  sleepers: 192,
  /** The present command: kernel and arguments. Only those who have a part of it may look. */
  kernel: 256,
  args: 260,
  /** The number of the present team of workers: those of another team are to end. */
  team: 320,
  /** For each part, the team of the worker that waits for its calls. */
  ready: 512,
} as const;

/** The address of a word that is 1 after a kernel met data that are an error: it cannot throw. */
export const FAULT = 448;

/** No more threads than this. */
export const MAX_THREADS = 64;

/** The first address that is free for data. */
export const HEAP_BASE = 1024;

/** How often a worker looks for work before it goes to sleep: some tens of microseconds. */
const SPINS = 20000;

/** What a module's instance offers to JavaScript. */
export interface ModuleExports {
  /** Runs the commands from address `from` to address `to`, with that many threads. */
  execute(from: number, to: number, threads: number): unknown;
  /** Runs one part of the command at this address alone. */
  executePart(command: number, part: number, parts: number): unknown;
  /** A worker's life: does its part (from 1 on) of parallel commands until another team is begun. */
  work(part: number, team: number): unknown;
  /** Begins a team: the workers of all others end. */
  beginTeam(team: number): unknown;
  /** Whether the workers for so many parts, but for the caller's part 0, wait for their calls. */
  ready(parts: number, team: number): number;
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

/** Adds the workers' side, and gives the main thread's: dispatch(kernel, args, parts). */
function defineThreads(m: ModuleBuilder): FunctionRef<readonly ['i32', 'i32', 'i32'], 'void'> {
  const at = (address: number): Expr<'i32'> => i32.const(address);
  const callAll = m.function('callAll', ['i32'], 'void', (f, parts) => {
    const count = i32.and(i32.load(at(CONTROL.call)), i32.const(-256));
    f.do(i32.atomic.store(at(CONTROL.call), i32.or(i32.add(count, i32.const(256)), parts)));
    f.if(i32.gt_s(i32.atomic.load(at(CONTROL.sleepers)), i32.const(0)), () => {
      f.do(drop(memory.atomic.notify(at(CONTROL.call), i32.const(-1))));
    });
  });
  const beginTeam = m.function('beginTeam', ['i32'], 'void', (f, team) => {
    f.do(i32.atomic.store(at(CONTROL.team), team), call(callAll, i32.const(0)));
  });
  m.export(beginTeam);
  const readyAt = (part: Expr<'i32'>): Expr<'i32'> => i32.mul(part, i32.const(4));
  const ready = m.function('ready', ['i32', 'i32'], 'i32', (f, parts, team) => {
    const part = f.local('i32');
    f.for(part, i32.const(1), parts, 1, () => {
      const waiting = i32.atomic.load(readyAt(part), CONTROL.ready);
      f.if(i32.ne(waiting, team), () => f.return(i32.const(0)));
    });
    f.return(i32.const(1));
  });
  m.export(ready);

  const work = m.function('work', ['i32', 'i32'], 'void', (f, part, team) => {
    const add = (address: number, value: number): void =>
      f.do(drop(i32.atomic.rmw_add(at(address), i32.const(value))));
    const seen = f.local('i32', i32.atomic.load(at(CONTROL.call)));
    const leaveOtherTeam = (): void =>
      f.if(i32.ne(i32.atomic.load(at(CONTROL.team)), team), () => f.return());
    leaveOtherTeam();
    f.do(i32.atomic.store(readyAt(part), team, CONTROL.ready));
    const now = f.local('i32');
    const spins = f.local('i32');
    f.loop((again) => {
      // Look for a while, then sleep until the call changes. Whoever changes it looks at `sleepers` afterwards, so that
      // either it sees this thread there or this thread sees the new call.
      f.set(spins, i32.const(SPINS));
      f.loop((look) => {
        f.set(now, i32.atomic.load(at(CONTROL.call)));
        f.if(i32.eq(now, seen), () => {
          f.increment(spins, -1);
          f.if(i32.eqz(spins), () => {
            add(CONTROL.sleepers, 1);
            f.do(drop(memory.atomic.wait32(at(CONTROL.call), seen, i64.const(-1n))));
            add(CONTROL.sleepers, -1);
            f.set(spins, i32.const(SPINS));
          });
          f.br(look);
        });
      });
      f.set(seen, now);
      leaveOtherTeam();
      const parts = i32.and(now, i32.const(255));
      f.if(i32.lt_s(part, parts), () => {
        const number = i32.load(at(CONTROL.kernel));
        const args = i32.load(at(CONTROL.args));
        f.do(m.callIndirect(KERNEL_SIGNATURE, number, args, part, parts));
        add(CONTROL.done, 1);
      });
      f.br(again);
    });
  });
  m.export(work);

  return m.function('dispatch', ['i32', 'i32', 'i32'], 'void', (f, number, args, parts) => {
    f.do(
      i32.store(at(CONTROL.kernel), number),
      i32.store(at(CONTROL.args), args),
      i32.atomic.store(at(CONTROL.done), i32.const(0)),
      call(callAll, parts),
      m.callIndirect(KERNEL_SIGNATURE, number, args, i32.const(0), parts),
    );
    const others = i32.sub(parts, i32.const(1));
    f.loop((again) => {
      f.br_if(again, i32.lt_s(i32.atomic.load(at(CONTROL.done)), others));
    });
  });
}

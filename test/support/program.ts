import { execFile, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runWarm } from './warm-program';

/** The built program; `npm ci` and `npm run build` make it. */
export const MAIN = join(__dirname, '../../dist/src/main.js');

/** Nothing of the environment of the tests but what a program needs to be found. */
export const BARE = { PATH: process.env['PATH'], HOME: process.env['HOME'] };

/** A program that runs until it is told to end. */
export interface Running {
  readonly child: ChildProcess;
  /** Everything it has written so far. */
  output(): string;
  /** Resolves with the output when it matches; rejects after `timeout`, and when the program ends before. */
  waitFor(pattern: RegExp, timeout?: number): Promise<string>;
  /** Sends the signal, to the whole group where there is one, and waits. */
  end(signal: NodeJS.Signals): Promise<Ended>;
  readonly ended: Promise<Ended>;
}

export interface Ended {
  readonly code: number | null;
  /** Milliseconds from the signal. */
  readonly took: number;
}

export function launch(command: string, args: readonly string[], options: SpawnOptions): Running {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let text = '';
  let signalled = 0;
  const checks = new Set<() => void>();
  const onData = (chunk: Buffer): void => {
    text += chunk.toString('utf8');
    for (const check of checks) check();
  };
  child.stdout?.on('data', onData);
  child.stderr?.on('data', onData);
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('close', (code) => {
      const leak = leakIn(text);
      if (leak !== null) reject(leak);
      resolve({ code, took: performance.now() - signalled });
      for (const check of checks) check();
    });
  });
  const waitFor = (pattern: RegExp, timeout = 90_000): Promise<string> =>
    new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        checks.delete(check);
        settle();
      };
      const check = (): void => {
        if (pattern.test(text)) finish(() => resolve(text));
        else if (child.exitCode !== null || child.signalCode !== null)
          finish(() => reject(new Error(`it ended with ${child.exitCode ?? child.signalCode} before ${pattern}:\n${text}`)));
      };
      const timer = setTimeout(() => finish(() => reject(new Error(`no ${pattern} within ${timeout} ms:\n${text}`))), timeout);
      checks.add(check);
      check();
    });
  const end = (signal: NodeJS.Signals): Promise<Ended> => {
    signalled = performance.now();
    if (child.exitCode !== null || child.signalCode !== null) return ended;
    if (options.detached === true && child.pid !== undefined) process.kill(-child.pid, signal);
    else child.kill(signal);
    return ended;
  };
  return { child, output: () => text, waitFor, end, ended };
}

export interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface RunOptions {
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a program to its end; ours in a process that has loaded it before, for what it prints and not how it starts. */
export async function run(command: string, args: readonly string[], { cwd, env = BARE }: RunOptions): Promise<Result> {
  const [main = '', ...rest] = args;
  if (command !== process.execPath || main !== MAIN) return runAlone(command, args, { cwd, env });
  return withoutLeak(await runWarm({ main, args: rest, cwd, env }));
}

/** The same in a process of its own. */
export function runAlone(command: string, args: readonly string[], { cwd, env = BARE }: RunOptions): Promise<Result> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { maxBuffer: 16 << 20, cwd, env }, (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      withoutLeak({ code, out, err }).then(resolve, reject);
    });
  });
}

function withoutLeak(result: Result): Promise<Result> {
  const leak = leakIn(`${result.out}${result.err}`);
  return leak === null ? Promise.resolve(result) : Promise.reject(leak);
}

/** Tests give out secrets as CANARY-…: no program may show one, whatever the test is about. */
/** As it is, and as the base64 of a signing secret. */
const LEAK = /CANARY-|Q0FOQVJZL/;

function leakIn(output: string): Error | null {
  const place = output.search(LEAK);
  return place === -1 ? null : new Error(`a secret that a test gave out is shown: …${output.slice(Math.max(0, place - 200), place + 40)}`);
}

/** The process that the PostgreSQL of a data folder says it is, or null: also while it is still writing that down. */
export function postmasterOf(dataDir: string): number | null {
  const file = join(dataDir, 'pgdata', 'postmaster.pid');
  return existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) || null : null;
}

/** One that has ended and waits for its parent to notice does not run. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    const stat = `/proc/${pid}/stat`;
    return !existsSync(stat) || !/^\d+ \(.*\) Z/.test(readFileSync(stat, 'utf8'));
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM';
  }
}

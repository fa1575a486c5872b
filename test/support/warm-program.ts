import { fork, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Result } from './program';

/** One more of them than the tests of a file use at once only costs memory. */
const SPARE = 2;
const idle: ChildProcess[] = [];

interface Call {
  readonly main: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Runs the built program in a process that has loaded it already. */
export async function runWarm(call: Call): Promise<Result> {
  const child = idle.pop() ?? fork(join(__dirname, 'warm-child.cjs'), [], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  for (const handle of handlesOf(child)) handle?.ref();
  const { done, ...result } = await answerOf(child, call);
  if (!done && idle.length < SPARE) idle.push(child);
  else if (child.connected) child.disconnect();
  // Whether it waits or ends, it holds up nobody.
  for (const handle of handlesOf(child)) handle?.unref();
  return result;
}

interface Handle {
  ref(): void;
  unref(): void;
}

function handlesOf(child: ChildProcess): (Handle | null | undefined)[] {
  return [child, child.channel, child.stdout as Socket | null, child.stderr as Socket | null];
}

/** `done`: it cannot be used again. */
function answerOf(child: ChildProcess, call: Call): Promise<Result & { readonly done: boolean }> {
  return new Promise((resolve) => {
    // What does not go through process.stdout: a logger, and what Node says when the program breaks.
    const beside = { out: '', err: '' };
    const onOut = (chunk: Buffer): void => void (beside.out += chunk.toString('utf8'));
    const onErr = (chunk: Buffer): void => void (beside.err += chunk.toString('utf8'));
    const finish = ({ code, out, err, done }: Result & { readonly done: boolean }): void => {
      child.off('message', finish).off('exit', onExit);
      child.stdout?.off('data', onOut);
      child.stderr?.off('data', onErr);
      resolve({ code, out: beside.out + out, err: beside.err + err, done });
    };
    const onExit = (code: number | null): void => finish({ code: code ?? -1, out: '', err: '', done: true });
    child.stdout?.on('data', onOut);
    child.stderr?.on('data', onErr);
    child.on('message', finish).on('exit', onExit);
    child.send(call);
  });
}

afterAll(() => {
  for (const child of idle.splice(0)) child.disconnect();
});

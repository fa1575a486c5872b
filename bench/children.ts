import { fork, type ChildProcess } from 'node:child_process';
import { openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One of the processes that a measurement consists of. */
export class Child {
  private constructor(private readonly process: ChildProcess) {}

  /** @param script beside this file, without its ending */
  static start(script: string, args: readonly string[], env: Record<string, string> = {}): Child {
    const quiet = openSync('/dev/null', 'w');
    const child = fork(join(__dirname, `${script}.js`), args, {
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', quiet, 'inherit', 'ipc'],
    });
    return new Child(child);
  }

  next<T>(): Promise<T> {
    return new Promise((resolve, reject) => {
      this.process.once('message', (message) => resolve(message as T));
      this.process.once('exit', (code) => reject(new Error(`a child ended with ${code}`)));
    });
  }

  ask<T>(question: string): Promise<T> {
    const answer = this.next<T>();
    this.process.send(question);
    return answer;
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.removeAllListeners('exit').once('exit', () => undefined);
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGTERM');
    await Promise.race([ended, gone]);
  }
}

const TICKS_PER_SECOND = 100;

/** CPU seconds of a postmaster and all its children, the ended ones included. */
export function postgresCpu(postmaster: number): number {
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')
        .map(Number);
      if (Number(pid) === postmaster) ticks += (stat[11] ?? 0) + (stat[12] ?? 0) + (stat[13] ?? 0) + (stat[14] ?? 0);
      else if (stat[1] === postmaster) ticks += (stat[11] ?? 0) + (stat[12] ?? 0);
    } catch {
      // It ended between the listing and the look.
    }
  }
  return ticks / TICKS_PER_SECOND;
}

import { fork, type ChildProcess } from 'node:child_process';
import { openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One of the processes that a measurement consists of. */
export class Child {
  private readonly messages: unknown[] = [];
  private waiting: ((message: unknown) => void) | null = null;

  private constructor(private readonly process: ChildProcess) {
    process.on('message', (message) => {
      if (this.waiting === null) this.messages.push(message);
      else this.waiting(message);
      this.waiting = null;
    });
  }

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
    if (this.messages.length > 0) return Promise.resolve(this.messages.shift() as T);
    if (this.process.exitCode !== null) throw new Error(`a child ended with ${this.process.exitCode}`);
    return new Promise((resolve, reject) => {
      const ended = (code: number | null): void => reject(new Error(`a child ended with ${code}`));
      this.process.once('exit', ended);
      this.waiting = (message) => {
        this.process.off('exit', ended);
        resolve(message as T);
      };
    });
  }

  ask<T>(question: string): Promise<T> {
    const answer = this.next<T>();
    this.process.send(question);
    return answer;
  }

  async end(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGTERM');
    await ended;
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

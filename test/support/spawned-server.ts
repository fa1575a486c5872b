import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A server program in a folder of its own, which ends with the tests whatever becomes of them. */
export class SpawnedServer {
  readonly folder = mkdtempSync(join(tmpdir(), 'observers-server-'));
  private child: ChildProcess | null = null;
  private output = '';

  /** @param ready what it writes when it can be used */
  constructor(
    private readonly program: string,
    private readonly args: (folder: string) => readonly string[],
    private readonly ready: RegExp,
  ) {}

  async start(): Promise<void> {
    this.output = '';
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', this.program, ...this.args(this.folder)], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    await new Promise<void>((resolve, reject) => {
      const read = (chunk: Buffer): void => {
        this.output += chunk.toString();
        if (this.ready.test(this.output)) resolve();
      };
      child.stdout.on('data', read);
      child.stderr.on('data', read);
      child.once('exit', (code) => reject(new Error(`${this.program} ended with ${String(code)}: ${this.output}`)));
    });
  }

  /** Ends it at once, and waits until it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const { child } = this;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  get runs(): boolean {
    return this.child !== null && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** It answers nobody until `resume`. */
  pause(): void {
    this.child?.kill('SIGSTOP');
  }

  resume(): void {
    this.child?.kill('SIGCONT');
  }

  async remove(): Promise<void> {
    this.resume();
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

import type { Pool, PoolClient } from 'pg';

/** Holds one actor's statements, before they are sent and before their answers are taken, until somebody lets them through. */
export class Turnstile {
  private readonly held: (() => void)[] = [];
  private open = false;
  /** Statements that PostgreSQL is working on. */
  private under = 0;
  private quiet: (() => void)[] = [];

  async around<T>(statement: () => Promise<T>): Promise<T> {
    await this.pass();
    this.under++;
    const answer = await statement().finally(() => {
      if (--this.under === 0) for (const told of this.quiet.splice(0)) told();
    });
    await this.pass();
    return answer;
  }

  /** Lets so many through, one after the other, each when PostgreSQL has answered the one before. */
  async step(count: number): Promise<void> {
    for (let i = 0; i < count && this.held.length > 0; i++) {
      this.held.shift()?.();
      await this.settled();
    }
  }

  async settled(): Promise<void> {
    await afterwards();
    while (this.under > 0) await new Promise<void>((resolve) => this.quiet.push(resolve));
    await afterwards();
  }

  /** From now on nothing is held. */
  release(): void {
    this.open = true;
    for (const told of this.held.splice(0)) told();
  }

  private pass(): Promise<void> {
    return this.open ? Promise.resolve() : new Promise((resolve) => this.held.push(resolve));
  }
}

/** What follows from a promise has happened, timers of 0 ms included. */
async function afterwards(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** A pool whose statements go through turnstiles: the ledger's through one, all others through the other. */
export class GatedPool {
  private readonly out = new Set<PoolClient>();

  constructor(
    private readonly pool: Pool,
    private readonly ledger: Turnstile,
    private readonly worker: Turnstile,
  ) {}

  query(...args: Parameters<Pool['query']>): Promise<unknown> {
    return this.through(args[0], () => this.pool.query(...args) as unknown as Promise<unknown>);
  }

  async connect(): Promise<PoolClient> {
    const client = await this.pool.connect();
    this.out.add(client);
    const send = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
    const release = (broken?: boolean): void => {
      if (this.out.delete(client)) client.release(broken);
    };
    return { query: (...args: unknown[]) => this.through(args[0], () => send(...args)), release } as unknown as PoolClient;
  }

  /** Connections end with the process that had them. */
  kill(): void {
    for (const client of this.out) client.release(true);
    this.out.clear();
  }

  private through<T>(query: unknown, send: () => Promise<T>): Promise<T> {
    const { name = '' } = query as { name?: string };
    return (name.startsWith('ledger-') ? this.ledger : this.worker).around(send);
  }
}

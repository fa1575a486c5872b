import type { Client, ClientBase, Pool } from 'pg';

/** Where services that answer people ask PostgreSQL: the API has a few connections for all requests, and a command has one. */
export abstract class Database {
  /** One connection for as long as the work takes, which may be several statements. */
  abstract use<T>(work: (client: ClientBase) => Promise<T>): Promise<T>;
}

/** Every piece of work has a connection of the pool. */
export class PooledDatabase extends Database {
  constructor(readonly pool: Pool) {
    super();
  }

  async use<T>(work: (client: ClientBase) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    try {
      const result = await work(client);
      client.release();
      return result;
    } catch (error) {
      // Whatever it was, in the middle of a transaction: not for the next one.
      client.release(true);
      throw error;
    }
  }
}

/** All work is done on one connection, one piece after the other. */
export class OneConnection extends Database {
  constructor(private readonly client: Client) {
    super();
  }

  use<T>(work: (client: ClientBase) => Promise<T>): Promise<T> {
    return work(this.client);
  }
}

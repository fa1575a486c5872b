import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { startEmbeddedPostgres, type EmbeddedPostgres, type EmbeddedPostgresOptions } from '../../src/database/embedded/embedded-postgres';
import { OperatorError } from '../../src/event/errors';

/** A folder of one test, and the servers that were started in its `data`. */
export class EmbeddedFolder {
  path = '';
  private readonly running: EmbeddedPostgres[] = [];

  make(): void {
    this.path = mkdtempSync(join(tmpdir(), 'observers-embedded-'));
    chmodSync(this.path, 0o755);
  }

  readonly start = async (options: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> => {
    const postgres = await startEmbeddedPostgres({ dataDir: join(this.path, 'data'), settings: { fsync: 'off' }, ...options });
    this.running.push(postgres);
    return postgres;
  };

  async end(): Promise<void> {
    for (const postgres of this.running.splice(0)) await postgres.stop();
    rmSync(this.path, { recursive: true, force: true });
  }
}

export async function ask<T>(url: string, sql: string): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return ((await client.query({ text: sql, rowMode: 'array' })).rows as T[][])[0]?.[0] as T;
  } finally {
    await client.end();
  }
}

export const refusal = async (attempt: Promise<unknown>): Promise<OperatorError> => {
  const error = await attempt.then(
    () => 'it started',
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(OperatorError);
  expect((error as OperatorError).remedy).not.toBe('');
  return error as OperatorError;
};

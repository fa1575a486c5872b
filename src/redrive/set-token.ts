import { createHmac, timingSafeEqual } from 'node:crypto';
import type { ClientBase, Pool } from 'pg';
import { OperatorError } from '../event/errors';

/** What a token allows: nothing that was previewed for one is done by another. */
export type TokenUse = 'retry' | 'remove' | 'replay';

/** A token that stands for nothing here, or for something else. */
export class InvalidToken extends OperatorError {}

/** Length of the signature, in bytes. */
const SIGNATURE = 16;

/**
 * A token carries the set itself, so that a dry run need not write it down anywhere; signed with a key of the database, so that an
 * altered one, or one of another database, is refused.
 */
export async function issueToken(client: ClientBase | Pool, use: TokenUse, content: unknown): Promise<string> {
  const body = `${use}.${Buffer.from(JSON.stringify(content)).toString('base64url')}`;
  return `${body}.${sign(await keyOf(client), body)}`;
}

/** @throws InvalidToken when it was altered, is of another database, or for another use */
export async function readToken<T>(client: ClientBase | Pool, use: TokenUse, token: string): Promise<T> {
  const [, body = '', found = '', content = '', signature = ''] = /^((\w+)\.([\w-]+))\.([\w-]+)$/.exec(token) ?? [];
  const expected = sign(await keyOf(client), body);
  if (signature.length !== expected.length || !timingSafeEqual(Buffer.from(signature), Buffer.from(expected))) {
    throw new InvalidToken('this token is not one that a dry run on this database gave', 'Copy it whole, or make the dry run again.');
  }
  if (found !== use) throw new InvalidToken(`this token is for ${found}, not for ${use}`, `Make the dry run of ${use}.`);
  return JSON.parse(Buffer.from(content, 'base64url').toString('utf8')) as T;
}

/** A short name of a token, for the history. */
export function tokenName(token: string): string {
  return token.slice(-8);
}

function sign(key: Buffer, body: string): string {
  return createHmac('sha256', key).update(body).digest().subarray(0, SIGNATURE).toString('base64url');
}

async function keyOf(client: ClientBase | Pool): Promise<Buffer> {
  const { rows } = await client.query<{ key: Buffer }>('select key from observers.token_key');
  if (rows[0] === undefined) throw new Error('the key of tokens is missing in observers.token_key');
  return rows[0].key;
}

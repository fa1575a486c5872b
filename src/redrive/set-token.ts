import { randomBytes } from 'node:crypto';
import type { ClientBase, Pool } from 'pg';
import { OperatorError } from '../event/errors';

/** What a token allows: nothing that was previewed for one is done by another. */
export type TokenUse = 'retry' | 'remove' | 'replay' | 'checkpoint';

/** All of a set, or items one by one. */
export type NamedItems = { readonly token: string } | { readonly ids: readonly string[] };

/** A token that stands for nothing here, or for something else, or no longer. */
export class InvalidToken extends OperatorError {}

/** Somebody has taken the set back while it was being worked off. */
export class SetTakenBack extends InvalidToken {}

/** Crockford's: no letter is taken for a digit. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
/** 60 bits: nobody guesses one, and a person can type it. */
const LENGTH = 12;
/** Hours after which nothing new is done with it. What was asked for can be taken back as long as it waits. */
export const SET_LIFE_HOURS = 24;

// Those that nobody can use any more go, a while after people have stopped asking for them.
const ISSUE = `
  with old as (
    delete from observers.item_set s where expires_at < clock_timestamp() - interval '30 days'
      and not exists (select from observers.pending_delivery p where p.item_set = s.token)
  )
  insert into observers.item_set (token, use, content, expires_at) values ($1, $2, $3, clock_timestamp() + $4 * interval '1 hour')`;

/** Puts down what a dry run has shown. @returns a short name for exactly that */
export async function issueToken(client: ClientBase | Pool, use: TokenUse, content: unknown): Promise<string> {
  const token = [...randomBytes(LENGTH)].map((byte) => ALPHABET.charAt(byte % ALPHABET.length)).join('');
  await client.query(ISSUE, [token, use, JSON.stringify(content), SET_LIFE_HOURS]);
  return token;
}

interface StoredSet {
  readonly use: TokenUse;
  readonly content: unknown;
  readonly expired: boolean;
  readonly cancelledBy: string | null;
}

const READ = `
  select use, content, expires_at < clock_timestamp() as expired, cancelled_by as "cancelledBy" from observers.item_set where token = $1`;

/** @throws InvalidToken when there is no such set, it is for another use, too old, or was taken back */
export async function readToken<T>(client: ClientBase | Pool, use: TokenUse, token: string): Promise<T> {
  const { rows } = await client.query<StoredSet>(READ, [token]);
  const [found] = rows;
  if (found === undefined)
    throw new InvalidToken('this token is not one that a dry run on this database gave', 'Copy it whole, or make the dry run again.');
  if (found.use !== use) throw new InvalidToken(`this token is for ${found.use}, not for ${use}`, `Make the dry run of ${use}.`);
  if (found.cancelledBy !== null) throw takenBack(InvalidToken, found.cancelledBy);
  if (found.expired)
    throw new InvalidToken(`this token is older than ${SET_LIFE_HOURS} hours: it acts on nothing any more`, 'Make the dry run again.');
  return found.content as T;
}

/** Within a transaction that acts on a set: nobody takes it back until that has ended. @throws SetTakenBack */
export async function requireWanted(client: ClientBase, token: string): Promise<void> {
  const { rows } = await client.query<{ by: string | null }>(
    'select cancelled_by as by from observers.item_set where token = $1 for share',
    [token],
  );
  const by = rows[0]?.by ?? null;
  if (by !== null) throw takenBack(SetTakenBack, by);
}

function takenBack<E>(kind: new (message: string, remedy: string) => E, by: string): E {
  return new kind(`this set was taken back by ${by}`, 'Make the dry run again.');
}

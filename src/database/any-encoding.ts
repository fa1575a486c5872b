import { Client, type ClientConfig } from 'pg';

/** Encodings in which the server keeps whatever UTF-8 it is sent. */
const HOLDS_ALL: readonly unknown[] = ['UTF8', 'SQL_ASCII'];
const NOT_ASCII = /[\u0080-\u{10ffff}]/gu;

/** By encoding, of the characters that were ever sent: whether it has them. Of the process, for it depends on nothing else. */
const REPERTOIRES = new Map<string, Map<string, boolean>>();

type Send = (...query: unknown[]) => unknown;
type Values = readonly unknown[];

/**
 * A connection to a database of any encoding. PostgreSQL converts what we send, and refuses the whole statement when the database's
 * encoding lacks a character: an emoji in a receiver's answer would stop the ledger of a LATIN1 database for good. Such a character goes
 * as the escape \uXXXX that JSON has for it: what is JSON means the same, what is read by people is readable, and a search for what the
 * database cannot hold finds nothing.
 */
export class AnyEncodingClient extends Client {
  /** As the server says it: `18.4`, `15.20 (Debian 15.20-0+deb12u1)`; empty until it is connected to. */
  serverVersion = '';
  private repertoire: Map<string, boolean> | null = null;
  /** Queries that wait until the encoding is known better; those behind them keep their place. */
  private waiting: Promise<unknown> | null = null;

  constructor(config?: string | ClientConfig) {
    super(config);
    const { connection } = this as unknown as { connection: NodeJS.EventEmitter };
    connection.on('parameterStatus', ({ parameterName, parameterValue }: Record<string, string>) => {
      if (parameterName === 'server_version') this.serverVersion = parameterValue ?? '';
      if (parameterName === 'server_encoding' && parameterValue !== undefined) this.repertoire = repertoireOf(parameterValue);
    });
    const send = this.query.bind(this) as Send;
    this.query = ((...query: unknown[]) =>
      this.repertoire === null ? send(...query) : this.translate(this.repertoire, send, query)) as typeof this.query;
  }

  private translate(repertoire: Map<string, boolean>, send: Send, query: unknown[]): unknown {
    const values = valuesOf(query);
    const unknown = [...new Set(values === null ? [] : textsOf(values).flatMap((text) => text.match(NOT_ASCII) ?? []))];
    const news = unknown.filter((character) => !repertoire.has(character));
    const go = (): unknown => send(...(unknown.length === 0 ? query : withValues(query, (value) => storable(value, repertoire))));
    if (news.length === 0 && this.waiting === null) return go();
    const before = this.waiting ?? Promise.resolve();
    const known = before.then(() => (news.length === 0 ? undefined : learn(send, news, repertoire)));
    this.waiting = known;
    const sent = known.then(() => {
      if (this.waiting === known) this.waiting = null;
      return go();
    });
    return query.some((part) => typeof part === 'function') ? undefined : sent;
  }
}

function repertoireOf(encoding: string): Map<string, boolean> | null {
  if (HOLDS_ALL.includes(encoding)) return null;
  const known = REPERTOIRES.get(encoding) ?? new Map<string, boolean>();
  REPERTOIRES.set(encoding, known);
  return known;
}

/** Asks the server, which is the only one who knows: its tables are not those of Node. In a block, for a refusal would end the transaction. */
async function learn(send: Send, characters: readonly string[], repertoire: Map<string, boolean>): Promise<void> {
  const list = characters.map((character) => Buffer.from(character).toString('hex'));
  const text = `
    do $ask$
    declare one text; missing text := '';
    begin
      foreach one in array '{${list.join(',')}}'::text[] loop
        begin
          perform pg_catalog.convert_from(pg_catalog.decode(one, 'hex'), 'UTF8');
        exception when untranslatable_character or character_not_in_repertoire then missing := missing || one || ' ';
        end;
      end loop;
      perform pg_catalog.set_config('observers.missing_characters', missing, true);
    end $ask$;
    select pg_catalog.current_setting('observers.missing_characters') as missing`;
  try {
    const results = (await send(text)) as readonly { rows: readonly { missing: string }[] }[];
    const missing = results.at(-1)?.rows[0]?.missing.split(' ') ?? [];
    characters.forEach((character, i) => repertoire.set(character, !missing.includes(list[i] ?? '')));
  } catch {
    // In a transaction that has failed nothing can be asked, and the query that waits for the answer fails as well.
  }
}

function valuesOf([first, second]: readonly unknown[]): Values | null {
  const own = typeof first === 'object' && first !== null && 'values' in first ? first.values : second;
  return Array.isArray(own) ? (own as Values) : null;
}

function withValues([first, ...rest]: readonly unknown[], translate: (value: unknown) => unknown): unknown[] {
  if (typeof first === 'object' && first !== null && 'values' in first && Array.isArray(first.values)) {
    return [{ ...first, values: first.values.map(translate) }, ...rest];
  }
  return [first, ...rest.map((part) => (Array.isArray(part) ? part.map(translate) : part))];
}

/** All texts in there, as the driver will write them. */
function textsOf(values: Values): string[] {
  return values.flatMap((value) => {
    if (typeof value === 'string') return [value];
    if (Array.isArray(value)) return textsOf(value);
    return isPlain(value) ? [JSON.stringify(value)] : [];
  });
}

function storable(value: unknown, repertoire: Map<string, boolean>): unknown {
  if (Array.isArray(value)) return value.map((one) => storable(one, repertoire));
  if (isPlain(value)) return storable(JSON.stringify(value), repertoire);
  if (typeof value !== 'string') return value;
  return value.replace(NOT_ASCII, (character) => (repertoire.get(character) === false ? escaped(character) : character));
}

/** What the driver writes as JSON. */
function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype && !('toPostgres' in value);
}

function escaped(character: string): string {
  return character.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

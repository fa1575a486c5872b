import { escapeLiteral, Query, type ClientBase, type Connection, type QueryConfig } from 'pg';
import { AnyEncodingClient } from './any-encoding';

/** Settings that every statement of ours runs with. */
export type SessionSettings = Readonly<Record<string, string>>;

/**
 * `search_path`: PostgreSQL looks a function or an operator up in every schema of the path, and takes the one whose arguments fit best, not
 * the first. So `public.to_json(text[])`, which any role with CREATE on public can make, is called instead of pg_catalog.to_json(anyelement).
 * UTC and ISO dates: their text is read. JIT is off because our statements take microseconds and compiling one takes a tenth of a second.
 */
const SETTINGS: SessionSettings = { search_path: 'pg_catalog, pg_temp', TimeZone: 'UTC', DateStyle: 'ISO', jit: 'off' };

/**
 * What a role, a database or the server may have set otherwise, and our statements depend on. What is missing here is left as it is:
 * `default_transaction_read_only` is somebody's decision, and told.
 */
const USUAL: SessionSettings = {
  // How values are written as text, which we read: with extra_float_digits = -15 change 12345 is change 10000.
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  extra_float_digits: '1',
  quote_all_identifiers: 'off',
  // How our text is read.
  standard_conforming_strings: 'on',
  array_nulls: 'on',
  transform_null_equals: 'off',
  // Each statement sees what is committed when it begins: the cursor and the ledger are written for it.
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
  // Limits that are meant for people and requests. An index that is built takes as long as it takes, and a session that listens is idle.
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  client_min_messages: 'warning',
};

/** @param version of the server, as it says when it is connected to; empty: not known */
function usualSettings(version: string): SessionSettings {
  return Number.parseInt(version, 10) >= 17 ? { ...USUAL, transaction_timeout: '0' } : USUAL;
}

/** Whose search path holds for a statement: ours, or the one that the role's own settings say, for what users wrote. */
type Whose = 'ours' | 'callers';
type PathQuery = QueryConfig & { readonly searchPath?: Whose };

/** For a transaction in which functions of users are called: from this statement on names are looked up so. */
export function alongPath(searchPath: Whose, query: QueryConfig & { readonly query_timeout?: number }): QueryConfig {
  return { ...query, searchPath } as PathQuery;
}

const CALLERS = 'set local search_path to default';
const OURS = `set local search_path = ${SETTINGS['search_path']}`;

/** At the beginning of a transaction in which functions of users are called: an earlier one may have left the session with another path. */
export const PIN_TRANSACTION = OURS;

/**
 * A connection whose statements find only PostgreSQL's own functions and operators.
 *
 * With a session of its own the settings hold as long as the connection. A pooler may give each transaction another session: there
 * settings would be lost, and would appear in sessions of others. So behind a pooler each statement carries them along, for its own
 * transaction, in the same batch: no other round trip, and nothing of it stays. Names of prepared statements belong to sessions too, and
 * are left away.
 */
export class PinnedClient extends AnyEncodingClient {
  /** Whether the server sees another session than the one that answered us at the start. */
  behindPooler = false;
  /** Process number of the session as the server saw it at the start. A pooler tells the driver a number of its own making. */
  serverPid: number | null = null;
  private carried = '';

  /** Once, when it is connected. @param more settings besides those of every session */
  async pin(more: SessionSettings = {}): Promise<void> {
    const own = String((this as unknown as { processID: number | null }).processID ?? 0);
    const settings = { ...SETTINGS, ...usualSettings(this.serverVersion), ...more };
    // One statement, and safe on any path: qualified, and an operator of two integers.
    const text = setting(settings, `pg_catalog.pg_backend_pid() operator(pg_catalog.<>) ${own}`, ', pg_catalog.pg_backend_pid() as pid');
    const { rows } = await super.query<{ pid: number }>(text);
    this.serverPid = rows[0]?.pid ?? null;
    this.behindPooler = String(this.serverPid) !== own;
    this.carried = setting(settings, 'true');
  }

  /** For one more setting of this connection alone. */
  async set(settings: SessionSettings): Promise<void> {
    if (this.behindPooler) this.carried += `, ${calls(settings, 'true')}`;
    else await super.query(setting(settings, 'false'));
  }

  // The driver's own has nine signatures; this is what they have in common.
  override query(...given: unknown[]): never {
    const [config, values, callback] = given;
    const before = this.before(config as string | PathQuery);
    if (before === null) return super.query<never>(...(given as [never]));
    const query = typeof config === 'string' ? { text: config } : (config as QueryConfig);
    const ownValues = Array.isArray(values) ? { values } : {};
    const done = [values, callback].find((one) => typeof one === 'function');
    // A name belongs to the session, which is another one the next time.
    const anonymous = this.behindPooler ? { name: '' } : {};
    const prefixed = (finish: Callback): unknown =>
      super.query(new PrefixedQuery(before, { ...query, ...ownValues, ...anonymous }, finish) as never);
    if (done !== undefined) return prefixed(done as Callback) as never;
    return new Promise((resolve, reject) => {
      prefixed((error, result) => (error ? reject(error) : resolve(result)));
    }) as never;
  }

  /** What is to be run before it, in the same batch. */
  private before(config: string | PathQuery): string | null {
    const path = typeof config === 'string' ? undefined : config.searchPath;
    if (path === 'callers') return CALLERS;
    if (path === 'ours') return OURS;
    return this.behindPooler ? this.carried : null;
  }
}

/** Whether the server sees another session than the one that answered us: then none is ours for longer than a transaction. */
export function isBehindPooler(client: ClientBase): boolean {
  return client instanceof PinnedClient && client.behindPooler;
}

/** The server's number of the session that was there at the start. */
export function serverPidOf(client: ClientBase): number | null {
  return client instanceof PinnedClient ? client.serverPid : null;
}

/** Another setting for as long as this connection lasts. */
export async function setForSession(client: ClientBase, settings: SessionSettings): Promise<void> {
  await (client as unknown as PinnedClient).set(settings);
}

type Callback = (error: Error | null | undefined, result: unknown) => void;

function setting(settings: SessionSettings, local: string, more = ''): string {
  return `select ${calls(settings, local)}${more}`;
}

/** @param local SQL: whether for the transaction only */
function calls(settings: SessionSettings, local: string): string {
  return Object.entries(settings)
    .map(([name, value]) => `pg_catalog.set_config(${escapeLiteral(name)}, ${escapeLiteral(value)}, ${local})`)
    .join(', ');
}

/** The driver's own query, as far as it is met here. */
interface DriverQuery {
  requiresPreparation(): boolean;
  prepare(connection: Connection): void;
  handleRowDescription(message: unknown): void;
  handleDataRow(message: unknown): void;
  handleCommandComplete(message: unknown, connection: Connection): void;
}
const BaseQuery = Query as unknown as new (config: QueryConfig, callback: Callback) => DriverQuery;

/** Ends a transaction, after an error too; or is of a kind that may stand in no batch. Neither looks a function up. */
const ALONE =
  /^\s*(commit|rollback|end|abort|savepoint|release|listen|unlisten|notify|vacuum|reindex|(create|drop)\s+(unique\s+)?index\s+concurrently)\b/i;
/** May follow no query in its transaction, and sets how the transaction sees the database. */
const BEGINS = /^\s*(begin|start\s+transaction)\b[^;]*/i;

/** A query with another statement before it, in one batch and so in one transaction; of that one's result nothing is told. */
class PrefixedQuery extends BaseQuery {
  private readonly extended: boolean;
  /** Results that have come. */
  private results = 0;
  /** Which of them nobody asked for; null: none. */
  private readonly silent: number | null;

  constructor(
    private readonly prefix: string,
    { text, query_timeout, ...config }: QueryConfig & { readonly query_timeout?: number },
    callback: Callback,
  ) {
    const extended = (config.values?.length ?? 0) > 0;
    const begin = BEGINS.exec(text)?.[0];
    const rest = begin === undefined ? text : text.slice(begin.length);
    const lonely = !extended && (ALONE.test(text) || rest.trim() === '');
    super(
      { ...config, text: extended || lonely ? text : begin === undefined ? `${prefix}; ${text}` : `${begin}; ${prefix}${rest}` },
      callback,
    );
    this.extended = extended;
    this.silent = lonely ? null : begin === undefined ? 0 : 1;
    // The driver asks the query for it.
    Object.assign(this, { query_timeout });
  }

  override requiresPreparation(): boolean {
    return this.extended;
  }

  override prepare(connection: Connection): void {
    const { parse, bind, execute } = connection as unknown as Record<'parse' | 'bind' | 'execute', (message: object) => void>;
    parse.call(connection, { text: this.prefix });
    bind.call(connection, {});
    execute.call(connection, {});
    super.prepare(connection);
  }

  override handleRowDescription(message: unknown): void {
    if (this.results !== this.silent) super.handleRowDescription(message);
  }

  override handleDataRow(message: unknown): void {
    if (this.results !== this.silent) super.handleDataRow(message);
  }

  override handleCommandComplete(message: unknown, connection: Connection): void {
    if (this.results++ !== this.silent) super.handleCommandComplete(message, connection);
  }
}

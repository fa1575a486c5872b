import type { Received } from '../support/receiver';

export interface Change {
  readonly id: number;
  readonly version: number;
  readonly kind: string;
}

export interface Verdict {
  readonly committed: number;
  readonly arrived: number;
  /** Committed and never arrived. */
  readonly lost: readonly string[];
  /** Arrived and never committed. */
  readonly phantoms: readonly string[];
  /** Arrived for the first time after a later change of the same account. */
  readonly outOfOrder: readonly string[];
  /** Arrivals beyond the first of a webhook-id. */
  readonly repeats: number;
  /** One change under two ids. */
  readonly idsThatDiffer: readonly string[];
}

interface Body {
  readonly type: string;
  readonly sequence: number;
  readonly data: { readonly id: number; readonly version: number };
  readonly collapsed?: number;
}

/** What was committed against what arrived. A delete carries the version before it, so its own is the next. */
export function compare(truth: readonly Change[], requests: readonly Received[]): Verdict {
  const committed = new Set(truth.map(keyOf));
  const firstIds = new Map<string, string>();
  const lastVersion = new Map<number, number>();
  const phantoms: string[] = [];
  const outOfOrder: string[] = [];
  const idsThatDiffer: string[] = [];
  let repeats = 0;
  for (const { headers, body } of requests) {
    const { type, data } = JSON.parse(body) as Body;
    const kind = type === 'account.created' ? 'insert' : type === 'account.deleted' ? 'delete' : 'update';
    const change = { id: data.id, version: kind === 'delete' ? data.version + 1 : data.version, kind };
    const key = keyOf(change);
    const known = firstIds.get(key);
    if (known !== undefined) {
      repeats++;
      if (known !== headers['webhook-id']) idsThatDiffer.push(key);
      continue;
    }
    firstIds.set(key, headers['webhook-id'] ?? '');
    if (!committed.has(key)) phantoms.push(key);
    if ((lastVersion.get(change.id) ?? 0) > change.version) outOfOrder.push(key);
    lastVersion.set(change.id, Math.max(lastVersion.get(change.id) ?? 0, change.version));
  }
  const lost = [...committed].filter((key) => !firstIds.has(key));
  return { committed: committed.size, arrived: firstIds.size, lost, phantoms, outOfOrder, repeats, idsThatDiffer };
}

interface Collapsed {
  readonly version: number;
  readonly stands: number;
}

/** By account: what each request stood for. Each begins where the one before it ended, and the last one ends with the last change. @returns what is wrong */
export function compareCollapsed(truth: readonly Change[], requests: readonly Received[]): string[] {
  const last = new Map<number, number>();
  for (const { id, version } of truth) last.set(id, Math.max(last.get(id) ?? 0, version));
  const sent = collapsedOf(requests);
  return [...last].flatMap(([id, end]) => {
    const its = (sent.get(id) ?? []).sort((one, other) => one.version - other.version);
    const ends = [0, ...its.map(({ version }) => version)];
    const wrong = its.filter(({ version, stands }, i) => version - stands !== ends[i]).map(({ version, stands }) => `${id}: v${version} stands for ${stands}`); // prettier-ignore
    return ends.at(-1) === end ? wrong : [...wrong, `${id}: v${end} is missing`];
  });
}

/** How many changes have arrived in this way. */
export function countCollapsed(requests: readonly Received[]): number {
  return [...collapsedOf(requests).values()].flat().reduce((sum, { stands }) => sum + stands, 0);
}

function collapsedOf(requests: readonly Received[]): Map<number, Collapsed[]> {
  const first = new Map(requests.toReversed().map((request) => [request.headers['webhook-id'], request]));
  const byAccount = new Map<number, Collapsed[]>();
  for (const { body } of first.values()) {
    const { type, data, collapsed = 0 } = JSON.parse(body) as Body;
    const version = type === 'account.deleted' ? data.version + 1 : data.version;
    byAccount.set(data.id, [...(byAccount.get(data.id) ?? []), { version, stands: collapsed }]);
  }
  return byAccount;
}

function keyOf({ id, version, kind }: Change): string {
  return `${id} v${version} ${kind}`;
}

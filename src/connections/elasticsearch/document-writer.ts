import { parseSpelledJson, stringifyExactJson } from '../../event/json-document';
import { failed, STOPPING, type Failed, type Outcome } from '../../event/outcome';
import { failureOfDocument, NEWER, outcomeOfWrite, type StoredDocument, type WriteAnswer } from './outcomes';
import type { Cluster } from './cluster';
import { documentKey, type DocumentChange } from './document-change';
import { isObject, merge } from './merge';

/** Requests under way at once; what comes meanwhile gathers for the next one. */
const REQUESTS = 4;
/** Bounds of one request; a document that is larger goes alone. */
const MOST_DOCUMENTS = 1_000;
const MOST_CHARACTERS = 4 * 1024 * 1024;
/** What is said of a request as a whole, of which one document may be the cause. */
const REFUSALS: ReadonlySet<number | null> = new Set([400, 413]);

interface Item {
  readonly change: DocumentChange;
  readonly key: string;
  /** By `performance.now()`. */
  readonly until: number;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Writes documents, as many in one request as have come while others were under way, so that nothing waits without need. One document is
 * in one request at a time, and its changes are written in the order in which they came: an update reads it first.
 */
export class DocumentWriter {
  private waiting: Item[] = [];
  private readonly underWay = new Set<string>();
  private requests = 0;
  private closed = false;

  constructor(private readonly cluster: Cluster) {}

  /** @param timeout milliseconds, for waiting and the requests */
  write(change: DocumentChange, timeout: number): Promise<Outcome> {
    if (this.closed) return Promise.resolve(STOPPING);
    let timer: NodeJS.Timeout | undefined;
    const outcome = new Promise<Outcome>((resolve, reject) => {
      const item: Item = { change, key: documentKey(change), until: performance.now() + timeout, resolve, reject };
      timer = setTimeout(() => {
        this.waiting = this.waiting.filter((other) => other !== item);
        resolve(failed('timeout', `Elasticsearch did not take the document within ${timeout} ms`));
      }, timeout);
      this.waiting.push(item);
      this.flush();
    });
    return outcome.finally(() => clearTimeout(timer));
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const { resolve } of this.waiting.splice(0)) resolve(STOPPING);
    await this.cluster.close();
  }

  private flush(): void {
    while (this.requests < REQUESTS) {
      const items = this.take();
      if (items.length === 0) return;
      this.requests++;
      this.send(items)
        .catch((error: unknown) => items.forEach(({ reject }) => reject(error)))
        .finally(() => {
          for (const { key } of items) this.underWay.delete(key);
          this.requests--;
          this.flush();
        });
    }
  }

  /** As many as fit into one request, of documents none of which is under way. */
  private take(): Item[] {
    const items: Item[] = [];
    const left: Item[] = [];
    // What comes behind one that stays, and is of the same document, stays behind it.
    const staying = new Set<string>();
    let characters = 0;
    for (const item of this.waiting) {
      const size = item.change.document.length;
      const fits = items.length === 0 || (items.length < MOST_DOCUMENTS && characters + size <= MOST_CHARACTERS);
      if (!fits || this.underWay.has(item.key) || staying.has(item.key)) {
        left.push(item);
        staying.add(item.key);
        continue;
      }
      this.underWay.add(item.key);
      items.push(item);
      characters += size;
    }
    this.waiting = left;
    return items;
  }

  private async send(items: readonly Item[]): Promise<void> {
    const outcomes = await this.outcomesOf(items);
    if (Array.isArray(outcomes)) return items.forEach(({ resolve }, i) => resolve(outcomes[i] as Outcome));
    const failure = outcomes as Failed;
    if (items.length === 1 || failure.error !== 'http_status' || !REFUSALS.has(failure.status))
      return items.forEach(({ resolve }) => resolve(failure));
    // The culprit is found, and the others arrive.
    for (const item of items) if (item.until > performance.now()) await this.send([item]);
  }

  /** @returns one outcome for each, in their order; or what the request as a whole failed with */
  private async outcomesOf(items: readonly Item[]): Promise<readonly Outcome[] | Failed> {
    const until = Math.max(...items.map((item) => item.until));
    const remaining = (): number => Math.max(1, Math.ceil(until - performance.now()));
    const steps = await this.merged(items.map(({ change }) => change), remaining()); // prettier-ignore
    if ('ok' in steps) return steps;
    const writes = steps.filter((step): step is DocumentChange => !('ok' in step));
    const answer = writes.length === 0 ? { items: [] } : await this.cluster.write(writes, remaining());
    if ('failure' in answer) return answer.failure;
    const outcomes = new Map(writes.map((change, i) => [change, outcomeOfWrite(answer.items[i] as WriteAnswer, change)]));
    return steps.map((step) => ('ok' in step ? step : (outcomes.get(step) as Outcome)));
  }

  /** Updates become the whole documents that are to be written, or their outcome when nothing is. */
  private async merged(changes: readonly DocumentChange[], timeout: number): Promise<readonly (DocumentChange | Outcome)[] | Failed> {
    const updates = changes.filter(({ operation }) => operation === 'update');
    if (updates.length === 0) return changes;
    const answer = await this.cluster.read(updates, timeout);
    if ('failure' in answer) return answer.failure;
    const stored = new Map(updates.map((change, i) => [change, answer.items[i] as StoredDocument]));
    return changes.map((change) => {
      const found = stored.get(change);
      return found === undefined ? change : update(found, change);
    });
  }
}

function update(
  { found = false, _version: version = 0, _source: source, error }: StoredDocument,
  change: DocumentChange,
): DocumentChange | Outcome {
  // An index that is not there: whether it is made is decided when the document is written.
  if (error !== undefined && error.type !== 'index_not_found_exception')
    return failureOfDocument(error.type === 'security_exception' ? 403 : 503, error);
  if (!found) return change;
  if (version > change.version) return NEWER;
  if (!isObject(source)) return failed('configuration', `the index ${change.index} keeps no _source, which an update is merged into`);
  const changed = parseSpelledJson(change.document);
  if (!isObject(changed)) return failed('template', 'the document is not a JSON object');
  return { ...change, document: stringifyExactJson(merge(source, changed)) };
}

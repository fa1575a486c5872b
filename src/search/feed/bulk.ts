import type { Cluster } from '../../connections/elasticsearch/cluster';
import { failureOfDocument, type WriteAnswer } from '../../connections/elasticsearch/outcomes';
import type { Failed } from '../../event/outcome';
import { IndexUnavailable, unavailable } from '../elasticsearch/index-server';
import type { OutgoingDocument } from './document';
import type { Rejected } from './feed.sql';

/** Milliseconds for one request. */
const TIMEOUT = 30_000;
/** What is said of a document for what it is, and would be said again. */
const FOR_GOOD: ReadonlySet<number | null> = new Set([400, 413]);

/**
 * Writes documents by one request, and looks at the answer to each.
 *
 * @returns those that are refused for good
 * @throws IndexUnavailable when one of them is to be tried again; those that were written may be written again
 */
export async function tell(cluster: Cluster, documents: readonly OutgoingDocument[]): Promise<Rejected[]> {
  const lines = documents.flatMap((document) => document.lines);
  const querystring = 'filter_path=items.*.status,items.*.error';
  const answer = await cluster.ask({ method: 'POST', path: '/_bulk', querystring, lines }, TIMEOUT);
  if ('failure' in answer) return refused(cluster, documents, answer.failure);
  const items = ((answer.body as { items?: Record<string, WriteAnswer>[] }).items ?? []).flatMap((item) => Object.values(item));
  if (items.length !== documents.length) throw new Error(`Elasticsearch answered ${items.length} of ${documents.length} writes`);
  return documents.flatMap(({ change, index }, i): Rejected | [] => {
    const { status, error } = items[i] as WriteAnswer;
    // 409: what is there was read later than this.
    if (error === undefined || status === 409) return [];
    const failure = failureOfDocument(status, error);
    if (FOR_GOOD.has(status)) return rejectedOf(change, failure);
    if (status === 404)
      throw new IndexUnavailable(`the search index: "${index}" is gone`, 'It is made anew. Run: fraiseql-observers search reindex');
    throw unavailable(failure);
  });
}

/** Of a request as a whole: one document may be the cause, which is then found. */
async function refused(cluster: Cluster, documents: readonly OutgoingDocument[], failure: Failed): Promise<Rejected[]> {
  const [only] = documents;
  if (failure.error !== 'http_status' || !FOR_GOOD.has(failure.status ?? null) || only === undefined) throw unavailable(failure);
  if (documents.length === 1) return [rejectedOf(only.change, failure)];
  const middle = Math.ceil(documents.length / 2);
  return [...(await tell(cluster, documents.slice(0, middle))), ...(await tell(cluster, documents.slice(middle)))];
}

function rejectedOf(change: number, { status, message, excerpt }: Failed): Rejected {
  return { change, status: status ?? 0, reason: excerpt == null || excerpt === '' ? message : excerpt };
}

import type { JsonValue } from '../../event/json-document';
import { failed, type Failed, type Outcome } from '../../event/outcome';
import type { DocumentChange } from './document-change';

/** What the bulk API says about one document. */
export interface WriteAnswer {
  readonly status: number;
  readonly error?: ErrorAnswer;
}

export interface ErrorAnswer {
  readonly type: string;
  readonly reason?: string | null;
  readonly caused_by?: ErrorAnswer;
}

/** What is stored of one document. */
export interface StoredDocument {
  readonly found?: boolean;
  readonly _version?: number;
  /** Numbers are exact. */
  readonly _source?: JsonValue;
  readonly error?: ErrorAnswer;
}

/** As of a webhook's answer. */
export const EXCERPT = 1024;

export const NEWER: Outcome = { ok: true, status: 409, skipped: 'a newer version is there' };

export function outcomeOfWrite({ status, error }: WriteAnswer, { operation }: DocumentChange): Outcome {
  if (status === 409) return NEWER;
  // Neither the document nor the index: it is as it should be.
  if (operation === 'delete' && status === 404) return { ok: true, status };
  return error === undefined ? { ok: true, status } : failureOfDocument(status, error);
}

/** The reason may quote the document, and is kept as a receiver's answer is; the message is the operator's. */
export function failureOfDocument(status: number, error: ErrorAnswer): Failed {
  const message = `Elasticsearch refused the document (${status}, ${error.type})`;
  return failed('http_status', message, { status, excerpt: reasonsOf(error).slice(0, EXCERPT) });
}

export function reasonsOf(error: ErrorAnswer): string {
  const reasons: string[] = [];
  for (let cause: ErrorAnswer | undefined = error; cause !== undefined; cause = cause.caused_by)
    reasons.push(`${cause.type}: ${cause.reason ?? ''}`);
  return reasons.join('; ');
}

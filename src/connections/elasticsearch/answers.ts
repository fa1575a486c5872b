import type { JsonValue } from '../../event/json-document';

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

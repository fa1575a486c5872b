/** What is to become of one document. */
export interface DocumentChange {
  readonly index: string;
  readonly id: string;
  readonly routing: string | null;
  /** `update` merges into what is there, and writes the whole when nothing is. */
  readonly operation: 'index' | 'update' | 'delete';
  /** The change number: Elasticsearch refuses what is older than what it has. */
  readonly version: number;
  /** JSON without line breaks, for the bulk API's lines; empty for `delete`. */
  readonly document: string;
}

/** One name for one document, for as long as it is under way. */
export function documentKey({ index, id, routing }: DocumentChange): string {
  return JSON.stringify([index, routing, id]);
}

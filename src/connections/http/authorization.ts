import type { Failed, Outcome } from '../../event/outcome';
import type { HttpRequest } from './http-exchange';

/** A request as its receiver lets it in. */
export interface Authorized {
  readonly request: HttpRequest;
  /** What became of it, as far as the authorization knows more of the answer than its status says. */
  judged(outcome: Outcome): Outcome;
}

/** What an endpoint's `auth` adds to each request, just before it is sent. */
export interface Authorization {
  /** @param timeout milliseconds after which nobody waits any more @returns why it cannot be sent, where it cannot */
  authorize(request: HttpRequest, timeout: number): Promise<Authorized | Failed>;
  close(): void;
}

/** A finding about a server that the service works with. The doctor's own type stands on a higher level and has the same fields. */
export interface ServerFinding {
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'problem' | 'unknown';
  readonly message: string;
  readonly repair: string | null;
}

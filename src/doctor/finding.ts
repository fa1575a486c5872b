/** What a check has found. */
export interface Finding {
  readonly check: string;
  /** `problem`: something does not work, or will not. `warning`: it works, and worse than it could. `unknown`: it could not be looked at. */
  readonly state: 'ok' | 'warning' | 'problem' | 'unknown';
  /** One sentence. */
  readonly message: string;
  /** A command, a statement or a setting; null when there is nothing to repair. */
  readonly repair: string | null;
}

export function ok(check: string, message: string): Finding {
  return { check, state: 'ok', message, repair: null };
}

export function warning(check: string, message: string, repair: string): Finding {
  return { check, state: 'warning', message, repair };
}

export function problem(check: string, message: string, repair: string): Finding {
  return { check, state: 'problem', message, repair };
}

export function unknown(check: string, message: string): Finding {
  return { check, state: 'unknown', message, repair: null };
}

import { ERROR_KINDS } from '../resilience/error-kinds';

const HEAD = `# Why an attempt failed

Each failed attempt has one of these words: in attempts and dead letters, in the log, in metrics, and for \`dlq list --error\`. What is tried again is tried as
the observer's \`retry\` says ([policies.md](policies.md)); everything else becomes a dead letter at once. Only the receiver's own faults open its circuit breaker.

`;

const TRIED = (retry: boolean | 'by status'): string =>
  retry === 'by status' ? '408, 425, 429 and 5xx are tried again.' : retry ? 'Tried again.' : 'Not tried again.';

/** docs/errors.md. */
export function errorsPage(): string {
  const lines = Object.entries(ERROR_KINDS).map(([kind, { retry, fault, means }]) => {
    const opens =
      fault === 'receiver' ? ' Opens the circuit breaker.' : fault === 'by status' ? ' 408 and 5xx open the circuit breaker.' : '';
    return `- \`${kind}\`: ${means}. ${TRIED(retry)}${opens}`;
  });
  return `${HEAD}${lines.join('\n')}\n`;
}

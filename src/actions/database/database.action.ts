import { parseName, quoteName } from '../../database/names';
import { isRetryable } from '../../database/postgres';
import { causeOf } from '../../event/cause';
import { passedOn, type Delivery } from '../../event/delivery';
import type { DatabaseActionDefinition } from '../../event/definitions';
import { envelopeText } from '../../event/envelope';
import { messageOf } from '../../event/errors';
import { failed, STOPPING, type Outcome } from '../../event/outcome';
import { ONCE_CONNECTIONS, type OnceCalls } from './once';
import type { ActionHandler, PreparedAction } from '../action-handler';
import type { Rendering } from '../rendering';

/** Calls a SQL function with the envelope. Its effects and the record of the delivery are one commit: exactly once. */
export function databaseAction(once: OnceCalls): ActionHandler<DatabaseActionDefinition> {
  return { type: 'database', prepare: (definition) => new PreparedCall(definition, once) };
}

class PreparedCall implements PreparedAction {
  // Its failures are the function's or our own database's: neither gets better by leaving it alone.
  readonly limits = { concurrency: ONCE_CONNECTIONS, rateLimit: null, circuitBreaker: null };
  readonly timeout: number;
  private readonly text: string;

  constructor(
    private readonly definition: DatabaseActionDefinition,
    private readonly once: OnceCalls,
  ) {
    this.timeout = definition.timeout;
    // The type of the argument is the function's: json, jsonb or text.
    this.text = `select ${functionName(definition.function)}($1)`;
  }

  async run(delivery: Delivery, id: string): Promise<Outcome> {
    const { event, observer, action, attempt, configVersion } = delivery;
    const key = { id, changeNumber: event.changeNumber, observer: observer.name, action: action.name, attempt, configVersion };
    try {
      const result = await this.once.run({
        ...key,
        text: this.text,
        values: [envelopeText(event)],
        cause: causeOf(delivery),
        trace: passedOn(delivery),
        timeout: this.timeout,
      });
      if (result === 'stale') return failed('interrupted', 'another instance leads by now');
      return { ok: true, status: null, recorded: true };
    } catch (error) {
      return this.once.closed ? STOPPING : outcomeOf(error, this.timeout);
    }
  }

  render({ event }: Delivery): Rendering {
    const content = { type: 'database', function: this.definition.function, argument: envelopeText(event) } as const;
    return { content, missing: [], notes: [] };
  }
}

/** Written as a table is, and always exactly as it is written: functions are not looked for in lower case. */
function functionName(text: string): string {
  const { schema, table } = parseName(text);
  return quoteName(schema, table);
}

const CANCELED = '57014';
/** No such function or schema, no right to call it: the file or the database must be corrected. */
const CONFIGURATION = /^(42883|42725|3F000|42501)$/;
/** What the function itself raises, and rows that are not there yet: another time it may be true. */
const MAY_PASS = /^(P0001|23503|40)/;

function outcomeOf(error: unknown, timeout: number): Outcome {
  const { code = '' } = error as { code?: string };
  const message = messageOf(error);
  if (code === CANCELED) return failed('timeout', `the function did not end within ${timeout} ms`);
  if (CONFIGURATION.test(code)) return failed('configuration', `the function cannot be called: ${message}`);
  if (MAY_PASS.test(code) || isRetryable(error)) return failed('database_temporary', message);
  return failed('database_error', `${message} (${code})`);
}

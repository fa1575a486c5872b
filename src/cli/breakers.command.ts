import { Command, Option, SubCommand } from 'nest-commander';
import { ExitCode, OperatorError } from '../event/errors';
import { CommandGroup, ObserversCommand, type GlobalOptions } from './command';
import { operator } from './dlq/item';
import { onServices } from './modules';
import { BREAK, colors, duration, print, printJson, printTable } from './output';

/** The leader looks twice a second; a busy one takes its time. */
const WAIT = 10_000;

@SubCommand({ name: 'list', description: 'circuit breakers that are not closed: next to nothing is tried at their endpoints' })
class BreakersListCommand extends ObserversCommand {
  protected readonly examples = [['which endpoints are left alone', 'breakers list']] as const;

  async run(_args: string[], flags: GlobalOptions): Promise<void> {
    const { RedriveModule } = await import('../redrive/redrive.module');
    const { Breakers } = await import('../redrive/breakers.service');
    const { held, led } = await onServices(flags, [RedriveModule], async (get) => ({
      held: await get(Breakers).held(),
      led: await get(Breakers).isLed(),
    }));
    if (flags.format === 'json') return printJson(held);
    if (!led) return print('unknown: no service leads the stream, and circuit breakers are in its memory');
    if (held.length === 0) return print(colors.green('no circuit breaker is open'));
    printTable(
      ['endpoint', 'breaker', 'one tries in'],
      held.map(({ name, state, probeIn }) => [name, colors.red(state), state === 'open' ? duration(probeIn / 1_000) : 'now']),
    );
    print(`${BREAK}When it works again: breakers reset NAME`);
  }
}

interface ResetFlags extends GlobalOptions {
  readonly reason?: string;
}

@SubCommand({
  name: 'reset',
  arguments: '<name>',
  description: 'close a circuit breaker; the failures of its window still count, so it may open at the next one',
})
class BreakersResetCommand extends ObserversCommand {
  protected readonly examples = [['the receiver works again', 'breakers reset billing']] as const;

  @Option({ flags: '--reason <text>', description: 'why, for the log of the service' })
  parseReason(value: string): string {
    return value;
  }

  async run([endpoint]: string[], flags: ResetFlags): Promise<void> {
    if (endpoint === undefined) throw new OperatorError('no endpoint named', 'What there is: fraiseql-observers breakers list');
    const { RedriveModule } = await import('../redrive/redrive.module');
    const { Breakers } = await import('../redrive/breakers.service');
    const wish = { endpoint, askedBy: operator(), reason: flags.reason ?? null };
    const was = await onServices(flags, [RedriveModule], (get, { stream }) => get(Breakers).reset(stream, wish, WAIT));
    if (was === 'not led' || was === 'no answer')
      throw new OperatorError(
        was === 'not led'
          ? 'no service leads the stream: nobody has circuit breakers at the moment'
          : `the instance that leads has not answered within ${WAIT / 1_000} s; nothing is changed any more`,
        'Who leads: fraiseql-observers status',
        ExitCode.connection,
      );
    if (was === 'no breaker')
      throw new OperatorError(`the endpoint "${endpoint}" has no circuit breaker, or there is no such endpoint`, 'Endpoints: fraiseql-observers status --detailed', ExitCode.notFound); // prettier-ignore
    if (flags.format === 'json') return printJson({ name: endpoint, state: 'closed', was, changed: was !== 'closed' });
    print(was === 'closed' ? `${endpoint} was closed already` : `${endpoint} was ${was}, and is closed: what waits for it goes on`);
  }
}

const SUB_COMMANDS = [BreakersListCommand, BreakersResetCommand];

@Command({ name: 'breakers', description: 'circuit breakers of endpoints: which are open, and closing them', subCommands: SUB_COMMANDS })
export class BreakersCommand extends CommandGroup {
  static readonly subCommands = SUB_COMMANDS;
}

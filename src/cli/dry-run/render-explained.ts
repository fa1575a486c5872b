import pino from 'pino';
import type { Settings } from '../../config/settings';
import type { ConfigVersions } from '../../config/config-versions.service';
import { firstTry, Renderer, type ShownDelivery } from '../../dry-run/renderer';
import { OperatorError } from '../../event/errors';
import type { DeliveryExplanation, EventExplanation } from '../../explain/explain';
import { loadInputOf, type GlobalOptions } from '../command';

/** By `observer/action`. */
export type Renderings = ReadonlyMap<string, ShownDelivery>;

/** What the deliveries of an explained event send, rendered anew by the version that it is explained by. */
export async function renderExplained(
  versions: ConfigVersions,
  settings: Settings,
  flags: GlobalOptions,
  { event, version, observers }: EventExplanation,
): Promise<Renderings> {
  const text = version === null ? null : await versions.read(version);
  if (event === null || text === null) return new Map();
  const { modulesOf, readDefinition } = await import('../../config/load');
  const { loadCustomActions } = await import('../../actions/custom/load-modules');
  const { UnrecordedCalls } = await import('../../actions/database/unrecorded-calls');
  const input = loadInputOf(flags);
  const custom = await loadCustomActions(modulesOf(input));
  const definition = readDefinition({ ...input, custom }, settings, text);
  const nowhere = (): Promise<never> => Promise.reject(new OperatorError('nothing is sent here', ''));
  const connections = { settings, custom, once: new UnrecordedCalls(nowhere) };
  const renderer = new Renderer(definition.observers, definition.redaction, pino({ level: 'silent' }), connections);
  try {
    const found = new Map<string, ShownDelivery>();
    for (const { name, deliveries } of observers) {
      const observer = definition.observers.find((one) => one.name === name);
      for (const delivery of deliveries) {
        const action = observer?.actions.find((one) => one.name === delivery.action);
        if (observer === undefined || action === undefined) continue;
        const rendered = renderer.render(firstTry({ event, observer, action }));
        found.set(`${name}/${action.name}`, { ...rendered, notes: [...rendered.notes, ...comparison(delivery, rendered)] });
      }
    }
    return found;
  } finally {
    await renderer.close();
    await custom.close();
  }
}

/** A shadow's record has the hash of what it would have sent. */
function comparison({ attempts }: DeliveryExplanation, { payload }: ShownDelivery): string[] {
  const recorded = attempts.flatMap(({ message }) => /sha256 ([\da-f]{64})/.exec(message ?? '')?.[1] ?? []).at(-1);
  if (recorded === undefined || payload === null) return [];
  if (recorded === payload.sha256) return ['the same payload as is on record (sha256)'];
  return ['another payload than is on record (sha256): a reference has another value here, or a look-up gave something'];
}

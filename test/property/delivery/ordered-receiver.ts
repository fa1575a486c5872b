import type { CustomDelivery } from '../../../src/actions/custom/custom-action';
import { retry, succeeded } from '../../../src/actions/custom/outcomes';
import type { Outcome } from '../../../src/event/outcome';

interface Request {
  /** Observer and entity. */
  readonly lane: string;
  readonly version: number;
  readonly answer: (outcome: Outcome) => void;
}

/** Sees what arrives and whether it comes in order, and answers when it is told to. */
export class OrderedReceiver {
  readonly open: Request[] = [];
  readonly wrong: string[] = [];
  private readonly arrived = new Map<string, Set<number>>();
  private readonly accepted = new Map<string, Set<number>>();

  constructor(
    private readonly names: readonly string[],
    /** The last version of each entity. */
    private readonly written: readonly number[],
  ) {}

  readonly send = ({ event, observer: lane }: CustomDelivery): Promise<Outcome> => {
    const version = Number((event.data?.value as { version: unknown }).version);
    return new Promise((resolve) => this.take({ lane: `${lane} ${event.entityKey}`, version, answer: resolve }));
  };

  private take(request: Request): void {
    const { lane, version } = request;
    const [arrived, accepted] = [versions(this.arrived, lane), versions(this.accepted, lane)];
    const before = lane.startsWith('strict') ? accepted : arrived;
    for (let earlier = 1; earlier < version; earlier++)
      if (!arrived.has(version) && !before.has(earlier)) this.wrong.push(`${lane}: ${version} came before ${earlier}`);
    arrived.add(version);
    this.open.push(request);
  }

  answer(which: number, ok: boolean): void {
    const [request] = this.open.splice(which, 1);
    if (request === undefined) return;
    if (ok) versions(this.accepted, request.lane).add(request.version);
    request.answer(ok ? succeeded() : retry('not now'));
  }

  /** Whoever sent them is dead. */
  forget(): void {
    for (const { answer } of this.open.splice(0)) answer(retry('nobody reads this'));
  }

  missing(): string[] {
    const lanes = this.names.flatMap((name) => this.written.map((last, entity) => ({ lane: `${name} ${entity}`, last })));
    return lanes.flatMap(({ lane, last }) =>
      Array.from({ length: last }, (_none, i) => i + 1)
        .filter((version) => !versions(this.accepted, lane).has(version))
        .map((version) => `${lane}: ${version}`),
    );
  }
}

function versions(of: Map<string, Set<number>>, lane: string): Set<number> {
  const known = of.get(lane) ?? new Set<number>();
  of.set(lane, known);
  return known;
}

import type { LookupDefinition } from '../../event/definitions';
import type { FileProblems, Path } from '../file-problems';
import { didYouMean } from '../problems';
import type { LookupShape } from '../schema/observers-file';
import { NAME, NAME_EXPECTED } from '../schema/parts';
import { durationOf } from '../units';
import type { EndpointLinker } from './endpoints';

const DEFAULT = { ttl: '1m', stale_for: '0ms', timeout: '2s' } as const;

function lookupOwner(name: string): string {
  return `lookup ${name}`;
}

/** Those under `lookups:`, and which of them an observer uses. */
export class LookupLinker {
  private readonly named = new Map<string, LookupDefinition>();

  constructor(
    private readonly problems: FileProblems,
    private readonly endpoints: EndpointLinker,
  ) {}

  define(shapes: Readonly<Record<string, LookupShape>>): void {
    for (const [name, shape] of Object.entries(shapes)) {
      if (!NAME.test(name)) this.problems.found.push(this.problems.source.keyProblem(['lookups'], name, NAME_EXPECTED));
      const { ttl = DEFAULT.ttl, stale_for: staleFor = DEFAULT.stale_for, timeout = DEFAULT.timeout, ...destination } = shape;
      const endpoint = this.problems.mentions.within(lookupOwner(name), () =>
        this.endpoints.define(`lookup ${name}`, { ...destination, timeout, circuit_breaker: 'off' }, ['lookups', name]),
      );
      this.named.set(name, { name, endpoint, ttl: durationOf(ttl), staleFor: durationOf(staleFor) });
    }
  }

  /** Runs the linking of an observer in whose conditions and templates these may stand. */
  within<T extends object>(names: readonly string[], path: Path, link: () => T): T & { readonly lookups: readonly LookupDefinition[] } {
    this.problems.unique(names, (i) => [...path, i], 'look-up');
    const known = [...this.named.keys()];
    const lookups = names.flatMap((name, i) => {
      const found = this.named.get(name);
      if (found === undefined) this.problems.add([...path, i], `there is no look-up "${name}"${didYouMean(name, known)}`);
      return found ?? [];
    });
    const used = new Set<string>();
    for (const name of names) this.problems.mentions.uses(lookupOwner(name));
    this.problems.lookups = { listed: new Set(names), known, used };
    const linked = link();
    this.problems.lookups = null;
    names.forEach((name, i) => {
      if (!used.has(name) && this.named.has(name))
        this.problems.warnings.push(this.problems.source.problem([...path, i], `neither the condition nor an action uses lookups.${name}`));
    });
    return { ...linked, lookups };
  }
}

import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import type { ObserversDefinition } from '../event/definitions';
import { endpointNameOf, homeOf } from '../event/endpoint-name';
import { readOnRecord, type NameFilter } from './known-names.sql';

export type { NameFilter } from './known-names.sql';

/** A name in a filter that nothing has. */
export interface UnknownName {
  readonly of: keyof NameFilter;
  /** `observer`, `type of entity`: for a sentence. */
  readonly word: string;
  readonly name: string;
  /** What there is instead. */
  readonly known: readonly string[];
}

type Definition = Pick<ObserversDefinition, 'captures' | 'endpoints' | 'observers'>;

const WORDS: Readonly<Record<keyof NameFilter, string>> = {
  observer: 'observer',
  action: 'action',
  endpoint: 'endpoint',
  entityType: 'type of entity',
};

/** Whether what a filter names exists: for when nothing matches, which a slip of the pen must not look like. */
@Injectable()
export class KnownNames {
  constructor(private readonly database: Database) {}

  /** The first name that neither these configurations have nor anything on record; null when there is none. */
  async unknownOf(filter: NameFilter, definitions: readonly Definition[]): Promise<UnknownName | null> {
    const known = namesOf(definitions, filter.observer);
    const asked = Object.keys(WORDS) as (keyof NameFilter)[];
    // Where others write the log and somebody observes all of it, any type may come.
    const open = definitions.some(({ captures, observers }) => captures.length === 0 && observers.some(({ entities }) => entities === '*'));
    const strange = asked
      .filter((of) => of !== 'entityType' || !open)
      .filter((of) => filter[of] !== null && !known[of].includes(homeOf(filter[of])));
    if (strange.length === 0) return null;
    const recorded = await this.database.use((client) => readOnRecord(client, filter));
    const of = strange.find((one) => !recorded[one]);
    return of === undefined ? null : { of, word: WORDS[of], name: filter[of] ?? '', known: known[of] };
  }
}

/** @param observer whose actions are meant; null: of all */
function namesOf(definitions: readonly Definition[], observer: string | null): Readonly<Record<keyof NameFilter, readonly string[]>> {
  const observers = definitions.flatMap((definition) => definition.observers);
  const own = observers.filter(({ name }) => observer === null || name === observer);
  const actions = observers.flatMap((one) => one.actions);
  return {
    observer: unique(observers.map(({ name }) => name)),
    action: unique(own.flatMap((one) => one.actions.map(({ name }) => name))),
    endpoint: unique([...definitions.flatMap(({ endpoints }) => endpoints.map(({ name }) => name)), ...actions.map(endpointNameOf)]),
    entityType: unique([
      ...definitions.flatMap(({ captures }) => captures.map(({ entity }) => entity)),
      ...observers.flatMap(({ entities }) => (entities === '*' ? [] : entities)),
    ]),
  };
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}

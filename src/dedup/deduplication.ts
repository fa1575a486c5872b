import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DedupStore, type DedupKey } from './dedup-store';
import type { DedupPolicy } from '../event/definitions';
import { deliveryId, type Delivery } from '../event/delivery';
import { messageOf } from '../event/errors';
import { failed, type Outcome } from '../event/outcome';
import { compileTemplate, TemplateRenderError, type Template } from '../matching/template/template';

/** The other one may be through any moment; it is looked at again no later than this, in milliseconds. */
const LOOK_AGAIN = 250;

export interface DedupEvents {
  /** A delivery was not made, for another with its key was. */
  duplicate(observer: string): void;
  /** A delivery is made without its key: the store cannot be asked. */
  dedupUnavailable(observer: string): void;
}

/** Content keys that all terms have in common: a lost connection to the database forgets none. */
@Injectable()
export class Deduplications {
  constructor(private readonly store: DedupStore) {}

  open(events: DedupEvents): Deduplication {
    return new Deduplication(this.store, events);
  }
}

/** Runs a try only when no other with the same content key was made, or is under way. */
export class Deduplication {
  /** By policy, when it is first needed: a redelivery may be by an older version of the configuration. */
  private readonly keys = new WeakMap<DedupPolicy, Template | null>();

  constructor(
    private readonly store: DedupStore,
    private readonly events: DedupEvents,
  ) {}

  /** Never rejects, as `run` never does. */
  guard(delivery: Delivery, run: () => Promise<Outcome>): Promise<Outcome> {
    const { dedup } = delivery.observer;
    return dedup === null ? run() : this.once(delivery, dedup, this.keyOf(dedup), run);
  }

  private keyOf(policy: DedupPolicy): Template | null {
    let key = this.keys.get(policy);
    if (key === undefined) {
      key = policy.key === null ? null : compileTemplate(policy.key, 'text');
      this.keys.set(policy, key);
    }
    return key;
  }

  private async once(delivery: Delivery, policy: DedupPolicy, template: Template | null, run: () => Promise<Outcome>): Promise<Outcome> {
    let key: DedupKey;
    try {
      key = keyOf(delivery, template);
      const claim = await this.store.claim(key, policy.lease);
      if (claim.is === 'done') {
        this.events.duplicate(delivery.observer.name);
        return { ok: true, status: null, skipped: `its dedup key was delivered for change ${claim.changeNumber}` };
      }
      if (claim.is === 'busy') {
        const message = `its dedup key is being delivered for change ${claim.changeNumber}`;
        return failed('busy', message, { retryAfter: Math.max(0, Math.min(claim.left, LOOK_AGAIN)) });
      }
      // At least once: what this delivery has on record decides alone. It is never skipped.
      if (claim.is === 'unknown') this.events.dedupUnavailable(delivery.observer.name);
    } catch (error) {
      if (error instanceof TemplateRenderError) return failed('template', error.message);
      return failed('database_temporary', `the dedup key could not be claimed: ${messageOf(error)}`);
    }
    const outcome = await run();
    // Lost with the store: the claim runs out, and what has the same key may be delivered twice. Better than not at all.
    await (outcome.ok ? this.store.done(key, policy.window) : this.store.release(key)).catch(() => undefined);
    return outcome;
  }
}

function keyOf({ event, observer, action }: Delivery, template: Template | null): DedupKey {
  const rendered = template?.render(event, observer.strictTemplates);
  // The second of two events without the value would be taken for a repetition.
  if (rendered !== undefined && rendered.missing.length > 0)
    throw new TemplateRenderError('the dedup key has a value that the event has not');
  const text = rendered?.text ?? deliveryId(event.id, observer.name, action.name);
  const key = createHash('sha256').update(text).digest();
  return { observer: observer.name, action: action.name, key, changeNumber: event.changeNumber };
}

import type { ActionDefinition, EndpointLimits } from '../event/definitions';
import type { Delivery } from '../event/delivery';
import type { Outcome } from '../event/outcome';
import type { Rendering } from './rendering';

/** One action of one observer, ready to run: templates compiled, connections pooled. Lives as long as its configuration version. */
export interface PreparedAction {
  /** Those of its endpoint. */
  readonly limits: EndpointLimits;
  /** No run takes longer, in milliseconds; claims are leased for it. */
  readonly timeout: number;

  /**
   * One try. Expected failures are outcomes; it rejects only when its plumbing is broken.
   *
   * @param id the delivery id, the same on every try
   */
  run(delivery: Delivery, id: string): Promise<Outcome>;

  /** Where data says which server of its endpoint a delivery goes to: its origin. Null when it says none. Never throws. */
  serverOf?(delivery: Delivery): string | null;

  /**
   * What such a try would send: the first half of `run`, so that the two cannot differ. It asks nobody and opens nothing.
   *
   * @throws TemplateRenderError where a try would fail for its templates
   */
  render(delivery: Delivery, id: string): Rendering;
}

/** One action type. */
export interface ActionHandler<D extends ActionDefinition> {
  readonly type: D['type'];
  prepare(definition: D, observer: string): PreparedAction;
}

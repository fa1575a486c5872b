import {
  CustomAction,
  refused,
  retry,
  succeeded,
  type CustomActionHandler,
  type CustomActionRun,
  type CustomActionTools,
} from 'fraiseql-observers';
import { z } from 'zod';
import { TrackerClient } from './tracker.client';

const options = z.strictObject({
  project: z.string().regex(/^[A-Z]+$/, 'expected a project such as SHOP'),
  title: z.string().min(1),
});

/** Opens a ticket. The tracker knows it by the delivery id: what comes again is the same ticket. */
@CustomAction('ticket')
export class TicketAction implements CustomActionHandler<z.infer<typeof options>> {
  readonly options = options;

  constructor(private readonly tracker: TrackerClient) {}

  prepare({ project, title }: z.infer<typeof options>, { template }: CustomActionTools): CustomActionRun {
    const compiled = template(title, 'text');
    return async ({ id, event }, signal) => {
      const status = await this.tracker.put(`${project}/${id}`, { title: compiled.render(event).text }, signal);
      if (status < 300) return succeeded(status);
      return status === 429 || status >= 500 ? retry(`the tracker answers ${status}`) : refused(`the tracker answers ${status}`);
    };
  }
}

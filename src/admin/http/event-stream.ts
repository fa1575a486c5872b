import type { Response } from 'express';
import { within } from '../../event/timing';

/**
 * An answer that goes on: server-sent events. Whoever writes waits until they are taken; what is not sent yet is then a page of them, however slowly somebody
 * reads.
 */
export class EventStream {
  private open = true;
  private ended: () => void = () => undefined;
  /** Resolves when nobody reads any more. */
  readonly closed = new Promise<void>((resolve) => (this.ended = resolve));

  /** @param patience milliseconds for which a reader may take nothing */
  constructor(
    private readonly response: Response,
    private readonly patience: number,
  ) {
    response.once('close', () => {
      this.open = false;
      this.ended();
    });
  }

  get isOpen(): boolean {
    return this.open;
  }

  /** The head of the answer: from here on it cannot become a problem. */
  begin(): void {
    this.response.status(200).set({ 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' });
    this.response.flushHeaders();
  }

  /** Resolves when there is room for more. A reader that takes nothing for too long is cut off. */
  async write(text: string): Promise<void> {
    const { response } = this;
    if (!this.open || response.write(text)) return;
    const taken = new Promise<void>((resolve) => response.once('drain', resolve));
    await within(Promise.race([taken, this.closed]), this.patience, () => void response.destroy());
  }

  /** At once, whatever was not taken. */
  cut(): void {
    this.response.destroy();
  }

  /** With a last event, if it is still read. */
  async end(text: string): Promise<void> {
    if (!this.open) return;
    this.response.end(text);
    await within(this.closed, this.patience, () => void this.response.destroy());
  }
}

/** One event; `data` is JSON, and so one line. */
export function eventText({ id, event, data }: { readonly id?: string; readonly event?: string; readonly data: unknown }): string {
  return `${event === undefined ? '' : `event: ${event}\n`}${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}

/** Where a reader stands that has seen nothing new: what it asks with, once the connection is lost. */
export function placeText(id: string): string {
  return `: here\nid: ${id}\n\n`;
}
